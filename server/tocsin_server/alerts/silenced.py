"""The silences that are kept: what people ask for, done in the database, and those that hold, in memory.

Whoever changes them calls `reload` when the change is written, so the next round knows of it.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from sqlalchemy import Row, insert, or_, select, update
from sqlmodel import Session

from tocsin_server.alerts.matchertext import parse_matchers, spelled
from tocsin_server.alerts.silences import Silence, Wish, expired, revised, silenced
from tocsin_server.alerts.store import SILENCES
from tocsin_server.errors import NotFound
from tocsin_server.storage.engine import Storage

NEW = 0
"""The id of a silence that has no row yet."""
MOST = 500
"""How many expired ones a list tells of, the latest."""


class Silences:
    """Those that have not expired, for the judge."""

    def __init__(self, storage: Storage, now_ms: Callable[[], int]) -> None:
        self._storage = storage
        self._now_ms = now_ms
        self._kept: tuple[Silence, ...] = ()

    def kept(self) -> tuple[Silence, ...]:
        """Those that hold or will; as of the last `reload`."""
        return self._kept

    def reload(self) -> None:
        """Look at the table."""
        self._kept = tuple(self._storage.read(partial(silences, now_ms=self._now_ms())))


def silences(
    session: Session, now_ms: int, *, with_expired: bool = False, clients: frozenset[int] | None = None
) -> list[Silence]:
    """The silences, those that end last first; of these clients and of all, where `clients` says which."""
    asked = select(SILENCES).order_by(SILENCES.c.ends_ms.desc(), SILENCES.c.id).limit(MOST)
    if not with_expired:
        asked = asked.where(SILENCES.c.ends_ms > now_ms).limit(None)
    if clients is not None:
        asked = asked.where(or_(SILENCES.c.client_id.is_(None), SILENCES.c.client_id.in_(clients)))
    return [_silence(row) for row in session.execute(asked)]


def silence(session: Session, silence_id: int) -> Silence:
    """One silence; raises `NotFound`."""
    row = session.execute(select(SILENCES).where(SILENCES.c.id == silence_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no silence {silence_id}", remedy="list them: tocsin-server silence list")
    return _silence(row)


def add_silence(session: Session, wish: Wish, now_ms: int) -> Silence:
    """A new one; raises `Unprocessable` for what makes no sense."""
    return _insert(session, silenced(wish, new_id=NEW, now_ms=now_ms))


def change_silence(session: Session, silence_id: int, wish: Wish, now_ms: int) -> Silence:
    """The silence as it is to be: changed in place, or expired and made anew where its past would change."""
    revision = revised(silence(session, silence_id), wish, new_id=NEW, now_ms=now_ms)
    if revision.expired is not None:
        _update(session, revision.expired)
    if revision.stands.id == NEW:
        return _insert(session, revision.stands)
    _update(session, revision.stands)
    return revision.stands


def expire_silence(session: Session, silence_id: int, now_ms: int) -> Silence:
    """End it now; one that has ended stays as it is."""
    ended = expired(silence(session, silence_id), now_ms)
    _update(session, ended)
    return ended


def _insert(session: Session, new: Silence) -> Silence:
    given = session.execute(insert(SILENCES).values(_columns(new)).returning(SILENCES.c.id)).scalar_one()
    return replace(new, id=given)


def _update(session: Session, changed: Silence) -> None:
    session.execute(update(SILENCES).where(SILENCES.c.id == changed.id).values(_columns(changed)))


def _columns(of: Silence) -> dict[str, int | str | None]:
    return {
        "client_id": of.client_id,
        "matchers": spelled(of.matchers),
        "starts_ms": of.starts_ms,
        "ends_ms": of.ends_ms,
        "author": of.author,
        "comment": of.comment,
    }


def _silence(row: Row[tuple[object, ...]]) -> Silence:
    return Silence(
        id=row.id,
        client_id=row.client_id,
        matchers=parse_matchers(row.matchers),
        starts_ms=row.starts_ms,
        ends_ms=row.ends_ms,
        author=row.author,
        comment=row.comment,
    )
