"""A host asks: through the real edge, into the real database, and nobody else's desk."""

import hashlib
import hmac
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import share
from tests.lifecycle import SHIPPED, TABLES
from tests.server.http.rig import FakeNotices, frame_of
from tests.server.ingest.rig import Answer, Rig, RigAgent, enrolled

from tocsin_protocol import wire
from tocsin_protocol.tickets import TicketDetail
from tocsin_protocol.vocabulary import ActorKind, Role, TicketKind, TicketState
from tocsin_server.access.people import add_person
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.desk import work
from tocsin_server.desk.filters import Filters
from tocsin_server.desk.queue import ticket_detail, ticket_page
from tocsin_server.estate.clients import client_named
from tocsin_server.estate.hosts import retire_host
from tocsin_server.http.agents import Question
from tocsin_server.http.requests import ALLOWED, HostReadings, Requests
from tocsin_server.http.vitals import VitalSigns, vital_windows
from tocsin_server.ingest.doorkeeper import Doorkeeper
from tocsin_server.series.head import Head

KEY = b"k" * 16

RULED = {"impact", "urgency", "priority", "reason", "team", "decided", "service"}
"""What the decision tables add to the entry that opens a ticket."""


class DeskRig(Rig):
    """The receive path, and behind it a head, a desk and who is told."""

    def questions(self) -> dict[str, Question]:
        self.head = Head()
        self.head.require(vital_windows())
        self.notices = FakeNotices()
        readings = HostReadings(
            vitals=VitalSigns(self.head, self.clock),
            head=self.head,
            presence=self.presence,
            clock=self.clock,
        )
        doorkeeper = Doorkeeper(sessions=self.sessions, estate=self.estate, clock=self.clock)
        requests = Requests(
            doorkeeper=doorkeeper,
            storage=self.storage,
            readings=readings,
            notices=self.notices,
            tables=lambda: TABLES,
            clock=self.clock,
        )
        return {wire.ASK_PATH: requests}

    def take_in(self, host_id: int, readings: Any) -> None:
        """What a push of a host leaves in the head."""
        host = self.estate.host(host_id)
        assert host is not None
        target = {"instance": host.name, "job": host.job, "site": host.site}
        self.head.enlist(host_id, client_id=host.client_id, target=target)
        now_ms = self.clock.now_ms()
        frame = frame_of(host_id, readings, now_ms)
        self.head.apply(host_id, frame.schema, frame.times_ms, np.asarray(frame.matrix))
        self.presence.heard(host_id, at_ms=now_ms, skew_ms=0)

    def ticket(self, number: int) -> TicketDetail:
        return self.storage.read(lambda session: ticket_detail(session, EVERYWHERE, number))

    def tickets(self, client: str | None = None) -> list[int]:
        asked = Filters(state="all", client=client)
        page = self.storage.read(lambda session: ticket_page(session, EVERYWHERE, asked))
        return sorted(ticket.id for ticket in page.tickets)


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[DeskRig]:
    made = DeskRig(tmp_path)
    try:
        yield made
    finally:
        made.close()


@pytest_asyncio.fixture
async def desk_7(rig: DeskRig) -> RigAgent:
    return await enrolled(rig, "desk-7")


def question(text: object = "the printer jams", **changed: Any) -> dict[str, Any]:
    said = {"v": wire.VERSION, "key": KEY, "who": "alice", "text": text, "now_ms": 0}
    return {name: value for name, value in (said | changed).items() if value is not None}


async def ask(agent: RigAgent, said: Any, *, domain: bytes = wire.ASK_DOMAIN) -> Answer:
    """Ask in the agent's session; an answer that is not the server's fails."""
    body = said if isinstance(said, bytes) else msgpack.packb(said)
    mac = hmac.digest(agent.mac_key, wire.session_message(domain, agent.session, body), hashlib.sha256).hex()
    headers = {wire.SESSION_HEADER: agent.session.hex(), wire.MAC_HEADER: mac}
    answer = await agent.rig.post(wire.ASK_PATH, body, headers)
    if answer.status == 200:
        message = wire.answer_message(wire.ASK_ANSWER_DOMAIN, agent.session, body, answer.content)
        expected = hmac.digest(agent.mac_key, message, hashlib.sha256).hex()
        assert expected == answer.headers[wire.MAC_HEADER]
    return answer


