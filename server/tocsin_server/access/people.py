"""Who signs in: people, and the sessions of their consoles.

A session is an opaque token, kept as its SHA-256. It ends 12 hours after it began, or 30 minutes after it was
last used; `tocsin up` gives this machine's first technician one that does neither.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass

from sqlmodel import Session, col, delete, select, update

from tocsin_protocol.api import Person
from tocsin_protocol.vocabulary import Role
from tocsin_server.access.passwords import NO_PASSWORD, Passwords
from tocsin_server.access.store import LoginSession, PersonRow
from tocsin_server.errors import Conflict, Unprocessable
from tocsin_server.estate.names import cleaned_name
from tocsin_server.estate.store import known

SESSION_MS = 12 * 3_600_000
IDLE_MS = 30 * 60_000
TOUCH_EVERY_MS = 60_000
"""How exactly `used_ms` is kept: a write for every request would be one too many."""

_LOGIN = re.compile(r"[a-z0-9._@-]{1,63}")
_TOKEN_PREFIX = "toc_ses_"  # noqa: S105 - a prefix that secret scanners can look for, not a secret


@dataclass(frozen=True, slots=True)
class Visit:
    """A valid session and whose it is."""

    person: Person
    digest: str
    is_touch_due: bool
    """It was last used so long ago that its use has to be written down: see `touch`."""


def add_person(
    session: Session,
    login: str,
    name: str,
    password: str | None,
    role: Role,
    now_ms: int,
    *,
    passwords: Passwords | None = None,
) -> PersonRow:
    """Somebody new. Without a password they have only the sessions that an operator gives them."""
    if _LOGIN.fullmatch(login) is None:
        raise Unprocessable(
            f"{login!r} cannot be a login", remedy="use 1 to 63 of lower-case letters, digits and . _ @ -"
        )
    if person_named(session, login) is not None:
        raise Conflict(f"there is a login {login!r} already", remedy="choose another")
    kept = NO_PASSWORD if password is None else (passwords or Passwords()).hash(password)
    person = PersonRow(
        login=login, name=cleaned_name(name, of="person"), role=role, password_hash=kept, created_ms=now_ms
    )
    session.add(person)
    session.flush()
    return person


def person_named(session: Session, login: str) -> PersonRow | None:
    """The person of that login, disabled ones too."""
    return session.exec(select(PersonRow).where(PersonRow.login == login)).one_or_none()


def password_hash_of(session: Session, login: str) -> str | None:
    """What is kept of the password of somebody who may sign in."""
    person = person_named(session, login)
    return None if person is None or person.disabled_ms is not None else person.password_hash


def issue_session(session: Session, person: PersonRow, now_ms: int, *, unlimited: bool = False) -> str:
    """The token of a new session. The person's sessions that have ended are taken away."""
    person_id = known(person.id)
    session.exec(
        delete(LoginSession).where(
            col(LoginSession.person_id) == person_id, col(LoginSession.expires_ms) <= now_ms
        )
    )
    token = _TOKEN_PREFIX + secrets.token_urlsafe(32)
    session.add(
        LoginSession(
            digest=_digest(token),
            person_id=person_id,
            created_ms=now_ms,
            used_ms=now_ms,
            expires_ms=None if unlimited else now_ms + SESSION_MS,
        )
    )
    session.flush()
    return token


def who(session: Session, token: str, now_ms: int) -> Visit | None:
    """Whose token this is; nobody's where it is unknown or has ended, or its owner is disabled."""
    found = session.exec(
        select(LoginSession, PersonRow)
        .join(PersonRow, col(PersonRow.id) == LoginSession.person_id)
        .where(LoginSession.digest == _digest(token), col(PersonRow.disabled_ms).is_(None))
    ).one_or_none()
    if found is None or _has_ended(found[0], now_ms):
        return None
    signed_in, person = found
    return Visit(
        person=told(person),
        digest=signed_in.digest,
        is_touch_due=now_ms - signed_in.used_ms >= TOUCH_EVERY_MS,
    )


def touch(session: Session, visit: Visit, now_ms: int) -> None:
    """Write down that the session is in use."""
    session.exec(update(LoginSession).where(col(LoginSession.digest) == visit.digest).values(used_ms=now_ms))


def log_out(session: Session, visit: Visit) -> None:
    """End the session."""
    session.exec(delete(LoginSession).where(col(LoginSession.digest) == visit.digest))


def told(person: PersonRow) -> Person:
    """The person as consoles are told of them."""
    return Person(id=known(person.id), login=person.login, name=person.name, role=person.role)


def _has_ended(signed_in: LoginSession, now_ms: int) -> bool:
    if signed_in.expires_ms is None:
        return False
    return now_ms >= signed_in.expires_ms or now_ms - signed_in.used_ms >= IDLE_MS


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
