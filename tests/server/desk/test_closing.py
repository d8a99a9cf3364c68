"""A solved ticket closes when the table has said, once, unless it is reopened or its trouble is still there."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event
from tests.lifecycle import TABLES
from tests.server.desk.world import ALICE, NOW, QUIET_MS, World

from tocsin_protocol.acts import NewTicket
from tocsin_protocol.vocabulary import AlertState, HostKind, TicketEventKind, TicketKind, TicketState
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.decisions.folder import NO_TABLES
from tocsin_server.desk import closing, opening, ruling, work
from tocsin_server.desk.closing import PUT_OFF_MS, close_due
from tocsin_server.desk.queue import ticket_row
from tocsin_server.desk.worlds import worlds_of

HOUR_S = 3600
DAY_MS = 24 * HOUR_S * 1000


def make_busy(world: World) -> None:
    """Three incidents: 1 is critical and has recovered, 2 and 3 are warnings that Alice has solved."""
    world.fire(mountpoint="/a")
    world.fire(severity="warning", mountpoint="/b")
    world.fire(severity="warning", mountpoint="/c")
    world.consume()
    world.clear(mountpoint="/a")
    world.clear(severity="warning", mountpoint="/b")
    world.clear(severity="warning", mountpoint="/c")
    world.consume()
    world.act(work.resolve, 2, text="mended")
    world.act(work.resolve, 3)
    world.move(seconds=QUIET_MS / 1000)
    world.settle()


def closed(world: World) -> list[int]:
    """Those that close now."""
    happenings = world.storage.write(lambda session: close_due(session, world.now_ms))
    assert {happening.kind for happening in happenings} <= {TicketEventKind.CLOSED}
    return [happening.ticket_id for happening in happenings]


def test_the_table_says_when_and_the_history_quotes_its_row(busy: World) -> None:
    by_itself, by_alice = busy.events(1)[-1], busy.events(2)[-1]

    assert [row.rpartition(" row ")[2] for row in by_itself.data["decided"]] == ["recovered-urgent"]
    assert [row.rpartition(" row ")[2] for row in by_alice.data["decided"]] == ["incident"]
    assert by_itself.data["closes_ms"] == busy.ticket(1).closes_ms == NOW + QUIET_MS + 3 * DAY_MS
    assert by_alice.data["closes_ms"] == busy.ticket(2).closes_ms == NOW + 3 * DAY_MS


def test_each_closes_when_its_time_has_come_and_once(busy: World) -> None:
    busy.now_ms = NOW + 3 * DAY_MS - 1
    early = closed(busy)
    busy.now_ms += 1
    first, again = closed(busy), closed(busy)
    busy.now_ms += QUIET_MS

    assert (early, sorted(first), again, closed(busy)) == ([], [2, 3], [], [1])
    ticket, (*_, told) = busy.ticket(2), busy.events(2)
    assert (ticket.state, ticket.closes_ms, ticket.solved_ms) == (TicketState.CLOSED, None, NOW)
    assert (told.kind, told.actor) == (TicketEventKind.CLOSED, "tocsin")
    assert told.text == "closed by itself: nobody has reopened it"


def test_what_is_reopened_before_is_not_closed(busy: World) -> None:
    busy.act(work.reopen, 2)
    busy.fire(severity="warning", mountpoint="/c")
    busy.consume()
    busy.now_ms = NOW + 4 * DAY_MS

    assert closed(busy) == [1]
    assert [busy.ticket(number).closes_ms for number in (2, 3)] == [None, None]


def test_what_is_solved_again_has_all_of_the_time_again(busy: World) -> None:
    busy.act(work.reopen, 2)
    busy.move(seconds=48 * HOUR_S)
    busy.act(work.resolve, 2)

    assert busy.ticket(2).closes_ms == busy.now_ms + 3 * DAY_MS


@pytest.mark.parametrize("state", [AlertState.FIRING, AlertState.UNKNOWN])
def test_what_still_fires_stays_solved_and_is_looked_at_again_an_hour_later(
    busy: World, state: AlertState
) -> None:
    busy.alert(state, severity="warning", mountpoint="/b")  # nobody at the desk has heard of it
    busy.now_ms = NOW + 4 * DAY_MS
    was = busy.ticket(2)

    assert sorted(closed(busy)) == [1, 3]

    put_off = busy.ticket(2)
    assert (put_off.state, put_off.version) == (TicketState.SOLVED, was.version)
    assert put_off.closes_ms == busy.now_ms + PUT_OFF_MS
    busy.clear(severity="warning", mountpoint="/b")
    assert closed(busy) == []
    busy.move(seconds=HOUR_S)
    assert closed(busy) == [2]


def test_many_close_by_turns_those_that_are_put_off_among_them(
    busy: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "LIMIT", 1)
    busy.fire(severity="warning", mountpoint="/b")
    busy.now_ms = NOW + 4 * DAY_MS

    assert sorted([*closed(busy), *closed(busy), *closed(busy)]) == [1, 3]


def test_without_tables_nothing_closes_by_itself(busy: World) -> None:
    busy.act(work.reopen, 2)
    busy.act(work.resolve, 2, tables=NO_TABLES)

    assert busy.ticket(2).closes_ms is None
    assert busy.events(2)[-1].data == {}


def test_who_reads_the_ticket_sees_when_it_closes(busy: World) -> None:
    row = busy.storage.read(lambda session: ticket_row(session, EVERYWHERE, 2))

    assert row.closes_at is not None
    assert round(row.closes_at.timestamp() * 1000) == NOW + 3 * DAY_MS


def test_tables_are_told_of_a_ticket_what_they_were_when_it_was_opened(world: World) -> None:
    world.fire()
    world.fire(severity="warning")
    world.consume()
    new = NewTicket(client="globex", title="the printer is jammed")
    world.storage.write(
        lambda session: opening.open_ticket(session, EVERYWHERE, new, person=ALICE, now_ms=NOW, tables=TABLES)
    )

    told = world.storage.read(lambda session: worlds_of(session, [1, 2]))

    assert told == {
        1: ruling.World("acme", "hq", host_kind=HostKind.SERVER, severity="critical", rule="FilesystemFull"),
        2: ruling.World("globex", kind=TicketKind.INCIDENT),
    }


def questions(world: World, act: Callable[[], Any]) -> int:
    """How many statements an act takes."""
    asked: list[str] = []
    engine = world.storage.write(lambda session: session.get_bind())
    event.listen(engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    act()
    return len(asked)


def test_ten_that_recover_together_are_looked_up_as_fast_as_one(world: World) -> None:
    def recovered(*labels: str) -> None:
        for label in labels:
            world.fire(mountpoint=label)
            world.clear(mountpoint=label)
        world.consume()
        world.move(seconds=QUIET_MS / 1000)

    recovered("/a")
    one = questions(world, world.settle)
    recovered(*"bcdefghijk")

    assert questions(world, world.settle) == one
