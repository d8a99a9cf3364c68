"""Signed questions and signed answers: how a host enrols, and how an agent and its server agree a session.

A session's key comes from X25519 keys that live for one hello, so it is never on the wire and what was recorded
yesterday stays closed when a key is stolen tomorrow.
"""

import hashlib
import hmac
import json
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgpack
from nacl.bindings import crypto_scalarmult, crypto_scalarmult_base

from tocsin_agent.connection import Answer, Connection
from tocsin_agent.errors import Refused, Unreachable, Untrusted
from tocsin_agent.identity import Identity, public_key, sign, verify
from tocsin_agent.origin import Origin
from tocsin_agent.version import VERSION
from tocsin_protocol import wire

_LONGEST_WAIT_S = 3600.0

Post = Callable[[str, bytes, dict[str, str]], Answer]
"""How a request reaches the server; raises `Unreachable` or `Untrusted`."""


class Session(NamedTuple):
    """What a hello has agreed; `schemas` are the ids of those that this session has been told."""

    id: bytes
    key: bytes
    expires_s: float
    interval_s: float
    schemas: set[int]

    def __repr__(self) -> str:
        return f"Session(id={self.id.hex()[:8]}…)"


class Enrolled(NamedTuple):
    """The server's words to a new agent."""

    agent: str
    host: str
    client: str
    site: str


def enrol(
    connection: Connection, invitation: wire.Invitation, *, seed: bytes, name: str, os_name: str
) -> Enrolled:
    """Redeem an invitation; raises `Refused` with the server's own words."""
    said = {
        "v": wire.VERSION,
        "token": invitation.secret,
        "key": public_key(seed),
        "name": name,
        "os": os_name,
        "version": VERSION,
    }
    asker = _Asker(connection, seed, invitation.server_key)
    answer = asker.ask(wire.ENROL_PATH, said, wire.ENROL_DOMAIN, wire.ENROL_ANSWER_DOMAIN)
    try:
        return Enrolled(*(str(answer[field]) for field in Enrolled._fields))
    except KeyError as error:
        raise Unreachable(
            f"{connection.url} leaves out {error} in its answer: is it older than this agent?"
        ) from error


def say_hello(
    connection: Connection, identity: Identity, *, epoch: int, now_ms: int, origin: Origin | None = None
) -> Session:
    """A new session; `expires_s` in it is how long it lives."""
    secret, nonce = os.urandom(32), os.urandom(16)
    ephemeral = crypto_scalarmult_base(secret)
    said = {
        "v": wire.VERSION,
        "agent": identity.agent,
        "epoch": epoch,
        "version": VERSION,
        "ephemeral": ephemeral,
        "nonce": nonce,
        "now_ms": now_ms,
        **({} if origin is None else origin._asdict()),
    }
    asker = _Asker(connection, identity.seed, identity.server_key)
    answer = asker.ask(wire.HELLO_PATH, said, wire.HELLO_DOMAIN, wire.HELLO_ANSWER_DOMAIN)
    try:
        key = wire.session_key(
            crypto_scalarmult(secret, answer["ephemeral"]),
            agent_ephemeral=ephemeral,
            server_ephemeral=answer["ephemeral"],
            nonce=nonce,
        )
        return Session(
            bytes(answer["session"]), key, float(answer["expires_s"]), float(answer["interval_s"]), set()
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Unreachable(
            f"{connection.url} says hello in words that this agent does not know: {error}"
        ) from error


def authentication(session: Session, body: bytes, *, domain: bytes) -> dict[str, str]:
    """The headers by which the server knows that this session has sent this body."""
    mac = hmac.digest(session.key, wire.session_message(domain, session.id, body), hashlib.sha256)
    return {
        wire.SESSION_HEADER: session.id.hex(),
        wire.MAC_HEADER: mac.hex(),
        "content-type": wire.CONTENT_TYPE,
    }


def converse(
    post: Post, session: Session, path: str, said: Mapping[str, object], *, domain: bytes, answer_domain: bytes
) -> bytes:
    """The server's answer to a question within a session, packed; its MAC has been verified."""
    body: bytes = msgpack.packb(said)
    answer = post(path, body, authentication(session, body, domain=domain))
    if answer.status != 200:
        raise refused(answer)
    message = wire.answer_message(answer_domain, session.id, body, answer.body)
    expected = hmac.digest(session.key, message, hashlib.sha256).hex()
    # Bytes, because compare_digest refuses text that is not ASCII by raising.
    shown = answer.headers.get(wire.MAC_HEADER, "")
    if not hmac.compare_digest(expected.encode(), shown.encode("utf-8", "surrogateescape")):
        raise Untrusted(
            f"the answer to {path} is not authenticated by the session's key: somebody is in between"
        )
    return answer.body


class _Asker(NamedTuple):
    connection: Connection
    seed: bytes
    server_key: str

    def ask(self, path: str, said: Mapping[str, object], domain: bytes, answer_domain: bytes) -> dict[str, Any]:
        """The server's answer, once its signature has been verified."""
        body: bytes = msgpack.packb(said)
        headers = {
            wire.SIGNATURE_HEADER: sign(self.seed, domain + body),
            "content-type": wire.CONTENT_TYPE,
        }
        answer = self.connection.post(path, body, headers)
        if answer.status != 200:
            raise refused(answer)
        signed = wire.answer_to(answer_domain, body, answer.body)
        verify(self.server_key, signed, answer.headers.get(wire.SIGNATURE_HEADER, ""))
        return unpacked(answer.body)


def unpacked(body: bytes) -> dict[str, Any]:
    """An answer's map; raises `Unreachable` where it is none."""
    try:
        answer = msgpack.unpackb(body)
    except ValueError as error:
        raise Unreachable(f"the server's answer is not msgpack: {error}") from error
    if not isinstance(answer, dict):
        raise Unreachable("the server's answer is not a map")
    return answer


def refused(answer: Answer) -> Refused:
    """A refusal in the server's own words, where it has some (RFC 9457)."""
    return Refused(
        _words(answer) or f"the server answers with status {answer.status}",
        status=answer.status,
        retry_after_s=retry_after_s(answer),
        kind=_kind(answer),
    )


def retry_after_s(answer: Answer) -> float:
    """What `Retry-After` asks, at most an hour; a date instead of seconds counts as nothing."""
    asked = answer.headers.get("retry-after", "")
    return min(float(asked), _LONGEST_WAIT_S) if asked.isascii() and asked.isdigit() else 0.0


def _words(answer: Answer) -> str:
    problem = _problem(answer)
    words = [problem.get("detail") or problem.get("title"), problem.get("remedy")]
    return ": ".join(word for word in words if isinstance(word, str) and word)


def _kind(answer: Answer) -> str:
    kind = _problem(answer).get("type")
    return kind if isinstance(kind, str) else ""


def _problem(answer: Answer) -> dict[str, Any]:
    try:
        problem = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return problem if isinstance(problem, dict) else {}
