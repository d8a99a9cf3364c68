"""The receive path alone, real from the ASGI edge to the files, on a clock that tests move."""

import functools
import hashlib
import hmac
import json
import os
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack
from bench.fleet import PushFrame, pack_schema, push_body
from nacl.bindings import crypto_scalarmult, crypto_scalarmult_base
from nacl.signing import SigningKey, VerifyKey
from sqlmodel import Session, SQLModel

import tocsin_server.estate.store  # noqa: F401 - its tables
from tocsin_protocol import wire
from tocsin_protocol.vocabulary import HostKind, SeriesKind
from tocsin_server.clock import FakeClock
from tocsin_server.estate.clients import add_client, client_named
from tocsin_server.estate.declared import Settled, settle_devices
from tocsin_server.estate.devices import SiteProbes
from tocsin_server.estate.enrolment import create_enrol_token
from tocsin_server.estate.estate import Estate
from tocsin_server.estate.identity import open_identity
from tocsin_server.estate.sites import add_site, site_named
from tocsin_server.health import Health
from tocsin_server.http.agents import AgentsApp, Question
from tocsin_server.ingest.cardinality import Cardinality
from tocsin_server.ingest.doorkeeper import Doorkeeper
from tocsin_server.ingest.enrolments import Enrolments
from tocsin_server.ingest.handout import Handout
from tocsin_server.ingest.hello import Greeter
from tocsin_server.ingest.inbox import Inbox
from tocsin_server.ingest.journal import SEGMENT_BYTES, Journal
from tocsin_server.ingest.presence import Presence
from tocsin_server.ingest.quarantine import Quarantine
from tocsin_server.ingest.receive import Receiver
from tocsin_server.ingest.rotation import Rotation
from tocsin_server.ingest.segment import Disk
from tocsin_server.ingest.sessions import Sessions
from tocsin_server.storage.engine import Storage
from tocsin_server.storage.sqlite import sqlite_engine

SCHEMA = pack_schema(
    [
        ("node_load1", SeriesKind.GAUGE, {}),
        ("node_cpu_seconds_total", SeriesKind.COUNTER, {"cpu": "0", "mode": "idle"}),
    ]
)
MOST_SERIES = 2_000
OTHER_SCHEMA = pack_schema([("node_load5", SeriesKind.GAUGE, {})])


