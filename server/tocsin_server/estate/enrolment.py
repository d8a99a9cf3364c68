"""How a host comes: an operator makes an invitation, and the agent that holds it enrols, once.

The database keeps the SHA-256 of an invitation's secret only. It is used up by compare-and-set in the
transaction that makes the host and its agent, so of two agents that come with the same one, one enrols; and
an enrolment that is refused leaves it unused.
"""

import hashlib
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlmodel import Session, col, select, update

from tocsin_protocol.vocabulary import HostKind
from tocsin_protocol.wire import Invitation, encode_invitation
from tocsin_server.errors import Conflict, Forbidden, Unprocessable
from tocsin_server.estate.hosts import live_host
from tocsin_server.estate.identity import ServerIdentity
from tocsin_server.estate.names import cleaned_name, cleaned_remark
from tocsin_server.estate.store import Agent, Client, EnrolToken, Host, Site, known
from tocsin_server.loopback import is_loopback

_SECRET_BYTES = 24
_PUBLIC_KEY_BYTES = 32
_ANEW = "create another on the server: tocsin-server enrol-token create"


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A host that has just come."""

    agent_id: str
    host: Host
    client_slug: str
    site_slug: str


def create_enrol_token(
    session: Session,
    identity: ServerIdentity,
    site: Site,
    url: str,
    *,
    kind: HostKind,
    now_ms: int,
    expires_ms: int,
) -> str:
    """An invitation for one agent, as the word that is given to it."""
    is_tls = _is_tls(url)
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    session.add(
        EnrolToken(
            client_id=site.client_id,
            site_id=known(site.id),
            digest=_digest(secret),
            kind=kind,
            created_ms=now_ms,
            expires_ms=expires_ms,
        )
    )
    session.flush()
    return encode_invitation(
        Invitation(
            url=url.rstrip("/"),
            fingerprint=identity.fingerprint if is_tls else "",
            server_key=identity.public_key_hex,
            secret=secret,
        )
    )


def enrol(
    session: Session, *, secret: str, public_key: bytes, name: str, os: str, version: str, now_ms: int
) -> Enrolled:
    """Make the host and its agent, and use up the invitation, all or nothing."""
    if len(public_key) != _PUBLIC_KEY_BYTES:
        raise Unprocessable(f"a public key has {_PUBLIC_KEY_BYTES} bytes, this one {len(public_key)}")
    agent_id = f"agt_{secrets.token_hex(12)}"
    token = _use(session, secret, agent_id, now_ms)
    host = _new_host(session, token, name=name, os=os, now_ms=now_ms)
    session.add(
        Agent(
            id=agent_id,
            client_id=token.client_id,
            host_id=known(host.id),
            public_key=public_key,
            version=cleaned_remark(version),
            enrolled_ms=now_ms,
        )
    )
    session.flush()
    client_slug, site_slug = session.exec(
        select(Client.slug, Site.slug)
        .join(Site, col(Site.client_id) == Client.id)
        .where(Site.id == token.site_id)
    ).one()
    return Enrolled(agent_id=agent_id, host=host, client_slug=client_slug, site_slug=site_slug)


def _use(session: Session, secret: str, agent_id: str, now_ms: int) -> EnrolToken:
    """The invitation of this secret, now used up by this agent."""
    token = session.exec(select(EnrolToken).where(EnrolToken.digest == _digest(secret))).one_or_none()
    if token is None:
        raise Forbidden("this server does not know the enrolment token", remedy=_ANEW)
    if token.expires_ms <= now_ms:
        raise Forbidden("the enrolment token has expired", remedy=_ANEW)
    used = session.exec(
        update(EnrolToken)
        .where(col(EnrolToken.id) == token.id, col(EnrolToken.used_ms).is_(None))
        .values(used_ms=now_ms, agent_id=agent_id)
    )
    if used.rowcount != 1:
        raise Forbidden("the enrolment token has been used already: each is good for one agent", remedy=_ANEW)
    return token


def _new_host(session: Session, token: EnrolToken, *, name: str, os: str, now_ms: int) -> Host:
    name = cleaned_name(name, of="host")
    if live_host(session, token.client_id, name) is not None:
        slug = session.exec(select(Client.slug).where(Client.id == token.client_id)).one()
        raise Conflict(
            f"{slug} has a host {name!r} in service already",
            remedy=f"choose another with --name, or retire that one: tocsin-server host retire {slug} {name}",
        )
    host = Host(
        client_id=token.client_id,
        site_id=token.site_id,
        name=name,
        kind=token.kind,
        job=_job(token.kind, os),
        os=cleaned_remark(os),
        enrolled_ms=now_ms,
    )
    session.add(host)
    session.flush()
    return host


def _job(kind: HostKind, os: str) -> str:
    """What rules know it by: a desktop is judged by other rules than a server."""
    if kind is HostKind.DESKTOP:
        return "desktop"
    return "windows" if os.lower().startswith("windows") else "node"


def _is_tls(url: str) -> bool:
    """Whether agents reach this URL by TLS; without it they would refuse any but a loopback one."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or len(url.split()) != 1:
        raise Unprocessable(
            f"{url!r} is no URL of a server", remedy="give one such as https://tocsin.example:8443"
        )
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise Unprocessable(
            f"agents refuse {url!r}: beyond loopback they speak TLS only", remedy="give an https:// URL"
        )
    return parts.scheme == "https"


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
