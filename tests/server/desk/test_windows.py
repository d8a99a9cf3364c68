"""Maintenance of a ticket's host stands in its timeline as it was, and its clocks do not count it."""

from collections.abc import Sequence

import pytest
from tests.server.desk.world import NOW, World
from tests.server.sla.contracts import contract

from tocsin_protocol.vocabulary import TicketEventKind
from tocsin_server.alerts.maintenance import Place, Window
from tocsin_server.desk import work
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.served import Step, events_of
from tocsin_server.desk.windows import tell_windows
from tocsin_server.series.matchers import Matcher, MatchKind
from tocsin_server.sla.course import course_of
from tocsin_server.sla.events import EventKind

HOUR_MS = 3_600_000
IN_CONTRACT_MS = 1_780_650_000_000 - NOW
"""As much later the tests' contract is in force."""
OPENED, CLOSED = TicketEventKind.WINDOW_OPENED, TicketEventKind.WINDOW_CLOSED


def make_busy(world: World) -> None:
    """A ticket of Acme's atlas."""
    world.fire()
    world.consume()


@pytest.fixture
def world(busy: World) -> World:
    return busy


def window(name: str = "patches", place: Place | None = None, **more: object) -> Window:
    """From now on, for an hour."""
    where = Place("acme", "hq", "atlas") if place is None else place
    return Window(name, where, "monthly", from_ms=NOW, until_ms=NOW + HOUR_MS, **more)  # type: ignore[arg-type]


def tell(world: World, *windows: Window) -> list[Happening]:
    return world.storage.write(lambda session: tell_windows(session, world.now_ms, windows))


def told(world: World) -> Sequence[tuple[TicketEventKind, str]]:
    return [(each.kind, each.data["window"]) for each in world.events() if each.kind in (OPENED, CLOSED)]


@pytest.mark.parametrize("place", [Place("acme"), Place("acme", "hq"), Place("acme", None, "atlas"), Place()])
def test_a_window_that_holds_the_host_is_told_once_as_it_begins_and_as_it_ends(
    world: World, place: Place
) -> None:
    assert tell(world, window(place=place)) == [Happening(1, OPENED)]
    assert tell(world, window(place=place)) == []
    world.move(seconds=3600)

    assert tell(world, window(place=place)) == [Happening(1, CLOSED)]
    assert tell(world, window(place=place)) == []
    assert [each.at_ms for each in world.events()[-2:]] == [NOW, NOW + HOUR_MS]
    assert world.ticket().version == 3


@pytest.mark.parametrize(
    "other",
    [
        window(place=Place("globex")),
        window(place=Place("acme", None, "borea")),
        window(place=Place("acme", "berlin")),
        window(matchers=(Matcher("job", MatchKind.EQUAL, "node"),)),
    ],
)
def test_a_window_for_others_or_for_some_alerts_only_excludes_nothing(world: World, other: Window) -> None:
    assert tell(world, other) == []


def test_a_file_that_is_edited_later_changes_nothing_that_has_been(world: World) -> None:
    tell(world, window())
    world.move(seconds=60)

    tell(world)
    tell(world, window("another"))

    assert told(world) == [(OPENED, "patches"), (CLOSED, "patches"), (OPENED, "another")]
    assert world.events()[-1].text == "monthly"


def test_several_windows_begin_and_end_each_for_itself(world: World) -> None:
    tell(world, window(), window("name\nof two lines"))
    tell(world, window())

    assert told(world)[-1] == (CLOSED, "name\nof two lines")


def test_names_that_differ_in_capitals_only_are_two_windows(world: World) -> None:
    tell(world, window("patches"))

    assert tell(world, window("patches"), window("Patches")) == [Happening(1, OPENED)]


def test_a_window_that_is_elsewhere_now_has_ended_here(world: World) -> None:
    tell(world, window(), window("another"))

    assert tell(world, window(place=Place("globex")), window("another")) == [Happening(1, CLOSED)]


def test_what_is_solved_is_told_once_it_is_open_again(world: World) -> None:
    tell(world, window())
    world.act(work.resolve, 1)
    assert tell(world) == []
    world.act(work.reopen, 1)

    assert tell(world) == [Happening(1, CLOSED)]


def test_clocks_take_windows_whatever_else_happens(world: World) -> None:
    tell(world, window())
    world.act(work.resolve, 1)
    world.act(work.reopen, 1)
    world.move(seconds=60)
    tell(world)
    steps = [
        Step(each.id or 0, each.at_ms + IN_CONTRACT_MS, each.kind, each.actor_kind, each.data, each.public)
        for each in world.events()
    ]

    events = events_of(steps, item="server", priority=2, reasons=())

    kinds = [each.kind for each in events]
    assert kinds.count(EventKind.MAINTENANCE_BEGAN) == kinds.count(EventKind.MAINTENANCE_ENDED) == 1
    phases = course_of(events, contract(), NOW + IN_CONTRACT_MS + HOUR_MS).phases
    assert any(phase.is_maintenance for phase in phases)
    assert not phases[-1].is_maintenance
