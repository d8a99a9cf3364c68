"""What becomes of people: role, name and clients, password, whether they may sign in, and for how long.

Whatever makes an earlier sign-in mean more than it should (a new password, a disabled person) ends all of their
sessions in the same transaction. A person is never removed: what they have done stays theirs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlmodel import Session, col, func, select

from tocsin_protocol.vocabulary import CLIENT_ROLES, Role
from tocsin_server.access.grants import Grant, grant, granted
from tocsin_server.access.passwords import NO_PASSWORD
from tocsin_server.access.people import end_sessions, is_good, person_named
from tocsin_server.access.store import HAS_CODES, LoginSession, PersonRow
from tocsin_server.errors import Conflict, NotFound, Unprocessable
from tocsin_server.estate.names import checked_mail, cleaned_name
from tocsin_server.estate.store import known


class Stand(NamedTuple):
    """Somebody, with how they can sign in and how many sessions of theirs are good."""

    login: str
    name: str
    role: Role
    clients: str | list[str]
    """Slugs of those that they see, or `all`."""
    has_password: bool
    has_codes: bool
    """One-time codes are asked of them."""
    created_ms: int
    disabled_ms: int | None
    sessions: int
    used_ms: int | None
    """When one of those was used last, to a minute."""
    mail: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be another; nothing for what is to stay."""

    name: str | None = None
    role: Role | None = None
    password_hash: str | None = None
    sees: Grant | None = None
    mail: str | None = None
    """Where notices reach them; empty for nowhere."""


def person(session: Session, login: str) -> PersonRow:
    """The person of that login; raises `NotFound`."""
    found = person_named(session, login)
    if found is None:
        raise NotFound(f"there is no login {login!r}", remedy="tocsin-server user list shows them")
    return found


def change(session: Session, login: str, wish: Wish) -> tuple[PersonRow, int]:
    """The person as they are now, and how many sessions a new password has ended."""
    who = person(session, login)
    if wish.name is not None:
        who.name = cleaned_name(wish.name, of="person")
    if wish.role is not None:
        who.role = wish.role
    if wish.sees is not None:
        grant(session, who, wish.sees)
    if who.role in CLIENT_ROLES and who.all_clients:
        raise Unprocessable(
            f"a {who.role.value} is one client's and cannot see all", remedy="name the client: --client SLUG"
        )
    if wish.mail is not None:
        who.mail = checked_mail(wish.mail) if wish.mail else ""
    ended = 0
    if wish.password_hash is not None:
        who.password_hash = wish.password_hash
        ended = end_sessions(session, known(who.id))
    session.add(who)
    session.flush()
    return who, ended


def disable(session: Session, login: str, now_ms: int) -> int:
    """They are nobody from now on; how many sessions that has ended."""
    who = person(session, login)
    if who.disabled_ms is not None:
        raise Conflict(f"{login} is disabled already", remedy="there is nothing to do")
    who.disabled_ms = now_ms
    session.add(who)
    return end_sessions(session, known(who.id))


def enable(session: Session, login: str) -> None:
    """They may sign in again, with the password that they had."""
    who = person(session, login)
    if who.disabled_ms is None:
        raise Conflict(f"{login} is not disabled", remedy="there is nothing to do")
    who.disabled_ms = None
    session.add(who)
    session.flush()


def everybody(session: Session, now_ms: int) -> Sequence[Stand]:
    """All people by login, disabled ones too."""
    is_theirs = (col(LoginSession.person_id) == col(PersonRow.id)) & is_good(now_ms)
    asked = (
        select(PersonRow, HAS_CODES, func.count(col(LoginSession.digest)), func.max(LoginSession.used_ms))
        .outerjoin(LoginSession, is_theirs)
        .group_by(*PersonRow.metadata.tables["person"].c)
        .order_by(col(PersonRow.login))
    )
    by_name = granted(session)
    return [
        Stand(
            who.login,
            who.name,
            who.role,
            "all" if who.all_clients else by_name.get(known(who.id), []),
            has_password=who.password_hash != NO_PASSWORD,
            has_codes=has_codes,
            created_ms=who.created_ms,
            disabled_ms=who.disabled_ms,
            sessions=sessions,
            used_ms=used_ms,
            mail=who.mail,
        )
        for who, has_codes, sessions, used_ms in session.exec(asked)
    ]
