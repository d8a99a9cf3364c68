"""What has changed is told as it is now, in order, and a storm is read in handfuls."""

from collections.abc import Sequence

import pytest
from tests.processes import until

from tocsin_protocol.events import HostChanged, TicketChanged
from tocsin_protocol.hosts import HostRow, Vitals
from tocsin_protocol.messages import Message
from tocsin_protocol.tickets import TicketCounts, TicketRow
from tocsin_protocol.vocabulary import HostKind, HostState, TicketEventKind, TicketState
from tocsin_server.clock import moment
from tocsin_server.desk.happening import Happening
from tocsin_server.health import Health
from tocsin_server.notices import MAX_TOGETHER, Notices

OPENED, TAKEN, SOLVED = TicketEventKind.OPENED, TicketEventKind.TAKEN, TicketEventKind.SOLVED
COUNTS = TicketCounts(open=1, unowned=1, by_priority={"1": 1})


def a_ticket(number: int) -> TicketRow:
    return TicketRow(
        id=number,
        version=1,
        title="/ on atlas is full",
        state=TicketState.NEW,
        priority=1,
        client="acme",
        site="hq",
        host="atlas",
        host_id=7,
        owner=None,
        severity=None,
        alert_state=None,
        recovered=False,
        opened_at=moment(0),
        updated_at=moment(0),
        solved_at=None,
    )


def a_host(number: int) -> HostRow:
    return HostRow(
        id=number,
        name="atlas",
        client="acme",
        site="hq",
        kind=HostKind.SERVER,
        job="node",
        state=HostState.SILENT,
        last_seen=None,
        os="",
        agent_version="",
        open_tickets=0,
        worst_priority=None,
        vitals=Vitals(),
    )


class Desk:
    """Tickets and hosts that can be looked at, and what consoles hear of them."""

    def __init__(self) -> None:
        self.asked: list[Sequence[int]] = []
        self.lost: set[int] = set()
        self.is_broken = False
        self.heard: list[tuple[str, Message | None]] = []
        self.health = Health()
        self.notices = Notices(self, lambda name, message: self.heard.append((name, message)), self.health)

    def tickets(self, ids: Sequence[int]) -> tuple[dict[int, TicketRow], TicketCounts]:
        self.asked.append(ids)
        if self.is_broken:
            self.is_broken = False
            raise OSError("the disk is on fire")
        return {number: a_ticket(number) for number in ids if number not in self.lost}, COUNTS

    def hosts(self, ids: Sequence[int]) -> dict[int, HostRow]:
        return {number: a_host(number) for number in ids if number not in self.lost}

    def tell(self) -> list[tuple[str, object, int]]:
        """All that waits, told by the thread to its end."""
        self.notices.start()
        self.notices.stop()
        return [brief(name, message) for name, message in self.heard]


def brief(name: str, message: Message | None) -> tuple[str, object, int]:
    if isinstance(message, TicketChanged):
        return name, message.happened, message.ticket.id
    assert isinstance(message, HostChanged)
    return name, message.host.state, message.host.id


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_each_change_is_told_in_its_order_with_the_row_and_the_counts_of_now(desk: Desk) -> None:
    desk.notices.tickets([Happening(1, OPENED), Happening(2, OPENED), Happening(1, TAKEN)])

    assert desk.tell() == [("ticket", OPENED, 1), ("ticket", OPENED, 2), ("ticket", TAKEN, 1)]
    assert desk.heard[0][1] == TicketChanged(ticket=a_ticket(1), happened=OPENED, counts=COUNTS)


def test_what_has_come_together_is_asked_for_once(desk: Desk) -> None:
    desk.notices.tickets(Happening(number, OPENED) for number in range(100))

    desk.tell()

    assert [len(ids) for ids in desk.asked] == [100]


def test_what_comes_while_it_rests_is_asked_for_together(desk: Desk) -> None:
    def changes_come(_rest_s: float) -> None:
        if desk.asked == [[1]]:
            for number in (2, 3):
                desk.notices.tickets([Happening(number, OPENED)])

    desk.notices._ended.wait = changes_come  # type: ignore[assignment, method-assign]
    desk.notices.tickets([Happening(1, OPENED)])
    desk.notices.start()
    until("all three are told", lambda: len(desk.heard) == 3)
    desk.notices.stop()

    assert desk.asked == [[1], [2, 3]]


def test_a_storm_is_asked_for_in_handfuls_and_nothing_of_it_is_lost(desk: Desk) -> None:
    desk.notices.tickets(Happening(number, OPENED) for number in range(MAX_TOGETHER + 1))

    told = desk.tell()

    assert [number for _, _, number in told] == list(range(MAX_TOGETHER + 1))
    assert [len(ids) for ids in desk.asked] == [MAX_TOGETHER, 1]


def test_a_host_that_has_changed_twice_is_told_once_as_it_is_now(desk: Desk) -> None:
    desk.notices.host(7)
    desk.notices.host(8)
    desk.notices.host(7)

    assert desk.tell() == [("host", HostState.SILENT, 7), ("host", HostState.SILENT, 8)]


def test_what_is_there_no_longer_is_not_told(desk: Desk) -> None:
    desk.lost = {1, 7}
    desk.notices.tickets([Happening(1, SOLVED), Happening(2, SOLVED)])
    desk.notices.host(7)

    assert desk.tell() == [("ticket", SOLVED, 2)]


def test_opened_tickets_are_counted_by_client_and_priority(desk: Desk) -> None:
    desk.notices.tickets([Happening(1, OPENED), Happening(1, TAKEN), Happening(2, OPENED)])

    desk.tell()

    labels = {"client": "acme", "priority": "1"}
    assert desk.health.registry.get_sample_value("tocsin_tickets_opened_total", labels) == 2


def test_a_question_that_fails_costs_its_own_changes_and_the_thread_goes_on(desk: Desk) -> None:
    desk.is_broken = True
    desk.notices.tickets(Happening(number, OPENED) for number in range(MAX_TOGETHER))
    desk.notices.tickets([Happening(1000, OPENED)])

    assert desk.tell() == [("ticket", OPENED, 1000)]
