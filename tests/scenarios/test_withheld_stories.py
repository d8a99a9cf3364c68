"""Stories of alerts of which nobody is woken: they carry why, and ring when nothing withholds them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.story import Story

from tocsin_protocol.alerts import Alert
from tocsin_server.desk import work

pytestmark = pytest.mark.scenario

LOAD = """
groups:
  - name: load
    rules:
      - alert: LoadHigh
        expr: node_load1 > 8
        labels: {severity: warning}
      - alert: LoadVeryHigh
        expr: node_load1 > 80
        labels: {severity: critical}
      - alert: HostSilent
        expr: up == 0
        labels: {severity: critical}
"""
BUSY, VERY_BUSY, CALM = {"node_load1": 9.0}, {"node_load1": 90.0}, {"node_load1": 1.0}
LATER = 100_000


@pytest.fixture
def story(tmp_path: Path, founded: Path) -> Iterator[Story]:
    with Story(tmp_path, founded=founded) as story:
        story.rules(LOAD)
        yield story


def reasons(alert: Alert) -> list[str]:
    return [reason.words for reason in alert.suppressed]


def named(story: Story, name: str) -> Alert:
    return next(alert for alert in story.alerts() if alert.alertname == name)


def test_a_silenced_alert_opens_its_ticket_when_the_silence_ends(story: Story) -> None:
    story.push(story.host("atlas"), BUSY, at=2, until=100)
    story.silence('alertname="LoadHigh"', seconds=60)

    story.turn_until(50)
    withheld = named(story, "LoadHigh")
    tickets = story.tickets()
    story.turn_until(70)

    assert tickets == []
    assert [(reason.kind, reason.name) for reason in withheld.suppressed] == [("silence", "1")]
    assert reasons(withheld)[0].endswith("UTC: planned")
    assert withheld.state == "firing"
    opened = story.timeline(story.ticket().id)[0]
    assert opened.text.startswith("no longer withheld (silence 1 by alice")
    assert named(story, "LoadHigh").suppressed == []


def test_a_silence_holds_over_a_restart_and_ends_after_it(story: Story) -> None:
    atlas = story.host("atlas")
    story.push(atlas, BUSY, at=2, until=30)
    story.silence('alertname="LoadHigh"', seconds=60)
    story.turn_until(20)

    story.restart()
    story.push(atlas, BUSY, at=21, until=100)
    story.turn_until(50)
    tickets = story.tickets()
    story.turn_until(70)

    assert tickets == []
    assert story.kinds(story.ticket().id) == ["opened"]


def test_a_silence_of_one_client_is_none_of_anothers(story: Story) -> None:
    story.push(story.host("atlas"), BUSY, at=2, until=30)
    story.push(story.host("atlas", client="globex"), BUSY, at=2, until=30)
    story.silence('alertname="LoadHigh"', seconds=60, client="globex")

    story.turn_until(20)

    assert [ticket.client for ticket in story.tickets()] == ["acme"]


def test_an_open_ticket_hears_of_a_silenced_alert_all_the_same(story: Story) -> None:
    atlas = story.host("atlas")
    story.push(atlas, BUSY, at=2, until=20)
    story.push(atlas, CALM, at=30, until=30)
    story.push(atlas, BUSY, at=40, until=100)
    story.turn_until(10)
    story.silence('alertname="LoadHigh"', seconds=LATER)

    story.turn_until(100)

    ticket = story.ticket()
    assert ticket.state == "new"
    assert story.kinds(ticket.id) == ["opened", "alert_resolved", "alert_fired"]
    assert story.timeline(ticket.id)[-1].data["withheld"] == reasons(named(story, "LoadHigh"))


def test_planned_work_on_a_host_withholds_its_alerts_and_no_others(story: Story) -> None:
    story.withhold("""
maintenance_windows:
  - {name: patches, client: acme, host: atlas, reason: monthly, time_intervals: [{}]}
""")
    for name in ("atlas", "borea"):
        story.push(story.host(name), BUSY, at=2, until=30)

    story.turn_until(20)

    assert [ticket.host for ticket in story.tickets()] == ["borea"]
    withheld = {alert.host: reasons(alert) for alert in story.alerts()}
    assert withheld["borea"] == []
    assert withheld["atlas"][0].startswith("maintenance patches")


def test_a_file_that_is_wrong_leaves_the_last_good_one_in_force_and_says_where(story: Story) -> None:
    good = "maintenance_windows: [{name: w, client: acme, reason: r, time_intervals: [{}]}]"
    story.withhold(good)
    story.push(story.host("atlas"), BUSY, at=10, until=60)
    story.turn_until(5)
    story.withhold(good.replace("reason: r", "raeson: r"))
    story.turn_until(20)

    (problem,) = story.server.quietbook.problems
    assert (problem.file, problem.rule) == ("story.yml", "maintenance_windows/w")
    assert "line 1" in problem.reason
    assert "reason" in problem.reason
    assert story.tickets() == []


def test_a_window_of_a_host_that_is_not_there_is_told(story: Story) -> None:
    story.withhold(
        "maintenance_windows: [{name: w, client: acme, host: nemo, reason: r, time_intervals: [{}]}]"
    )
    story.turn_until(3)

    (problem,) = story.server.quietbook.problems
    assert problem.reason == "acme has no host 'nemo' in service"


def test_an_alert_that_says_more_withholds_those_that_follow_from_it(story: Story) -> None:
    story.withhold("""
inhibit_rules:
  - name: the worse of two
    source_matchers: [alertname="LoadVeryHigh"]
    target_matchers: [alertname="LoadHigh"]
    equal: [instance]
