"""The queue in its order, page by page, and never another client's rows."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text, update
from sqlmodel import Session
from tests.examples import share
from tests.server.desk.world import ALICE, BOB, NOW, World

from tocsin_protocol.tickets import TicketPage, TicketRow
from tocsin_protocol.vocabulary import AlertState, Severity, TicketEventKind, TicketKind, TicketState
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.clock import moment
from tocsin_server.desk import queue, work
from tocsin_server.desk.filters import Filters, Order
from tocsin_server.desk.queue import OpenTickets
from tocsin_server.desk.store import TICKETS, Ticket
from tocsin_server.errors import NotFound, Unprocessable


def page(world: World, *, limit: int = 100, cursor: str | None = None, **asked: Any) -> TicketPage:
    return world.storage.read(
        lambda session: queue.ticket_page(session, EVERYWHERE, Filters(**asked), limit=limit, cursor=cursor)
    )


def ids(world: World, **asked: object) -> list[int]:
    return [row.id for row in page(world, **asked).tickets]


def make_busy(world: World) -> None:
    """1 warning, 2 critical, 3 info at Acme; 4 the same critical at Globex, taken by Bob; 5 solved by Alice."""
    world.fire(severity="warning", mountpoint="/a")
    world.fire(severity="critical", mountpoint="/b")
    world.fire(severity="info", mountpoint="/c")
    world.fire(severity="critical", mountpoint="/b", client_id=2)
    world.fire(severity="warning", mountpoint="/d")
    world.consume()
    world.act(work.take, 4, person=BOB)
    world.act(work.resolve, 5, person=ALICE)


def test_a_row_says_what_a_technician_looks_for_first(busy: World) -> None:
    row = next(row for row in page(busy).tickets if row.id == 4)

    assert (row.title, row.client, row.site, row.host, row.host_id) == (
        "/ on atlas is full",
        "globex",
        "hq",
        "atlas",
        2,
    )
    assert (row.state, row.owner, row.priority) == (TicketState.IN_PROGRESS, "bob", 1)
    assert (row.severity, row.alert_state) == (Severity.CRITICAL, AlertState.FIRING)
    assert (row.opened_at, row.solved_at, row.recovered) == (moment(NOW), None, False)
    assert row.version == 2


def test_the_most_urgent_comes_first_and_of_those_the_oldest(busy: World) -> None:
    assert ids(busy) == [2, 4, 1, 3]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"state": "open"}, [2, 4, 1, 3]),
        ({"state": "solved"}, [5]),
        ({"state": "all"}, [2, 4, 1, 5, 3]),
        ({"client": "acme"}, [2, 1, 3]),
        ({"client": "globex"}, [4]),
        ({"client": "globex", "state": "solved"}, []),
        ({"host_id": 2}, [4]),
        ({"owner": "bob"}, [4]),
        ({"owner": "alice"}, []),
        ({"owner": "alice", "state": "all"}, [5]),
        ({"client": "acme", "owner": "bob"}, []),
        ({"client": "acme", "host_id": 2}, []),  # a host of another client's: no rows, not its rows
        ({"client": "", "owner": "", "cursor": ""}, [2, 4, 1, 3]),
        ({"priorities": [3, 1]}, [2, 4, 3]),
        ({"priorities": [2], "state": "all"}, [1, 5]),
        ({"priorities": [1], "client": "globex"}, [4]),
        ({"since_ms": NOW}, [2, 4, 1, 3]),
        ({"since_ms": NOW + 1}, []),
        ({"kind": TicketKind.INCIDENT}, [2, 4, 1, 3]),
        ({"kind": TicketKind.REQUEST}, []),
        ({"team": "nobodys"}, []),
        ({"text": "atlas"}, [4, 3, 2, 1]),
    ],
)
def test_filters_narrow_the_queue(busy: World, asked: dict[str, object], expected: list[int]) -> None:
    assert ids(busy, **asked) == expected


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"state": "opne"}, Unprocessable, "state=open or solved or all"),
        ({"client": "initech"}, NotFound, "'initech'"),
        ({"priorities": [0]}, Unprocessable, "choose 1 to 4"),
        ({"text": "?"}, Unprocessable, "no word"),
        ({"owner": "zoe"}, NotFound, "'zoe'"),
        ({"cursor": "1-2"}, Unprocessable, "no cursor"),
        ({"cursor": "1-2-3-4"}, Unprocessable, "no cursor"),
        ({"cursor": "1-2-x"}, Unprocessable, "no cursor"),
        ({"cursor": "1-2-²"}, Unprocessable, "no cursor"),
        ({"cursor": f"1-2-{2**70}"}, Unprocessable, "no cursor"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    busy: World, asked: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        page(busy, **asked)


def test_the_counts_are_of_all_open_tickets_whatever_the_page(busy: World) -> None:
    counts = page(busy, client="globex", limit=1).counts

    assert (counts.open, counts.unowned) == (4, 3)
    assert counts.by_priority == {"1": 2, "2": 1, "3": 1, "4": 0}


def test_an_empty_desk_has_an_empty_page(world: World) -> None:
    empty = world.storage.read(lambda session: queue.ticket_page(session, EVERYWHERE, seen="17"))

    assert (empty.tickets, empty.next, empty.seen) == ([], None, "17")
    assert (empty.counts.open, empty.counts.unowned) == (0, 0)


def test_the_last_page_has_no_next(busy: World) -> None:
    assert page(busy, limit=4).next is None
    assert page(busy, limit=3).next is not None


@pytest.mark.parametrize("limit", [-1, 0, 10_000])
def test_any_limit_gives_a_page_of_a_size_that_is_allowed(busy: World, limit: int) -> None:
    assert 1 <= len(ids(busy, limit=limit)) <= 4


def test_pages_one_after_the_other_are_the_whole_queue_in_its_order(world: World) -> None:
    @settings(max_examples=share(40))
    @given(
        st.lists(
            st.tuples(st.integers(1, 4), st.integers(0, 3), st.sampled_from(list(TicketState))), max_size=30
        ),
        st.integers(1, 7),
        st.sampled_from(["open", "solved", "all"]),
        st.fixed_dictionaries(
            {},
            optional={
                "client": st.just("acme"),
                "priorities": st.lists(st.integers(1, 4), max_size=3),
                "since_ms": st.integers(NOW, NOW + 4),
            },
        ),
    )
    def check(tickets, limit, state, more) -> None:
        def replace_tickets(session: Session) -> None:
            session.execute(text("DELETE FROM ticket"))
            for number, (priority, opened, stands) in enumerate(tickets):
                session.add(a_ticket(priority, NOW + opened, stands, client_id=1 + number % 2))

        world.storage.write(replace_tickets)
        whole = ids(world, state=state, limit=500, **more)
        assert whole == [row.id for row in rows_of(world, state) if is_meant(row, **more)]
        paged: list[int] = []
        cursor = None
        while True:
            one = page(world, state=state, limit=limit, cursor=cursor, **more)
            paged += [row.id for row in one.tickets]
            cursor = one.next
            if cursor is None:
                break
        assert paged == whole

    check()


def rows_of(world: World, state: str) -> list[TicketRow]:
    return page(world, state=state, limit=500).tickets


def is_meant(row: TicketRow, *, client: str = "", priorities: Sequence[int] = (), since_ms: int = 0) -> bool:
    is_of_client, is_of_priority = client in ("", row.client), not priorities or row.priority in priorities
    return is_of_client and is_of_priority and row.opened_at >= moment(since_ms)


def a_ticket(priority: int, opened_ms: int, state: TicketState, *, client_id: int) -> Ticket:
    return Ticket(
        client_id=client_id,
        title="?",
        state=state,
        priority=priority,
        opened_ms=opened_ms,
        updated_ms=opened_ms,
    )


@pytest.mark.parametrize("state", ["open", "solved", "all"])
@pytest.mark.parametrize(
    "whose",
    [
        {},
        {"client": "acme"},
        {"owner": "alice"},
        {"team": "servers"},
        {"kind": TicketKind.REQUEST},
        {"priorities": [2, 4]},
        {"since_ms": NOW},
        {"client": "acme", "priorities": [2], "since_ms": NOW, "team": "servers"},
    ],
)
@pytest.mark.parametrize("cursor", [None, f"2-{NOW}-7"])
def test_a_page_is_read_off_an_index_and_never_sorted(
    busy: World, state: str, whose: dict[str, str], cursor: str | None
) -> None:
    is_read_off_an_index(busy, Filters(state=state, **whose), cursor)


@pytest.mark.parametrize("whose", [{}, {"client": "acme"}, {"due_to_ms": NOW}, {"priorities": [1]}])
@pytest.mark.parametrize("cursor", [None, f"{NOW}-2-{NOW}-7"])
def test_a_page_of_what_is_due_is_read_off_an_index_and_never_sorted(
    busy: World, whose: dict[str, Any], cursor: str | None
) -> None:
    is_read_off_an_index(busy, Filters(order=Order.DUE, **whose), cursor)


def is_read_off_an_index(busy: World, filters: Filters, cursor: str | None) -> None:
    statements: list[tuple[str, object]] = []

    def note(_connection, _cursor, statement, parameters, *_rest) -> None:
        statements.append((statement, parameters))

    def ask(session: Session) -> list[str]:
        event.listen(session.get_bind(), "before_cursor_execute", note)
        queue.ticket_page(session, EVERYWHERE, filters, cursor=cursor)
        event.remove(session.get_bind(), "before_cursor_execute", note)
        asked, given_to_it = next(one for one in statements if "ORDER BY" in one[0])
        return plan_of(session, asked, given_to_it)

    plan = busy.storage.read(ask)

    clumsy = ("TEMP B-TREE", "Sort", "Seq Scan on ticket")
    assert not [step for step in plan if any(word in step for word in clumsy) or step == "SCAN ticket"]
    assert len(statements) <= 8  # BEGIN, client or owner, page by up to four priorities, alerts, counts


def plan_of(session: Session, statement: str, parameters: object) -> list[str]:
    """How the database answers; PostgreSQL, which would sort so few rows, where it does not have to."""
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        return [row.detail for row in plan]
    connection.exec_driver_sql("SET LOCAL enable_sort = off")
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    return list(connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars())


def make_due(session: Session) -> None:
    """3 has been due, 1 is due in a minute and 4 in an hour; nothing is promised of 2."""
    for number, due_ms in ((3, NOW - 1), (1, NOW + 60_000), (4, NOW + 3_600_000)):
        session.execute(update(TICKETS).where(TICKETS.c.id == number).values(due_ms=due_ms))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"order": Order.DUE}, [3, 1, 4, 2]),
        ({"order": Order.URGENCY}, [2, 4, 1, 3]),
        ({"order": Order.DUE, "client": "acme"}, [3, 1, 2]),
        ({"order": Order.DUE, "priorities": [1, 2]}, [1, 4, 2]),
        ({"order": Order.DUE, "since_ms": NOW + 1}, []),
        ({"due_to_ms": NOW}, [3]),
        ({"due_from_ms": NOW, "due_to_ms": NOW + 3_600_000}, [1]),
        ({"due_to_ms": NOW + 3_600_001, "client": "globex"}, [4]),
        ({"due_to_ms": NOW + 60_001, "text": "atlas"}, [3, 1]),
    ],
)
def test_what_is_due_first_comes_first(busy: World, asked: dict[str, Any], expected: list[int]) -> None:
    busy.storage.write(make_due)

    assert ids(busy, **asked) == expected


def test_pages_of_what_is_due_follow_one_another(busy: World) -> None:
    busy.storage.write(make_due)

    first = page(busy, order=Order.DUE, limit=3)
    second = page(busy, order=Order.DUE, limit=3, cursor=first.next)

    assert [[row.id for row in each.tickets] for each in (first, second)] == [[3, 1, 4], [2]]
    assert second.next is None


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"order": Order.DUE, "state": "all"}, "not due any more"),
        ({"due_to_ms": NOW, "state": "solved"}, "not due any more"),
        ({"order": Order.DUE, "text": "vpn"}, "order newest"),
        ({"order": Order.URGENCY, "due_to_ms": NOW}, "order due"),
        ({"order": Order.NEWEST}, "order urgency"),
    ],
)
def test_an_order_that_tickets_do_not_come_in_is_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(Unprocessable, match=message):
        Filters(**asked)


def test_rows_are_had_by_id_for_those_that_are_there(busy: World) -> None:
    rows = busy.storage.read(lambda session: queue.ticket_rows(session, EVERYWHERE, [4, 1, 99]))

    assert {number: row.id for number, row in rows.items()} == {1: 1, 4: 4}
    assert busy.storage.read(lambda session: queue.ticket_rows(session, EVERYWHERE, [])) == {}


def test_open_tickets_of_all_hosts_are_one_question(busy: World) -> None:
    assert busy.storage.read(lambda session: queue.open_by_host(session, EVERYWHERE)) == {
        1: OpenTickets(3, 1),
        2: OpenTickets(1, 1),
    }
    assert busy.storage.read(lambda session: queue.open_by_host(session, EVERYWHERE, client="globex")) == {
        2: OpenTickets(1, 1)
    }


def test_open_tickets_of_all_clients_are_counted_by_priority(busy: World) -> None:
    assert busy.storage.read(queue.open_by_client) == {
        ("acme", 1): 1,
        ("acme", 2): 1,
        ("acme", 3): 1,
        ("globex", 1): 1,
    }


def test_a_ticket_in_full_has_its_timeline_oldest_first_and_its_alerts(busy: World) -> None:
    busy.act(work.comment, 4, person=BOB, text="on it")

    detail = busy.storage.read(lambda session: queue.ticket_detail(session, EVERYWHERE, 4))

    assert detail.ticket.id == 4
    assert [told.kind for told in detail.events] == [
        TicketEventKind.OPENED,
        TicketEventKind.TAKEN,
        TicketEventKind.COMMENTED,
    ]
    assert (detail.events[2].actor, detail.events[2].text, detail.events[2].at) == ("bob", "on it", moment(NOW))
    assert detail.events[0].data["value"] == 0.02
    assert [(alert.client, alert.ticket_id) for alert in detail.alerts] == [("globex", 4)]


def test_a_timeline_that_never_ends_shows_its_newest_part(busy: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "MAX_EVENTS", 3)
    for word in "abcd":
        busy.act(work.comment, 1, text=word)

    detail = busy.storage.read(lambda session: queue.ticket_detail(session, EVERYWHERE, 1))

    assert [told.text for told in detail.events] == ["b", "c", "d"]


def test_a_ticket_that_is_not_there_is_said_to_be(busy: World) -> None:
    with pytest.raises(NotFound, match="no ticket 99"):
        busy.storage.read(lambda session: queue.ticket_detail(session, EVERYWHERE, 99))


def test_a_ticket_says_recovered_only_once_a_person_is_asked_to_confirm(busy: World) -> None:
    busy.act(work.comment, 1, text="why?")
    busy.clear(severity="warning", mountpoint="/a")
    busy.consume()
    before = busy.storage.read(lambda session: queue.ticket_row(session, EVERYWHERE, 1))
    busy.move(seconds=60)
    busy.settle()
    after = busy.storage.read(lambda session: queue.ticket_row(session, EVERYWHERE, 1))

    assert (before.recovered, before.alert_state) == (False, AlertState.RESOLVED)
    assert (after.recovered, after.state) == (True, TicketState.NEW)


def test_the_worst_of_its_alerts_stands_in_the_row(busy: World) -> None:
    busy.fire(severity="critical", mountpoint="/a")
    busy.clear(severity="warning", mountpoint="/a")
    busy.consume()
    assert (
        busy.storage.read(lambda session: queue.ticket_row(session, EVERYWHERE, 1)).alert_state
        is AlertState.FIRING
    )

    busy.alert(AlertState.UNKNOWN, severity="critical", mountpoint="/a")
    busy.consume()
    assert (
        busy.storage.read(lambda session: queue.ticket_row(session, EVERYWHERE, 1)).alert_state
        is AlertState.UNKNOWN
    )