@dataclass(frozen=True)
class Answer:
    """What the application said."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def said(self) -> dict[str, Any]:
        """The body: msgpack of an answer, JSON of a problem."""
        if self.headers["content-type"] == wire.CONTENT_TYPE:
            unpacked: dict[str, Any] = msgpack.unpackb(self.content)
            return unpacked
        parsed: dict[str, Any] = json.loads(self.content)
        return parsed


class Rig:
    """Everything that a push meets. `restart` keeps the folder and forgets the rest, as a process would."""

    def __init__(self, folder: Path, *, disk: Disk | None = None, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder = folder
        self.segment_bytes = segment_bytes
        self.disk = disk
        self.clock = FakeClock()
        for name, content in _founded().items():
            (folder / name).write_bytes(content)
            (folder / name).chmod(0o600)
        self.identity = open_identity(folder)
        self.storage = Storage(folder / "tocsin.db")
        self.start()

    def start(self) -> None:
        self.health = Health()
        self.estate = Estate(self.storage)
        self.estate.reload()
        self.journal = Journal(
            self.folder / "journal",
            clock=self.clock,
            health=self.health,
            gather_s=0,
            disk=self.disk,
            segment_bytes=self.segment_bytes,
        )
        self.inbox = Inbox()
        self.presence = Presence(interval_s=10, started_ms=self.clock.now_ms())
        self.presence.remember(self.journal.last_heard_ms)
        self.sessions = Sessions(clock=self.clock)
        self.cardinality = Cardinality(most=MOST_SERIES, clock=self.clock, health=self.health)
        parts: dict[str, Any] = {"clock": self.clock, "interval_s": 10, "estate": self.estate}
        door = self.door = Doorkeeper(sessions=self.sessions, estate=self.estate, clock=self.clock)
        self.handout = Handout(doorkeeper=door, estate=self.estate)
        self.app = AgentsApp(
            receiver=Receiver(
                doorkeeper=door,
                cardinality=self.cardinality,
                quarantine=Quarantine(storage=self.storage, **parts),
                journal=self.journal,
                inbox=self.inbox,
                presence=self.presence,
                health=self.health,
                probes_digest=self.handout.digest,
                **parts,
            ),
            greeter=Greeter(identity=self.identity, sessions=self.sessions, **parts),
            enrolments=Enrolments(storage=self.storage, identity=self.identity, **parts),
            health=self.health,
            questions=self.questions(),
        )

    def questions(self) -> dict[str, Question]:
        """What is asked within a session besides; a rig of more parts answers more."""
        rotation = Rotation(doorkeeper=self.door, storage=self.storage, estate=self.estate, clock=self.clock)
        return {wire.PROBES_PATH: self.handout, wire.KEY_PATH: rotation}

    def declare(self, *files: SiteProbes) -> Settled:
        """Put these files of devices in force."""
        now_ms = self.clock.now_ms()
        settled = self.storage.write(lambda session: settle_devices(session, files, now_ms=now_ms))
        self.estate.reload()
        self.handout.take(settled.books)
        return settled

    def restart(self) -> None:
        self.journal.close()
        self.start()

    def close(self) -> None:
        self.journal.close()
        self.storage.close()

    def invite(self, client: str = "acme") -> str:
        def act(session):
            site = site_named(session, client_named(session, client), "main")
            now = self.clock.now_ms()
            return create_enrol_token(
                session,
                self.identity,
                site,
                "http://127.0.0.1:1",
                kind=HostKind.SERVER,
                now_ms=now,
                expires_ms=now + 3_600_000,
            )

        return self.storage.write(act)

    def count(self, outcome: str) -> float:
        """How many frames had this outcome."""
        return self.health.registry.get_sample_value("tocsin_frames_total", {"outcome": outcome}) or 0.0

    async def post(
        self,
        path: str,
        body: bytes,
        headers: dict[str, str] | None = None,
        *,
        address: str = "192.0.2.7",
        method: str = "POST",
        pieces: Sequence[bytes] | None = None,
    ) -> Answer:
        """One request through the ASGI edge."""
        parts = [body] if pieces is None else list(pieces)
        said = [
            {"type": "http.request", "body": part, "more_body": at + 1 < len(parts)}
            for at, part in enumerate(parts)
        ]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return said.pop(0) if said else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(dict(message))

        encoded = [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
        scope = {"type": "http", "path": path, "method": method, "headers": encoded, "client": (address, 1)}
        await self.app(scope, receive, send)
        if not sent:
            return Answer(0, {}, b"")
        answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], answered, sent[1]["body"])


@functools.cache
def _founded() -> dict[str, bytes]:
    """A data folder with keys and two clients; made once, because that takes longer than a usual test."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        open_identity(folder)
        engine = sqlite_engine(folder / "tocsin.db", read_only=False)
        SQLModel.metadata.create_all(engine)
        with Session(engine) as session, session.begin():
            for slug in ("acme", "globex"):
                add_site(session, add_client(session, slug, slug.title(), 0), "main", "Main", 0)
        engine.dispose()
        return {path.name: path.read_bytes() for path in folder.iterdir()}


