"""Stories of the whole server on a clock that is moved: what hosts push, and what then stands on the desk."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlmodel import Session, col, func, select
from tests.story import Story

from tocsin_protocol.tickets import TicketEvent
from tocsin_protocol.vocabulary import AlertState, HostKind, TicketState
from tocsin_server.alerts.store import AlertRow, Transition
from tocsin_server.config import ServerConfig
from tocsin_server.desk.store import Ticket, TicketAlert, TicketEventRow

pytestmark = pytest.mark.scenario

SHORT = ServerConfig(reopen_minutes=1)
"""A reopen window that a story can wait for."""

LOAD = """
groups:
  - name: load
    rules:
      - alert: LoadHigh
        expr: node_load1 > 8
        labels: {severity: warning}
        annotations: {summary: "{{ $labels.instance }} is busy", description: "its load is {{ $value }}"}
"""
HEAT = """
groups:
  - name: heat
    rules:
      - alert: Hot
        expr: temperature > 80
        for: 30s
"""
HOT = "groups: [{name: heat, rules: [{alert: Hot, expr: temperature > 80}]}]"
SILENT = """
groups:
  - name: host
    rules:
      - alert: HostSilent
        expr: up == 0
        labels: {severity: critical}
        annotations: {summary: "{{ $labels.instance }} is silent"}
"""
BUSY, CALM = {"node_load1": 9.0}, {"node_load1": 1.0}


def filesystem(available: float) -> dict[str, float]:
    """The root filesystem as an agent reports it, of 100 bytes."""
    labels = '{device="/dev/vda1",fstype="ext4",mountpoint="/"}'
    return {
        f"node_filesystem_avail_bytes{labels}": available,
        f"node_filesystem_size_bytes{labels}": 100.0,
        f"node_filesystem_readonly{labels}": 0.0,
    }


FULL, ROOMY = filesystem(2.0), filesystem(50.0)


@pytest.fixture
def begin(tmp_path: Path, founded: Path) -> Iterator[Callable[[ServerConfig], Story]]:
    """Begin a story with settings of its own."""
    with ExitStack() as open_stories:
        yield lambda settings: open_stories.enter_context(Story(tmp_path, founded=founded, settings=settings))


@pytest.fixture
def story(begin: Callable[[ServerConfig], Story]) -> Story:
    return begin(ServerConfig())


@pytest.fixture
def short(begin: Callable[[ServerConfig], Story]) -> Story:
    """A story whose reopen window is a minute."""
    return begin(SHORT)


def last(story: Story, ticket_id: int) -> TicketEvent:
    return story.timeline(ticket_id)[-1]


# -- one alert and its ticket


def test_a_full_filesystem_is_a_p1_ticket_with_its_evidence_and_recovers_by_itself(story: Story) -> None:
    story.pack("datacenter.yml")
    atlas = story.host("atlas")
    story.push(atlas, ROOMY, at=5)
    story.push(atlas, FULL, at=15, until=45)
    story.push(atlas, ROOMY, at=55, until=95)

    story.turn_until(15)
    ticket = story.ticket()
    (opened,) = story.timeline(ticket.id)

    assert (ticket.priority, ticket.client, ticket.site, ticket.host) == (1, "acme", "hq", "atlas")
    assert ticket.title == "Filesystem / on atlas is full"
    assert opened.text == "Only 2% of / (/dev/vda1, ext4) on atlas is free."
    assert opened.data["value"] == 0.02
    assert str(opened.data["expression"]).startswith("node_filesystem_avail_bytes")
    assert opened.data["labels"]["mountpoint"] == "/"  # type: ignore[index,call-overload]
    assert opened.data["sample_at"] == "2023-11-14T22:13:35.000Z"

    story.turn_until(74)
    assert story.ticket().state is TicketState.NEW
    story.turn_until(75)
    assert story.ticket().state is TicketState.SOLVED

    assert [story.happened_at(event) for event in story.timeline(ticket.id)] == [15, 55, 75]
    assert story.told(ticket.id) == ["opened", "alert_resolved", "solved"]
    assert last(story, ticket.id).text == "solved by itself: clear for 20 s on fresh samples"


def test_what_is_detected_is_measured_from_the_reading_to_the_ticket(story: Story) -> None:
    story.rules(LOAD)
    story.push(story.host("atlas"), BUSY, at=5)

    story.turn_until(6)

    sample = story.server.health.registry.get_sample_value
    assert sample("tocsin_alert_detection_seconds_count") == 1
    assert sample("tocsin_alert_detection_seconds_sum") == 0
    assert sample("tocsin_tickets_opened_total", {"client": "acme", "priority": "2"}) == 1


def test_a_person_who_has_spoken_is_asked_to_confirm_the_recovery(story: Story) -> None:
    story.rules(LOAD)
    atlas = story.host("atlas")
    story.push(atlas, BUSY, at=5, until=25)
    story.push(atlas, CALM, at=35, until=75)
    story.turn_until(10)

    story.comment(1, "the backup is running")
    story.turn_until(80, step_s=5)
    waits = story.ticket()
    story.resolve(1, "the backup has ended")

    assert (waits.state, waits.recovered) == (TicketState.NEW, True)
    assert story.kinds(1) == ["opened", "commented", "alert_resolved", "recovered", "solved"]
    assert (story.ticket().owner, story.ticket().recovered) == ("alice", False)
    assert story.told(1) == story.kinds(1)


def test_severity_rises_from_warning_to_critical_on_one_ticket(story: Story) -> None:
    story.rules("""
