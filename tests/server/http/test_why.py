"""Why an alert stands as it does: its changes, what withheld it, and the samples, to whom they concern."""

from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import Session
from tests.examples import share
from tests.server.http.rig import ATLAS, INTERVAL_MS, NOW, OPERATOR_TOKEN, TARGET, Readings, Rig

from tocsin_protocol.vocabulary import ActorKind, AlertState, TicketEventKind, TicketState
from tocsin_server.alerts.alert import REASON
from tocsin_server.alerts.proclaim import PROCLAIMED
from tocsin_server.alerts.rulefile import load_rule_files
from tocsin_server.alerts.store import Transition
from tocsin_server.desk import why as written
from tocsin_server.desk.store import Ticket, TicketAlert, TicketEventRow
from tocsin_server.estate.estate import HostFacts
from tocsin_server.estate.store import known
from tocsin_server.http import findings, query
from tocsin_server.http.findings import MOST_POINTS, MOST_SERIES, Share, thinned
from tocsin_server.http.kept import Asked, fitted
from tocsin_server.http.looks import agree, keeps_to_instance, looks
from tocsin_server.promql import parse
from tocsin_server.series.noted import NOTED

LOAD = ("node_load1", ())
ROW = {"__name__": "node_load1", **TARGET}
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
SILENCE = {"kind": "silence", "name": "7", "words": "silence 7 by alice until 04:00 UTC: new disks"}
RULE = """\
groups:
- name: host
  interval: 30s
  rules:
  - alert: HighLoad
    expr: node_load1 > 4
    for: 1m
    keep_firing_for: 2m
"""


async def ask(console: httpx.AsyncClient, path: str) -> dict[str, Any]:
    answer: dict[str, Any] = (await console.get(f"/api/v1{path}/why")).raise_for_status().json()
    return answer


def loads(rig: Rig, *, minutes: int = 10, client: str = "acme", until_ms: int = NOW) -> None:
    """A load of 0 at first that grows by one a minute."""
    host = rig.host_id(client, "atlas")
    begin = until_ms - minutes * MINUTE
    for at_ms in range(begin, until_ms + 1, INTERVAL_MS):
        rig.push(host, {LOAD: (at_ms - begin) / MINUTE}, at_ms=at_ms)


def high_load(rig: Rig, **values: Any) -> int:
    """It is above 4 since six minutes."""
    ms = {"active_ms": NOW - 6 * MINUTE + INTERVAL_MS, "fired_ms": NOW - 5 * MINUTE}
    return rig.alert(**{"row_labels": ROW, **ms, **values})


def step(rig: Rig, alert_id: int, old: AlertState, new: AlertState, **values: Any) -> int:
    """A change of an alert; its id."""
    row: dict[str, Any] = {"client_id": 1, "at_ms": NOW, "value": 5.0, "annotations": {}, **values}

    def act(session: Session) -> int:
        change = Transition(alert_id=alert_id, old=old, new=new, **row)
        session.add(change)
        session.flush()
        return known(change.id)

    return rig.storage.write(act)


def ticket(rig: Rig, *alerts: int, heard: int | None = None, client_id: int = 1) -> int:
    """A ticket about these alerts that has heard of a change; its id."""

    def act(session: Session) -> int:
        made = Ticket(
            client_id=client_id,
            title="load",
            state=TicketState.NEW,
            priority=2,
            opened_ms=NOW,
            updated_ms=NOW,
        )
        session.add(made)
        session.flush()
        ticket_id = known(made.id)
        for alert in alerts:
            session.add(TicketAlert(ticket_id=ticket_id, alert_id=alert, client_id=client_id))
        event = TicketEventRow(
            client_id=client_id,
            ticket_id=ticket_id,
            at_ms=NOW,
            kind=TicketEventKind.OPENED,
            actor_kind=ActorKind.RULE,
            actor="HighLoad",
            transition_id=heard,
        )
        session.add(event)
        return ticket_id

    return rig.storage.write(act)


def in_force(rig: Rig, folder: Path, text: str) -> None:
    path = folder / "datacenter.yml"
    path.write_text(text)
    rules = load_rule_files([path])
    rig.deps = replace(rig.deps, rules_in_force=lambda: rules)


