"""The audit log as it is kept: `record` adds to it, in the transaction of the act that it tells of.

Whoever writes to the database has it alone: SQLite's BEGIN IMMEDIATE and PostgreSQL's advisory lock see to it,
for commands beside the server too. So the last entry stays the last until the transaction ends; were there a
second writer all the same, of two entries with one number the database refuses one.
"""

from collections.abc import Generator
from dataclasses import asdict

from sqlalchemy import insert, select
from sqlmodel import Session

from tocsin_server.access.audit import EMPTY, Act, Deed, Entry, Head, following
from tocsin_server.access.checkpoints import Checkpoint
from tocsin_server.access.store import AUDIT, CHECKPOINTS

_LAST = select(AUDIT.c.id, AUDIT.c.digest).order_by(AUDIT.c.id.desc()).limit(1)
_ADD = insert(AUDIT)
_ROWS = 1000
"""How many entries are in memory at a time."""


def record(session: Session, deed: Deed) -> None:
    """Add an entry: it is kept with the act, or neither is."""
    session.execute(_ADD, asdict(following(head_of(session), deed)))


def head_of(session: Session) -> Head:
    """Where the chain ends."""
    last = session.execute(_LAST).first()
    return EMPTY if last is None else Head(*last)


def entries(session: Session) -> Generator[Entry, None, None]:
    """All entries, the oldest first, a batch at a time; to be closed by who does not read to the end."""
    asked = select(AUDIT).order_by(AUDIT.c.id)
    with session.execute(asked, execution_options={"yield_per": _ROWS}) as rows:
        for row in rows.mappings():
            yield Entry(**row)


def latest(
    session: Session,
    *,
    client_id: int | None = None,
    actor: str | None = None,
    act: Act | None = None,
    since_ms: int | None = None,
    limit: int,
) -> list[Entry]:
    """The newest so many of the entries that are asked for, the newest last."""
    asked = select(AUDIT).order_by(AUDIT.c.id.desc()).limit(limit)
    if client_id is not None:
        asked = asked.where(AUDIT.c.client_id == client_id)
    if actor is not None:
        asked = asked.where(AUDIT.c.actor == actor)
    if act is not None:
        asked = asked.where(AUDIT.c.act == act.value)
    if since_ms is not None:
        asked = asked.where(AUDIT.c.at_ms >= since_ms)
    return [Entry(**row) for row in reversed(session.execute(asked).mappings().all())]


def kept_checkpoints(session: Session) -> list[Checkpoint]:
    """Those of the table, the oldest first."""
    return [Checkpoint(*row) for row in session.execute(select(CHECKPOINTS).order_by(CHECKPOINTS.c.entry_id))]


def newest_checkpoint(session: Session) -> Checkpoint | None:
    """The last of the table."""
    row = session.execute(select(CHECKPOINTS).order_by(CHECKPOINTS.c.entry_id.desc()).limit(1)).first()
    return None if row is None else Checkpoint(*row)
