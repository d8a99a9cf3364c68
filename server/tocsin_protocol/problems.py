"""What is wrong, as every error says it (RFC 9457)."""

import msgspec

from tocsin_protocol.messages import Message


class WrongPart(Message, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong in a document: where, as a fragment of a URL (RFC 6901), and why."""

    detail: str
    pointer: str
    key: str = ""
    """Where, as a file's refusal has it: `agreements/gold`."""


class Problem(Message, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457. `type` is a stable word a program can test, such as `ticket-changed`."""

    title: str
    status: int
    type: str = "about:blank"
    detail: str = ""
    remedy: str = ""
    errors: list[WrongPart] = msgspec.field(default_factory=list)
    """Of a document, all that is wrong in it."""
