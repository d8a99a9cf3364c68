"""The server's errors, by what the one who meets them can do.

    TocsinError
    ├── Refused            the request is wrong: a person or a program mends it  (4xx)
    │   ├── Unauthenticated    say who you are                                   (401)
    │   ├── Forbidden          not yours                                         (403)
    │   ├── NotFound           not there, or not visible to you                  (404)
    │   ├── Conflict           somebody was first                                (409)
    │   ├── Stale              it has changed since you looked                   (412)
    │   ├── TooLarge           send less                                         (413)
    │   └── Unprocessable      the content makes no sense                        (422)
    │       └── Malformed          a document, with all that is wrong in it
    ├── Unavailable        try again later                                       (429, 503)
    └── Misconfigured      an operator mends a file, a flag or the machine       (exit 2)

A message is lower-case, has no full stop, names the thing and the value; `remedy` says how to mend it.
"""

import difflib
from collections.abc import Collection, Sequence
from typing import ClassVar, NamedTuple


class TocsinError(Exception):
    """The root: catch this to catch everything that tocsin itself raises."""

    status: ClassVar[int] = 500
    kind: ClassVar[str] = "internal"

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}: {self.remedy}" if self.remedy else self.message


class Refused(TocsinError):
    """The request is wrong."""

    status = 400
    kind = "refused"


class Unauthenticated(Refused):
    """Nobody is signed in, or the session has ended."""

    status = 401
    kind = "unauthenticated"


class Forbidden(Refused):
    """Known, but not allowed."""

    status = 403
    kind = "forbidden"


class NotFound(Refused):
    """Not there, or not visible to the one who asks; the two are not told apart."""

    status = 404
    kind = "not-found"


class Conflict(Refused):
    """Somebody was first, or the state does not allow it."""

    status = 409
    kind = "conflict"


class Stale(Refused):
    """It has changed since the asker looked."""

    status = 412
    kind = "stale"


class TooLarge(Refused):
    """More than one request may carry."""

    status = 413
    kind = "too-large"


class Unprocessable(Refused):
    """Well-formed, but the content makes no sense."""

    status = 422
    kind = "unprocessable"


class Wrong(NamedTuple):
    """One thing that is wrong in a document: why, where (RFC 6901), and by what name people know the place."""

    detail: str
    pointer: str
    key: str = ""


class Malformed(Unprocessable):
    """A document that cannot be taken; its words tell the first of what is wrong."""

    kind = "malformed"

    def __init__(self, what: str, errors: Sequence[Wrong], *, remedy: str = "") -> None:
        first = errors[0]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        super().__init__(f"{what}: {first.pointer or '/'}: {first.detail}{more}", remedy=remedy)
        self.errors = errors


class Unavailable(TocsinError):
    """Not now; the same request may succeed later."""

    status = 503
    kind = "unavailable"

    def __init__(self, message: str, *, remedy: str = "", retry_after_s: float = 5.0) -> None:
        super().__init__(message, remedy=remedy)
        self.retry_after_s = retry_after_s


class Overloaded(Unavailable):
    """Too much at once."""

    status = 429
    kind = "overloaded"


class Misconfigured(TocsinError):
    """An operator has to mend a file, a flag or the machine."""

    kind = "misconfigured"


def suggestion(word: str, known: Collection[str]) -> str:
    """The end of a message: which of the known words was probably meant, or all of them."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}" if near else f"; there are {', '.join(known)}"
