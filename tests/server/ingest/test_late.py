"""What came when something newer was there is noted, comes together, and is found again after a start."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from tests.server.ingest.rig import Rig, RigAgent, enrolled, running

from tocsin_protocol.vocabulary import HostKind
from tocsin_server.estate.estate import HostFacts
from tocsin_server.ingest.gaps import PATIENCE_MS, QUIET_MS, Gap, Sorted, sort_out
from tocsin_server.ingest.late import Late, Span
from tocsin_server.ingest.records import Mark

NOW_MS = 1_700_000_000_000
ATLAS, BOREA, ZEPHYR = 1, 2, 3
HOSTS = {
    host_id: HostFacts(host_id, client_id, "", 1, "hq", name, HostKind.SERVER, "node", "", 0)
    for host_id, client_id, name in ((ATLAS, 1, "atlas"), (BOREA, 1, "borea"), (ZEPHYR, 2, "zephyr"))
}


def mark(at_ms: int, host_id: int = ATLAS) -> Mark:
    return Mark(1, at_ms, 1, host_id, at_ms, at_ms, 0)


def span(host_id: int, from_s: int, to_s: int, *, came_s: int, until_s: int | None = None) -> Span:
    """In seconds before now."""
    last_s = came_s if until_s is None else until_s
    times = [NOW_MS - 1000 * seconds for seconds in (from_s, to_s, came_s, last_s)]
    return Span(host_id, *times, age_ms=1000 * (from_s - came_s))


def sorted_out(*spans: Span) -> Sorted:
    return sort_out(spans, HOSTS, NOW_MS, interval_s=10)


def hosts_of(gaps: Sequence[Gap]) -> list[set[int]]:
    return [{*gap.spans} for gap in gaps]


def test_what_comes_in_order_is_not_late() -> None:
    late = Late()

    for step in range(5):
        late.took([mark(NOW_MS + step)], NOW_MS + 600_000)

    assert late.waiting() == []


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=30))
def test_a_span_holds_exactly_what_was_not_the_newest_when_it_came(instants: list[int]) -> None:
    late, newest, passed_by = Late(), -1, []
    for at in instants:
        late.took([mark(NOW_MS + at)], NOW_MS + 2000)
        passed_by += [at] if at < newest else []
        newest = max(newest, at)

    spans = [(one.from_ms - NOW_MS, one.to_ms - NOW_MS) for one in late.waiting()]

    assert spans == ([(min(passed_by), max(passed_by))] if passed_by else [])


def test_all_but_the_newest_of_a_push_in_order_are_late() -> None:
    late = Late()

    late.took([mark(NOW_MS + step) for step in (1, 2, 3)], NOW_MS + 100)

    (found,) = late.waiting()
    assert (found.from_ms, found.to_ms, found.age_ms) == (NOW_MS + 1, NOW_MS + 2, 99)


def test_a_time_that_no_spool_can_hold_makes_no_span_longer() -> None:
    late = Late()

    late.took([mark(0), mark(NOW_MS - 10), mark(NOW_MS)], NOW_MS)

    assert [one.from_ms for one in late.waiting()] == [NOW_MS - 10]


def test_what_grew_while_it_was_judged_waits_on() -> None:
    late = Late()
    late.took([mark(NOW_MS - 10), mark(NOW_MS)], NOW_MS)
    judged = late.waiting()
    late.took([mark(NOW_MS - 20)], NOW_MS + 5)

    late.settle(judged, NOW_MS + 9)
    (left,) = late.waiting()
    late.settle([left], NOW_MS + 9)

    assert (left.from_ms, left.to_ms, left.first_received_ms) == (NOW_MS - 20, NOW_MS - 10, NOW_MS + 9)
    assert late.waiting() == []


def test_a_gap_is_judged_once_nothing_more_of_its_client_comes() -> None:
    first, second = span(ATLAS, 900, 300, came_s=60), span(BOREA, 900, 300, came_s=60, until_s=4)

    waits = sorted_out(first, second)
    ripe = sorted_out(first, span(BOREA, 900, 300, came_s=60, until_s=QUIET_MS // 1000))

    assert waits.gaps == []
    assert hosts_of(ripe.gaps) == [{ATLAS, BOREA}]


def test_another_clients_backlog_delays_nobody() -> None:
    busy, quiet = span(ATLAS, 900, 300, came_s=60, until_s=1), span(ZEPHYR, 900, 300, came_s=60)

    assert hosts_of(sorted_out(busy, quiet).gaps) == [{ZEPHYR}]


def test_where_somebody_always_comes_late_those_that_are_quiet_are_taken_after_a_while() -> None:
    old_s = PATIENCE_MS // 1000
    quiet, drains = span(ATLAS, 2000, 1500, came_s=old_s), span(BOREA, 2000, 1500, came_s=20, until_s=1)
    endless = span(BOREA, 2000, 1500, came_s=old_s, until_s=1)

    (gap,) = sorted_out(quiet, drains).gaps
    (both,) = sorted_out(quiet, endless).gaps

    assert ({*gap.spans}, gap.cut) == ({ATLAS}, frozenset())
    assert ({*both.spans}, both.cut) == ({ATLAS, BOREA}, {BOREA})


def test_a_host_that_was_never_silent_and_one_that_is_gone_are_let_go() -> None:
    trifle, gone = span(ATLAS, 50, 40, came_s=25), span(99, 900, 300, came_s=60)

    found = sorted_out(trifle, gone)

    assert (found.gaps, [*found.trifles]) == ([], [trifle, gone])


def test_spans_that_overlap_are_one_gap_and_the_shortest_comes_first() -> None:
    long, within, apart = (
        span(ATLAS, 9000, 5000, came_s=60),
        span(BOREA, 6000, 4000, came_s=60),
        span(ZEPHYR, 900, 300, came_s=60),
    )

    found = sorted_out(long, within, apart, span(77, 1, 1, came_s=1))

    assert hosts_of(found.gaps) == [{ZEPHYR}, {ATLAS, BOREA}]
    assert found.gaps[1].length_s == 4000 + 2000
    assert hosts_of(sorted_out(long, span(BOREA, 4000, 3000, came_s=60)).gaps) == [{BOREA}, {ATLAS}]


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path) as rig:
        yield rig


async def came_back(rig: Rig) -> RigAgent:
    """An agent that was away for ten minutes and has pushed what is fresh, then its backlog."""
    agent = await enrolled(rig)
    now_ms = rig.clock.now_ms()
    await agent.push(agent.frame(0))
    rig.clock.move(seconds=600)
    await agent.push(agent.frame(60))
    await agent.push(*(agent.frame(seq, at_ms=now_ms + seq * 10_000) for seq in range(40, 60)))
    await agent.push(*(agent.frame(seq, at_ms=now_ms + seq * 10_000) for seq in range(1, 40)))
    return agent


async def test_a_backlog_through_the_receiver_is_noted_whole(rig: Rig) -> None:
    began_ms = rig.clock.now_ms()

    await came_back(rig)

    (found,) = rig.journal.late.waiting()
    assert (found.from_ms, found.to_ms) == (began_ms + 10_000, began_ms + 590_000)
    assert found.age_ms == 590_000


async def test_a_start_finds_what_was_not_judged_and_no_more(rig: Rig) -> None:
    await came_back(rig)
    noted = rig.journal.late.waiting()

    rig.restart()
    again = rig.journal.late.waiting()
    rig.journal.judged_late(rig.clock.now_ms())
    rig.restart()

    assert again == noted
    assert rig.journal.late.waiting() == []


async def test_frames_of_some_hosts_are_read_in_one_pass(rig: Rig) -> None:
    began_ms = rig.clock.now_ms()
    await came_back(rig)
    other = await enrolled(rig, "borea")
    await other.push(other.frame(1))
    host = {facts.name: facts.id for facts in rig.estate.hosts()}

    both = list(rig.journal.frames_among([*host.values()], began_ms + 595_000, began_ms + 605_000))
    one = list(rig.journal.frames_among([host["atlas"]], began_ms + 20_000, began_ms + 40_000))

    assert [frame.host_id for frame in both] == [host["atlas"], host["borea"]]
    assert [frame.times_ms[0] - began_ms for frame in one] == [20_000, 30_000, 40_000]
