"""A list stays calm: the cursor is on its row, places wait for still hands, what leaves stays as a ghost."""

from datetime import timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.tui import scene

from tocsin_protocol.tickets import TicketRow
from tocsin_protocol.vocabulary import AlertState, Severity, TicketState
from tocsin_tui.state import (
    GHOST_S,
    Listing,
    View,
    Waiting,
    acknowledged_by,
    backoff_s,
    gravity,
    is_in_view,
    is_newer,
    trouble,
    urgency,
)


def is_open(row: TicketRow) -> bool:
    return is_in_view(row, View.OPEN, "alice")


def a_listing(*rows: TicketRow) -> Listing[TicketRow]:
    listing: Listing[TicketRow] = Listing(urgency)
    listing.show(is_open)
    listing.replace(rows, 0)
    listing.settle(0, is_idle=True)
    return listing


def solved(row: TicketRow) -> TicketRow:
    return msgspec.structs.replace(row, state=TicketState.SOLVED, version=row.version + 1)


ONE, TWO, THREE = (scene.a_ticket(id_, priority=priority) for id_, priority in ((11, 1), (12, 2), (13, 3)))


def test_the_most_urgent_stands_first_and_of_two_alike_who_has_waited_longer() -> None:
    older = scene.a_ticket(14, priority=2, opened_at=scene.ago(99))

    assert list(a_listing(TWO, ONE, older).order) == [11, 14, 12]


def test_the_cursor_stays_on_its_ticket_when_a_more_urgent_one_comes() -> None:
    listing = a_listing(TWO, THREE)
    listing.move_to(1)

    listing.merge(ONE, 1)
    listing.settle(1, is_idle=True)

    assert listing.cursor == 13
    assert listing.place == 2


def test_nothing_moves_while_hands_do_and_what_is_new_is_counted() -> None:
    listing = a_listing(TWO)

    listing.merge(ONE, 1)
    listing.merge(THREE, 1)
    moved = listing.settle(1, is_idle=False)

    assert not moved
    assert list(listing.order) == [12]
    assert Waiting(above=1, below=1) == listing.waiting()


def test_what_has_waited_appears_once_hands_are_still() -> None:
    listing = a_listing(TWO)
    listing.merge(ONE, 1)

    assert listing.settle(3, is_idle=True)

    assert list(listing.order) == [11, 12]
    assert Waiting() == listing.waiting()


def test_a_row_that_leaves_stays_as_a_ghost_until_the_cursor_moves() -> None:
    listing = a_listing(ONE, TWO, THREE)

    listing.merge(solved(ONE), 1)
    listing.settle(5, is_idle=True)
    with_ghost = list(listing.order)
    listing.move(1)

    assert with_ghost == [11, 12, 13]
    assert list(listing.order) == [12, 13]
    assert listing.cursor == 12


def test_the_ghost_under_the_cursor_never_vanishes_by_itself_but_others_do() -> None:
    listing = a_listing(ONE, TWO, THREE)
    listing.merge(solved(ONE), 0)
    listing.merge(solved(THREE), 0)

    listing.settle(GHOST_S + 1, is_idle=True)

    assert list(listing.order) == [11, 12]


def test_a_ghost_that_is_reopened_is_a_row_again() -> None:
    listing = a_listing(ONE, TWO)
    listing.merge(solved(ONE), 0)

    listing.merge(msgspec.structs.replace(ONE, version=3), 1)

    assert not listing.ghosts


def test_what_a_snapshot_no_longer_holds_leaves_and_does_not_come_back_with_another_view() -> None:
    listing = a_listing(ONE, TWO)

    listing.replace([TWO], 1)
    listing.show(lambda _: True)

    assert list(listing.order) == [12]


def test_the_first_rows_appear_at_once_even_under_moving_hands() -> None:
    listing = a_listing()
    listing.merge(ONE, 1)

    assert listing.settle(1, is_idle=False)
    assert listing.cursor == 11


def test_silent_hosts_stand_before_those_with_tickets_and_those_before_the_rest() -> None:
    names = [row.name for row in sorted(scene.hosts(), key=trouble)]

    assert names[0] == "ws-0019"
    assert names[1:3] == ["atlas", "db-ber-02"]
    assert names[-1] == "web-ber-07"


