"""A whole server but for the agents' part and the judge thread: real database, head, presence and routes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from sqlmodel import Session
from tests.lifecycle import SHIPPED, TABLES

from tocsin_protocol.status import RuleProblem
from tocsin_protocol.vocabulary import AlertState, HostKind, Role, SeriesKind
from tocsin_server.access.grants import Grant
from tocsin_server.access.passwords import Passwords
from tocsin_server.access.people import add_person, issue_session
from tocsin_server.access.standing import Wish, change
from tocsin_server.access.vault import Vault
from tocsin_server.alerts.rules import RuleSet
from tocsin_server.alerts.silenced import Silences
from tocsin_server.alerts.store import AlertRow
from tocsin_server.clock import FakeClock
from tocsin_server.config import ServerConfig
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.promised import NO_TERMS
from tocsin_server.estate.clients import add_client
from tocsin_server.estate.estate import Estate, HostFacts
from tocsin_server.estate.sites import add_site
from tocsin_server.estate.store import Agent, Client, Host, known
from tocsin_server.health import Health
from tocsin_server.http.broker import Broker
from tocsin_server.http.build import build
from tocsin_server.http.deps import Deps
from tocsin_server.http.hostrows import HostRows
from tocsin_server.http.lookers import Lookers
from tocsin_server.http.needs import Asgi
from tocsin_server.http.sent import Sent
from tocsin_server.http.vitals import VitalSigns, vital_windows
from tocsin_server.ingest.inbox import HostFrame
from tocsin_server.ingest.presence import Presence
from tocsin_server.series.head import Head
from tocsin_server.series.history.reader import Archive
from tocsin_server.series.schema import Schema, SeriesEntry
from tocsin_server.sla.register import NO_CONTRACTS
from tocsin_server.storage.engine import Storage

NOW = 1_700_000_000_000
INTERVAL_MS = 10_000
TARGET = {"instance": "atlas", "job": "node", "site": "berlin"}
SCRAPE_TOKEN = "toc_scr_test"
OPERATOR_TOKEN = "toc_opr_test"
PASSWORD = "correct horse battery"
CHEAP = Passwords(time_cost=1, memory_kib=8, lanes=1)
VAULT = Vault(bytes(32))

Readings = Mapping[tuple[str, tuple[tuple[str, str], ...]], float]
ATLAS = HostFacts(
    id=1,
    client_id=1,
    client="acme",
    site_id=1,
    site="berlin",
    name="atlas",
    kind=HostKind.SERVER,
    job="node",
    os="",
    enrolled_ms=NOW,
)
"""What an estate knows of a host, for what takes only that."""


@dataclass
class FakeJudge:
    """Rules in force and their values, as a test says."""

    rules: list[str] = field(default_factory=list)
    problems: list[RuleProblem] = field(default_factory=list)
    values: dict[int, float] = field(default_factory=dict)

    def live_value(self, alert_id: int) -> float | None:
        return self.values.get(alert_id)


@dataclass
class FakeJournal:
    """The frames a test has put there."""

    frames: list[HostFrame] = field(default_factory=list)
    written_ms: int = 0
    """Nothing before is owed to history."""

    @property
    def owed(self) -> "FakeJournal":
        return self

    def since_ms(self, _host_id: int) -> int | None:
        return self.written_ms

    def frames_of(self, host_id: int, start_ms: int, end_ms: int) -> list[HostFrame]:
        return [
            frame
            for frame in self.frames
            if frame.host_id == host_id and frame.times_ms[-1] >= start_ms and frame.times_ms[0] <= end_ms
        ]


@dataclass
class FakeNotices:
    """What would be told."""

    told: list[Happening] = field(default_factory=list)

    def tickets(self, happenings: Iterable[Happening]) -> None:
        self.told.extend(happenings)


class _Current:
    """The parts of the test that runs: the routes take their time to be built, so all tests share them."""

    deps: Deps

    def __getattr__(self, name: str) -> Any:
        return getattr(self.deps, name)


_CURRENT = _Current()


@cache
def _application() -> Asgi:
    return build(_CURRENT)


@dataclass
class Rig:
    """The server and the hands of a test on it."""

    deps: Deps
    storage: Storage
    estate: Estate
    head: Head
    presence: Presence
    clock: FakeClock
    judge: FakeJudge
    journal: FakeJournal
    notices: FakeNotices
    ails: list[str]
    agents: list[str]
    inbox: list[object]
    tokens: dict[str, str]

    def client(self, who: str | None = "alice", **options: Any) -> httpx.AsyncClient:
        """Somebody's HTTP client; nobody's without a name."""
        headers = {"authorization": f"Bearer {self.tokens[who]}"} if who else {}
        _CURRENT.deps = self.deps
        transport = httpx.ASGITransport(_application(), raise_app_exceptions=False)
        return httpx.AsyncClient(
            transport=transport,
            base_url="http://127.0.0.1:8443",
            headers=headers | options.pop("headers", {}),
            **options,
        )

    def sees(self, *clients: str, who: str = "alice", role: Role | None = None) -> None:
        """Somebody sees these clients only, from now on."""

        def act(session: Session) -> None:
            change(session, who, Wish(role=role, sees=Grant(clients)))

        self.storage.write(act)

    def host_id(self, client: str, name: str) -> int:
        return next(host.id for host in self.estate.hosts() if (host.client, host.name) == (client, name))

    def push(self, host_id: int, readings: Readings, *, at_ms: int = NOW) -> None:
        """What a push does: into the journal and the head, and the host is there."""
        frame = frame_of(host_id, readings, at_ms)
        self.journal.frames.append(frame)
        self.head.apply(host_id, frame.schema, frame.times_ms, frame.matrix)
        self.head.beat(host_id, up=True, at_ms=at_ms)
        self.presence.heard(host_id, at_ms=at_ms, skew_ms=0)

    def alert(self, **values: Any) -> int:
        """An alert of atlas's that fires; its id."""
        row: dict[str, Any] = {
            "client_id": 1,
            "host_id": self.host_id("acme", "atlas"),
            "rule_key": "datacenter.yml/host/HighLoad",
            "fingerprint": "0123456789abcdef",
            "alertname": "HighLoad",
            "severity": "warning",
            "expression": "node_load1 > 4",
            "labels": {
                "alertname": "HighLoad",
                "severity": "warning",
                "instance": "atlas",
                "job": "node",
                "site": "berlin",
            },
            "row_labels": TARGET,
            "annotations": {},
            "state": AlertState.FIRING,
            "value": 5.0,
            "active_ms": NOW - 60_000,
            "fired_ms": NOW - 30_000,
            "changed_ms": NOW,
        }

        def act(session: Session) -> int:
            alert = AlertRow(**(row | values))
            session.add(alert)
            session.flush()
            return known(alert.id)

        return self.storage.write(act)


