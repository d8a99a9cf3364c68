"""What is due of a ticket stays so until something happens to it, whatever time it is: so it may be kept."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.server.desk.test_served import live, lives, opened
from tests.server.sla.contracts import contract

from tocsin_server.desk.due import first_due
from tocsin_server.sla.clock import clocks

DAY_MS = 86_400_000


@given(
    severity=st.sampled_from(["critical", "warning", "info"]), what=lives, later_ms=st.integers(0, 5 * DAY_MS)
)
def test_a_deadline_moves_only_with_an_entry_of_the_timeline(
    severity: str, what: Sequence[tuple[int, Any]], later_ms: int
) -> None:
    life = opened(severity)
    live(life, what)
    events = life.events()
    read_ms = events[-1].at_ms + later_ms
    all_of_it = clocks(events, contract(), read_ms)

    due = first_due(clocks(events, contract(), events[-1].at_ms, has_thresholds=False))

    assert first_due(all_of_it) == due
    going = [clock for clock in all_of_it if clock.ended_ms is None]
    assert due.goes == bool(going)
    if due.at_ms is not None:
        assert due.state(read_ms) in {clock.state for clock in going if clock.deadline_ms == due.at_ms}
