"""The proof itself: whatever people of one client ask, nothing of the other is in what they are answered.

    kept       a question that names nothing is answered the same when the other client has more of everything
    unnamed    a question that names something of the other is answered as one that names what nobody has
    unmarked   no answer has the other's word or ids, nor has a stream of events
    untouched  the rows of the other are as they were, whatever was asked

Who sees all clients is asked as well: a route at which they do not find the other's word proves nothing.
"""

import asyncio
import contextlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlmodel import Session

from tocsin_protocol.events import HostChanged, LookersChanged, TicketChanged
from tocsin_protocol.lookers import Looker
from tocsin_protocol.vocabulary import TicketEventKind
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.app import Server
from tocsin_server.clock import FakeClock
from tocsin_server.config import ServerConfig
from tocsin_server.datafolder import TABLES, make_database
from tocsin_server.desk.promised import NO_TERMS
from tocsin_server.http.build import build, routes
from tocsin_server.http.deps import Deps
from tocsin_server.http.needs import Asgi
from tocsin_server.http.permitted import PRINCIPAL, Principal, handlers
from tocsin_server.http.sent import Sent
from tocsin_server.isolation.asking import Answer, answer_of, stream_of
from tocsin_server.isolation.clients import (
    HOST,
    NOTHING,
    NOW_MS,
    Frames,
    add_client_rows,
    add_people,
    add_trouble,
    named,
    sent_by,
    word,
)
from tocsin_server.isolation.questions import PATH_NAMES, QUESTIONS, Ask, Asked, Named, filled, names, path_of
from tocsin_server.pictures import Pictures
from tocsin_server.series.history.days import HISTORY
from tocsin_server.series.history.reader import Archive
from tocsin_server.storage.address import VARIABLE

_OURS, _OTHERS, _NOBODYS = 1, 7_770_001_000, 8_880_001_000
_MORE = 5
_OTHERS_VALUE = 424_242.25
_EVENTS = "/events"
_CHANGING = re.compile(r'"seen":"[^"]*"|"now":"[^"]*"|id: \S+')
"""What differs from answer to answer, whoever asks."""
_RULES = "groups: [{name: load, rules: [{alert: HighLoad, expr: node_load1 > 4}]}]"


class Leak(NamedTuple):
    """Where something of the other client was learnt."""

    who: str
    asked: str
    what: str


@dataclass
class Report:
    """What was asked, and what came of it."""

    routes: int = 0
    asks: int = 0
    people: int = 0
    leaks: list[Leak] = field(default_factory=list)
    unsaid: list[str] = field(default_factory=list)
    """Routes of which nobody has said how they are asked."""
    blind: list[str] = field(default_factory=list)
    """Where nothing is proven: what was asked makes no sense, or who sees all finds no word of the other."""

    @property
    def is_proven(self) -> bool:
        return not (self.leaks or self.unsaid or self.blind)

    def lines(self) -> Iterator[str]:
        """For people."""
        for leak in self.leaks:
            yield f"LEAK  {leak.who}: {leak.asked}: {leak.what}"
        for route in self.unsaid:
            yield f"UNSAID  {route}: nobody has said how it is asked (isolation/questions.py)"
        for route in self.blind:
            yield f"BLIND  {route}: it makes no sense, or who sees all does not find the other client there"
        yield f"{self.routes} routes, {self.asks} questions of {self.people} people, {len(self.leaks)} leaks"

    def as_json(self) -> dict[str, object]:
        """For programs."""
        return {
            "proven": self.is_proven,
            "routes": self.routes,
            "asks": self.asks,
            "people": self.people,
            "leaks": [leak._asdict() for leak in self.leaks],
            "unsaid": self.unsaid,
            "blind": self.blind,
        }