def frame_of(host_id: int, readings: Readings, at_ms: int) -> HostFrame:
    """One frame of these readings."""
    entries = tuple(
        SeriesEntry(name, SeriesKind.COUNTER if name.endswith("_total") else SeriesKind.GAUGE, labels)
        for name, labels in readings
    )
    schema = Schema(id=hash(entries), host="", series=entries)
    return HostFrame(host_id, schema, [at_ms], np.array([list(readings.values())], np.float64))


def make_rig(storage: Storage, tokens: dict[str, str], folder: Path) -> Rig:
    """A server on a database in which `found` has been; `tokens` are what that gave."""
    estate, head, clock = Estate(storage), Head(), FakeClock(NOW)
    estate.reload()
    head.require(vital_windows())
    for host in estate.hosts():
        head.enlist(
            host.id,
            client_id=host.client_id,
            target={"instance": host.name, "job": host.job, "site": host.site},
        )
    presence = Presence(interval_s=10, started_ms=NOW - 3_600_000)
    ails: list[str] = []
    agents: list[str] = []
    inbox: list[object] = []
    judge, journal, notices = FakeJudge(), FakeJournal(), FakeNotices()

    async def agents_app(scope: Any, receive: Any, send: Any) -> None:
        agents.append(scope["path"])
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    broker = Broker()
    deps = Deps(
        storage=storage,
        estate=estate,
        head=head,
        presence=presence,
        judge=judge,
        sent=Sent(journal, Archive(folder / "history"), INTERVAL_MS),
        inbox=inbox,
        hosts=HostRows(
            storage=storage, estate=estate, presence=presence, vitals=VitalSigns(head, clock), clock=clock
        ),
        notices=notices,
        broker=broker,
        lookers=Lookers(partial(broker.publish, "looking"), clock),
        health=Health(),
        silences=Silences(storage, clock.now_ms),
        clock=clock,
        settings=ServerConfig(),
        vault=VAULT,
        agents=agents_app,
        scrape_token=SCRAPE_TOKEN,
        open_metrics=False,
        version="0.1.0",
        evaluation_s=lambda: 0.004,
        ails=lambda: ails,
        other_problems=tuple,
        rules_in_force=RuleSet,
        lifecycle=lambda: SHIPPED,
        tables=lambda: TABLES,
        terms=lambda: NO_TERMS,
        contracts_of_files=lambda: NO_CONTRACTS,
        operator_token=OPERATOR_TOKEN,
        passwords=CHEAP,
    )
    _CURRENT.deps = deps
    return Rig(
        deps, storage, estate, head, presence, clock, judge, journal, notices, ails, agents, inbox, tokens
    )


def found(session: Session) -> dict[str, str]:
    """The estate and the people of the stories; the people's tokens."""
    _estate(session)
    return _people(session)


def _people(session: Session) -> dict[str, str]:
    """Alice works, Bob administers, Charlie may only look; their tokens."""
    tokens = {}
    for login, role in (("alice", Role.TECHNICIAN), ("bob", Role.ADMIN), ("charlie", Role.VIEWER)):
        person = add_person(
            session, login, login.title(), PASSWORD, role, NOW, passwords=CHEAP, all_clients=True
        )
        tokens[login] = issue_session(session, person, NOW)
    return tokens


def _estate(session: Session) -> None:
    """Acme's atlas in Berlin, and Globex's host of the same name in Oslo."""
    for slug, name, site in (("acme", "Acme GmbH", "berlin"), ("globex", "Globex", "oslo")):
        client = add_client(session, slug, name, NOW)
        place = add_site(session, client, site, site.title(), NOW)
        _host(session, client, known(place.id), "atlas")


def _host(session: Session, client: Client, site_id: int, name: str) -> None:
    host = Host(
        client_id=known(client.id),
        site_id=site_id,
        name=name,
        kind=HostKind.SERVER,
        job="node",
        os="Linux 6.1",
        enrolled_ms=NOW,
    )
    session.add(host)
    session.flush()
    agent = Agent(
        id=f"agt_{client.slug}",
        client_id=known(client.id),
        host_id=known(host.id),
        public_key=bytes(32),
        version="0.1.0",
        enrolled_ms=NOW,
    )
    session.add(agent)
    session.flush()
