"""Simulated agents that speak the real contract, written from `wire.py` alone.

They share no code with `tocsin_agent`, so a mistake that agent and server make together shows here. Used by
benchmarks and by fault loops.
"""

import hashlib
import hmac
import os
import struct
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx
import msgpack
from nacl.bindings import crypto_scalarmult, crypto_scalarmult_base
from nacl.signing import SigningKey, VerifyKey

from tocsin_protocol import wire
from tocsin_protocol.vocabulary import SeriesKind

Entry = tuple[str, SeriesKind, dict[str, str]]


def pack_schema(entries: Sequence[Entry], host: str = "") -> bytes:
    """A schema's bytes, as the contract has them."""
    series = [
        [name, int(kind), [word for pair in sorted(labels.items()) for word in pair]]
        for name, kind, labels in entries
    ]
    packed: bytes = msgpack.packb([host, series])
    return packed


def wide_schema(count: int) -> bytes:
    """A schema of `count` series such as a host sends."""
    entries: list[Entry] = [
        (f"node_bench_{i % 30}_total", SeriesKind.COUNTER, {"device": f"dev{i // 30}"}) for i in range(count)
    ]
    return pack_schema(entries)


@dataclass(frozen=True)
class PushFrame:
    """One frame, ready to be packed."""

    seq: int
    schema: bytes
    time_ms: int
    values: Sequence[float]

    def packed(self, epoch: int) -> list[object]:
        matrix = struct.pack(f"<{len(self.values)}d", *self.values)
        return [epoch, self.seq, wire.schema_id(self.schema), [self.time_ms], matrix]


def push_body(epoch: int, frames: Sequence[PushFrame], *, now_ms: int, schemas: bool) -> bytes:
    """The body of a push; with the frames' schemas or without."""
    wanted = list({frame.schema: None for frame in frames}) if schemas else []
    return zlib.compress(msgpack.packb([wire.VERSION, now_ms, wanted, [f.packed(epoch) for f in frames]]), 1)


@dataclass
class SimulatedAgent:
    """One enrolled host: `enrol()` once, then `push()` as often as you like."""

    http: httpx.Client
    name: str
    key: SigningKey = field(default_factory=SigningKey.generate)
    agent: str = ""
    epoch: int = field(default_factory=time.time_ns)
    next_seq: int = 0
    session: bytes = b""
    mac_key: bytes = b""
    server_key: VerifyKey | None = None
    _told: bool = False

    def enrol(self, invitation: str) -> None:
        invited = wire.decode_invitation(invitation)
        self.server_key = VerifyKey(bytes.fromhex(invited.server_key))
        said = {
            "v": wire.VERSION,
            "token": invited.secret,
            "key": bytes(self.key.verify_key),
            "name": self.name,
            "os": "simulated",
            "version": "0",
        }
        self.agent = self._ask(wire.ENROL_PATH, wire.ENROL_DOMAIN, wire.ENROL_ANSWER_DOMAIN, said)["agent"]

    def hello(self) -> None:
        secret, nonce = os.urandom(32), os.urandom(16)
        ephemeral = crypto_scalarmult_base(secret)
        said = {
            "v": wire.VERSION,
            "agent": self.agent,
            "epoch": self.epoch,
            "version": "0",
            "ephemeral": ephemeral,
            "nonce": nonce,
            "now_ms": time.time_ns() // 1_000_000,
        }
        answer = self._ask(wire.HELLO_PATH, wire.HELLO_DOMAIN, wire.HELLO_ANSWER_DOMAIN, said)
        self.session = answer["session"]
        self.mac_key = wire.session_key(
            crypto_scalarmult(secret, answer["ephemeral"]),
            agent_ephemeral=ephemeral,
            server_ephemeral=answer["ephemeral"],
            nonce=nonce,
        )
        self._told = False

    def frame(self, schema: bytes, values: Sequence[float], *, time_ms: int | None = None) -> PushFrame:
        """The next frame of this run."""
        at = time.time_ns() // 1_000_000 if time_ms is None else time_ms
        self.next_seq += 1
        return PushFrame(self.next_seq - 1, schema, at, values)

    def push(self, frames: Sequence[PushFrame]) -> int:
        """Push, saying hello and telling schemas as needed; the last HTTP status."""
        if not self.session:
            self.hello()
        status = self._push(frames)
        if status == 401:
            self.hello()
            status = self._push(frames)
        if status == 409:
            self._told = False
            status = self._push(frames)
        return status

    def headers(self, body: bytes) -> dict[str, str]:
        """What authenticates a push."""
        mac = hmac.new(
            self.mac_key, wire.session_message(wire.PUSH_DOMAIN, self.session, body), hashlib.sha256
        ).hexdigest()
        return {
            wire.SESSION_HEADER: self.session.hex(),
            wire.MAC_HEADER: mac,
            "content-type": wire.CONTENT_TYPE,
        }

    def _push(self, frames: Sequence[PushFrame]) -> int:
        body = push_body(self.epoch, frames, now_ms=time.time_ns() // 1_000_000, schemas=not self._told)
        status = self.http.post(wire.PUSH_PATH, content=body, headers=self.headers(body)).status_code
        self._told = self._told or status == 200
        return status

    def _ask(self, path: str, domain: bytes, answer_domain: bytes, said: dict[str, object]) -> dict[str, bytes]:
        body = msgpack.packb(said)
        signature = self.key.sign(domain + body).signature.hex()
        answer = self.http.post(
            path, content=body, headers={wire.SIGNATURE_HEADER: signature, "content-type": wire.CONTENT_TYPE}
        )
        answer.raise_for_status()
        assert self.server_key is not None
        self.server_key.verify(
            wire.answer_to(answer_domain, body, answer.content),
            bytes.fromhex(answer.headers[wire.SIGNATURE_HEADER]),
        )
        unpacked: dict[str, bytes] = msgpack.unpackb(answer.content)
        return unpacked