class Route(NamedTuple):
    """One route, and what it is asked."""

    method: str
    path: str
    asked: Asked
    principal: Principal

    @property
    def said(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_stream(self) -> bool:
        return self.path.endswith(_EVENTS)

    def names_something(self, ask: Ask) -> bool:
        return "{" in self.path or names(ask.query) or names(ask.body)


def prove(database: str | None = None) -> Report:
    """Make the two clients in a folder that is thrown away, and ask everything.

    `database` is an empty one of PostgreSQL's, where it is not to be a file of that folder.
    """
    with tempfile.TemporaryDirectory(prefix="tocsin-isolation-") as folder, _instead(database):
        data, config = Path(folder, "data"), Path(folder, "config")
        (config / "rules").mkdir(parents=True)
        (config / "rules" / "isolation.yml").write_text(_RULES)
        make_database(data)
        server = Server(data, ServerConfig(), config=config, clock=FakeClock(NOW_MS))
        try:
            server.restore()
            return asyncio.run(Proof(server, data).run())
        finally:
            server.close()


@contextlib.contextmanager
def _instead(database: str | None) -> Iterator[None]:
    """The proof's database is its own, wherever the desk of this machine is."""
    desk = os.environ.pop(VARIABLE, None)
    if database is not None:
        os.environ[VARIABLE] = database
    try:
        yield
    finally:
        os.environ.pop(VARIABLE, None)
        if desk is not None:
            os.environ[VARIABLE] = desk


def said_of(deps: Deps) -> tuple[list[Route], list[str]]:
    """The routes of an application with what each is asked, and those of which nobody has said it."""
    found, unsaid = [], []
    for method, path, handler in handlers(routes(deps)):
        asked = QUESTIONS.get((method, path))
        is_known = all(part in PATH_NAMES for part in path.split("/") if part.startswith("{"))
        if asked is None or not is_known:
            unsaid.append(f"{method} {path}")
        else:
            found.append(Route(method, path, asked, handler.opt[PRINCIPAL]))
    return found, unsaid


class Proof:
    """Two clients on one server, and who asks."""

    def __init__(self, server: Server, data: Path) -> None:
        self._server = server
        self._frames = Frames()
        server.sent = Sent(self._frames, Archive(data / HISTORY), 10_000)
        mark = word()
        self._ours = named("acme", word(), _OURS)
        self._others = named(f"client-{mark}", mark, _OTHERS)
        nobodys = word()
        self._nobodys = named(f"client-{nobodys}", nobodys, _NOBODYS)
        self._report = Report()
        self._marks = [mark, str(int(_OTHERS_VALUE))]
        ids = {re.escape(str(getattr(self._others, name))) for name in PATH_NAMES.values()}
        self._ids = re.compile(rf"(?<!\d)(?:{'|'.join(sorted(ids))})(?!\d)")

    async def run(self) -> Report:
        """Ask everything of everybody."""
        people = self._found()
        all_seeing = people.pop("")
        self._report.people = len(people)
        deps = self._server.parts()
        app = build(deps)
        found, self._report.unsaid = said_of(deps)
        self._report.routes = len(found) + len(self._report.unsaid)
        before = await self._plain(app, found, people)
        self._grow()
        for key, answer in (await self._plain(app, found, people)).items():
            if before[key] != answer:
                self._leak(*key, "the answer is another when the other client has more")
        rows = self._rows()
        await self._naming(app, found, people)
        if self._rows() != rows:
            self._leak("", "", "rows of the other client have changed")
        await self._own(app, found, people)
        await self._streams(app, found, people)
        await self._control(app, found, all_seeing)
        return self._report

    # -- the clients

    def _found(self) -> dict[str, str]:
        def act(session: Session) -> dict[str, str]:
            add_client_rows(session, self._ours, _OURS)
            add_client_rows(session, self._others, _OTHERS)
            return add_people(session, self._ours.client)

        tokens = self._server.storage.write(act)
        self._send(self._ours, _OURS, 1.0)
        self._send(self._others, _OTHERS, _OTHERS_VALUE)
        self._server.estate.reload()
        self._server.silences.reload()
        return tokens

    def _send(self, of: Named, client_id: int, value: float) -> None:
        frame = sent_by(of.host_id, of.word, value)
        head = self._server.head
        self._frames.by_host[of.host_id] = frame
        head.enlist(of.host_id, client_id=client_id, target={"instance": HOST, "job": "node", "site": of.site})
        head.apply(of.host_id, frame.schema, frame.times_ms, frame.matrix)
        head.beat(of.host_id, up=True, at_ms=NOW_MS)
        self._server.presence.heard(of.host_id, at_ms=NOW_MS, skew_ms=0)

    def _grow(self) -> None:
        """The other client has more of everything."""

        def act(session: Session) -> None:
            for number in range(_MORE):
                ids = self._others.ticket_id - 1 - number, self._others.alert_id - 1 - number
                add_trouble(session, self._others, _OTHERS, *ids)

        self._server.storage.write(act)
        self._send(self._others, _OTHERS, _OTHERS_VALUE)

    def _rows(self) -> list[Any]:
        """All rows of the other client, as they are."""

        def ask(session: Session) -> list[Any]:
            tables = [table for table in TABLES.sorted_tables if "client_id" in table.columns]
            return [
                session.execute(select(table).where(table.c.client_id == _OTHERS)).all() for table in tables
            ]

        return self._server.storage.read(ask)

    # -- what is asked

    async def _plain(
        self, app: Asgi, found: Iterable[Route], people: dict[str, str]
    ) -> dict[tuple[str, str], Answer]:
        answers = {}
        for route in found:
            for ask in route.asked.asks:
                if route.method == "GET" and not route.is_stream and not route.names_something(ask):
                    for who, token in _asking(route, people):
                        answer = await self._answer(app, route, ask, self._ours, token)
                        self._look(who, route, ask, answer)
                        answers[who, _told(route, ask)] = _steady(answer)
        return answers

    async def _naming(self, app: Asgi, found: Iterable[Route], people: dict[str, str]) -> None:
        for route in found:
            for ask in route.asked.asks:
                if not route.names_something(ask):
                    continue
                for who, token in _asking(route, people):
                    theirs = await self._answer(app, route, ask, self._others, token)
                    nobodys = await self._answer(app, route, ask, self._nobodys, token)
                    told, untold = _without(theirs, self._others), _without(nobodys, self._nobodys)
                    self._look(who, route, ask, told)
                    if told != untold:
                        self._leak(who, _told(route, ask), "the answer is another than of what nobody has")

    async def _own(self, app: Asgi, found: Iterable[Route], people: dict[str, str]) -> None:
        """What is asked about one's own client, changes among it."""
        for route in found:
            if route.is_stream or route.principal is Principal.ANYBODY:
                continue
            for ask in route.asked.asks:
                for who, token in _asking(route, people):
                    answer = await self._answer(app, route, ask, self._ours, token)
                    self._look(who, route, ask, answer)

    async def _streams(self, app: Asgi, found: Iterable[Route], people: dict[str, str]) -> None:
        for route in filter(lambda each: each.is_stream, found):
            for who, token in people.items():
                last = b"event: rules" if who == NOTHING else b"event: ticket"
                heard = await self._hear(app, route, token, until=last)
                self._look(who, route, Ask(), heard)
                if "event: host" in heard.text:
                    self._leak(who, route.said, "a host of the other client is told of")

    async def _control(self, app: Asgi, found: Iterable[Route], token: str) -> None:
        for route in found:
            for ask in () if route.is_stream else route.asked.asks:
                answer = await self._answer(app, route, ask, self._nobodys, token)
                if answer.status == HTTPStatus.BAD_REQUEST:
                    self._report.blind.append(_told(route, ask))
        for route in filter(lambda each: each.asked.tells, found):
            if route.is_stream:
                answers = [await self._hear(app, route, token, until=self._ours.word.encode())]
            else:
                answers = [await self._answer(app, route, ask, self._others, token) for ask in route.asked.asks]
            told = [answer.text for answer in answers if answer.status == 200]
            if not any(mark in text for text in told for mark in self._marks):
                self._report.blind.append(route.said)

    async def _answer(self, app: Asgi, route: Route, ask: Ask, of: Named, token: str) -> Answer:
        self._report.asks += 1
        query, body = filled(ask.query, of), filled(ask.body, of)
        path = path_of(route.path, self._ours if ask.is_of_ours else of)
        return await answer_of(app, route.method, path, token=token, query=query, body=body)

    async def _hear(self, app: Asgi, route: Route, token: str, *, until: bytes) -> Answer:
        self._report.asks += 1
        return await stream_of(app, route.path, token=token, publish=self._publish, until=until)

    def _publish(self) -> None:
        """What is the other client's, then something of ours, and then what is the provider's."""
        broker, server = self._server.broker, self._server
        for host in server.hosts.some(EVERYWHERE, [self._others.host_id]).values():
            broker.publish("host", HostChanged(host=host))
        broker.publish("rules", None, client=self._others.client)
        looking = Looker(login=self._others.login)
        ticket_id, client = self._others.ticket_id, self._others.client
        broker.publish("looking", LookersChanged(ticket_id=ticket_id, client=client, lookers=[looking]))
        numbers = [self._others.ticket_id, self._ours.ticket_id]
        rows, counts = Pictures(server.storage, server.hosts, lambda: NO_TERMS).tickets(numbers)
        for number in numbers:
            happened = TicketEventKind.COMMENTED
            broker.publish("ticket", TicketChanged(ticket=rows[number], happened=happened, counts=counts))
        broker.publish("rules", None)

    # -- what is found

    def _look(self, who: str, route: Route, ask: Ask, answer: Answer) -> None:
        found = [mark for mark in self._marks if mark in answer.text.lower()]
        found += sorted(set(self._ids.findall(answer.text)))
        if found:
            self._leak(who, _told(route, ask), f"{', '.join(found)} is in the answer")
        if answer.status >= 500:
            self._leak(who, _told(route, ask), f"it fails with {answer.status}")

    def _leak(self, who: str, asked: str, what: str) -> None:
        self._report.leaks.append(Leak(who, asked, what))


def _asking(route: Route, people: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Who asks: of what is open to anybody, nobody who is known."""
    return iter([("anybody", "")] if route.principal is Principal.ANYBODY else people.items())


def _told(route: Route, ask: Ask) -> str:
    return f"{route.said} {dict(ask.query)}" if ask.query else route.said


def _steady(answer: Answer) -> Answer:
    return Answer(answer.status, _CHANGING.sub("…", answer.text))


def _without(answer: Answer, of: Named) -> Answer:
    """What of it does not repeat the question; how long that is is no news either."""
    text = re.sub(r"content-length: \d+", "", answer.text)
    for value in of.values():
        text = text.replace(value, "…")
    return _steady(Answer(answer.status, text))
