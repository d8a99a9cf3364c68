"""Secrets for agents: sealed to the key of one, opened by that one alone.

The server needs no key for it and cannot undo it; whoever lost a secret seals it again.
"""

from base64 import urlsafe_b64encode

from nacl.public import SealedBox
from nacl.signing import VerifyKey
from sqlmodel import Session, col, select

from tocsin_protocol.wire import SEALED_PREFIX
from tocsin_server.errors import NotFound, Unprocessable
from tocsin_server.estate.clients import client_named
from tocsin_server.estate.hosts import live_host
from tocsin_server.estate.store import Agent

MOST_SECRET_BYTES = 16 << 10
"""A private key of 16,384 bits is shorter than that."""


def seal(secret: bytes, public_key: bytes) -> str:
    """The secret as a word for `config/probes`, for the agent with this key."""
    if not 0 < len(secret) <= MOST_SECRET_BYTES:
        raise Unprocessable(f"a secret has 1 to {MOST_SECRET_BYTES} bytes, this one {len(secret)}")
    box = SealedBox(VerifyKey(public_key).to_curve25519_public_key()).encrypt(secret)
    return SEALED_PREFIX + urlsafe_b64encode(box).decode().rstrip("=")


def key_of(session: Session, client_slug: str, name: str) -> bytes:
    """The public key of a host's agent."""
    client = client_named(session, client_slug)
    host = live_host(session, client.id, name)
    if host is None:
        raise NotFound(
            f"{client_slug} has no host {name!r} in service",
            remedy="name the host whose agent probes the device",
        )
    if host.prober_id is not None:
        raise NotFound(
            f"{client_slug}'s {name!r} is a device and has no agent",
            remedy="seal to the host whose agent probes it",
        )
    return session.exec(
        select(Agent.public_key)
        .where(Agent.host_id == host.id, col(Agent.revoked_ms).is_(None))
        .order_by(col(Agent.enrolled_ms).desc())
    ).first() or _no_agent(client_slug, name)


def _no_agent(client_slug: str, name: str) -> bytes:
    raise NotFound(f"no agent of {client_slug}'s host {name!r} is in service", remedy="enrol it again")
