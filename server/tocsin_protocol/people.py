"""How somebody signs in, and where: the person, sessions and tokens, as the server tells of them."""

from datetime import datetime

from tocsin_protocol.messages import Message, Question
from tocsin_protocol.vocabulary import Role, TokenScope

CODE_REQUIRED = "code-required"
"""The type of the 401 for a right password without the right one-time code."""
ENROLMENT_REQUIRED = "enrolment-required"
"""The type of the 403 for whose role asks for one-time codes and who has no device yet."""


class LoginRequest(Question, frozen=True, kw_only=True):
    """Without the code that is asked of somebody the answer is a 401 of type `CODE_REQUIRED`: ask for it."""

    login: str
    password: str
    code: str = ""
    """The one-time code of now, or a recovery code."""


class Person(Message, frozen=True, kw_only=True):
    id: int
    login: str
    name: str
    role: Role


class LoginAnswer(Message, frozen=True, kw_only=True):
    token: str
    expires_at: datetime
    person: Person
    must_enrol: bool = False
    """The role asks for one-time codes: until a device is enrolled the session is good for that alone."""


class NewPassword(Question, frozen=True, kw_only=True):
    old: str
    new: str
    code: str = ""


class SessionRow(Message, frozen=True, kw_only=True):
    """Where one is signed in."""

    id: str
    begun_at: datetime
    used_at: datetime
    """To a minute."""
    expires_at: datetime | None = None
    """Unless it is unused for 30 minutes before; a session of `tocsin up` does not end by itself."""
    source: str = ""
    is_current: bool = False


class SessionPage(Message, frozen=True, kw_only=True):
    sessions: list[SessionRow]


class Ended(Message, frozen=True, kw_only=True):
    """How many sessions an act has ended."""

    sessions: int


class NewToken(Question, frozen=True, kw_only=True):
    """A token outlives the session that makes it, so the password is asked for, and the code."""

    name: str
    scopes: list[TokenScope]
    password: str
    code: str = ""
    days: int = 90


class ApiToken(Message, frozen=True, kw_only=True):
    id: int
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    """To an hour."""


class MadeToken(Message, frozen=True, kw_only=True):
    token: str
    """Shown this once."""
    made: ApiToken


class TokenPage(Message, frozen=True, kw_only=True):
    tokens: list[ApiToken]