def at_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def points(series: dict[str, Any]) -> list[tuple[int, float]]:
    return [(at_ms(sample["at"]), float(sample["value"])) for sample in series["samples"]]


def only(told: dict[str, Any]) -> dict[str, Any]:
    """The one series of the one selector."""
    (selector,) = told["selectors"]
    (series,) = selector["series"]
    assert isinstance(series, dict)
    return series


# -- what is written


async def test_each_change_is_told_with_what_it_rests_on_and_who_heard_of_it(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    alert_id = high_load(rig)
    step(rig, alert_id, AlertState.INACTIVE, AlertState.PENDING, at_ms=NOW - 60_000, value=4.5)
    fired = step(
        rig,
        alert_id,
        AlertState.PENDING,
        AlertState.FIRING,
        sample_ms=NOW - 500,
        annotations={"description": "load is 5"},
    )
    number = ticket(rig, alert_id, heard=fired)

    told = await ask(alice, f"/alerts/{alert_id}")

    assert told["alert"]["id"] == alert_id
    assert [(each["old"], each["new"], each["value"]) for each in told["steps"]] == [
        ("inactive", "pending", "4.5"),
        ("pending", "firing", "5"),
    ]
    pending, firing = told["steps"]
    assert (at_ms(pending["at"]), pending["sample_at"], pending["ticket_id"]) == (NOW - 60_000, None, None)
    assert (at_ms(firing["sample_at"]), firing["words"], firing["ticket_id"]) == (
        NOW - 500,
        "load is 5",
        number,
    )
    assert told["steps_left_out"] == 0


async def test_what_was_withheld_says_why_and_that_it_was_told_afterwards(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    alert_id = high_load(rig, suppressed=[SILENCE], suppressed_ms=NOW - 60_000)
    moves = {"old": AlertState.PENDING, "new": AlertState.FIRING}
    step(rig, alert_id, **moves, at_ms=NOW - 60_000, withheld=[SILENCE])
    again = step(
        rig,
        alert_id,
        AlertState.FIRING,
        AlertState.FIRING,
        redelivers=True,
        annotations={REASON: "no longer withheld (silence 7 by alice)"},
    )
    number = ticket(rig, alert_id, heard=again)

    told = await ask(alice, f"/alerts/{alert_id}")

    withheld, redelivered = told["steps"]
    assert (withheld["withheld"], withheld["redelivered"], withheld["ticket_id"]) == ([SILENCE], False, None)
    assert (redelivered["withheld"], redelivered["redelivered"], redelivered["ticket_id"]) == ([], True, number)
    assert redelivered["words"] == "no longer withheld (silence 7 by alice)"
    assert told["alert"]["suppressed"] == [SILENCE]
    assert at_ms(told["alert"]["suppressed_at"]) == NOW - 60_000


async def test_only_the_latest_of_many_changes_are_told(
    rig: Rig, alice: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(written, "MOST_STEPS", 2)
    alert_id = high_load(rig)
    for place in range(5):
        step(rig, alert_id, AlertState.PENDING, AlertState.FIRING, at_ms=NOW - 5000 + place)

    told = await ask(alice, f"/alerts/{alert_id}")

    assert [at_ms(each["at"]) for each in told["steps"]] == [NOW - 4997, NOW - 4996]
    assert told["steps_left_out"] == 3


async def test_the_rule_is_told_as_it_is_in_force(rig: Rig, alice: httpx.AsyncClient, tmp_path: Path) -> None:
    alert_id = high_load(rig)
    in_force(rig, tmp_path, RULE)
    async with rig.client() as console:
        same = (await ask(console, f"/alerts/{alert_id}"))["rule"]
        in_force(rig, tmp_path, RULE.replace("> 4", "> 9"))
    async with rig.client() as console:
        changed = (await ask(console, f"/alerts/{alert_id}"))["rule"]
        in_force(rig, tmp_path, RULE.replace("HighLoad", "Other"))
    async with rig.client() as console:
        gone = (await ask(console, f"/alerts/{alert_id}"))["rule"]

    assert same == {
        "file": "datacenter.yml",
        "group": "host",
        "expression": "node_load1 > 4",
        "in_force": True,
        "now_asks": None,
        "line": 5,
        "for_s": 60,
        "keep_firing_for_s": 120,
        "interval_s": 30,
    }
    assert (changed["in_force"], changed["expression"], changed["now_asks"]) == (
        True,
        "node_load1 > 4",
        "node_load1 > 9",
    )
    assert (gone["in_force"], gone["line"], gone["for_s"]) == (False, None, None)


# -- the samples


async def test_the_samples_reach_from_before_it_began_until_now(rig: Rig, alice: httpx.AsyncClient) -> None:
    loads(rig, minutes=30)
    alert_id = high_load(rig)

    told = await ask(alice, f"/alerts/{alert_id}")

    series = only(told)
    assert series["labels"] == ROW
    seen = points(series)
    assert (at_ms(told["start"]), at_ms(told["end"])) == (NOW - 11 * MINUTE + INTERVAL_MS, NOW)
    assert at_ms(told["start"]) < seen[0][0] <= at_ms(told["start"]) + INTERVAL_MS
    assert seen[-1] == (NOW, 30)
    assert (len(seen), series["total"]) == (MOST_POINTS, 65)
    assert told["missing"] == []


async def test_the_condition_is_asked_again_at_the_moments_that_matter(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    loads(rig)
    alert_id = high_load(rig)

    told = await ask(alice, f"/alerts/{alert_id}")

    said = {at_ms(each["at"]): (each["holds"], each["value"]) for each in told["condition"]}
    assert len(said) <= MOST_POINTS
    active = NOW - 6 * MINUTE + INTERVAL_MS
    assert float(said[active][1] or 0) == pytest.approx(4 + INTERVAL_MS / MINUTE)
    assert said[NOW - 5 * MINUTE] == (True, "5")
    assert said[NOW] == (True, "10")
    assert {holds for when, (holds, _) in said.items() if NOW - 9 * MINUTE < when < active - INTERVAL_MS} == {
        False
    }


async def test_where_there_are_no_samples_the_condition_is_unknown_and_not_false(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    loads(rig, minutes=2)
    alert_id = high_load(rig)

    told = await ask(alice, f"/alerts/{alert_id}")

    before = [each for each in told["condition"] if at_ms(each["at"]) < NOW - 3 * MINUTE]
    assert before
    assert {each["holds"] for each in before} == {None}


async def test_an_alert_that_is_over_is_told_until_its_end(rig: Rig, alice: httpx.AsyncClient) -> None:
    loads(rig, minutes=60)
    over = NOW - 30 * MINUTE
    alert_id = high_load(
        rig,
        state=AlertState.RESOLVED,
        active_ms=over - 10 * MINUTE,
        fired_ms=over - 9 * MINUTE,
        resolved_ms=over,
    )

    told = await ask(alice, f"/alerts/{alert_id}")

    assert at_ms(told["end"]) == over
    assert points(only(told))[-1][0] == over


async def test_one_that_was_found_late_is_told_at_its_own_time(rig: Rig, alice: httpx.AsyncClient) -> None:
    loads(rig, minutes=60)
    begin, over = NOW - 40 * MINUTE, NOW - 30 * MINUTE
    late = {"state": AlertState.RESOLVED, "late": True, "active_ms": begin, "fired_ms": begin}
    alert_id = high_load(rig, **late, resolved_ms=over)
    step(rig, alert_id, AlertState.FIRING, AlertState.RESOLVED, at_ms=over, late=True)

    told = await ask(alice, f"/alerts/{alert_id}")

    assert told["alert"]["late"]
    assert [each["late"] for each in told["steps"]] == [True]
    assert (at_ms(told["start"]), at_ms(told["end"])) == (begin - 5 * MINUTE, over)
    assert points(only(told))[-1] == (over, 30)


async def test_one_that_never_fired_is_told_from_its_changes(rig: Rig, alice: httpx.AsyncClient) -> None:
    loads(rig, minutes=30)
    alert_id = high_load(rig, state=AlertState.INACTIVE, active_ms=None, fired_ms=None)
    begin, over = NOW - 4 * MINUTE, NOW - 2 * MINUTE
    step(rig, alert_id, AlertState.INACTIVE, AlertState.PENDING, at_ms=begin)
    step(rig, alert_id, AlertState.PENDING, AlertState.INACTIVE, at_ms=over)

    told = await ask(alice, f"/alerts/{alert_id}")

    assert (at_ms(told["start"]), at_ms(told["end"])) == (begin - 5 * MINUTE, over)
    assert told["steps"][-1]["words"] == "no longer seen true, before it had been for long enough"


async def test_what_the_server_no_longer_keeps_is_said(rig: Rig, alice: httpx.AsyncClient) -> None:
    rig.journal.written_ms = NOW - 6 * HOUR
    loads(rig, minutes=60)
    old = high_load(rig, state=AlertState.RESOLVED, active_ms=NOW - 17 * DAY, resolved_ms=NOW - 16 * DAY)
    partly = high_load(rig, fingerprint="f" * 16, active_ms=NOW - 16 * DAY)

    gone, cut = await ask(alice, f"/alerts/{old}"), await ask(alice, f"/alerts/{partly}")

    assert (gone["selectors"], gone["condition"]) == ([], [])
    assert gone["missing"] == ["samples: those of that time are gone, they are kept for 15 days (samples_days)"]
    assert cut["missing"] == [
        "samples before 2023-10-30 22:13:20 UTC: they are kept for 15 days (samples_days)"
    ]
    assert only(cut)["total"] == 361


async def test_a_journal_that_is_gone_leaves_what_the_head_has(rig: Rig, alice: httpx.AsyncClient) -> None:
    loads(rig)
    rig.journal.frames.clear()
    alert_id = high_load(rig)

    told = await ask(alice, f"/alerts/{alert_id}")

    assert points(only(told))[-1] == (NOW, 10)
    assert told["condition"][-1]["holds"] is True
    assert told["condition"][0]["holds"] is None


async def test_of_a_host_that_was_retired_nothing_is_told(rig: Rig, alice: httpx.AsyncClient) -> None:
    loads(rig)
    alert_id = high_load(rig)
    nowhere = replace(rig.deps, estate=_Empty(rig.estate))  # type: ignore[arg-type]
    rig.deps = nowhere
    async with rig.client() as console:
        told = await ask(console, f"/alerts/{alert_id}")

    assert told["selectors"] == []
    assert told["missing"] == ["samples: its host is no longer in service, and nothing is kept of it"]


class _Empty:
    """The estate without its hosts."""

    def __init__(self, estate: Any) -> None:
        self._estate = estate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._estate, name)

    def host(self, _host_id: int) -> None:
        return None


async def test_each_selector_has_the_series_that_fit_the_alert(rig: Rig, alice: httpx.AsyncClient) -> None:
    free, size = "node_filesystem_free", "node_filesystem_size"
    root, srv = (("mountpoint", "/"),), (("mountpoint", "/srv"),)
    readings = {(name, where): 1.0 for name in (free, size) for where in (root, srv)}
    for back in range(5):
        rig.push(rig.host_id("acme", "atlas"), readings, at_ms=NOW - back * INTERVAL_MS)
    alert_id = high_load(
        rig,
        expression=f"{free} / {size} * 100 > 4 and {free}[1m] offset 10s > 0".replace("[1m] ", " "),
        row_labels={**TARGET, "mountpoint": "/srv"},
    )

    told = await ask(alice, f"/alerts/{alert_id}")

    assert [each["selector"] for each in told["selectors"]] == [free, size, f"{free} offset 10s"]
    assert {series["labels"]["mountpoint"] for each in told["selectors"] for series in each["series"]} == {
        "/srv"
    }


async def test_many_series_are_cut_and_counted(rig: Rig, alice: httpx.AsyncClient) -> None:
    readings: Readings = {("cpu", (("cpu", f"{number:02}"),)): 1.0 for number in range(MOST_SERIES + 5)}
    rig.push(rig.host_id("acme", "atlas"), readings, at_ms=NOW)
    alert_id = high_load(rig, expression="sum by (instance) (cpu) > 4", row_labels={"instance": "atlas"})

    (selector,) = (await ask(alice, f"/alerts/{alert_id}"))["selectors"]

    assert (len(selector["series"]), selector["total"]) == (MOST_SERIES, MOST_SERIES + 5)


async def test_what_rules_record_is_told_as_far_as_the_head_has_it(
    rig: Rig, alice: httpx.AsyncClient, tmp_path: Path
) -> None:
    in_force(rig, tmp_path, "groups: [{name: g, rules: [{record: load, expr: node_load1}]}]")
    rig.head.record("g", "load", 1, [TARGET], np.array([5.0]), at_ms=NOW)
    alert_id = high_load(rig, expression="load > 4 unless absent(load)")
    async with rig.client() as console:
        told = await ask(console, f"/alerts/{alert_id}")

    assert points(told["selectors"][0]["series"][0]) == [(NOW, 5)]
    (missing,) = told["missing"]
    assert missing.startswith("the condition before 2023-11-14 22:13:20 UTC: load is made by the server")
    assert [at_ms(each["at"]) for each in told["condition"]] == [NOW]


@pytest.mark.parametrize("name", sorted(NOTED))
async def test_what_is_noted_of_a_host_is_told_as_far_as_the_head_has_it(rig: Rig, name: str) -> None:
    loads(rig)
    rig.head.beat(rig.host_id("acme", "atlas"), up=True, at_ms=NOW + 1, notes=dict.fromkeys(NOTED, 0.0))
    rig.clock.move(seconds=1)
    alert_id = high_load(rig, expression=f"node_load1 > 4 unless {name} == 1")
    async with rig.client() as console:
        told = await ask(console, f"/alerts/{alert_id}")

    (missing,) = told["missing"]
    assert missing.startswith("the condition before 2023-11-14 22:13:20 UTC: ")
    assert f": {name} is made by the server" in missing
    assert [at_ms(each["at"]) for each in told["condition"]] == [NOW + 1000]


@pytest.mark.parametrize("name", sorted(PROCLAIMED))
async def test_the_series_about_alerts_are_told_as_far_as_the_head_has_them(rig: Rig, name: str) -> None:
    loads(rig)
    rig.head.record(f"r/{name}", name, 1, [{**TARGET, "alertname": "Off"}], np.array([1.0]), at_ms=NOW)
    alert_id = high_load(rig, expression=f"node_load1 > 4 unless on (instance) {name}{{alertname='Off'}} == 0")
    async with rig.client() as console:
        told = await ask(console, f"/alerts/{alert_id}")

    (missing,) = told["missing"]
    assert missing.startswith(f"the condition before 2023-11-14 22:13:20 UTC: {name} is made by the server")


async def test_more_than_can_be_read_is_read_at_both_ends(
    rig: Rig, alice: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findings, "MOST_FRAMES", 150)
    loads(rig, minutes=120)
    alert_id = high_load(rig, active_ms=NOW - 100 * MINUTE)

    told = await ask(alice, f"/alerts/{alert_id}")

    (missing,) = told["missing"]
    assert missing.startswith("samples from 2023-")
    assert missing.endswith("there are more than can be read at once")
    times = [when for when, _ in points(only(told))]
    assert min(times) < NOW - 100 * MINUTE
    assert max(times) == NOW
    assert not [when for when in times if NOW - 90 * MINUTE < when < NOW - 15 * MINUTE]


async def test_samples_that_are_too_many_altogether_are_not_read(
    rig: Rig, alice: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findings, "MOST_FRAMES", 5)
    alert_id = high_load(rig)

    assert (await ask(alice, f"/alerts/{alert_id}"))["missing"] == [
        "samples: there are more than can be read at once"
    ]


async def test_a_condition_that_costs_too_much_is_given_up_and_the_rest_told(
    rig: Rig, alice: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findings, "MOST_SAMPLES", 3)
    loads(rig)
    alert_id = high_load(rig)

    told = await ask(alice, f"/alerts/{alert_id}")

    assert told["missing"][0].startswith("the condition from ")
    assert "the expression looks at more than 3 samples" in told["missing"][0]
    assert only(told)["samples"]


async def test_why_takes_its_turn_among_queries(rig: Rig, alice: httpx.AsyncClient) -> None:
    alert_id = high_load(rig)
    taken = [query._turns.acquire(blocking=False) for _ in range(query.AT_ONCE)]
    try:
        answer = await alice.get(f"/api/v1/alerts/{alert_id}/why")
    finally:
        query._turns.release(len(taken))

    assert answer.status_code == 429


async def test_values_that_json_lacks_and_hostile_labels_come_through(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    evil = (("path", "\x1b[2J\u202e\n\"'"),)
    rig.push(rig.host_id("acme", "atlas"), {("size", evil): float("inf")}, at_ms=NOW)
    alert_id = high_load(rig, expression="size > 1", row_labels={"__name__": "size", **TARGET, **dict(evil)})

    told = await ask(alice, f"/alerts/{alert_id}")

    assert only(told)["labels"]["path"] == "\x1b[2J\u202e\n\"'"
    assert told["condition"][-1]["value"] == only(told)["samples"][0]["value"] == "+Inf"


# -- tickets, and who is told


async def test_the_active_alerts_of_the_clients_that_are_seen_are_named(rig: Rig) -> None:
    alert_id = high_load(rig)
    high_load(rig, fingerprint="a", state=AlertState.RESOLVED, resolved_ms=NOW)
    high_load(rig, client_id=2, host_id=rig.host_id("globex", "atlas"))
    rig.sees("acme")
    async with rig.client() as limited:
        mine = (await limited.get("/api/v1/why")).json()["alerts"]
    async with rig.client(None, headers={"authorization": f"Bearer {OPERATOR_TOKEN}"}) as operator:
        everybodys = (await operator.get("/api/v1/why")).json()["alerts"]

    assert [each["id"] for each in mine] == [alert_id]
    assert {each["client"] for each in everybodys} == {"acme", "globex"}


async def test_a_ticket_is_told_as_each_of_its_alerts_the_worst_first(
    rig: Rig, alice: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(written, "MOST_ALERTS", 2)
    loads(rig)
    ended = high_load(rig, fingerprint="a", state=AlertState.RESOLVED, resolved_ms=NOW)
    firing = high_load(rig, fingerprint="b")
    unknown = high_load(rig, fingerprint="c", state=AlertState.UNKNOWN)
    number = ticket(rig, ended, firing, unknown)

    told = await ask(alice, f"/tickets/{number}")

    assert told["ticket"]["id"] == number
    assert [each["alert"]["id"] for each in told["whys"]] == [firing, unknown]
    assert told["left_out"] == 1
    assert only(told["whys"][0])["samples"]


async def test_a_ticket_without_alerts_has_nothing_to_tell(rig: Rig, alice: httpx.AsyncClient) -> None:
    assert (await ask(alice, f"/tickets/{ticket(rig)}"))["whys"] == []


def test_alerts_share_what_one_query_may_cost() -> None:
    assert Share.of(1) == Share.of(0) == Share(query.MOST_FRAMES, query.MOST_SAMPLES, query.LONGEST_S)
    assert Share.of(20).frames * 20 <= query.MOST_FRAMES


async def test_what_is_not_there_is_said(alice: httpx.AsyncClient) -> None:
    for path, said in (("alerts/99", "there is no alert 99"), ("tickets/99", "there is no ticket 99")):
        answer = await alice.get(f"/api/v1/{path}/why")
        assert (answer.status_code, answer.json()["detail"]) == (404, said)


async def test_the_operator_and_a_viewer_may_ask(rig: Rig) -> None:
    alert_id = high_load(rig)
    number = ticket(rig, alert_id)
    rig.sees("acme", who="charlie")
    async with rig.client(None, headers={"authorization": f"Bearer {OPERATOR_TOKEN}"}) as operator:
        assert (await ask(operator, f"/alerts/{alert_id}"))["alert"]["id"] == alert_id
        assert len((await ask(operator, f"/tickets/{number}"))["whys"]) == 1
    async with rig.client("charlie") as charlie:
        assert (await ask(charlie, f"/alerts/{alert_id}"))["alert"]["id"] == alert_id


async def test_who_does_not_see_a_client_is_told_what_is_told_of_what_is_not_there(rig: Rig) -> None:
    alert_id = high_load(rig)
    number = ticket(rig, alert_id)
    rig.sees("globex")
    async with rig.client() as limited:
        alert = await limited.get(f"/api/v1/alerts/{alert_id}/why")
        of_ticket = await limited.get(f"/api/v1/tickets/{number}/why")

    assert (alert.status_code, alert.json()["detail"]) == (404, f"there is no alert {alert_id}")
    assert (of_ticket.status_code, of_ticket.json()["detail"]) == (404, f"there is no ticket {number}")


@pytest.mark.parametrize(
    "expression",
    [
        "node_load1 > 4",
        "sum(node_load1) > 4",
        '{__name__="node_load1"} > 4',
        "max_over_time(node_load1[5m:1m]) > 4",
    ],
)
async def test_another_clients_host_of_the_same_name_is_not_looked_at(
    rig: Rig, alice: httpx.AsyncClient, expression: str
) -> None:
    loads(rig, client="globex")
    alert_id = high_load(rig, expression=expression, host_id=None, row_labels={})

    told = await ask(alice, f"/alerts/{alert_id}")

    assert [each["series"] for each in told["selectors"]] == [[]]
    assert True not in {each["holds"] for each in told["condition"]}


# -- what an expression looks at


def test_looks_say_how_far_back_each_selector_reaches() -> None:
    text = "rate(a[5m] offset 1m) > b and max_over_time(c[1h:1m] offset 2m) > (d @ 100 offset 10s) and b"

    seen = {look.text: (look.range_ms, look.offset_ms, look.pinned_ms) for look in looks(parse(text))}

    assert seen == {
        "a[5m] offset 1m": (5 * MINUTE, MINUTE, None),
        "b": (0, 0, None),
        "c": (HOUR, 2 * MINUTE, None),
        "d @ 100.000 offset 10s": (0, 10_000, 100_000),
    }


def test_a_pinned_subquery_is_looked_at_where_it_is_pinned() -> None:
    (look,) = looks(parse("max_over_time(rate(a[1m])[10m:1m] @ 1000)"))

    assert look.span(NOW - 1, NOW) == (1_000_000 - 11 * MINUTE, 1_000_000)


@pytest.mark.parametrize(
    ("text", "keeps"),
    [
        ("node_load1 > 4", True),
        ("a / b * 100 > 3 and c", True),
        ("sum by (instance, mode) (rate(a[1m]))", True),
        ("sum without (cpu) (a)", True),
        ("a * on (instance) group_left (name) b", True),
        ("a > 2 * 3", True),
        ("sum(a)", False),
        ("avg by (site) (a)", False),
        ("a > on () b", False),
        ("a > ignoring (instance) b", False),
        ("a > scalar(b)", False),
        ("absent(a)", False),
        ('label_replace(a, "instance", "$1", "name", "(.*)")', False),
        ('label_replace(a, "name", "$1", "instance", "(.*)")', True),
    ],
)
def test_it_is_known_of_which_expressions_a_row_is_its_own_hosts(text: str, *, keeps: bool) -> None:
    assert keeps_to_instance(parse(text).root) is keeps


def test_labels_agree_where_both_have_them_whatever_the_name() -> None:
    assert agree({"__name__": "a", "cpu": "0", "instance": "x"}, {"__name__": "b", "instance": "x"})
    assert not agree({"instance": "x"}, {"instance": "y"})


_TIMES = st.tuples(st.integers(0, 10 * HOUR), st.integers(1, 8 * HOUR))


def _frames(_host: HostFacts, start_ms: int, end_ms: int) -> int:
    return (end_ms - start_ms) // INTERVAL_MS + 1


@settings(max_examples=share(60))
@given(_TIMES, st.integers(1, 2000))
def test_what_is_read_fits_and_has_both_ends(times: tuple[int, int], most: int) -> None:
    start, length = times
    asked = Asked(
        client_id=1,
        looks=looks(parse("rate(a[2m]) > b")),
        hosts=[ATLAS],
        kept_ms=0,
        now_ms=start + length,
        spans=[(start, start + length)],
    )

    reading = fitted(asked, most, _frames)

    if reading is not None:
        spans = reading.reading()
        assert sum((end - begin) // INTERVAL_MS + 1 for begin, end in spans) <= most
        assert all(begin < end for begin, end in spans)
        assert all(first[1] < second[0] for first, second in pairwise(spans))
        assert (reading.spans[0][0], reading.spans[-1][1]) == (start, start + length)
    else:
        assert most <= 2 * ((2 * MINUTE + 5 * MINUTE + 2 * MINUTE) // INTERVAL_MS + 1)


@settings(max_examples=share(60))
@given(st.integers(1, 5000))
def test_thinning_keeps_the_first_the_last_and_the_order(count: int) -> None:
    kept = thinned(count).tolist()

    assert len(kept) == min(count, MOST_POINTS)
    assert (kept[0], kept[-1]) == (0, count - 1)
    assert kept == sorted(set(kept))
