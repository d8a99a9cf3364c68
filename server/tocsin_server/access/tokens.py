"""Tokens for programs: each is its person's, for what its scopes say, until a day that is set when it is made.

A token may what its person may and its scopes allow, so the lesser of both, and never what would outlive it: it
makes no tokens, changes no password or codes, and signs nobody out. It is kept as its SHA-256 and shown once.
"""

import hashlib
import secrets
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import bindparam
from sqlmodel import Session, col, select, update
from sqlmodel.sql.expression import SelectOfScalar

from tocsin_protocol.vocabulary import TokenScope
from tocsin_server.access.store import HAS_CODES, ApiTokenRow, PersonRow
from tocsin_server.errors import Conflict, NotFound, Unprocessable
from tocsin_server.estate.names import cleaned_name
from tocsin_server.estate.store import known

PREFIX = "toc_api_"
DAY_MS = 86_400_000
DEFAULT_DAYS = 90
MOST_DAYS = 366
MOST_EACH = 50
"""So many good ones somebody may have at a time."""
TOUCH_EVERY_MS = 3_600_000
"""How exactly it is kept when one was last used."""


class Bearing(NamedTuple):
    """A good token, whose it is and for what."""

    person: PersonRow
    scopes: frozenset[TokenScope]
    is_touch_due: bool
    has_codes: bool
    """Its person's one-time codes are asked for."""


def make(
    session: Session, person: PersonRow, name: str, scopes: Collection[TokenScope], days: int, now_ms: int
) -> tuple[str, ApiTokenRow]:
    """A new token, and its row."""
    if not 1 <= days <= MOST_DAYS:
        raise Unprocessable(f"a token is good for 1 to {MOST_DAYS} days, not {days}")
    if not scopes:
        raise Unprocessable(
            "a token without a scope opens nothing", remedy=f"give some of {', '.join(TokenScope)}"
        )
    person_id = known(person.id)
    if len(tokens_of(session, person_id, now_ms)) >= MOST_EACH:
        raise Conflict(f"{person.login} has {MOST_EACH} tokens already", remedy="revoke one")
    token = PREFIX + secrets.token_urlsafe(32)
    row = ApiTokenRow(
        digest=digest_of(token),
        person_id=person_id,
        name=cleaned_name(name, of="token"),
        scopes=" ".join(sorted({scope.value for scope in scopes})),
        created_ms=now_ms,
        expires_ms=now_ms + days * DAY_MS,
    )
    session.add(row)
    session.flush()
    return token, row


def tokens_of(session: Session, person_id: int, now_ms: int) -> Sequence[ApiTokenRow]:
    """Somebody's good tokens, the oldest first."""
    return session.exec(_good(now_ms).where(ApiTokenRow.person_id == person_id)).all()


def all_tokens(session: Session, now_ms: int) -> Sequence[tuple[ApiTokenRow, PersonRow]]:
    """Everybody's good tokens, with whose they are."""
    asked = (
        select(ApiTokenRow, PersonRow)
        .join(PersonRow, col(PersonRow.id) == ApiTokenRow.person_id)
        .where(col(ApiTokenRow.revoked_ms).is_(None), col(ApiTokenRow.expires_ms) > now_ms)
        .order_by(col(PersonRow.login), col(ApiTokenRow.id))
    )
    return session.exec(asked).all()


def revoke(session: Session, person_id: int, token_id: int, now_ms: int) -> ApiTokenRow:
    """End one of somebody's good tokens; raises `NotFound` for any other."""
    asked = _good(now_ms).where(ApiTokenRow.person_id == person_id, ApiTokenRow.id == token_id)
    row = session.exec(asked).one_or_none()
    if row is None:
        raise NotFound(f"there is no token {token_id}", remedy="list them; it may have ended")
    row.revoked_ms = now_ms
    session.add(row)
    session.flush()
    return row


_BEARERS = (
    select(ApiTokenRow, PersonRow, HAS_CODES)
    .join(PersonRow, col(PersonRow.id) == ApiTokenRow.person_id)
    .where(
        col(ApiTokenRow.digest) == bindparam("digest"),
        col(ApiTokenRow.revoked_ms).is_(None),
        col(ApiTokenRow.expires_ms) > bindparam("now_ms"),
        col(PersonRow.disabled_ms).is_(None),
    )
)
"""Asked by each request of a program's."""


def bearer_of(session: Session, token: str, now_ms: int) -> Bearing | None:
    """Whose token this is; nobody's where it is unknown or has ended, or its owner is disabled."""
    found = session.exec(_BEARERS, params={"digest": digest_of(token), "now_ms": now_ms}).one_or_none()
    if found is None:
        return None
    row, person, has_codes = found
    is_touch_due = row.used_ms is None or now_ms - row.used_ms >= TOUCH_EVERY_MS
    return Bearing(person, scopes_of(row), is_touch_due, has_codes)


def touch_token(session: Session, digest: str, now_ms: int) -> None:
    """Write down that a token is in use."""
    session.exec(update(ApiTokenRow).where(col(ApiTokenRow.digest) == digest).values(used_ms=now_ms))


def told(row: ApiTokenRow, person: PersonRow) -> dict[str, object]:
    """A new token, as the audit log is told of it."""
    return {"login": person.login, "name": row.name, "scopes": row.scopes, "expires_ms": row.expires_ms}


def scopes_of(row: ApiTokenRow) -> frozenset[TokenScope]:
    """What a token is for; a scope of a later version opens nothing here."""
    return frozenset(scope for scope in TokenScope if scope.value in row.scopes.split())


def digest_of(token: str) -> str:
    """What is kept of a token, or of a session's."""
    return hashlib.sha256(token.encode()).hexdigest()


def _good(now_ms: int) -> SelectOfScalar[ApiTokenRow]:
    return (
        select(ApiTokenRow)
        .where(col(ApiTokenRow.revoked_ms).is_(None), col(ApiTokenRow.expires_ms) > now_ms)
        .order_by(col(ApiTokenRow.id))
    )
