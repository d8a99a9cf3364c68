"""One-time codes: how a device is enrolled, and what stands in for it."""

from datetime import datetime

from tocsin_protocol.messages import Message, Question


class NewTotp(Question, frozen=True, kw_only=True):
    password: str
    code: str = ""
    """Of the device that is enrolled, or a recovery code, where another is to take its place."""


class TotpOffer(Message, frozen=True, kw_only=True):
    """A new secret, shown this once; it is in force when its first code has come."""

    secret: str
    """In base32, to be typed."""
    uri: str
    """`otpauth://…`, what authenticators read."""


class TotpCode(Question, frozen=True, kw_only=True):
    code: str


class RecoveryCodes(Message, frozen=True, kw_only=True):
    """Each is good once in place of a code; shown this once."""

    codes: list[str]


class Totp(Message, frozen=True, kw_only=True):
    """Whether codes are asked of one."""

    since: datetime | None = None
    recovery_codes: int = 0
    """How many are left."""
    is_required: bool = False
    """By one's role."""
