"""What an agent sends once it is back is judged at its own time, is told to nobody, and overrules nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import Session, col, select
from tests.story import Story, StoryHost

from tocsin_protocol.vocabulary import AlertState
from tocsin_server.alerts.store import Transition

pytestmark = pytest.mark.scenario

LOAD = """
groups:
  - name: load
    rules:
      - alert: LoadHigh
        expr: node_load1 > 8
        for: 1m
"""
SUM = """
groups:
  - name: fleet
    rules:
      - record: fleet:load
        expr: sum(node_load1)
      - alert: FleetBusy
        expr: fleet:load > 8
        for: 1m
"""
BUSY, CALM = {"node_load1": 9.0}, {"node_load1": 1.0}
AWAY, BACK = 110, 400
"""The first and the last moment of which the frames are late."""


@pytest.fixture
def story(tmp_path: Path, founded: Path) -> Iterator[Story]:
    with Story(tmp_path, founded=founded) as begun:
        yield begun


def away(story: Story, host: StoryHost, *, busy: tuple[int, int], sent: int = BACK + 11) -> None:
    """A host that is away for five minutes, busy for a while meanwhile, and back."""
    begin, end = busy
    story.push(host, CALM, at=10, until=AWAY - 10)
    story.push(host, CALM, at=BACK + 10, until=BACK + 200)
    story.push_late(host, CALM, at=AWAY, until=begin - 10, sent=sent)
    story.push_late(host, BUSY, at=begin, until=end - 10, sent=sent)
    story.push_late(host, CALM, at=end, until=BACK, sent=sent)


def late_moves(story: Story) -> list[tuple[int, str, bool]]:
    """Transitions that were found late: when, to what, and whether the desk has them behind it."""

    def ask(session: Session) -> list[Transition]:
        return list(session.exec(select(Transition).where(col(Transition.late)).order_by(col(Transition.id))))

    began_ms = story._began_ms
    return [
        (round((move.at_ms - began_ms) / 1000), move.new.value, move.consumed_ms is not None)
        for move in story.server.storage.read(ask)
    ]


def counted(story: Story, name: str) -> float:
    return story.server.health.registry.get_sample_value(name) or 0.0


def test_an_outage_while_the_agent_was_away_is_a_resolved_alert_with_true_times_and_no_ticket(
    story: Story,
) -> None:
    story.rules(LOAD)
    atlas = story.host("atlas")
    away(story, atlas, busy=(200, 320))

    story.turn_until(BACK + 60)

    (alert,) = story.alerts()
    assert alert.state is AlertState.RESOLVED
    assert alert.late
    assert alert.host == "atlas"
    moments = (alert.active_at, alert.fired_at, alert.resolved_at)
    assert [at and round(at.timestamp() - story._began_ms / 1000) for at in moments] == [201, 261, 321]
    assert late_moves(story) == [(201, "pending", True), (261, "firing", True), (321, "resolved", True)]
    assert story.tickets() == []
    assert story.times_told() == {}
    assert counted(story, "tocsin_late_episodes_total") == 1
    assert counted(story, "tocsin_late_judged_seconds_total") == BACK - AWAY
    assert counted(story, "tocsin_late_hosts_waiting") == 0


def test_what_was_not_judged_at_the_end_is_judged_after_a_start_and_only_once(story: Story) -> None:
    story.rules(LOAD)
    atlas = story.host("atlas")
    away(story, atlas, busy=(200, 320), sent=BACK + 20)
    story.turn_until(BACK + 21)
    assert counted(story, "tocsin_late_hosts_waiting") == 1

    story.restart(away_s=30)
    story.turn_until(BACK + 70)
    first = late_moves(story)
    (story._data / "journal" / "late-judged").unlink()  # nobody remembers that it was judged
    story.restart(away_s=1)
    story.turn_until(BACK + 90)

    assert len(first) == 3
    assert late_moves(story) == first
    assert counted(story, "tocsin_late_judged_seconds_total") == BACK - AWAY


def test_what_was_judged_is_not_judged_again_after_a_start(story: Story) -> None:
    story.rules(LOAD)
    atlas = story.host("atlas")
    away(story, atlas, busy=(200, 320))
    story.turn_until(BACK + 120)

    story.restart(away_s=1)
    story.turn_until(BACK + 140)

    assert len(late_moves(story)) == 3
    assert counted(story, "tocsin_late_judged_seconds_total") == 0


def test_what_goes_on_when_the_agent_is_back_is_live_evaluations(story: Story) -> None:
    story.rules(LOAD)
    atlas = story.host("atlas")
    story.push(atlas, CALM, at=10, until=AWAY - 10)
    story.push(atlas, BUSY, at=BACK + 10, until=BACK + 200)
    story.push_late(atlas, CALM, at=AWAY, until=290, sent=BACK + 11)
    story.push_late(atlas, BUSY, at=300, until=BACK, sent=BACK + 11)

    story.turn_until(BACK + 100)

    assert late_moves(story) == []
    assert story.states() == {"LoadHigh": "firing"}
    assert len(story.tickets()) == 1


def test_a_late_outage_changes_no_alert_that_fires_now_and_no_ticket(story: Story) -> None:
    story.rules(LOAD)
    atlas = story.host("atlas")
    story.push(atlas, CALM, at=10, until=AWAY - 10)
    story.push(atlas, BUSY, at=BACK + 10, until=BACK + 400)
    story.push_late(atlas, CALM, at=AWAY, until=190, sent=BACK + 180)
    story.push_late(atlas, BUSY, at=200, until=310, sent=BACK + 180)
    story.push_late(atlas, CALM, at=320, until=BACK, sent=BACK + 180)
    story.turn_until(BACK + 150)
    before, ticket = story.alerts(), story.ticket()

    story.turn_until(BACK + 260)

    (alert,), (known,) = story.alerts(), before
    assert (alert.state, alert.active_at, alert.late) == (known.state, known.active_at, False)
    assert len(late_moves(story)) == 3
    assert story.ticket().version == ticket.version
    assert story.kinds(ticket.id) == ["opened"]


def test_what_all_hosts_say_together_is_judged_with_the_frames_of_those_that_were_there(story: Story) -> None:
    story.rules(SUM)
    atlas, borea = story.host("atlas"), story.host("borea")
    other = story.host("zephyr", client="globex")
    story.push(borea, {"node_load1": 4.0}, at=10, until=BACK + 200)
    story.push(other, {"node_load1": 7.0}, at=10, until=BACK + 200)
    story.push(atlas, CALM, at=10, until=AWAY - 10)
    story.push(atlas, CALM, at=BACK + 10, until=BACK + 200)
    story.push_late(atlas, CALM, at=AWAY, until=190, sent=BACK + 11)
    story.push_late(atlas, {"node_load1": 5.0}, at=200, until=310, sent=BACK + 11)
    story.push_late(atlas, CALM, at=320, until=BACK, sent=BACK + 11)

    story.turn_until(BACK + 60)

    (alert,) = story.alerts()
    assert (alert.alertname, alert.client, alert.host, alert.late) == ("FleetBusy", "acme", None, True)
    assert [moment for moment, _, _ in late_moves(story)] == [201, 261, 321]
    assert story.tickets() == []


def test_a_silence_that_was_seen_is_not_seen_again(story: Story) -> None:
    story.rules("groups: [{name: host, rules: [{alert: HostSilent, expr: up == 0, for: 10s}]}]")
    atlas = story.host("atlas")
    story.push(atlas, CALM, at=10, until=AWAY - 10)
    story.push(atlas, CALM, at=BACK + 10, until=BACK + 200)
    story.push_late(atlas, CALM, at=AWAY, until=200, sent=BACK + 11)
    story.push_late(atlas, CALM, at=350, until=BACK, sent=BACK + 11)

    story.turn_until(BACK + 60)

    assert story.states() == {"HostSilent": "resolved"}
    assert late_moves(story) == []
    assert len(story.tickets()) == 1