def test_alerts_stand_by_state_then_severity_then_those_that_ring_then_the_latest() -> None:
    firing = scene.an_alert(1, "DiskFull", "atlas", "acme", 9)
    later = scene.an_alert(2, "DiskFull", "bolt", "acme", 1)
    hushed = scene.an_alert(3, "DiskFull", "calm", "acme", 0, suppressed=[scene.SILENCE])
    known = scene.an_alert(4, "DiskFull", "dusk", "acme", 0.5, acknowledged_by="ada")
    critical = scene.an_alert(5, "DiskFull", "echo", "acme", 99, severity=Severity.CRITICAL)
    waiting = msgspec.structs.replace(critical, id=6, state=AlertState.PENDING, fired_at=None)
    dateless = msgspec.structs.replace(waiting, id=7, active_at=None)

    stand = sorted([dateless, waiting, known, hushed, firing, later, critical], key=gravity)

    assert [alert.id for alert in stand] == [5, 2, 1, 3, 4, 6, 7]


def test_a_ticket_is_acknowledged_once_all_that_fires_is() -> None:
    known = scene.an_alert(1, "DiskFull", "atlas", "acme", 9, acknowledged_by="ada")
    unknown = scene.an_alert(2, "DiskFull", "atlas", "acme", 9)
    over = msgspec.structs.replace(unknown, state=AlertState.RESOLVED)

    assert acknowledged_by([known, over]) == "ada"
    assert acknowledged_by([known, unknown]) is None
    assert acknowledged_by([over]) is None


@given(st.permutations([msgspec.structs.replace(ONE, version=v, title=f"v{v}") for v in range(1, 6)]))
def test_the_latest_version_wins_in_whatever_order_they_come(versions: list[TicketRow]) -> None:
    known = versions[0]
    for row in versions[1:]:
        known = row if is_newer(row, known) else known

    assert known.title == "v5"


@given(st.integers(0, 50), st.floats(0, 1))
def test_a_retry_waits_between_half_and_all_of_its_ceiling(attempt: int, chance: float) -> None:
    delay = backoff_s(attempt, chance)

    assert 0.5 <= delay <= 30


class CalmList(RuleBasedStateMachine):
    """Rows come, change and go, hands move and rest: what must hold, holds after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.listing = a_listing()
        self.truth: dict[int, TicketRow] = {}
        self.now = 0.0

    @rule(
        id_=st.integers(1, 8),
        priority=st.integers(1, 4),
        state=st.sampled_from([TicketState.NEW, TicketState.SOLVED]),
    )
    def happens(self, id_: int, priority: int, state: TicketState) -> None:
        row = scene.a_ticket(id_, priority=priority, state=state, opened_at=scene.NOW - timedelta(minutes=id_))
        self.truth[id_] = row
        before = (self.listing.cursor, list(self.listing.order))
        self.listing.merge(row, self.now)
        assert before == (self.listing.cursor, list(self.listing.order))

    @rule(keep=st.sets(st.integers(1, 8)))
    def is_read_anew(self, keep: set[int]) -> None:
        self.truth = {id_: row for id_, row in self.truth.items() if id_ in keep}
        self.listing.replace(self.truth.values(), self.now)

    @rule(by=st.integers(-3, 3))
    def moves(self, by: int) -> None:
        self.listing.move(by)

    @rule(seconds=st.floats(0, 100), hands=st.sampled_from(["moving", "still"]))
    def time_passes(self, seconds: float, hands: str) -> None:
        self.now += seconds
        cursor = self.listing.cursor
        self.listing.settle(self.now, is_idle=hands == "still")
        assert cursor is None or cursor == self.listing.cursor

    @rule()
    def rests_and_moves(self) -> None:
        self.listing.move(0)
        self.listing.settle(self.now, is_idle=True)
        wanted = sorted(urgency(row) for row in self.truth.values() if is_open(row))
        shown = [id_ for id_ in self.listing.order if id_ not in self.listing.ghosts]
        assert [key[-1] for key in wanted] == shown

    @invariant()
    def the_cursor_stands_on_a_row(self) -> None:
        order = self.listing.order
        assert (self.listing.cursor in order) if order else self.listing.cursor is None
        assert len(set(order)) == len(order)
        assert all(id_ in self.listing.rows for id_ in order)
        assert set(self.listing.ghosts) <= set(order)
        assert not order or order[self.listing.place] == self.listing.cursor

    @invariant()
    def what_belongs_here_is_counted(self) -> None:
        assert sum(is_open(row) for row in self.truth.values()) == len(self.listing)


TestCalmList = CalmList.TestCase
