"""What commands do to the estate and to people: each act with its entry in the audit log, or neither."""

from collections.abc import Collection

from sqlmodel import Session, col, select

from tocsin_protocol.vocabulary import HostKind, Role, TokenScope
from tocsin_server.access import standing, tokens, totp
from tocsin_server.access.attempts import forget
from tocsin_server.access.audit import Act, Deed
from tocsin_server.access.auditlog import record
from tocsin_server.access.grants import Grant, grant
from tocsin_server.access.people import add_person, end_sessions, issue_session
from tocsin_server.access.standing import Wish, change, disable, enable
from tocsin_server.access.store import PersonRow
from tocsin_server.access.vault import Vault
from tocsin_server.cli.writing import operator
from tocsin_server.errors import Conflict
from tocsin_server.estate.clients import add_client
from tocsin_server.estate.enrolment import create_enrol_token
from tocsin_server.estate.hosts import retire_host
from tocsin_server.estate.identity import ServerIdentity
from tocsin_server.estate.sites import add_site
from tocsin_server.estate.store import Agent, Client, EnrolToken, Site, known


def new_client(session: Session, slug: str, name: str, now_ms: int) -> Client:
    """A client that is added."""
    client = add_client(session, slug, name, now_ms)
    details = {"name": client.name}
    record(
        session, Deed(Act.CLIENT_ADDED, slug, by=operator(), at_ms=now_ms, client_id=client.id, details=details)
    )
    return client


def new_site(session: Session, client: Client, slug: str, name: str, now_ms: int) -> Site:
    """A site that is added."""
    site = add_site(session, client, slug, name, now_ms)
    details = {"name": site.name}
    record(
        session, Deed(Act.SITE_ADDED, slug, by=operator(), at_ms=now_ms, client_id=client.id, details=details)
    )
    return site


def new_invitation(
    session: Session,
    identity: ServerIdentity,
    site: Site,
    url: str,
    *,
    kind: HostKind,
    now_ms: int,
    expires_ms: int,
) -> str:
    """The word that invites an agent; the log knows its row's number, and not the word."""
    word = create_enrol_token(session, identity, site, url, kind=kind, now_ms=now_ms, expires_ms=expires_ms)
    number = session.exec(select(EnrolToken.id).order_by(col(EnrolToken.id).desc()).limit(1)).one()
    details = {"site": site.slug, "kind": kind.value, "expires_ms": expires_ms}
    deed = Deed(
        Act.INVITATION_MADE,
        known(number),
        by=operator(),
        at_ms=now_ms,
        client_id=site.client_id,
        details=details,
    )
    record(session, deed)
    return word


def retire(session: Session, client: Client, name: str, now_ms: int) -> None:
    """Retire a host, which revokes its agents."""
    host = retire_host(session, client, name, now_ms)
    who, details = operator(), {"name": name}
    revoked = session.exec(select(Agent.id).where(Agent.host_id == host.id, Agent.revoked_ms == now_ms))
    acts = [(Act.HOST_RETIRED, str(host.id)), *((Act.AGENT_REVOKED, agent_id) for agent_id in revoked)]
    for act, subject in acts:
        record(session, Deed(act, subject, by=who, at_ms=now_ms, client_id=client.id, details=details))


def new_person(
    session: Session, login: str, name: str, password: str | None, role: Role, now_ms: int, *, sees: Grant
) -> PersonRow:
    """Somebody who is added, with the clients that they see."""
    person = add_person(session, login, name, password, role, now_ms)
    grant(session, person, sees)
    details = {"name": person.name, "role": role.value, "clients": sees.told}
    record(session, Deed(Act.PERSON_ADDED, login, by=operator(), at_ms=now_ms, details=details))
    return person


def changed_person(session: Session, login: str, wish: Wish, now_ms: int) -> tuple[PersonRow, int]:
    """Somebody of whom something is another, such as the clients; of a password the log knows no more."""
    person, ended = change(session, login, wish)
    details: dict[str, object] = {
        name: value
        for name, value in (("name", person.name), ("role", person.role.value), ("mail", person.mail))
        if getattr(wish, name) is not None
    }
    if wish.sees is not None:
        details["clients"] = wish.sees.told
    if wish.password_hash is not None:
        details |= {"password": "new", "sessions": ended}
    record(session, Deed(Act.PERSON_CHANGED, login, by=operator(), at_ms=now_ms, details=details))
    return person, ended


def disabled_person(session: Session, login: str, now_ms: int) -> int:
    """Somebody who may not sign in any more; how many sessions that has ended."""
    ended = disable(session, login, now_ms)
    details = {"sessions": ended}
    record(session, Deed(Act.PERSON_DISABLED, login, by=operator(), at_ms=now_ms, details=details))
    return ended


def enabled_person(session: Session, login: str, now_ms: int) -> None:
    """Somebody who may sign in again."""
    enable(session, login)
    record(session, Deed(Act.PERSON_ENABLED, login, by=operator(), at_ms=now_ms))


def signed_out_person(session: Session, login: str, now_ms: int) -> int:
    """Somebody whose sessions are ended; how many."""
    ended = end_sessions(session, known(standing.person(session, login).id))
    details = {"sessions": ended}
    record(session, Deed(Act.PERSON_SIGNED_OUT, login, by=operator(), at_ms=now_ms, details=details))
    return ended


def reset_codes(session: Session, login: str, now_ms: int) -> int:
    """Somebody of whom no one-time codes are asked for now; how many sessions that has ended."""
    person_id = known(standing.person(session, login).id)
    if not totp.reset(session, person_id):
        raise Conflict(f"{login} has no one-time codes", remedy="there is nothing to do")
    ended = end_sessions(session, person_id)
    details = {"sessions": ended}
    record(session, Deed(Act.PERSON_CODES_RESET, login, by=operator(), at_ms=now_ms, details=details))
    return ended


def new_token(
    session: Session, *, login: str, name: str, scopes: Collection[TokenScope], days: int, now_ms: int
) -> str:
    """A program's token, as one of the people."""
    person = standing.person(session, login)
    if person.disabled_ms is not None:
        raise Conflict(f"{login} is disabled, and so would be the token", remedy="enable them first")
    token, row = tokens.make(session, person, name, scopes, days, now_ms)
    details = tokens.told(row, person)
    record(session, Deed(Act.TOKEN_MADE, known(row.id), by=operator(), at_ms=now_ms, details=details))
    return token


def revoked_tokens(session: Session, *, login: str, token_id: int | None, now_ms: int) -> int:
    """One of somebody's tokens that is ended, or all; how many."""
    person_id = known(standing.person(session, login).id)
    good = tokens.tokens_of(session, person_id, now_ms)
    ids = [known(row.id) for row in good] if token_id is None else [token_id]
    for each in ids:
        row = tokens.revoke(session, person_id, each, now_ms)
        details = {"login": login, "name": row.name}
        record(session, Deed(Act.TOKEN_REVOKED, each, by=operator(), at_ms=now_ms, details=details))
    return len(ids)


def unlocked_login(session: Session, login: str, vault: Vault, now_ms: int) -> None:
    """Failed sign-ins of somebody, forgotten."""
    forget(session, vault.mark(standing.person(session, login).login))
    record(session, Deed(Act.PERSON_UNLOCKED, login, by=operator(), at_ms=now_ms))


def unlimited_session(session: Session, person: PersonRow, now_ms: int) -> str:
    """The token of a session that does not end by itself, which this machine's operator gives."""
    record(session, Deed(Act.PERSON_SIGNED_IN, person.login, by=operator(), at_ms=now_ms))
    return issue_session(session, person, now_ms, unlimited=True)