groups:
  - name: load
    rules:
      - {alert: LoadHigh, expr: node_load1 > 8, labels: {severity: warning}}
      - {alert: LoadHigh, expr: node_load1 > 16, labels: {severity: critical}}
""")
    atlas = story.host("atlas")
    story.push(atlas, BUSY, at=5)
    story.push(atlas, {"node_load1": 20.0}, at=15)
    story.push(atlas, BUSY, at=25)
    story.push(atlas, CALM, at=35, until=65)

    story.turn_until(10)
    low = story.ticket().priority
    story.turn_until(30)
    high = story.ticket().priority
    story.turn_until(60, step_s=5)

    assert (low, high) == (2, 1)
    assert story.ticket().priority == 1
    assert story.kinds(1) == ["opened", "alert_fired", "alert_resolved", "alert_resolved", "solved"]


def test_an_alert_that_flaps_stays_on_one_ticket(story: Story) -> None:
    story.rules(LOAD)
    atlas = story.host("atlas")
    for moment in range(5, 100, 20):
        story.push(atlas, BUSY, at=moment)
        story.push(atlas, CALM, at=moment + 10)

    story.turn_until(104, step_s=5)

    assert story.kinds(1) == ["opened", *["alert_resolved", "alert_fired"] * 4, "alert_resolved"]
    assert story.ticket().state is TicketState.NEW


# -- again


def test_what_fires_again_inside_the_reopen_window_reopens_its_ticket(short: Story) -> None:
    short.rules(LOAD)
    atlas = short.host("atlas")
    short.push(atlas, BUSY, at=5)
    short.push(atlas, CALM, at=15, until=85)
    short.push(atlas, BUSY, at=95)  # solved at 35
    short.turn_until(40)
    solved = short.ticket().state

    short.turn_until(96, step_s=5)

    assert solved is TicketState.SOLVED
    assert short.ticket().state is TicketState.NEW
    assert short.kinds(1) == ["opened", "alert_resolved", "solved", "reopened"]


def test_what_fires_again_later_opens_a_ticket_that_names_the_earlier_one(short: Story) -> None:
    short.rules(LOAD)
    atlas = short.host("atlas")
    short.push(atlas, BUSY, at=5)
    short.push(atlas, CALM, at=15, until=95)
    short.push(atlas, BUSY, at=105)  # solved at 35

    short.turn_until(106, step_s=5)

    assert [ticket.state for ticket in short.tickets()] == [TicketState.SOLVED, TicketState.NEW]
    assert short.server.storage.read(
        lambda session: list(session.exec(select(Ticket.reopens).order_by(col(Ticket.id))))
    ) == [None, 1]


def test_what_was_resolved_while_it_goes_on_rings_again(begin: Callable[[ServerConfig], Story]) -> None:
    story = begin(ServerConfig(still_firing_minutes=1))
    story.rules(LOAD)
    story.push(story.host("atlas"), BUSY, at=5, until=95)
    story.turn_until(10)

    story.resolve(1, "rebooted")
    story.turn_until(69, step_s=5)
    quiet = story.ticket().state
    story.turn_until(70)

    assert (quiet, story.ticket().state) == (TicketState.SOLVED, TicketState.IN_PROGRESS)
    assert last(story, 1).text == "still firing 1 min after it was resolved"


# -- silence


def test_a_host_that_falls_silent_is_told_once_and_its_return_solves_it(story: Story) -> None:
    story.rules(SILENT)
    atlas = story.host("atlas")
    story.push(atlas, CALM, at=5, until=35)
    story.push(atlas, CALM, at=105, until=165)

    story.turn_until(67)  # three pushes and two seconds after the last one
    before = story.tickets()
    story.turn_until(68)
    silent = story.ticket()
    story.turn_until(130)

    assert before == []
    assert (silent.title, silent.priority, silent.host) == ("atlas is silent", 1, "atlas")
    assert [story.happened_at(event) for event in story.timeline(1)] == [68, 105, 125]
    assert story.ticket().state is TicketState.SOLVED
    hosts = [heard.message.host.state.value for heard in story.heard if heard.name == "host"]
    assert hosts == ["silent", "up"]


def test_what_fires_on_a_silent_host_is_unknown_and_solved_only_by_fresh_samples(story: Story) -> None:
    story.pack("datacenter.yml")
    atlas = story.host("atlas")
    story.push(atlas, FULL, at=5, until=35)
    story.push(atlas, ROOMY, at=155, until=195)

    story.turn_until(150, step_s=5)
    full, silent = story.tickets()

    assert (full.state, full.alert_state) == (TicketState.NEW, AlertState.UNKNOWN)
    assert silent.title == "atlas is silent"
    assert story.kinds(full.id) == ["opened", "alert_unknown"]
    assert last(story, full.id).text == "its data has stopped: the condition cannot be judged"

    story.turn_until(174)
    assert story.states()["FilesystemFull"] == "resolved"
    assert story.tickets()[0].state is TicketState.NEW
    story.turn_until(175)
    assert [ticket.state for ticket in story.tickets()] == [TicketState.SOLVED] * 2


def test_what_is_still_full_when_its_host_returns_goes_on_as_the_same_ticket(story: Story) -> None:
    story.pack("datacenter.yml")
    atlas = story.host("atlas")
    story.push(atlas, FULL, at=5, until=35)
    story.push(atlas, FULL, at=105, until=145)

    story.turn_until(150, step_s=5)

    assert story.kinds(1) == ["opened", "alert_unknown", "alert_fired"]
    assert (story.tickets()[0].state, story.tickets()[0].alert_state) == (TicketState.NEW, AlertState.FIRING)


def test_a_host_that_clears_and_falls_silent_at_once_is_not_solved_before_it_returns(
    begin: Callable[[ServerConfig], Story],
) -> None:
    story = begin(ServerConfig(quiet_seconds=40))
    story.rules(LOAD)
    atlas = story.host("atlas")
    story.push(atlas, BUSY, at=5)
    story.push(atlas, CALM, at=15)
    story.push(atlas, CALM, at=105)

    story.turn_until(104, step_s=5)
    silent = story.ticket().state
    story.turn_until(105)

    assert (silent, story.ticket().state) == (TicketState.NEW, TicketState.SOLVED)


# -- clients


def test_two_clients_with_a_host_of_one_name_get_a_ticket_each(story: Story) -> None:
    story.rules(LOAD)
    ours, theirs = story.host("atlas"), story.host("atlas", client="globex")
    story.push(ours, BUSY, at=5, until=95)
    story.push(theirs, BUSY, at=5)
    story.push(theirs, CALM, at=15, until=95)

    story.turn_until(60, step_s=5)
    (acme,), (globex,) = story.tickets(client="acme"), story.tickets(client="globex")

    assert (acme.state, globex.state) == (TicketState.NEW, TicketState.SOLVED)
    assert (acme.host_id, globex.host_id) == (ours.id, theirs.id)
    assert story.kinds(acme.id) == ["opened"]
    assert {alert.ticket_id for alert in story.alerts(client="globex")} == {globex.id}


def test_no_client_sees_the_series_of_another(story: Story) -> None:
    ours, theirs = story.host("atlas"), story.host("atlas", client="globex")
    story.push(ours, {"node_load1": 10.0, "node_load5": 2.0, "node_load15": 1.0}, at=5, until=35)
    story.push(theirs, {"node_load1": 10.0, "node_load5": 20.0}, at=5, until=35)
    story.turn_until(10)

    # Together both would be more than 15; joined with the other's, each would have a second row.
    story.rules("""
