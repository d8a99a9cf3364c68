"""Stories: the whole server on a clock that is moved, as its hosts and people meet it.

    story.rules(FULL)
    atlas = story.host("atlas", client="acme")
    story.push(atlas, {'node_filesystem_avail_bytes{mountpoint="/"}': 2}, at=10, until=60)
    story.turn_until(40)
    story.tickets()

Everything is real but time: database, journal, estate, head, judge, desk and the stream to the consoles. What
the threads that judge, the notice thread and the jobs do, `turn_until` does once for each second. Pushes go
through the receiver as agents' do; only HTTP and the hello are left out.
"""

import asyncio
import contextlib
import hashlib
import hmac
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec
from bench.fleet import PushFrame, pack_schema, push_body
from nacl.bindings import crypto_scalarmult_base
from sqlmodel import Session

from tocsin_protocol import wire
from tocsin_protocol.alerts import Alert
from tocsin_protocol.api import MAX_PAGE
from tocsin_protocol.events import EVENTS
from tocsin_protocol.people import Person
from tocsin_protocol.tickets import TicketDetail, TicketEvent, TicketRow
from tocsin_protocol.vocabulary import HostKind, Role, SeriesKind
from tocsin_server.access.people import add_person, person_named, scope_of
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.alerts.matchertext import parse_matchers
from tocsin_server.alerts.notation import parse_series
from tocsin_server.alerts.silenced import add_silence
from tocsin_server.alerts.silences import Silence, Wish
from tocsin_server.app import RELOAD_EVERY_S, Server
from tocsin_server.clock import FakeClock
from tocsin_server.config import ServerConfig
from tocsin_server.datafolder import administer, make_database
from tocsin_server.desk import alarms, queue, work
from tocsin_server.desk.filters import Filters
from tocsin_server.desk.happening import Happening
from tocsin_server.errors import Forbidden, Unavailable
from tocsin_server.estate.agents import release
from tocsin_server.estate.clients import add_client, client_named
from tocsin_server.estate.enrolment import create_enrol_token, enrol
from tocsin_server.estate.hosts import retire_host
from tocsin_server.estate.identity import open_identity
from tocsin_server.estate.sites import add_site, site_named
from tocsin_server.estate.store import known
from tocsin_server.frontdesk import FrontDesk
from tocsin_server.ingest.sessions import Session as AgentSession
from tocsin_server.series.labels import NAME

CLIENTS = ("acme", "globex")
SITE = "hq"
PEOPLE = {"alice": Role.TECHNICIAN, "bob": Role.TECHNICIAN, "charlie": Role.ADMIN}
UNLIMITED_PAGES = 1 << 30

Readings = Mapping[str, float]
"""Values by series as Prometheus writes them: `up{job="node"}`."""


class Heard(NamedTuple):
    """What a console has heard: the name of an event and what it carries."""

    name: str
    message: Any


@dataclass(eq=False)
class StoryHost:
    """A host and the agent on it."""

    id: int
    name: str
    client: str
    agent: str
    epoch: int = 1
    seq: int = 0
    session: AgentSession | None = field(default=None, repr=False)


class _Away:
    """A desk at which nobody sits: what is told to it is lost, and what was written for it waits."""

    def transitions_wait(self) -> None:
        pass

    def settle(self) -> None:
        pass

    def host_changed(self, host_id: int) -> None:
        pass


_Desk = FrontDesk | _Away


@dataclass(frozen=True)
class _Push:
    host: StoryHost
    readings: Readings
    taken: int | None = None
    """When they were read, where that is not when they are pushed."""


def found(folder: Path) -> None:
    """Make a data folder with keys, clients, sites and people: each story begins with a copy of it."""
    make_database(folder)
    open_identity(folder)

    def act(session: Session) -> None:
        for slug in CLIENTS:
            add_site(session, add_client(session, slug, slug.title(), 0), SITE, "HQ", 0)
        for login, role in PEOPLE.items():
            add_person(session, login, login.title(), None, role, 0, all_clients=True)

    administer(folder, act)


