"""Silences: for some time nobody is woken by alerts with such labels. The semantics are Alertmanager's.

    pending ──starts──▶ active ──ends──▶ expired

What a silence has withheld stays true for ever, so a change that would alter its past expires it and makes
another one: other matchers, another scope, another start of one that has started. The end of an active one and
the times of a pending one change in place. A silence holds from its start up to, and not at, its end.
"""

from dataclasses import dataclass, replace

from tocsin_protocol.vocabulary import SilenceState
from tocsin_server.access.audit import Act, Actor, Deed
from tocsin_server.alerts.matchertext import narrows, spelled
from tocsin_server.errors import Unprocessable
from tocsin_server.series.matchers import Matchers

MAX_AUTHOR = 256
MAX_COMMENT = 2000
LAST_MS = 253_370_764_800_000
"""The year 9999 begins: beyond it no calendar tells a time."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A silence that somebody asks for. `client_id` None is for all clients: the provider's own only."""

    client_id: int | None
    matchers: Matchers
    starts_ms: int
    ends_ms: int
    author: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Silence:
    """A silence as it is kept."""

    id: int
    client_id: int | None
    matchers: Matchers
    starts_ms: int
    ends_ms: int
    author: str
    comment: str = ""

    def state(self, now_ms: int) -> SilenceState:
        """Where it stands now."""
        if now_ms < self.starts_ms:
            return SilenceState.PENDING
        return SilenceState.ACTIVE if now_ms < self.ends_ms else SilenceState.EXPIRED


@dataclass(frozen=True, slots=True)
class Revision:
    """What comes of a change: the silence that stands, and the one that it has expired, if it has."""

    stands: Silence
    expired: Silence | None = None


def silenced(wish: Wish, *, new_id: int, now_ms: int) -> Silence:
    """A new silence; one that should have begun begins now. Raises `Unprocessable`."""
    check(wish, now_ms)
    starts_ms = max(wish.starts_ms, now_ms)
    return Silence(new_id, wish.client_id, wish.matchers, starts_ms, wish.ends_ms, wish.author, wish.comment)


def revised(silence: Silence, wish: Wish, *, new_id: int, now_ms: int) -> Revision:
    """What becomes of a silence that is to be like this; `new_id` is used where its past would change.

    Raises `Unprocessable`; who may touch which client's is for the caller to know, of both client ids.
    """
    check(wish, now_ms)
    if not _changes_in_place(silence, wish, now_ms):
        return Revision(silenced(wish, new_id=new_id, now_ms=now_ms), _ended(silence, now_ms))
    is_pending = silence.state(now_ms) is SilenceState.PENDING
    return Revision(
        replace(
            silence,
            starts_ms=wish.starts_ms if is_pending else silence.starts_ms,
            ends_ms=wish.ends_ms,
            author=wish.author,
            comment=wish.comment,
        )
    )


def expired(silence: Silence, now_ms: int) -> Silence:
    """The silence, ended now; as it is where it has expired, so it can be done twice."""
    return replace(silence, starts_ms=min(silence.starts_ms, now_ms), ends_ms=min(silence.ends_ms, now_ms))


def check(wish: Wish, now_ms: int) -> None:
    """Raises `Unprocessable` for a silence that makes no sense."""
    if not narrows(wish.matchers):
        raise Unprocessable(
            "a silence needs a matcher that does not match the empty word",
            remedy='name what is to be silent, such as alertname="DiskFull"',
        )
    if wish.ends_ms <= wish.starts_ms:
        raise Unprocessable("a silence has to end after it starts", remedy="give it a later end")
    if wish.ends_ms > LAST_MS:
        raise Unprocessable("a silence has to end before the year 9999", remedy="give it an earlier end")
    if wish.ends_ms <= now_ms:
        raise Unprocessable("a silence cannot end in the past", remedy="expire it instead")
    _check_words(wish)


def deed(act: Act, silence: Silence, *, by: Actor, at_ms: int, **more: object) -> Deed:
    """What the audit log tells of a silence that somebody has made, changed or ended."""
    details = {
        "matchers": spelled(silence.matchers),
        "starts_ms": silence.starts_ms,
        "ends_ms": silence.ends_ms,
        "comment": silence.comment,
    }
    return Deed(act, silence.id, by=by, at_ms=at_ms, client_id=silence.client_id, details=details | more)


def _check_words(wish: Wish) -> None:
    if not wish.author.strip():
        raise Unprocessable("a silence needs an author", remedy="say who asks for it")
    for name, text, most in (("author", wish.author, MAX_AUTHOR), ("comment", wish.comment, MAX_COMMENT)):
        if len(text) > most:
            raise Unprocessable(
                f"a silence's {name} of {len(text)} characters is longer than {most}", remedy="say it shorter"
            )


def _changes_in_place(silence: Silence, wish: Wish, now_ms: int) -> bool:
    """Whether what has been silent, and what has not, stays as it was."""
    if (silence.client_id, silence.matchers) != (wish.client_id, wish.matchers):
        return False
    match silence.state(now_ms):
        case SilenceState.PENDING:
            return wish.starts_ms >= now_ms
        case SilenceState.ACTIVE:
            # As Alertmanager does, to the second: programs send back what they were shown.
            return wish.starts_ms // 1000 == silence.starts_ms // 1000
        case SilenceState.EXPIRED:
            return False


def _ended(silence: Silence, now_ms: int) -> Silence | None:
    return None if silence.state(now_ms) is SilenceState.EXPIRED else expired(silence, now_ms)