@dataclass
class RigAgent:
    """An agent of the rig's; `enrolled` makes one."""

    rig: Rig
    name: str = "atlas"
    key: SigningKey = field(default_factory=SigningKey.generate)
    id: str = ""
    epoch: int = 1_700_000_000_000_000_000
    session: bytes = b""
    mac_key: bytes = b""

    async def ask(self, path: str, domains: tuple[bytes, bytes], said: dict[str, Any]) -> Answer:
        body = msgpack.packb(said)
        signature = self.key.sign(domains[0] + body).signature.hex()
        answer = await self.rig.post(path, body, {wire.SIGNATURE_HEADER: signature})
        if answer.status == 200:
            VerifyKey(bytes.fromhex(self.rig.identity.public_key_hex)).verify(
                wire.answer_to(domains[1], body, answer.content),
                bytes.fromhex(answer.headers[wire.SIGNATURE_HEADER]),
            )
        return answer

    async def enrol(self, invitation: str, **changed: Any) -> Answer:
        said = {
            "v": wire.VERSION,
            "token": wire.decode_invitation(invitation).secret,
            "key": bytes(self.key.verify_key),
            "name": self.name,
            "os": "Debian 12",
            "version": "0.1.0",
            **changed,
        }
        answer = await self.ask(wire.ENROL_PATH, (wire.ENROL_DOMAIN, wire.ENROL_ANSWER_DOMAIN), said)
        if answer.status == 200:
            self.id = answer.said["agent"]
        return answer

    async def hello(self, **changed: Any) -> Answer:
        secret, nonce = os.urandom(32), os.urandom(16)
        ephemeral = crypto_scalarmult_base(secret)
        said = {
            "v": wire.VERSION,
            "agent": self.id,
            "epoch": self.epoch,
            "version": "0.1.0",
            "ephemeral": ephemeral,
            "nonce": nonce,
            "now_ms": self.rig.clock.now_ms(),
            **changed,
        }
        answer = await self.ask(wire.HELLO_PATH, (wire.HELLO_DOMAIN, wire.HELLO_ANSWER_DOMAIN), said)
        if answer.status == 200:
            self.session = answer.said["session"]
            self.mac_key = wire.session_key(
                crypto_scalarmult(secret, answer.said["ephemeral"]),
                agent_ephemeral=ephemeral,
                server_ephemeral=answer.said["ephemeral"],
                nonce=nonce,
            )
        return answer

    def frame(self, seq: int, *, at_ms: int | None = None, schema: bytes = SCHEMA) -> PushFrame:
        width = len(msgpack.unpackb(schema)[1])
        time_ms = self.rig.clock.now_ms() if at_ms is None else at_ms
        return PushFrame(seq, schema, time_ms, [float(seq)] * width)

    async def push(self, *frames: PushFrame, schemas: bool = True, ahead_ms: int = 0) -> Answer:
        now_ms = self.rig.clock.now_ms() + ahead_ms
        return await self.send(push_body(self.epoch, frames, now_ms=now_ms, schemas=schemas))

    async def send(self, body: bytes) -> Answer:
        return await self.rig.post(wire.PUSH_PATH, body, self.headers(body))

    async def question(self, path: str, domain: bytes, said: dict[str, Any]) -> Answer:
        """A question of the session."""
        body = msgpack.packb(said)
        message = wire.session_message(domain, self.session, body)
        mac = hmac.new(self.mac_key, message, hashlib.sha256).hexdigest()
        return await self.rig.post(path, body, {wire.SESSION_HEADER: self.session.hex(), wire.MAC_HEADER: mac})

    def headers(self, body: bytes) -> dict[str, str]:
        mac = hmac.new(
            self.mac_key, wire.session_message(wire.PUSH_DOMAIN, self.session, body), hashlib.sha256
        ).hexdigest()
        return {wire.SESSION_HEADER: self.session.hex(), wire.MAC_HEADER: mac}


async def enrolled(rig: Rig, name: str = "atlas", client: str = "acme") -> RigAgent:
    """An agent that has enrolled and said hello."""
    agent = RigAgent(rig, name)
    assert (await agent.enrol(rig.invite(client))).status == 200
    assert (await agent.hello()).status == 200
    return agent


@asynccontextmanager
async def running(
    folder: Path, *, disk: Disk | None = None, segment_bytes: int = SEGMENT_BYTES
) -> AsyncIterator[Rig]:
    """A rig for the length of a test."""
    rig = Rig(folder, disk=disk, segment_bytes=segment_bytes)
    try:
        yield rig
    finally:
        rig.close()