""")
    story.push(story.host("atlas"), VERY_BUSY, at=2, until=30)
    story.push(story.host("borea"), BUSY, at=2, until=30)

    story.turn_until(20)

    assert sorted((ticket.host, ticket.title) for ticket in story.tickets()) == [
        ("atlas", "LoadVeryHigh on atlas"),
        ("borea", "LoadHigh on borea"),
    ]
    withheld = {(alert.host, alert.alertname): reasons(alert) for alert in story.alerts()}
    assert withheld["atlas", "LoadHigh"] == ["inhibited by LoadVeryHigh of atlas, rule the worse of two"]


def test_what_is_behind_a_dead_switch_is_recorded_and_rings_for_the_switch_alone(story: Story) -> None:
    story.withhold("""
host_parents: [{name: rack, client: acme, hosts: [atlas, borea], parents: [switch-a, switch-b]}]
""")
    hosts = [story.host(name) for name in ("atlas", "borea", "switch-a", "switch-b")]
    for host in hosts:
        story.push(host, CALM, at=2, until=30)
        story.push(host, CALM, at=300, until=600)

    story.turn_until(120)
    tickets = sorted(ticket.host or "" for ticket in story.tickets())
    withheld = {alert.host: reasons(alert) for alert in story.alerts()}
    story.turn_until(500, step_s=2)

    assert tickets == ["switch-a", "switch-b"]
    assert withheld["atlas"] == ["parents switch-a, switch-b are down"]
    assert sorted(ticket.host or "" for ticket in story.tickets()) == ["switch-a", "switch-b"]
    assert {ticket.state for ticket in story.tickets()} == {"solved"}


def test_one_parent_that_is_up_is_enough(story: Story) -> None:
    story.withhold("host_parents: [{name: rack, client: acme, hosts: [atlas], parents: [switch-a, switch-b]}]")
    atlas, dead, alive = (story.host(name) for name in ("atlas", "switch-a", "switch-b"))
    for host in (atlas, dead):
        story.push(host, CALM, at=2, until=30)
    story.push(alive, CALM, at=2, until=200)

    story.turn_until(120)

    assert sorted(ticket.host or "" for ticket in story.tickets()) == ["atlas", "switch-a"]


def test_what_stays_silent_when_its_switch_is_back_rings_after_some_grace(story: Story) -> None:
    story.withhold("host_parents: [{name: rack, client: acme, hosts: [atlas], parents: [switch]}]")
    atlas, switch = story.host("atlas"), story.host("switch")
    for host in (atlas, switch):
        story.push(host, CALM, at=2, until=30)
    story.push(switch, CALM, at=200, until=600)

    story.turn_until(300)
    before = [ticket.host for ticket in story.tickets()]
    story.turn_until(330)

    assert before == ["switch"]
    assert sorted(ticket.host or "" for ticket in story.tickets()) == ["atlas", "switch"]


def test_an_alert_that_flaps_is_one_ticket_that_says_so_and_ends_when_it_is_calm(story: Story) -> None:
    atlas = story.host("atlas")
    for number in range(20):
        story.push(atlas, BUSY if number % 2 else CALM, at=2 + number * 180, until=172 + number * 180)
    story.push(atlas, CALM, at=3600, until=9000)

    story.turn_until(3500, step_s=10)
    while_it_flaps = named(story, "LoadHigh"), story.ticket()
    kinds = story.kinds(story.ticket().id)
    texts = [event.text for event in story.timeline(story.ticket().id)]
    story.turn_until(8000, step_s=30)

    alert, ticket = while_it_flaps
    assert [reason.kind.value for reason in alert.suppressed] == ["flapping"]
    assert ticket.state == "new"
    assert len(kinds) < 12
    assert any(text.startswith("flapping: it began or ended") for text in texts)
    assert story.ticket().state == "solved"
    assert "it has ceased to flap" in [event.text for event in story.timeline(ticket.id)]


def test_an_acknowledged_alert_rings_no_more_until_it_has_cleared(story: Story) -> None:
    atlas = story.host("atlas")
    story.push(atlas, BUSY, at=2, until=1000)
    story.push(atlas, CALM, at=1010, until=1100)
    story.push(atlas, BUSY, at=1110, until=1200)
    story.turn_until(20)
    ticket_id = story.ticket().id

    story.act(work.acknowledge, ticket_id, text="the vendor knows")
    story.resolve(ticket_id)
    known = named(story, "LoadHigh")
    story.turn_until(990, step_s=5)
    left_alone = story.ticket().state
    story.turn_until(1100)
    cleared = named(story, "LoadHigh")
    story.turn_until(1130)

    assert (known.acknowledged_by, cleared.acknowledged_by) == ("alice", None)
    assert left_alone == "solved"
    assert story.kinds(ticket_id)[1:3] == ["acknowledged", "solved"]
    assert story.kinds(ticket_id)[-1] == "reopened"


def test_what_nobody_has_acknowledged_rings_again(story: Story) -> None:
    story.push(story.host("atlas"), BUSY, at=2, until=1000)
    story.turn_until(20)

    story.resolve(story.ticket().id)
    story.turn_until(990, step_s=5)

    assert story.kinds(story.ticket().id)[-1] == "reopened"


def test_who_is_silenced_is_not_reopened_by_going_on(story: Story) -> None:
    story.push(story.host("atlas"), BUSY, at=2, until=1000)
    story.turn_until(20)

    story.resolve(story.ticket().id)
    story.silence('alertname="LoadHigh"', seconds=LATER)
    story.turn_until(990, step_s=5)

    assert story.ticket().state == "solved"
