"""An hour is owed to history from its first durable frame until all that the journal has of it is written."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.server.ingest.rig import Rig, enrolled, running

from tocsin_server.ingest.owed import HOUR_MS, QUIET_MS, Hour, Owed
from tocsin_server.ingest.records import Mark

BEGAN_MS = 472_222 * HOUR_MS
ATLAS, BOREA = 1, 2


def mark(first_ms: int, last_ms: int | None = None, host_id: int = ATLAS) -> Mark:
    return Mark(1, first_ms, 1, host_id, first_ms, first_ms if last_ms is None else last_ms, 0)


def test_an_hour_is_due_when_it_is_over_and_nothing_of_it_has_come_of_late() -> None:
    owed = Owed()
    owed.took(5, [mark(BEGAN_MS + 10)], BEGAN_MS + HOUR_MS)

    assert owed.due(BEGAN_MS + HOUR_MS + QUIET_MS - 1) == []
    assert owed.due(BEGAN_MS + HOUR_MS + QUIET_MS) == [Hour(ATLAS, BEGAN_MS, 5)]


def test_what_still_comes_is_waited_for() -> None:
    owed, later_ms = Owed(), BEGAN_MS + 5 * HOUR_MS
    owed.took(5, [mark(BEGAN_MS)], later_ms)

    assert owed.due(later_ms + QUIET_MS - 1) == []
    assert owed.due(later_ms + QUIET_MS) == [Hour(ATLAS, BEGAN_MS, 5)]


def test_a_clock_that_was_set_back_keeps_nothing_waiting() -> None:
    owed = Owed()
    owed.took(5, [mark(BEGAN_MS)], BEGAN_MS + 9 * HOUR_MS)

    assert owed.due(BEGAN_MS + 2 * HOUR_MS) == [Hour(ATLAS, BEGAN_MS, 5)]


def test_a_frame_over_a_full_hour_is_owed_in_both() -> None:
    owed = Owed()
    owed.took(5, [mark(BEGAN_MS + HOUR_MS - 1, BEGAN_MS + HOUR_MS)], BEGAN_MS + HOUR_MS)

    assert [hour.hour_ms for hour in owed.due(BEGAN_MS + 9 * HOUR_MS)] == [BEGAN_MS, BEGAN_MS + HOUR_MS]


def test_a_clock_gone_wrong_by_years_owes_no_more_than_a_spool_holds() -> None:
    owed = Owed()
    owed.took(5, [mark(0), mark(0, BEGAN_MS)], BEGAN_MS)

    assert len(owed) == 73


def test_what_came_while_an_hour_was_written_is_owed_anew() -> None:
    owed, now_ms = Owed(), BEGAN_MS + 2 * HOUR_MS
    owed.took(5, [mark(BEGAN_MS)], BEGAN_MS)
    due = owed.due(now_ms)
    owed.took(9, [mark(BEGAN_MS + 1)], now_ms)

    owed.settle(due)

    assert owed.floor() == 6
    assert owed.since_ms(ATLAS) == BEGAN_MS
    assert owed.due(now_ms + QUIET_MS) == [Hour(ATLAS, BEGAN_MS, 9)]


def test_a_start_owes_what_stands_behind_the_note() -> None:
    owed = Owed(paid=8)
    owed.took(5, [mark(BEGAN_MS)], BEGAN_MS)
    owed.took(8, [mark(BEGAN_MS, host_id=BOREA)], BEGAN_MS)

    assert (owed.since_ms(ATLAS), owed.since_ms(BOREA)) == (None, BEGAN_MS)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 2)), max_size=20))
def test_nothing_that_is_owed_stands_before_the_floor(pushes: list[tuple[int, int]]) -> None:
    owed = Owed()
    for where, (hour, host_id) in enumerate(pushes, 1):
        owed.took(where, [mark(BEGAN_MS + hour * HOUR_MS, host_id=host_id)], BEGAN_MS)

    assert owed.floor() == (1 if pushes else 0)


class Writing(RuleBasedStateMachine):
    """Pushes come, due hours are written; whatever is in the journal and not written is above the floor."""

    def __init__(self) -> None:
        super().__init__()
        self.owed = Owed()
        self.now_ms = BEGAN_MS
        self.where = 0
        self.unwritten: dict[int, tuple[int, int]] = {}
        self.due: list[Hour] = []

    @rule(back=st.integers(0, 4), host_id=st.integers(1, 2))
    def push(self, back: int, host_id: int) -> None:
        self.where += 1
        at_ms = self.now_ms - back * HOUR_MS
        self.owed.took(self.where, [mark(at_ms, host_id=host_id)], self.now_ms)
        self.unwritten[self.where] = (host_id, at_ms - at_ms % HOUR_MS)

    @rule(minutes=st.integers(1, 90))
    def wait(self, minutes: int) -> None:
        self.now_ms += minutes * 60_000

    @rule()
    def look(self) -> None:
        self.due = self.owed.due(self.now_ms)

    @rule()
    def write(self) -> None:
        """Hours as they were when they were looked at; pushes may have come since."""
        for hour in self.due:
            written = [
                where
                for where, what in self.unwritten.items()
                if what == (hour.host_id, hour.hour_ms) and where <= hour.newest
            ]
            for where in written:
                del self.unwritten[where]
        self.owed.settle(self.due)
        self.due = []

    @invariant()
    def the_floor_is_below_what_is_not_written(self) -> None:
        assert self.owed.floor() <= min(self.unwritten, default=self.where + 1)

    @invariant()
    def who_has_something_unwritten_is_read_from_there(self) -> None:
        for host_id in (1, 2):
            hours = [hour_ms for host, hour_ms in self.unwritten.values() if host == host_id]
            since_ms = self.owed.since_ms(host_id)
            assert (since_ms is None) == (not hours)
            assert not hours or since_ms == min(hours)


TestWriting = Writing.TestCase


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path) as made:
        yield made


async def test_a_segment_is_not_swept_before_its_hours_are_written(rig: Rig) -> None:
    atlas = await enrolled(rig)
    for seq in range(3):
        await atlas.push(atlas.frame(seq))
        rig.clock.move(seconds=3600)
        await atlas.hello()
    long_after_ms = rig.clock.now_ms() + 100 * HOUR_MS

    before = rig.journal.sweep(long_after_ms)
    rig.journal.owed.settle(rig.journal.owed.due(long_after_ms))

    assert before == 0
    assert rig.journal.sweep(long_after_ms) == 2


async def test_a_start_owes_only_what_the_note_does_not_cover(rig: Rig) -> None:
    atlas = await enrolled(rig)
    await atlas.push(atlas.frame(0))
    rig.clock.move(seconds=7200)
    await atlas.hello()
    rig.journal.owed.settle(rig.journal.owed.due(rig.clock.now_ms()))
    rig.journal.hours_written()
    await atlas.push(atlas.frame(1))

    rig.restart()

    assert len(rig.journal.owed) == 1


async def test_the_note_of_a_journal_that_is_gone_is_not_believed(rig: Rig) -> None:
    atlas = await enrolled(rig)
    await atlas.push(atlas.frame(0))
    (rig.journal._folder / "hours-written").write_text(str(99 << 32))

    rig.restart()

    assert len(rig.journal.owed) == 1
