"""Stories of a host that was copied with its agent: one ticket, which ends when the two are told apart."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.story import Story

pytestmark = pytest.mark.scenario

CALM = {"node_load1": 1.0}
RELEASED, ALONE = 120, 121


@pytest.fixture
def story(tmp_path: Path, founded: Path) -> Iterator[Story]:
    with Story(tmp_path, founded=founded) as story:
        story.pack("datacenter.yml")
        yield story


def test_a_copied_host_gets_one_ticket_which_is_solved_once_it_is_released_and_pushes(story: Story) -> None:
    atlas = story.host("atlas")
    story.push(atlas, CALM, at=2, until=300)
    story.push(story.clone(atlas), CALM, at=27, until=ALONE)

    story.turn_until(RELEASED)
    during = [(ticket.title, ticket.state.value) for ticket in story.tickets()]
    story.release(atlas)
    story.turn_until(300)

    assert during == [("Two hosts run with the agent's key of atlas", "new")]
    assert story.states() == {"AgentCloned": "resolved"}
    assert story.ticket().state == "solved"


def test_the_quarantine_and_its_ticket_hold_over_a_restart_of_the_server(story: Story) -> None:
    atlas = story.host("atlas")
    copy = story.clone(atlas)
    story.push(atlas, CALM, at=2, until=100)
    story.push(copy, CALM, at=27, until=100)
    story.turn_until(100)

    story.restart(away_s=10)
    story.push(atlas, CALM, at=120, until=240)
    story.turn_until(240)

    assert story.states() == {"AgentCloned": "firing"}
    assert len(story.tickets()) == 1


def test_a_host_that_is_restarted_gets_no_ticket(story: Story) -> None:
    atlas = story.host("atlas")
    story.push(atlas, CALM, at=2, until=50)
    story.push(story.clone(atlas), CALM, at=60, until=200)

    story.turn_until(200)

    assert story.tickets() == []