def host_of(rig: Rig, agent: RigAgent) -> int:
    facts = rig.estate.agent(agent.id)
    assert facts is not None
    return facts.host_id


async def test_a_question_opens_a_ticket_of_its_host_and_consoles_are_told(
    rig: DeskRig, desk_7: RigAgent
) -> None:
    answer = await ask(desk_7, question("the printer jams\nsince noon"))

    assert answer.status == 200
    number = answer.said["ticket"]
    detail = rig.ticket(number)
    ticket = detail.ticket
    assert (ticket.client, ticket.site, ticket.host) == ("acme", "main", "desk-7")
    assert (ticket.title, ticket.kind, ticket.priority) == ("the printer jams", TicketKind.REQUEST, 3)
    assert (detail.events[0].actor_kind, detail.events[0].actor) == (ActorKind.HOST, "alice on desk-7")
    assert detail.events[0].text == "the printer jams\nsince noon"
    assert [happening.ticket_id for happening in rig.notices.told] == [number]


async def test_the_ticket_keeps_the_readings_of_that_moment(rig: DeskRig, desk_7: RigAgent) -> None:
    host_id, now_s = host_of(rig, desk_7), rig.clock.now_ms() / 1000
    rig.take_in(
        host_id,
        {
            ("node_load1", ()): 0.42,
            ("node_memory_MemTotal_bytes", ()): 8e9,
            ("node_memory_MemAvailable_bytes", ()): 2e9,
            ("node_boot_time_seconds", ()): now_s - 7200,
            ("node_filesystem_size_bytes", (("fstype", "ext4"), ("mountpoint", "/home"))): 100.0,
            ("node_filesystem_avail_bytes", (("fstype", "ext4"), ("mountpoint", "/home"))): 10.0,
        },
    )
    rig.clock.move(seconds=4)

    number = (await ask(desk_7, question())).said["ticket"]

    data = rig.ticket(number).events[0].data
    assert data["team"] == "servicedesk"
    assert {name: data[name] for name in data if name not in RULED} == {
        "cpu_ratio": None,
        "memory_ratio": 0.75,
        "filesystem_ratio": 0.9,
        "filesystem_mountpoint": "/home",
        "load1": 0.42,
        "uptime_s": 7204.0,
        "seen_at": "2023-11-14T22:13:20.000Z",
        "sample_at": "2023-11-14T22:13:20.000Z",
    }


async def test_a_host_of_which_nothing_is_known_may_ask_too(rig: DeskRig, desk_7: RigAgent) -> None:
    number = (await ask(desk_7, question())).said["ticket"]

    data = rig.ticket(number).events[0].data
    assert {data[name] for name in data if name not in RULED} == {None}


async def test_a_question_that_comes_twice_is_asked_once_though_solved_and_after_a_restart(
    rig: DeskRig, desk_7: RigAgent
) -> None:
    first = await ask(desk_7, question())
    second = await ask(desk_7, question())
    solve(rig, first.said["ticket"])
    third = await ask(desk_7, question())
    told = list(rig.notices.told)
    rig.restart()
    await desk_7.hello()
    fourth = await ask(desk_7, question())

    assert [answer.said for answer in (second, third, fourth)] == [first.said] * 3
    assert rig.tickets() == [first.said["ticket"]]
    assert rig.ticket(first.said["ticket"]).ticket.state is TicketState.SOLVED
    assert len(told) == 1
    assert rig.notices.told == []


async def test_the_same_key_of_another_clients_agent_is_another_question(
    rig: DeskRig, desk_7: RigAgent
) -> None:
    theirs = await enrolled(rig, "desk-7", client="globex")

    mine, other = (await ask(desk_7, question())).said, (await ask(theirs, question())).said

    assert rig.tickets("acme") == [mine["ticket"]]
    assert rig.tickets("globex") == [other["ticket"]]
    assert rig.ticket(other["ticket"]).ticket.client == "globex"


