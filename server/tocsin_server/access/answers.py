"""What somebody was answered under an idempotency key of theirs, kept for a day.

It is kept in the transaction of the act: either both are there or neither is, so that a repeat can tell. Of
each person the latest so many are kept; who has made more since has nothing to repeat.
"""

import zlib
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlmodel import Session

from tocsin_server.access.store import ANSWERS
from tocsin_server.storage.statements import insert_or

KEPT_MS = 24 * 3_600_000
MOST = 1000
"""Of one person: more acts than a day's work of the quickest."""
_A = ANSWERS.c


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as it was given, and to which request."""

    person_id: int
    key: str
    fingerprint: str
    """Of the request: another one under the same key is a mistake."""
    client_id: int | None
    """Whose client it tells of; nothing where it is no client's alone."""
    status: int
    body: bytes
    at_ms: int


def answer_under(session: Session, person_id: int, key: str, now_ms: int) -> KeptAnswer | None:
    """What was answered within the last day."""
    asked = select(ANSWERS).where(_A.person_id == person_id, _A.key == key, _A.at_ms > now_ms - KEPT_MS)
    row = session.execute(asked).mappings().first()
    return None if row is None else KeptAnswer(**{**row, "body": zlib.decompress(row["body"])})


def keep_answer(session: Session, answer: KeptAnswer) -> None:
    """Keep one, in place of what was kept under its key a day ago; the person's oldest make room."""
    values = {
        "fingerprint": answer.fingerprint,
        "client_id": answer.client_id,
        "status": answer.status,
        "body": zlib.compress(answer.body, 1),
        "at_ms": answer.at_ms,
    }
    added = insert_or(session, ANSWERS).values(person_id=answer.person_id, key=answer.key, **values)
    session.execute(added.on_conflict_do_update(index_elements=[_A.person_id, _A.key], set_=values))
    is_theirs = _A.person_id == answer.person_id
    too_many = select(_A.key).where(is_theirs).order_by(_A.at_ms.desc(), _A.key.desc()).offset(MOST)
    session.execute(delete(ANSWERS).where(is_theirs, _A.key.in_(too_many)))


def sweep_answers(session: Session, now_ms: int) -> None:
    """Let go of those that are older than a day."""
    session.execute(delete(ANSWERS).where(_A.at_ms <= now_ms - KEPT_MS))