groups:
  - name: sums
    rules:
      - {alert: Sum, expr: sum(node_load1) > 15}
      - {alert: Many, expr: count(node_load1) > 1}
      - {alert: Joined, expr: node_load1 * on (instance) group_left () node_load5 > 100}
      - {alert: Absent, expr: absent(node_load15)}
""")
    story.turn_until(40)

    assert story.server.rulebook.problems == []
    told = {(alert.alertname, alert.client) for alert in story.alerts()}
    assert told == {("Absent", "globex"), ("Joined", "globex")}


def test_what_is_absent_is_told_to_each_client_that_lacks_it(story: Story) -> None:
    story.rules("groups: [{name: backup, rules: [{alert: NoBackup, expr: absent(backup_time)}]}]")
    ours, theirs = story.host("atlas"), story.host("zephyr", client="globex")
    story.push(ours, CALM, at=5, until=35)
    story.push(ours, CALM | {"backup_time": 1.0}, at=45, until=75)
    story.push(theirs, CALM, at=5, until=75)
    story.turn_until(10)
    both = Counter(ticket.client for ticket in story.tickets())
    story.turn_until(80, step_s=5)

    assert both == {"acme": 1, "globex": 1}
    assert {ticket.client: ticket.state for ticket in story.tickets()} == {
        "acme": TicketState.SOLVED,
        "globex": TicketState.NEW,
    }


# -- rules that change


def test_a_reload_in_the_middle_keeps_the_alerts_of_unchanged_rules(story: Story) -> None:
    story.rules(LOAD, file="load.yml")
    story.rules(HEAT, file="heat.yml")
    story.push(story.host("atlas"), BUSY | {"temperature": 90.0}, at=5, until=95)
    story.turn_until(15)

    story.rules(HEAT.replace("heat", "cold").replace("Hot", "Cold").replace("> 80", "< 10"), file="cold.yml")
    story.turn_until(34)
    before = story.states()
    story.turn_until(40)

    assert before == {"LoadHigh": "firing", "Hot": "pending"}
    assert story.states() == {"LoadHigh": "firing", "Hot": "firing"}
    assert [story.kinds(ticket.id) for ticket in story.tickets()] == [["opened"], ["opened"]]
    assert story.happened_at(story.timeline(2)[0]) == 35  # 30 s after its first sample, reload or not


def test_a_rule_that_is_removed_ends_its_alerts_and_says_why(story: Story) -> None:
    story.rules(LOAD)
    story.push(story.host("atlas"), BUSY, at=5, until=95)
    story.turn_until(15)

    story.rules("groups: []")
    story.turn_until(17)

    assert story.states() == {"LoadHigh": "resolved"}
    assert last(story, 1).kind.value == "alert_resolved"
    assert last(story, 1).text == "the rule is no longer in force, or names this alert otherwise"


def test_a_ticket_whose_rule_was_removed_is_up_for_confirmation_and_not_solved(story: Story) -> None:
    story.rules(LOAD)
    story.push(story.host("atlas"), BUSY, at=5, until=95)
    story.turn_until(15)

    story.rules("groups: []")
    story.turn_until(80, step_s=5)

    assert (story.ticket().state, story.ticket().recovered) == (TicketState.NEW, True)
    assert story.kinds(1) == ["opened", "alert_resolved", "recovered"]


def test_a_rule_file_that_breaks_leaves_alerts_and_tickets_alone(story: Story) -> None:
    story.rules(LOAD)
    story.push(story.host("atlas"), BUSY, at=5, until=95)
    story.turn_until(15)

    story.rules("groups: [")
    story.turn_until(60, step_s=5)

    assert story.states() == {"LoadHigh": "firing"}
    assert story.kinds(1) == ["opened"]
    assert len(story.server.rulebook.problems) == 1


# -- the server goes and comes


def test_a_restart_goes_on_where_the_server_ended(story: Story) -> None:
    story.rules(LOAD, file="load.yml")
    story.rules(HEAT, file="heat.yml")
    story.push(story.host("atlas"), BUSY | {"temperature": 90.0}, at=5, until=95)
    story.turn_until(20)

    story.restart(away_s=4)
    story.turn_until(34)
    before = story.states()
    story.turn_until(50)

    assert before == {"LoadHigh": "firing", "Hot": "pending"}
    assert [(ticket.id, story.kinds(ticket.id)) for ticket in story.tickets()] == [
        (1, ["opened"]),
        (2, ["opened"]),
    ]
    assert story.happened_at(story.timeline(2)[0]) == 35


def test_a_server_that_was_away_for_long_resolves_nothing_for_want_of_data(story: Story) -> None:
    story.rules(LOAD)
    atlas = story.host("atlas")
    story.push(atlas, BUSY, at=5, until=35)
    story.push(atlas, CALM, at=4005, until=4065)
    story.turn_until(40)

    story.restart(away_s=3900)
    story.turn_until(4000, step_s=5)
    blind = (story.ticket().state, story.ticket().alert_state)
    story.turn_until(4030)

    assert blind == (TicketState.NEW, AlertState.UNKNOWN)
    assert story.kinds(1) == ["opened", "alert_unknown", "alert_resolved", "solved"]


def test_the_time_that_the_server_was_away_is_not_silence_of_its_hosts(story: Story) -> None:
    story.rules(SILENT)
    atlas = story.host("atlas")
    story.push(atlas, CALM, at=5, until=35)
    story.push(atlas, CALM, at=660, until=700)
    story.turn_until(40)

    story.restart(away_s=600)
    story.turn_until(700, step_s=5)

    assert story.tickets() == []


def test_a_restart_does_not_resolve_the_silence_of_a_host(story: Story) -> None:
    story.rules(SILENT)
    story.push(story.host("atlas"), CALM, at=5)
    story.turn_until(60, step_s=5)

    story.restart(away_s=5)
    story.turn_until(110, step_s=5)

    assert "alert_resolved" not in story.kinds(1)
    assert story.ticket().alert_state is AlertState.FIRING


def test_a_restart_does_not_resolve_the_silence_of_a_host_that_never_came(story: Story) -> None:
    story.rules(SILENT)
    story.host("atlas")
    story.turn_until(125, step_s=5)

    story.restart(away_s=5)
    story.turn_until(170, step_s=5)

    assert "alert_resolved" not in story.kinds(1)
    assert story.ticket().alert_state is AlertState.FIRING


def test_a_range_that_is_longer_than_an_hour_is_whole_again_after_a_restart(story: Story) -> None:
    story.rules("groups: [{name: heat, rules: [{alert: WasHot, expr: 'max_over_time(temperature[2h]) > 80'}]}]")
    atlas = story.host("atlas")
    story.push(atlas, {"temperature": 90.0}, at=5)
    story.push(atlas, {"temperature": 20.0}, at=15)
    story.push(atlas, {"temperature": 20.0}, at=4025)
    story.turn_until(20)

    story.restart(away_s=4000)
    story.turn_until(4030)

    assert story.kinds(1) == ["opened"]


def test_a_transition_that_was_written_just_before_the_end_becomes_a_ticket_after_it(story: Story) -> None:
    story.rules(LOAD)
    atlas = story.host("atlas")
    story.push(atlas, BUSY, at=5, until=45)
    with story.empty_desk():
        story.turn_until(6)
    left = counts(story)

    story.restart()
    story.turn_until(20)

    assert left == (1, 1, 0)
    assert story.kinds(1) == ["opened"]


def test_nothing_is_half_written_while_the_disk_is_full_and_all_of_it_once_later(story: Story) -> None:
    story.rules(HOT)
    zones = {f'temperature{{zone="{zone}"}}': 90.0 for zone in range(300)}
    story.push(story.host("atlas"), zones, at=5, until=95)
    story.turn_until(4)

    with story.full_disk():
        story.turn_until(20)
        assert counts(story) == (0, 0, 0)
    story.turn_until(30)

    assert counts(story) == (300, 300, 31)  # thirty tickets, and the storm that all others are in
    assert on_tickets(story) == Counter(range(1, 301))
    assert story.times_told() == Counter(range(1, 32))


def test_transitions_that_could_not_become_tickets_do_so_when_the_disk_has_space(story: Story) -> None:
    story.rules(HOT)
    zones = {f'temperature{{zone="{zone}"}}': 90.0 for zone in range(300)}
    story.push(story.host("atlas"), zones, at=5, until=95)
    with story.empty_desk():
        story.turn_until(6)

    with story.full_disk():
        story.turn_until(10)
        assert counts(story) == (300, 300, 0)
    story.turn_until(20)

    assert counts(story) == (300, 300, 31)  # thirty tickets, and the storm that all others are in
    assert on_tickets(story) == Counter(range(1, 301))
    assert story.times_told() == Counter(range(1, 32))


# -- the estate changes


def test_a_retired_host_ends_its_alerts_and_leaves_its_tickets_to_a_person(story: Story) -> None:
    story.pack("datacenter.yml")
    atlas = story.host("atlas")
    story.push(atlas, FULL, at=5, until=15)
    story.turn_until(20)

    story.retire(atlas)
    story.turn_until(100, step_s=5)

    assert set(story.states().values()) == {"resolved"}
    assert story.kinds(1) == ["opened", "alert_resolved", "recovered"]
    assert story.timeline(1)[1].text == "the host is watched no longer"
    assert (story.ticket().state, story.ticket().recovered) == (TicketState.NEW, True)


def test_a_host_that_was_enrolled_again_under_its_name_goes_on_with_its_ticket(story: Story) -> None:
    story.rules(LOAD)
    old = story.host("atlas")
    story.push(old, BUSY, at=5, until=15)
    story.turn_until(20)
    story.retire(old)
    story.turn_until(25)

    new = story.host("atlas")
    story.push(new, BUSY, at=35, until=45)
    story.push(new, CALM, at=55, until=135)
    story.turn_until(36)
    again = story.tickets()
    story.turn_until(130, step_s=5)

    assert [alert.host_id for alert in story.alerts(state="all")] == [new.id]
    assert again[-1].host_id == new.id
    assert story.tickets()[-1].state is TicketState.SOLVED


def test_a_host_that_never_comes_after_its_enrolment_is_told_in_time(story: Story) -> None:
    story.rules(SILENT)
    story.host("atlas")

    story.turn_until(119, step_s=5)
    before = story.tickets()
    story.turn_until(121)

    assert (before, story.ticket().title) == ([], "atlas is silent")


def test_a_silent_host_that_is_retired_is_silent_no_longer(story: Story) -> None:
    story.rules(SILENT)
    atlas = story.host("atlas")
    story.push(atlas, CALM, at=5)
    story.turn_until(40)

    story.retire(atlas)
    story.turn_until(70)

    assert story.kinds(1) == ["opened", "alert_resolved", "recovered"]


def test_a_desktop_may_sleep_and_a_server_may_not(story: Story) -> None:
    story.pack("datacenter.yml")
    story.pack("desktop.yml")
    for host in (story.host("atlas"), story.host("borea", kind=HostKind.DESKTOP)):
        story.push(host, CALM, at=5)

    story.turn_until(60, step_s=5)

    assert [ticket.title for ticket in story.tickets()] == ["atlas is silent"]


# -- what vanishes


def test_a_filesystem_that_is_unmounted_while_full_is_unknown_and_left_to_a_person(story: Story) -> None:
    story.pack("datacenter.yml")
    atlas = story.host("atlas")
    story.push(atlas, FULL | CALM, at=5)
    story.push(atlas, CALM, at=15, until=65)
    story.turn_until(60, step_s=5)
    unmounted = story.ticket()

    story.resolve(1, "unmounted")

    assert (unmounted.state, unmounted.alert_state) == (TicketState.NEW, AlertState.UNKNOWN)
    assert story.ticket().state is TicketState.SOLVED


def test_a_clock_that_is_set_back_resolves_nothing_and_opens_nothing_twice(story: Story) -> None:
    story.rules(LOAD)
    story.rules(HEAT, file="heat.yml")
    atlas = story.host("atlas")
    story.push(atlas, BUSY | {"temperature": 90.0}, at=5, until=155)
    story.turn_until(50)

    story.clock.move(seconds=-25)
    story.push(atlas, BUSY | {"temperature": 90.0}, at=28, until=48)
    story.turn_until(100, step_s=5)

    assert story.states() == {"LoadHigh": "firing", "Hot": "firing"}
    assert "alert_resolved" not in {*story.kinds(1), *story.kinds(2)}
    assert len(story.tickets()) == 2


@pytest.mark.parametrize("seconds", [86_400, 60, -60, -86_400])
def test_a_clock_that_is_set_opens_no_ticket_and_one_for_whoever_falls_silent_then(
    story: Story, seconds: int
) -> None:
    story.pack("datacenter.yml")
    atlas = story.host("atlas")
    story.push(atlas, ROOMY, at=5, until=65)
    story.turn_until(60)

    story.clock.set(seconds=seconds)
    since = story.now
    story.push(atlas, ROOMY, at=since + 20, until=since + 60)
    story.turn_until(since + 90)
    before = story.tickets()
    story.turn_until(since + 120)

    assert before == []
    assert [ticket.title for ticket in story.tickets()] == ["atlas is silent"]


# -- very much at once


def test_a_flood_of_two_thousand_alerts_is_thirty_tickets_and_a_storm_with_all_the_others(story: Story) -> None:
    story.rules(HOT)
    zones = {f'temperature{{zone="{zone}"}}': 90.0 for zone in range(2000)}
    story.push(story.host("atlas"), zones, at=2, until=22)

    story.turn_until(5)

    alerts, transitions, entries = counts(story)
    assert (alerts, transitions) == (2000, 2000)
    assert entries < 40  # the storm's counts
    assert on_tickets(story) == Counter(range(1, 2001))
    titles = [ticket.title for ticket in story.tickets(state="open")]
    assert (len(titles), "Storm: 1970 alerts of 1 host: Hot" in titles) == (31, True)


def on_tickets(story: Story) -> Counter[int]:
    """How many tickets each alert is on."""
    return story.server.storage.read(lambda session: Counter(session.exec(select(TicketAlert.alert_id))))


def counts(story: Story) -> tuple[int, ...]:
    """How many alerts, transitions and lines of timelines there are."""

    def ask(session: Session) -> tuple[int, ...]:
        return tuple(
            session.exec(select(func.count()).select_from(table)).one()
            for table in (AlertRow, Transition, TicketEventRow)
        )

    return story.server.storage.read(ask)
