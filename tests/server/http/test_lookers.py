"""Who looks at a ticket: told when it changes, forgotten when a console falls silent, and bounded."""

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import EXAMPLES
from tests.server.http.rig import Rig
from tests.server.http.test_tickets import TICKETS, opened

from tocsin_protocol.events import LookersChanged
from tocsin_protocol.lookers import Looker
from tocsin_server.access.scope import EVERYWHERE, Scope
from tocsin_server.clock import FakeClock
from tocsin_server.http import lookers
from tocsin_server.http.broker import Broker, Event
from tocsin_server.http.hearing import is_heard
from tocsin_server.http.lookers import MOST_TICKETS, TTL_S, Console, Lookers, Place

ALICE, BOB = Console("a", "alice"), Console("b", "bob")
ALICES_OTHER = Console("a2", "alice")


def place(number: int = 1) -> Place:
    return Place(number, 1, "acme")


class World:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.told: list[tuple[int, dict[str, str]]] = []
        self.lookers = Lookers(self._tell, self.clock)

    def _tell(self, changed: LookersChanged) -> None:
        self.told.append((changed.ticket_id, {each.login: each.writing for each in changed.lookers}))


@pytest.fixture
def world() -> World:
    return World()


def test_who_comes_writes_and_leaves_is_told_once_each(world: World) -> None:
    for _ in range(3):
        world.lookers.looks(place(), BOB, "")
    world.lookers.looks(place(), BOB, "reply")
    world.lookers.looks(place(), ALICE, "")
    assert world.lookers.leaves(place(), BOB) == [Looker(login="alice")]

    assert world.told == [
        (1, {"bob": ""}),
        (1, {"bob": "reply"}),
        (1, {"alice": "", "bob": "reply"}),
        (1, {"alice": ""}),
    ]


def test_somebody_at_two_consoles_is_one_and_writes_where_either_does(world: World) -> None:
    world.lookers.looks(place(), ALICE, "note")
    world.lookers.looks(place(), ALICES_OTHER, "")
    world.lookers.leaves(place(), ALICE)

    assert world.told == [(1, {"alice": "note"}), (1, {"alice": ""})]


def test_a_console_that_falls_silent_is_forgotten(world: World) -> None:
    world.lookers.looks(place(), ALICE, "")
    world.clock.move(seconds=TTL_S - 1)
    world.lookers.looks(place(), BOB, "")
    world.lookers.sweep()
    assert world.told[-1] == (1, {"alice": "", "bob": ""})

    world.clock.move(seconds=1)
    world.lookers.sweep()
    assert world.told[-1] == (1, {"bob": ""})
    world.clock.move(seconds=TTL_S)
    world.lookers.sweep()
    world.lookers.sweep()

    assert world.told[3:] == [(1, {})]
    assert world.lookers.place(1) is None


def test_of_one_console_the_tickets_count_that_it_named_last(world: World) -> None:
    for number in range(MOST_TICKETS + 1):
        world.lookers.looks(place(number), ALICE, "")

    assert world.told[-2:] == [(0, {}), (MOST_TICKETS, {"alice": ""})]


def test_of_one_ticket_so_many_consoles_count(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookers, "MOST_CONSOLES", 1)
    world.lookers.looks(place(), ALICE, "")

    assert world.lookers.looks(place(), BOB, "") == [Looker(login="alice")]
    assert world.lookers.looks(place(), ALICE, "note") == [Looker(login="alice", writing="note")]


STEP = st.tuples(
    st.sampled_from(["looks", "leaves", "sweep", "wait"]),
    st.integers(1, MOST_TICKETS + 2),
    st.sampled_from([ALICE, ALICES_OTHER, BOB]),
    st.sampled_from(["", "note", "reply"]),
)


@settings(max_examples=EXAMPLES)
@given(steps=st.lists(STEP, max_size=40))
def test_whatever_happens_all_is_forgotten_in_the_end_and_the_last_told_is_true(steps: list) -> None:
    world = World()
    for verb, number, console, writing in steps:
        match verb:
            case "looks":
                now = world.lookers.looks(place(number), console, writing)
                last = next(lookers for ticket, lookers in reversed(world.told) if ticket == number)
                assert last == {each.login: each.writing for each in now}
            case "leaves":
                world.lookers.leaves(place(number), console)
            case "sweep":
                world.lookers.sweep()
            case "wait":
                world.clock.move(seconds=TTL_S / 3)
    world.clock.move(seconds=TTL_S)
    world.lookers.sweep()

    last = dict(world.told)
    assert set(map(str, last.values())) <= {"{}"}
    assert (world.lookers._looks, world.lookers._places, world.lookers._tickets) == ({}, {}, {})


async def test_consoles_say_what_they_show_and_are_told_who_else_does(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    path = f"{TICKETS}/{(await opened(alice))['id']}/looking"
    async with rig.client("bob") as bob:
        first = await bob.post(path, json={"writing": "reply"})
        second = await alice.post(path, json={})
        gone = await bob.post(path, json={"gone": True})

    writes = {"login": "bob", "writing": "reply"}
    looks = {"login": "alice", "writing": ""}
    assert [answer.json()["lookers"] for answer in (first, second, gone)] == [
        [writes],
        [looks, writes],
        [looks],
    ]
    told = [event.message for event in rig.deps.broker._events if event.name == "looking"]
    assert [len(message.lookers) for message in told] == [1, 2, 1]
    assert {(message.ticket_id, message.client) for message in told} == {(1, "acme")}


async def test_nobody_looks_at_what_is_not_there_or_not_seen(rig: Rig, alice: httpx.AsyncClient) -> None:
    await opened(alice)
    missing = await alice.post(f"{TICKETS}/4711/looking", json={})
    nonsense = await alice.post(f"{TICKETS}/1/looking", json={"writing": "a novel"})
    async with rig.client("charlie") as charlie:
        viewer = await charlie.post(f"{TICKETS}/1/looking", json={})

    assert [answer.status_code for answer in (missing, nonsense, viewer)] == [404, 400, 403]
    assert rig.deps.lookers.place(4711) is None


def test_only_the_providers_own_people_hear_who_looks() -> None:
    broker = Broker()
    broker.publish("looking", LookersChanged(ticket_id=1, client="acme", lookers=[]))
    event: Event = broker._events[-1]

    inside, outside = Scope(frozenset({1}), is_inside=True), Scope(frozenset({1}))
    assert is_heard(event, EVERYWHERE, {"acme"})
    assert is_heard(event, inside, {"acme"})
    assert not is_heard(event, inside, {"globex"})
    assert not is_heard(event, outside, {"acme"})
