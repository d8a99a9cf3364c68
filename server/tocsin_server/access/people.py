"""Who signs in: people, and the sessions of their consoles. A request may come with a program's token instead.

A session is an opaque token, kept as its SHA-256. It ends 12 hours after it began, or 30 minutes after it was
last used; `tocsin up` gives this machine's first technician one that does neither. With a session come the
clients that its owner sees, as they are granted now: no session remembers them.
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, BindParameter, ColumnElement, bindparam
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, delete, or_, select, update

from tocsin_protocol.people import Person
from tocsin_protocol.vocabulary import CLIENT_ROLES, Role, TokenScope
from tocsin_server.access import tokens
from tocsin_server.access.passwords import NO_PASSWORD, Passwords
from tocsin_server.access.scope import Scope
from tocsin_server.access.store import GRANTS, HAS_CODES, LoginSession, PersonRow
from tocsin_server.access.tokens import digest_of
from tocsin_server.errors import Conflict, NotFound, Unprocessable
from tocsin_server.estate.names import cleaned_name
from tocsin_server.estate.store import known

SESSION_MS = 12 * 3_600_000
IDLE_MS = 30 * 60_000
TOUCH_EVERY_MS = 60_000
"""How exactly `used_ms` is kept: a write for every request would be one too many."""

_LOGIN = re.compile(r"[a-z0-9._@-]{1,63}")
_TOKEN_PREFIX = "toc_ses_"  # noqa: S105 - a prefix that secret scanners can look for, not a secret
_NAME_LETTERS = 16
"""Of a session's digest: enough to tell one person's sessions apart, and nothing that opens one."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A valid session or token, whose it is, and which clients they see now."""

    person: Person
    scope: Scope
    digest: str
    is_touch_due: bool
    """It was last used so long ago that its use has to be written down: see `touch`."""
    scopes: frozenset[TokenScope] | None = None
    """What a token is for; None is a session, which is for all that its person may."""
    has_second_factor: bool = True
    """Its person's codes are asked for, or an operator at the server's machine has given it."""


def add_person(
    session: Session,
    login: str,
    name: str,
    password: str | None,
    role: Role,
    now_ms: int,
    *,
    passwords: Passwords | None = None,
    all_clients: bool = False,
) -> PersonRow:
    """Somebody new. Without a password they have only the sessions that an operator gives them.

    They see no client before they are granted some (`grants.py`), unless they see `all_clients`.
    """
    if _LOGIN.fullmatch(login) is None:
        raise Unprocessable(
            f"{login!r} cannot be a login", remedy="use 1 to 63 of lower-case letters, digits and . _ @ -"
        )
    if person_named(session, login) is not None:
        raise Conflict(f"there is a login {login!r} already", remedy="choose another")
    kept = NO_PASSWORD if password is None else (passwords or Passwords()).hash(password)
    person = PersonRow(
        login=login,
        name=cleaned_name(name, of="person"),
        role=role,
        password_hash=kept,
        created_ms=now_ms,
        all_clients=all_clients,
    )
    session.add(person)
    session.flush()
    return person


def person_named(session: Session, login: str) -> PersonRow | None:
    """The person of that login, disabled ones too; what can be no login is nobody's."""
    if _LOGIN.fullmatch(login) is None:
        return None
    return session.exec(select(PersonRow).where(PersonRow.login == login)).one_or_none()


def password_hash_of(session: Session, login: str) -> str | None:
    """What is kept of the password of somebody who may sign in."""
    person = person_named(session, login)
    return None if person is None or person.disabled_ms is not None else person.password_hash


def issue_session(
    session: Session, person: PersonRow, now_ms: int, *, source: str = "", unlimited: bool = False
) -> str:
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
            digest=digest_of(token),
            person_id=person_id,
            created_ms=now_ms,
            used_ms=now_ms,
            expires_ms=None if unlimited else now_ms + SESSION_MS,
            source=source,
        )
    )
    session.flush()
    return token


