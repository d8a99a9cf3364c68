"""A chart is the line that a rule sees, at bounded cost, from what the host has sent."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.server.http.rig import INTERVAL_MS, NOW, TARGET, Rig, frame_of

from tocsin_server.clock import moment
from tocsin_server.http.charts import MAX_POINTS, steps_until, unit_of

LOAD = ("node_load1", ())


def minutes_of_load(rig: Rig, minutes: int, *, until_ms: int = NOW) -> None:
    """atlas has pushed its load, rising by one a minute."""
    atlas = rig.host_id("acme", "atlas")
    count = minutes * 60_000 // INTERVAL_MS
    for place in range(count + 1):
        at_ms = until_ms - (count - place) * INTERVAL_MS
        rig.journal.frames.append(frame_of(atlas, {LOAD: place * INTERVAL_MS / 60_000}, at_ms))


async def chart(client: httpx.AsyncClient, path: str, **question: Any) -> dict[str, Any]:
    answer: dict[str, Any] = (await client.get(f"/api/v1{path}", params=question)).raise_for_status().json()
    return answer


def at(drawn: dict[str, Any]) -> Iterator[tuple[float, float | None]]:
    """Milliseconds and value of each point."""
    start_ms = datetime.fromisoformat(drawn["start"]).timestamp() * 1000
    return ((start_ms + place * drawn["step_s"] * 1000, value) for place, value in enumerate(drawn["values"]))


async def test_an_alerts_chart_is_the_left_side_with_its_threshold(rig: Rig, alice: httpx.AsyncClient) -> None:
    minutes_of_load(rig, 10)
    alert_id = rig.alert()

    drawn = await chart(alice, f"/alerts/{alert_id}/chart", minutes=5)

    assert (drawn["title"], drawn["operator"], drawn["threshold"]) == ("node_load1", ">", 4)
    assert drawn["step_s"] == 10
    points = list(at(drawn))
    assert points[-1] == (NOW, 10)
    assert points[0] == (NOW - 300_000, 5)
    assert {name: datetime.fromisoformat(when) for name, when in drawn["marks"].items()} == {
        "active": moment(NOW - 60_000),
        "fired": moment(NOW - 30_000),
    }


async def test_it_is_drawn_for_the_alerts_own_labels(rig: Rig, alice: httpx.AsyncClient) -> None:
    atlas = rig.host_id("acme", "atlas")
    root, srv = (("mountpoint", "/"),), (("mountpoint", "/srv"),)
    readings = {("node_filesystem_free", root): 1.0, ("node_filesystem_free", srv): 2.0}
    rig.journal.frames.append(frame_of(atlas, readings, NOW))
    alert_id = rig.alert(expression="node_filesystem_free < 3", row_labels=TARGET | dict(srv))

    drawn = await chart(alice, f"/alerts/{alert_id}/chart")

    assert drawn["values"][-1] == 2
    assert (drawn["operator"], drawn["threshold"]) == ("<", 3)


async def test_nothing_is_drawn_where_there_was_no_sample(rig: Rig, alice: httpx.AsyncClient) -> None:
    minutes_of_load(rig, 1, until_ms=NOW - 20 * 60_000)
    alert_id = rig.alert()

    drawn = await chart(alice, f"/alerts/{alert_id}/chart", minutes=60)

    assert drawn["values"][-1] is None
    assert any(value is not None for value in drawn["values"])
    assert len(drawn["values"]) <= MAX_POINTS


async def test_another_clients_host_of_the_same_name_is_not_drawn(rig: Rig, alice: httpx.AsyncClient) -> None:
    rig.journal.frames.append(frame_of(rig.host_id("globex", "atlas"), {LOAD: 99.0}, NOW))
    alert_id = rig.alert()

    drawn = await chart(alice, f"/alerts/{alert_id}/chart")

    assert set(drawn["values"]) == {None}


@pytest.mark.parametrize(
    ("expression", "operator"),
    [
        ("absent(node_load1)", None),
        ("node_load1 > node_load5", ">"),
        ("4 < node_load1", ">"),
        ("node_load1 > 4 and node_load1 < 9", ">"),
    ],
)
async def test_an_expression_of_any_form_has_a_chart(
    rig: Rig, alice: httpx.AsyncClient, expression: str, operator: str | None
) -> None:
    minutes_of_load(rig, 1)
    alert_id = rig.alert(expression=expression)

    drawn = await chart(alice, f"/alerts/{alert_id}/chart")

    assert drawn["operator"] == (operator if drawn["threshold"] is not None else None)
    assert len(drawn["values"]) <= MAX_POINTS


async def test_a_rule_of_no_host_in_particular_has_an_empty_chart(rig: Rig, alice: httpx.AsyncClient) -> None:
    alert_id = rig.alert(host_id=None, expression="sum(node_load1) > 4", row_labels={})

    assert set((await chart(alice, f"/alerts/{alert_id}/chart"))["values"]) == {None}


async def test_silence_is_drawn_as_a_fall_of_up(rig: Rig, alice: httpx.AsyncClient) -> None:
    minutes_of_load(rig, 2, until_ms=NOW - 120_000)
    alert_id = rig.alert(expression="up == 0")

    drawn = dict(at(await chart(alice, f"/alerts/{alert_id}/chart", minutes=4)))

    assert drawn[NOW - 120_000] == 1
    assert drawn[NOW - 90_000] == 1
    assert drawn[NOW - 70_000] == 0
    assert drawn[NOW] == 0


@pytest.mark.parametrize(
    ("vital", "unit"),
    [("load", ""), ("cpu", "ratio"), ("memory", "ratio"), ("filesystem", "ratio"), ("receive", "bytes/s")],
)
async def test_a_hosts_vitals_have_charts(rig: Rig, alice: httpx.AsyncClient, vital: str, unit: str) -> None:
    minutes_of_load(rig, 2)
    atlas = rig.host_id("acme", "atlas")

    drawn = await chart(alice, f"/hosts/{atlas}/chart", vital=vital, minutes=1)

    assert (drawn["title"], drawn["unit"], drawn["threshold"], drawn["marks"]) == (vital, unit, None, {})
    assert drawn["values"][-1] == (2 if vital == "load" else None)


async def test_of_several_filesystems_the_fullest_is_drawn(rig: Rig, alice: httpx.AsyncClient) -> None:
    atlas = rig.host_id("acme", "atlas")
    readings = {}
    for mountpoint, free in (("/", 70.0), ("/srv", 10.0)):
        labels = (("fstype", "ext4"), ("mountpoint", mountpoint))
        readings["node_filesystem_size_bytes", labels] = 100.0
        readings["node_filesystem_avail_bytes", labels] = free
    rig.journal.frames.append(frame_of(atlas, readings, NOW))

    drawn = await chart(alice, f"/hosts/{atlas}/chart", vital="filesystem")

    assert drawn["values"][-1] == pytest.approx(0.9)


async def test_a_vital_that_there_is_not_is_refused(rig: Rig, alice: httpx.AsyncClient) -> None:
    path = f"/api/v1/hosts/{rig.host_id('acme', 'atlas')}/chart"

    assert (await alice.get(path, params={"vital": "mood"})).json()["detail"].startswith("vital: ")
    assert (await alice.get(path)).status_code == 400
    assert (await alice.get(path, params={"vital": "cpu", "minutes": 0})).status_code == 400


@given(now_ms=st.integers(10**12, 2 * 10**12), minutes=st.integers(1, 1440), interval_s=st.integers(1, 300))
def test_steps_are_few_regular_and_reach_until_now(now_ms: int, minutes: int, interval_s: int) -> None:
    steps = steps_until(now_ms, minutes, interval_s * 1000)

    assert 1 <= steps.count <= MAX_POINTS
    assert steps.step_ms >= interval_s * 1000
    assert now_ms - 1000 < steps.end_ms <= now_ms
    assert steps.end_ms - steps.start_ms <= minutes * 60_000


@pytest.mark.parametrize(
    ("expression", "unit"),
    [
        ("node_load1", ""),
        ("node_memory_MemAvailable_bytes", "bytes"),
        ("rate(node_network_receive_bytes_total[1m])", "bytes/s"),
        ("rate(node_disk_io_time_seconds_total[1m])", "ratio"),  # seconds of each second
        ("node_time_seconds - node_boot_time_seconds", "s"),
        ("node_filesystem_avail_bytes / node_filesystem_size_bytes", "ratio"),
        ("100 * node_filesystem_avail_bytes / node_filesystem_size_bytes", "%"),
    ],
)
def test_a_unit_is_told_by_the_words_of_the_expression(expression: str, unit: str) -> None:
    assert unit_of(expression) == unit
