"""One simulated agent's half of the conversation: what it asks, and what it makes of the answers. No I/O.

Whoever carries the requests decides when, and what a failure means.
"""

import hashlib
import hmac
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgpack
from nacl.bindings import crypto_scalarmult, crypto_scalarmult_base
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from tocsin_fleet.errors import Untrusted
from tocsin_protocol import wire

_CONTENT = ("content-type", wire.CONTENT_TYPE)


class Request(NamedTuple):
    """A POST."""

    path: str
    body: bytes
    headers: dict[str, str]


class Answer(NamedTuple):
    """What came back; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Greeting(NamedTuple):
    """A hello that has been asked, with what is needed to understand its answer."""

    request: Request
    secret: bytes
    ephemeral: bytes
    nonce: bytes


@dataclass
class Agent:
    """One host's agent. `agent` is its id, empty until it has enrolled; `epoch` is that of this run."""

    name: str
    key: SigningKey = field(default_factory=SigningKey.generate)
    agent: str = ""
    epoch: int = field(default_factory=time.time_ns)
    next_seq: int = 0
    session: bytes = b""
    mac_key: bytes = b""
    server_key: VerifyKey | None = None
    is_told: bool = False
    """Whether this session knows the schema."""

    def enrolment(self, invitation: wire.Invitation, *, os_name: str = "simulated") -> Request:
        """Redeem an invitation."""
        self.server_key = VerifyKey(bytes.fromhex(invitation.server_key))
        said = {
            "v": wire.VERSION,
            "token": invitation.secret,
            "key": bytes(self.key.verify_key),
            "name": self.name,
            "os": os_name,
            "version": "0",
        }
        return self._signed(wire.ENROL_PATH, wire.ENROL_DOMAIN, said)

    def enrolled(self, request: Request, answer: Answer) -> None:
        """The answer to an enrolment, of status 200; raises `Untrusted`."""
        self.agent = self._verified(wire.ENROL_ANSWER_DOMAIN, request, answer)["agent"]

    def greeting(self, *, now_ms: int) -> Greeting:
        """Say hello."""
        secret, nonce = os.urandom(32), os.urandom(16)
        ephemeral = crypto_scalarmult_base(secret)
        said = {
            "v": wire.VERSION,
            "agent": self.agent,
            "epoch": self.epoch,
            "version": "0",
            "ephemeral": ephemeral,
            "nonce": nonce,
            "now_ms": now_ms,
        }
        return Greeting(self._signed(wire.HELLO_PATH, wire.HELLO_DOMAIN, said), secret, ephemeral, nonce)

    def greeted(self, greeting: Greeting, answer: Answer) -> dict[str, Any]:
        """The answer to a hello, of status 200: a new session, which knows no schema; raises `Untrusted`."""
        said = self._verified(wire.HELLO_ANSWER_DOMAIN, greeting.request, answer)
        self.session = said["session"]
        self.mac_key = wire.session_key(
            crypto_scalarmult(greeting.secret, said["ephemeral"]),
            agent_ephemeral=greeting.ephemeral,
            server_ephemeral=said["ephemeral"],
            nonce=greeting.nonce,
        )
        self.is_told = False
        return said

    def take_seq(self) -> int:
        """The number of the next frame of this run."""
        self.next_seq += 1
        return self.next_seq - 1

    def headers(self, body: bytes) -> dict[str, str]:
        """What authenticates a push."""
        message = wire.session_message(wire.PUSH_DOMAIN, self.session, body)
        return {
            wire.SESSION_HEADER: self.session.hex(),
            wire.MAC_HEADER: hmac.digest(self.mac_key, message, hashlib.sha256).hex(),
            "content-type": wire.CONTENT_TYPE,
        }

    def _signed(self, path: str, domain: bytes, said: Mapping[str, object]) -> Request:
        body = msgpack.packb(said)
        signature = self.key.sign(domain + body).signature.hex()
        return Request(path, body, dict([(wire.SIGNATURE_HEADER, signature), _CONTENT]))

    def _verified(self, domain: bytes, request: Request, answer: Answer) -> dict[str, Any]:
        if self.server_key is None:
            raise Untrusted(f"{self.name} has not been told the key of its server: enrol it first")
        signed = wire.answer_to(domain, request.body, answer.body)
        try:
            self.server_key.verify(signed, bytes.fromhex(answer.headers.get(wire.SIGNATURE_HEADER, "")))
        except (BadSignatureError, ValueError) as error:
            raise Untrusted(
                f"the answer to {self.name} is not signed by the server of its invitation:"
                " if the server was set up anew, enrol the fleet anew with an empty --state folder"
            ) from error
        unpacked: dict[str, Any] = msgpack.unpackb(answer.body)
        return unpacked