def who(session: Session, token: str, now_ms: int) -> Visit | None:
    """Whose token this is; nobody's where it is unknown or has ended, or its owner is disabled."""
    if token.startswith(tokens.PREFIX):
        return _with_token(session, token, now_ms)
    found = session.exec(_VISITS, params={"digest": digest_of(token), "now_ms": now_ms}).one_or_none()
    if found is None:
        return None
    signed_in, person, has_codes = found
    return Visit(
        person=told(person),
        scope=scope_of(session, person),
        digest=signed_in.digest,
        is_touch_due=now_ms - signed_in.used_ms >= TOUCH_EVERY_MS,
        has_second_factor=signed_in.expires_ms is None or has_codes,
    )


def _with_token(session: Session, token: str, now_ms: int) -> Visit | None:
    found = tokens.bearer_of(session, token, now_ms)
    if found is None:
        return None
    return Visit(
        person=told(found.person),
        scope=scope_of(session, found.person),
        digest=digest_of(token),
        is_touch_due=found.is_touch_due,
        scopes=found.scopes,
        has_second_factor=found.has_codes,
    )


def scope_of(session: Session, person: PersonRow) -> Scope:
    """What they see. A client's own people see what is granted by name, whatever else their row says."""
    is_inside = person.role not in CLIENT_ROLES
    if is_inside and person.all_clients:
        return Scope(frozenset(), is_everywhere=True, is_inside=True)
    asked = sql_select(GRANTS.c.client_id).where(GRANTS.c.person_id == known(person.id))
    return Scope(frozenset(session.execute(asked).scalars()), is_inside=is_inside)


def touch(session: Session, visit: Visit, now_ms: int) -> None:
    """Write down that the session or token is in use."""
    if visit.scopes is not None:
        tokens.touch_token(session, visit.digest, now_ms)
        return
    session.exec(update(LoginSession).where(col(LoginSession.digest) == visit.digest).values(used_ms=now_ms))


def log_out(session: Session, visit: Visit) -> None:
    """End the session."""
    session.exec(delete(LoginSession).where(col(LoginSession.digest) == visit.digest))


def is_good(now_ms: int | BindParameter[int]) -> ColumnElement[bool]:
    """The condition that a session has not ended."""
    return or_(
        col(LoginSession.expires_ms).is_(None),
        (col(LoginSession.expires_ms) > now_ms) & (col(LoginSession.used_ms) > now_ms - IDLE_MS),
    )


_VISITS = (
    select(LoginSession, PersonRow, HAS_CODES)
    .join(PersonRow, col(PersonRow.id) == LoginSession.person_id)
    .where(
        col(LoginSession.digest) == bindparam("digest"),
        is_good(bindparam("now_ms", type_=BigInteger)),
        col(PersonRow.disabled_ms).is_(None),
    )
)
"""Asked by each request: to put it together takes as long as to ask it."""


def sessions_of(session: Session, person_id: int, now_ms: int) -> Sequence[LoginSession]:
    """Somebody's sessions that have not ended, the one that was used last first."""
    asked = select(LoginSession).where(LoginSession.person_id == person_id, is_good(now_ms))
    return session.exec(asked.order_by(col(LoginSession.used_ms).desc(), col(LoginSession.digest))).all()


def name_of(digest: str) -> str:
    """What a session is called by its owner."""
    return digest[:_NAME_LETTERS]


def end_session(session: Session, person_id: int, name: str, now_ms: int) -> None:
    """End one of somebody's sessions, by its name; raises `NotFound`."""
    named = [each for each in sessions_of(session, person_id, now_ms) if name_of(each.digest) == name]
    if not named:
        raise NotFound(f"there is no session {name[:_NAME_LETTERS]!r}", remedy="list them; it may have ended")
    for each in named:
        session.delete(each)
    session.flush()


def end_sessions(session: Session, person_id: int, *, but: str = "") -> int:
    """End all of somebody's sessions but the one of that digest.

    How many there were, those that had ended by themselves among them.
    """
    done = session.exec(
        delete(LoginSession).where(col(LoginSession.person_id) == person_id, col(LoginSession.digest) != but)
    )
    return int(done.rowcount)


def told(person: PersonRow) -> Person:
    """The person as consoles are told of them."""
    return Person(id=known(person.id), login=person.login, name=person.name, role=person.role)