@pytest.mark.parametrize("field", ["host", "host_id", "client", "site", "agent", "priority"])
async def test_a_question_names_no_host_no_client_and_no_priority(
    rig: DeskRig, desk_7: RigAgent, field: str
) -> None:
    answer = await ask(desk_7, question(**{field: 1}))

    assert answer.status == 422
    assert rig.tickets() == []


async def test_a_session_asks_with_its_own_key_and_for_this_purpose_only(
    rig: DeskRig, desk_7: RigAgent
) -> None:
    theirs = await enrolled(rig, "desk-7", client="globex")
    theirs.session = desk_7.session

    stolen = await ask(theirs, question())
    push = await ask(desk_7, question(), domain=wire.PUSH_DOMAIN)
    nobody = await rig.post(wire.ASK_PATH, msgpack.packb(question()))

    assert (stolen.status, push.status, nobody.status) == (401, 401, 401)
    assert rig.tickets() == []


async def test_the_agent_of_a_retired_host_asks_in_vain(rig: DeskRig, desk_7: RigAgent) -> None:
    rig.storage.write(
        lambda session: retire_host(session, client_named(session, "acme"), "desk-7", rig.clock.now_ms())
    )
    unseen = await ask(desk_7, question())
    rig.estate.reload()
    seen = await ask(desk_7, question())

    assert (unseen.status, seen.status) == (403, 403)
    assert rig.tickets() == []


async def test_a_host_asks_thirty_times_an_hour_and_is_told_when_to_go_on(
    rig: DeskRig, desk_7: RigAgent
) -> None:
    for number in range(ALLOWED):
        assert (await ask(desk_7, question(key=number.to_bytes(16)))).status == 200
        rig.clock.move(seconds=60)
    await desk_7.hello()

    again = await ask(desk_7, question(key=bytes(16)))
    refused = await ask(desk_7, question())
    other = await ask(await enrolled(rig, "desk-8"), question())
    rig.clock.move(seconds=float(refused.headers["retry-after"]))
    await desk_7.hello()
    later = await ask(desk_7, question())

    assert again.status == 200
    assert (refused.status, refused.headers["retry-after"]) == (429, "1800")
    assert "30 times within an hour" in refused.said["detail"]
    assert (other.status, later.status) == (200, 200)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"", 400),
        (b"\xc1", 400),
        (question(v=2), 422),
        (question(key=b"short"), 422),
        (question(key="k" * 16), 422),
        (question(text=None), 422),
        (question(text=7), 422),
        (question(""), 422),
        (question("\x00\n\u202e"), 422),
        (question("x" * 4001), 422),
        (msgpack.packb(question()).replace(b"printer", b"p\xff\xfe\xfdter"), 400),
    ],
    ids=range(11),
)
async def test_nonsense_is_refused_and_opens_nothing(
    rig: DeskRig, desk_7: RigAgent, said: Any, status: int
) -> None:
    answer = await ask(desk_7, said)

    assert answer.status == status
    assert rig.tickets() == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=share(40))
@given(text=st.text(max_size=200), who=st.text(max_size=80))
async def test_hostile_words_are_stored_without_controls_or_refused(
    rig: DeskRig, desk_7: RigAgent, text: str, who: str
) -> None:
    rig.clock.move(seconds=121)
    await desk_7.hello()

    answer = await ask(desk_7, question(text, key=os.urandom(16), who=who))

    assert answer.status in (200, 422)
    if answer.status == 200:
        detail = rig.ticket(answer.said["ticket"])
        assert detail.ticket.title.isprintable()
        assert detail.events[0].actor.isprintable()
        assert not {chr(code) for code in (*range(9), *range(11, 32), *range(127, 160))} & set(
            detail.events[0].text
        )


def solve(rig: DeskRig, number: int) -> None:
    def act(session: Any) -> None:
        person = add_person(session, "bob", "Bob", None, Role.TECHNICIAN, 0)
        from_api = work.Person(id=person.id, login="bob", name="Bob", role=Role.TECHNICIAN)
        hand = work.Hand(
            person=from_api, scope=EVERYWHERE, now_ms=rig.clock.now_ms(), lifecycle=SHIPPED, tables=TABLES
        )
        work.resolve(session, number, hand, text="mended")

    rig.storage.write(act)