class Story:
    """One story. Moments are seconds since it began. Close it, or use it as a context.

    Without `founded` it goes on where another on the same folder was cut off, `after_s` from its beginning.
    """

    def __init__(
        self,
        folder: Path,
        *,
        founded: Path | None = None,
        settings: ServerConfig | None = None,
        after_s: float = 0,
    ) -> None:
        self._data = folder / "data"
        self._config = folder / "config"
        self._settings = settings or ServerConfig()
        self._due: defaultdict[int, list[_Push]] = defaultdict(list)
        self._loop = asyncio.Runner()
        self._place = 0
        self._reloaded = 0
        if founded is not None:
            shutil.copytree(founded, self._data)
            (self._config / "rules").mkdir(parents=True)
        self.clock = FakeClock()
        self.clock.move(seconds=after_s)
        self._began_ms = self.clock.now_ms()
        self.heard: list[Heard] = []
        self.server = self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.server.close()
        self._loop.close()

    # -- what there is

    def rules(self, text: str, *, file: str = "story.yml") -> None:
        """Write a rule file; it is in force within two seconds."""
        (self._config / "rules" / file).write_text(text)

    def pack(self, name: str) -> None:
        """Use a pack of rules as it is shipped."""
        shipped = Path(__file__).resolve().parents[1] / "config" / "rules" / name
        self.rules(shipped.read_text(), file=name)

    def withhold(self, text: str, *, file: str = "story.yml") -> None:
        """Write a file of suppressions; it is in force within two seconds."""
        folder = self._config / "suppressions"
        folder.mkdir(exist_ok=True)
        (folder / file).write_text(text)

    def contract(self, text: str, *, file: str = "story.yml") -> None:
        """Write a contract; it is in force within two seconds."""
        folder = self._config / "contracts"
        folder.mkdir(exist_ok=True)
        (folder / file).write_text(text)

    def silence(self, matchers: str, *, seconds: int, client: str | None = "acme") -> Silence:
        """Somebody silences alerts from now on."""
        now_ms = self.clock.now_ms()

        def act(session: Session) -> Silence:
            client_id = None if client is None else known(client_named(session, client).id)
            end_ms = now_ms + seconds * 1000
            return add_silence(
                session, Wish(client_id, parse_matchers(matchers), now_ms, end_ms, "alice", "planned"), now_ms
            )

        made = self.server.storage.write(act)
        self.server.silences.reload()
        return made

    def host(self, name: str, *, client: str = "acme", kind: HostKind = HostKind.SERVER) -> StoryHost:
        """Enrol a host now."""
        now_ms = self.clock.now_ms()

        def act(session: Session) -> StoryHost:
            site = site_named(session, client_named(session, client), SITE)
            word = create_enrol_token(
                session,
                self.server.identity,
                site,
                "http://127.0.0.1:1",
                kind=kind,
                now_ms=now_ms,
                expires_ms=now_ms + 1,
            )
            enrolled = enrol(
                session,
                secret=wire.decode_invitation(word).secret,
                public_key=os.urandom(32),
                name=name,
                os="Debian 12",
                version="0",
                now_ms=now_ms,
            )
            return StoryHost(known(enrolled.host.id), name, client, enrolled.agent_id)

        enrolled = self.server.storage.write(act)
        self.server.estate.reload()
        return enrolled

    def clone(self, host: StoryHost) -> StoryHost:
        """The same state on another machine."""
        return replace(host, session=None)

    def release(self, host: StoryHost) -> None:
        """An operator has told the two apart."""
        now_ms = self.clock.now_ms()
        administer(
            self._data,
            lambda s: release(s, client_named(s, host.client), host.name, by="operator", now_ms=now_ms),
        )

    def retire(self, host: StoryHost) -> None:
        """An operator retires a host, by a command beside the running server."""
        now_ms = self.clock.now_ms()
        administer(
            self._data,
            lambda session: retire_host(session, client_named(session, host.client), host.name, now_ms),
        )

    def push(self, host: StoryHost, readings: Readings, *, at: int, until: int | None = None) -> None:
        """Let a host push these readings at a moment, or from then on every interval until another."""
        for moment in range(at, (at if until is None else until) + 1, self._settings.interval_s):
            self._due[moment].append(_Push(host, readings))

    def push_late(self, host: StoryHost, readings: Readings, *, at: int, until: int, sent: int) -> None:
        """Let a host that was away push what it read from a moment until another, the newest first."""
        for moment in range(at, until + 1, self._settings.interval_s):
            self._due[sent].append(_Push(host, readings, taken=moment))

    # -- time

    @property
    def now(self) -> int:
        return (self.clock.now_ms() - self._began_ms) // 1000

    def turn_until(self, moment: int, *, step_s: int = 1) -> None:
        """Let time pass, second by second; in longer steps where nothing hangs on a second."""
        while self.now < moment:
            self.clock.move(seconds=min(step_s, moment - self.now))
            self._turn()

    def restart(self, *, away_s: int = 0) -> None:
        """End the server, and start another on the same folder; nothing turns before time passes."""
        self.server.close()
        self.clock.move(seconds=away_s)
        for moment in [moment for moment in self._due if moment <= self.now]:
            del self._due[moment]
        self.server = self._open()

    @contextlib.contextmanager
    def empty_desk(self) -> Iterator[None]:
        """Alerts are judged and written, and nobody at the desk hears of it."""
        self._desk = self.server.rounds._desk = _Away()
        yield
        self._desk = self.server.rounds._desk = self.server.desk

    @contextlib.contextmanager
    def full_disk(self) -> Iterator[None]:
        """The database cannot grow: SQLite itself says that the disk is full."""
        self._limit_pages(1)
        yield
        self._limit_pages(UNLIMITED_PAGES)

    # -- people

    def act(
        self, verb: Callable[..., Happening], ticket_id: int, *, by: str = "alice", **more: Any
    ) -> Happening:
        """What a person does to a ticket now, and what the consoles are told of it."""

        def act(session: Session) -> Happening:
            person = person_named(session, by)
            assert person is not None, by
            hand = work.Hand(
                person=_person(person),
                scope=scope_of(session, person),
                now_ms=self.clock.now_ms(),
                lifecycle=self.server.deskbook.lifecycle(),
                tables=self.server.deskbook.tables(),
            )
            return verb(session, ticket_id, hand, **more)

        happening = self.server.storage.write(act)
        self.server.notices.tickets([happening])
        self._tell()
        return happening

    def comment(self, ticket_id: int, text: str, *, by: str = "alice") -> None:
        self.act(work.comment, ticket_id, by=by, text=text)

    def resolve(self, ticket_id: int, text: str = "", *, by: str = "alice") -> None:
        self.act(work.resolve, ticket_id, by=by, text=text)

    # -- what stands there

    def tickets(self, *, client: str | None = None, state: str = "all") -> list[TicketRow]:
        """In the order in which they were opened."""
        rows: list[TicketRow] = []
        cursor: str | None = None
        while not rows or cursor is not None:
            page = self.server.storage.read(
                lambda session, at=cursor: queue.ticket_page(
                    session,
                    EVERYWHERE,
                    Filters(client=client, state=state),
                    limit=MAX_PAGE,
                    cursor=at,
                )
            )
            rows += page.tickets
            cursor = page.next
            if not rows:
                return []
        return sorted(rows, key=lambda row: row.id)

    def ticket(self) -> TicketRow:
        """The only one."""
        (ticket,) = self.tickets()
        return ticket

    def timeline(self, ticket_id: int) -> list[TicketEvent]:
        """As it comes over the wire."""
        detail = self.server.storage.read(lambda session: queue.ticket_detail(session, EVERYWHERE, ticket_id))
        return msgspec.json.decode(msgspec.json.encode(detail), type=TicketDetail).events

    def kinds(self, ticket_id: int) -> list[str]:
        """What has happened to a ticket, in words."""
        return [event.kind.value for event in self.timeline(ticket_id)]

    def alerts(self, *, client: str | None = None, state: str = "all") -> list[Alert]:
        return self.server.storage.read(
            lambda session: alarms.alert_page(
                session, EVERYWHERE, client=client, state=state, live_value=self.server.rulebook.live_value
            )
        ).alerts

    def states(self) -> dict[str, str]:
        """How each alert stands, by its name."""
        return {alert.alertname: alert.state.value for alert in self.alerts()}

    def told(self, ticket_id: int) -> list[str]:
        """What consoles have heard of a ticket."""
        return [
            heard.message.happened.value
            for heard in self.heard
            if heard.name == "ticket" and heard.message.ticket.id == ticket_id
        ]

    def times_told(self) -> Counter[int]:
        """How often consoles have heard of each ticket."""
        return Counter(heard.message.ticket.id for heard in self.heard if heard.name == "ticket")

    def happened_at(self, event: TicketEvent) -> float:
        """When, in seconds of the story."""
        return event.at.timestamp() - self._began_ms / 1000

    # -- inside

    def _open(self) -> Server:
        server = Server(self._data, self._settings, config=self._config, clock=self.clock)
        server.journal._gather_s = 0.0  # a push waits for no other: there is none
        server.restore()
        self._desk: _Desk = server.desk
        self._place = 0
        return server

    def _turn(self) -> None:
        server = self.server
        for moment in sorted(moment for moment in self._due if moment <= self.now):
            for push in sorted(self._due.pop(moment), key=lambda push: -(push.taken or self.now)):
                self._deliver(push)
        if abs(self.now - self._reloaded) >= RELOAD_EVERY_S:
            self._reloaded = self.now
            server.estate.reload()
            server.rulebook.reload()
            server.quietbook.reload()
            server.deskbook.reload()
        server.rounds.turn(self.clock.now_ms())
        server.backfill.turn(self.clock.now_ms())
        self._desk.settle()
        with contextlib.suppress(Unavailable):
            server.storage.write(lambda _session: None)  # comes after whatever the desk has asked for
        self._tell()

    def _deliver(self, push: _Push) -> None:
        host, now_ms = push.host, self.clock.now_ms()
        taken_ms = now_ms if push.taken is None else self._began_ms + push.taken * 1000
        frame = PushFrame(host.seq, _schema(tuple(push.readings)), taken_ms, [*push.readings.values()])
        host.seq += 1
        session = self._session(host)
        body = push_body(host.epoch, [frame], now_ms=now_ms, schemas=True)
        mac = hmac.new(
            session.key, wire.session_message(wire.PUSH_DOMAIN, session.id, body), hashlib.sha256
        ).hexdigest()
        with contextlib.suppress(Forbidden):  # who is refused so keeps its frames
            self._loop.run(self.server.gate.receiver.push(body, session_id=session.id.hex(), mac=mac))

    def _session(self, host: StoryHost) -> AgentSession:
        sessions = self.server.gate.sessions
        if host.session is None or sessions.find(host.session.id) is None:
            public = crypto_scalarmult_base(os.urandom(32))
            host.session, _ = sessions.open(host.agent, agent_ephemeral=public, nonce=os.urandom(16))
        return host.session

    def _tell(self) -> None:
        """What the notice thread does, and what a console hears of it."""
        notices = self.server.notices
        while not notices._waiting.empty():
            notices._tell(notices._gather()[0])
            self._loop.run(self._listen())

    async def _listen(self) -> None:
        broker = self.server.broker
        while self._place < broker.count:
            told = await broker.after(self._place)
            assert told.place is not None, "a console that listens all the time is never cut"
            self._place = told.place
            self.heard += map(_heard, told.text.decode().split("\n\n")[:-1])

    def _limit_pages(self, pages: int) -> None:
        self.server.storage.write(
            lambda session: session.connection().exec_driver_sql(f"PRAGMA max_page_count={pages}").fetchall()
        )


def _schema(series: tuple[str, ...]) -> bytes:
    entries = []
    for text in series:
        labels = parse_series(text)
        entries.append((labels.pop(NAME), SeriesKind.GAUGE, labels))
    return pack_schema(entries)


def _heard(event: str) -> Heard:
    """An event in the stream's own words."""
    fields = dict(line.split(": ", 1) for line in event.split("\n"))
    kind = EVENTS[fields["event"]]
    return Heard(fields["event"], None if kind is None else msgspec.json.decode(fields["data"], type=kind))


def _person(row: Any) -> Person:
    return Person(id=known(row.id), login=row.login, name=row.name, role=row.role)
