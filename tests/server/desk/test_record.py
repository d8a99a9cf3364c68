"""What is written of tickets: the columns that have changed, and in an order that the database takes."""

from dataclasses import replace

import pytest
from sqlalchemy import event, select
from sqlmodel import Session
from tests.server.desk.test_queue import page
from tests.server.desk.world import World

from tocsin_protocol.vocabulary import TicketEventKind, TicketState
from tocsin_server.desk import work
from tocsin_server.desk.record import read_records, write_changes, written
from tocsin_server.desk.standing import TOCSIN, Entry, Standing, changed
from tocsin_server.desk.store import TICKETS
from tocsin_server.errors import Conflict


def make_busy(world: World) -> None:
    """Three tickets of alerts, the second solved; the fourth is of the second's trouble."""
    for mount in "abc":
        world.fire(mountpoint=f"/{mount}")
    world.consume()
    world.act(work.resolve, 2, text="emptied")
    world.clear(mountpoint="/b")
    world.consume()
    world.move(seconds=7200)
    world.fire(mountpoint="/b")
    world.consume()


def solved(was: Standing) -> Standing:
    return replace(was, state=TicketState.SOLVED, solved_ms=1)


def opened(was: Standing) -> Standing:
    return replace(was, state=TicketState.NEW, solved_ms=None)


def test_a_column_that_has_not_changed_is_not_written(busy: World) -> None:
    statements: list[str] = []
    event.listen(
        busy.storage._writer, "before_cursor_execute", lambda _c, _cursor, told, *_: statements.append(told)
    )

    busy.act(work.comment, 1, text="looked at it")

    (told,) = [each for each in statements if each.startswith("UPDATE ticket SET")]
    columns = told.removeprefix("UPDATE ticket SET ").partition(" WHERE")[0].split(", ")
    assert {each.partition("=")[0] for each in columns} == {"version", "human"}


def test_tickets_that_change_in_different_ways_are_all_written(busy: World) -> None:
    def act(session: Session) -> None:
        records = read_records(session, TICKETS.c.id.in_([1, 3]))
        for record in records:
            is_first = record.ticket_id == 1
            other = replace(record.standing, priority=4) if is_first else solved(record.standing)
            record.take_in(changed(other, Entry(busy.now_ms, TicketEventKind.PRIORITISED, TOCSIN)))
        written(session, records)

    busy.storage.write(act)

    rows = {row.id: row for row in page(busy, state="all").tickets}
    assert [(rows[number].priority, rows[number].state) for number in (1, 3)] == [
        (4, TicketState.NEW),
        (rows[4].priority, TicketState.SOLVED),
    ]


@pytest.mark.parametrize("order", [(2, 4), (4, 2)])
def test_a_trouble_has_its_open_ticket_changed_for_another_in_one_write(
    busy: World, order: tuple[int, int]
) -> None:
    def act(session: Session) -> None:
        found = {record.ticket_id: record for record in read_records(session, TICKETS.c.id.in_(order))}
        for number, standing in ((2, opened), (4, solved)):
            entry = Entry(busy.now_ms, TicketEventKind.REOPENED, TOCSIN)
            found[number].take_in(changed(standing(found[number].standing), entry))
        write_changes(session, [found[number] for number in order])

    busy.storage.write(act)

    states = {row.id: row.state for row in page(busy, state="all").tickets}
    assert (states[2], states[4]) == (TicketState.NEW, TicketState.SOLVED)


def test_whoever_has_read_an_earlier_version_writes_nothing(busy: World) -> None:
    def act(session: Session) -> None:
        mine, theirs = (read_records(session, TICKETS.c.id.in_([1, 3])) for _ in range(2))
        for record in theirs[:1] + mine:
            record.take_in(changed(solved(record.standing), Entry(busy.now_ms, TicketEventKind.SOLVED, TOCSIN)))
        write_changes(session, theirs[:1])
        write_changes(session, mine)

    with pytest.raises(Conflict):
        busy.storage.write(act)

    told = select(TICKETS.c.state).where(TICKETS.c.id.in_([1, 3]))
    states = busy.storage.read(lambda session: session.execute(told).scalars().all())
    assert states == [TicketState.NEW, TicketState.NEW]
