"""Stories of promises: what a contract says of a ticket, from the host that pushes to the row of the queue."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.contracts import contract_text
from tests.story import Story

from tocsin_protocol.clocks import TicketClock
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.desk import queue, work

pytestmark = pytest.mark.scenario

LOAD = """
groups:
  - name: load
    rules:
      - alert: LoadHigh
        expr: node_load1 > 8
        labels: {severity: critical}
"""
FRIDAY = 242_200
"""Seconds from the beginning, on a Tuesday at 23:13:20 in Paris, to Friday at 18:30."""
HOUR = 3600
MONDAY = FRIDAY + 2 * 24 * HOUR + 13 * HOUR + HOUR // 2
"""Monday at 08:00."""


@pytest.fixture
def story(tmp_path: Path, founded: Path) -> Iterator[Story]:
    """Acme has a contract, by which time counts from Monday to Friday; Globex has none."""
    with Story(tmp_path, founded=founded) as begun:
        begun.rules(LOAD)
        begun.contract(contract_text("acme"))
        yield begun


def clocks(story: Story, ticket_id: int) -> dict[str, TicketClock]:
    """A ticket's clocks by their kinds, as its page shows them."""
    terms = story.server.deskbook.terms(story.clock.now_ms())
    detail = story.server.storage.read(
        lambda session: queue.ticket_detail(session, EVERYWHERE, ticket_id, terms=terms)
    )
    return {clock.kind: clock for clock in detail.clocks}


def paris(day: int, hour: int, minute: int = 0) -> datetime:
    """A time of November 2023."""
    return datetime(2023, 11, day, hour - 1, minute, tzinfo=UTC)


def test_what_fires_on_friday_evening_is_due_on_monday(story: Story) -> None:
    atlas, other = story.host("atlas"), story.host("atlas", client="globex")
    story.turn_until(FRIDAY - 10, step_s=HOUR)
    for host in (atlas, other):
        story.push(host, {"node_load1": 9.0}, at=FRIDAY)
    story.turn_until(FRIDAY + 5)
    number = next(row.id for row in story.tickets() if row.client == "acme")

    evening = clocks(story, number)
    rows = [heard.message.ticket for heard in story.heard if heard.name == "ticket"]

    assert {kind: clock.due_at for kind, clock in evening.items()} == {
        "ack": paris(20, 8, 15),
        "first_response": paris(20, 8, 30),
        "resolve": paris(20, 12),
    }
    assert evening["resolve"].elapsed_s == 0
    assert {(row.client, row.due_at, row.due_state) for row in rows} == {
        ("acme", paris(20, 8, 15), "running"),
        ("globex", None, ""),
    }

    story.turn_until(MONDAY + 600, step_s=HOUR)
    story.act(work.take, number)
    story.turn_until(MONDAY + HOUR, step_s=HOUR)
    story.act(work.wait, number, reason="customer")
    story.turn_until(MONDAY + 3 * HOUR, step_s=HOUR)
    story.act(work.resume, number)

    noon = clocks(story, number)

    assert noon["ack"].state == "met"
    assert (noon["resolve"].state, noon["resolve"].due_at) == ("running", paris(20, 14))
    assert noon["resolve"].elapsed_s == HOUR
    assert [(each.reason, each.counted_s) for each in noon["resolve"].segments] == [
        ("running", HOUR),
        ("paused:customer", 0),
        ("running", 0),
    ]
