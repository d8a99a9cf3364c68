"""A ticket that was to wait until a time is gone on with then, once."""

import pytest
from tests.server.desk.world import NOW, World

from tocsin_protocol.vocabulary import TicketEventKind, TicketState
from tocsin_server.desk import waking, work
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.waking import wake_due


def make_busy(world: World) -> None:
    """Three tickets, which wait for a minute, for two, and for a vendor."""
    for label in "abc":
        world.fire(labels={"instance": "atlas", "mountpoint": label})
    world.consume()
    world.act(work.wait, 1, reason="schedule", until_ms=NOW + 60_000)
    world.act(work.wait, 2, reason="schedule", until_ms=NOW + 120_000)
    world.act(work.wait, 3, reason="vendor")


def woken(world: World) -> list[Happening]:
    return world.storage.write(lambda session: wake_due(session, world.now_ms))


def test_each_is_woken_when_its_time_has_come_and_once(busy: World) -> None:
    early = woken(busy)
    busy.move(seconds=60)
    first = woken(busy)
    again = woken(busy)
    busy.move(seconds=60)

    assert (early, first, again) == ([], [Happening(1, TicketEventKind.RESUMED)], [])
    assert woken(busy) == [Happening(2, TicketEventKind.RESUMED)]
    assert busy.ticket(3).state is TicketState.PENDING
    assert busy.ticket(1).state is TicketState.NEW


def test_many_are_woken_by_turns(busy: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waking, "LIMIT", 1)
    busy.move(seconds=120)

    assert len(woken(busy) + woken(busy)) == 2
