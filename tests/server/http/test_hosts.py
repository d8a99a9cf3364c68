"""A host is shown as its pushes say, with its readings, and each client's apart."""

import math
from typing import Any

import httpx
import pytest
from tests.server.http.rig import NOW, Rig

from tocsin_protocol.vocabulary import HostKind
from tocsin_server.estate.agents import quarantine
from tocsin_server.estate.clients import client_named
from tocsin_server.estate.declared import settle_devices
from tocsin_server.estate.devices import Device, Probe, SiteProbes
from tocsin_server.estate.hosts import retire_host

HOSTS = "/api/v1/hosts"
CPU = "node_cpu_seconds_total"
SNMP = Probe("snmp", "snmp", {"address": "192.0.2.1", "community": "sealed:x", "timeout_s": 5})


def labels(**values: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(values.items()))


async def hosts(via: httpx.AsyncClient, **question: Any) -> dict[str, dict[str, Any]]:
    """The rows, by client."""
    page = (await via.get(HOSTS, params=question)).raise_for_status().json()
    return {host["client"]: host for host in page["hosts"]}


async def test_a_host_is_awaited_up_and_silent_as_its_pushes_say(rig: Rig, alice: httpx.AsyncClient) -> None:
    atlas = rig.host_id("acme", "atlas")
    states = [(await hosts(alice))["acme"]["state"]]
    rig.push(atlas, {("node_load1", ()): 0.5})
    states.append((await hosts(alice))["acme"]["state"])
    rig.clock.move(seconds=33)
    states.append((await hosts(alice))["acme"]["state"])

    assert states == ["awaited", "up", "silent"]


async def test_a_row_says_what_and_where_the_host_is(rig: Rig, alice: httpx.AsyncClient) -> None:
    rig.push(rig.host_id("acme", "atlas"), {("node_load1", ()): 0.5})

    row = (await hosts(alice))["acme"]

    assert {
        name: row[name] for name in ("name", "site", "kind", "job", "os", "agent_version", "last_seen")
    } == {
        "name": "atlas",
        "site": "berlin",
        "kind": "server",
        "job": "node",
        "os": "Linux 6.1",
        "agent_version": "0.1.0",
        "last_seen": "2023-11-14T22:13:20Z",
    }


async def test_a_row_says_that_its_agent_is_cloned(rig: Rig, alice: httpx.AsyncClient) -> None:
    rig.storage.write(lambda s: quarantine(s, agent_id="agt_acme", evidence="", now_ms=1))
    rig.estate.reload()

    rows = await hosts(alice)

    assert {client: row["cloned"] for client, row in rows.items()} == {"acme": True, "globex": False}


async def test_one_clients_hosts_are_asked_for_by_its_slug(alice: httpx.AsyncClient) -> None:
    assert set(await hosts(alice, client="globex")) == {"globex"}
    assert await hosts(alice, client="nobody") == {}


async def test_vitals_are_worked_out_from_what_the_host_has_sent(rig: Rig, alice: httpx.AsyncClient) -> None:
    atlas = rig.host_id("acme", "atlas")
    for step in range(7):
        seconds = step * 10
        readings = {
            (CPU, labels(cpu="0", mode="idle")): 1000 + seconds * 0.9,
            (CPU, labels(cpu="1", mode="idle")): 1000 + seconds * 0.7,
            (CPU, labels(cpu="0", mode="user")): 1000 + seconds * 0.1,
            ("node_memory_MemTotal_bytes", ()): 4e9,
            ("node_memory_MemAvailable_bytes", ()): 1e9,
            ("node_filesystem_size_bytes", labels(device="a", fstype="ext4", mountpoint="/")): 100.0,
            ("node_filesystem_avail_bytes", labels(device="a", fstype="ext4", mountpoint="/")): 60.0,
            ("node_filesystem_size_bytes", labels(device="b", fstype="ext4", mountpoint="/srv")): 100.0,
            ("node_filesystem_avail_bytes", labels(device="b", fstype="ext4", mountpoint="/srv")): 5.0,
            ("node_filesystem_size_bytes", labels(device="c", fstype="squashfs", mountpoint="/snap")): 100.0,
            ("node_filesystem_avail_bytes", labels(device="c", fstype="squashfs", mountpoint="/snap")): 0.0,
            ("node_load1", ()): 0.5,
            ("node_network_receive_bytes_total", labels(device="eth0")): seconds * 1000.0,
            ("node_network_receive_bytes_total", labels(device="lo")): seconds * 9000.0,
            ("node_network_transmit_bytes_total", labels(device="eth0")): seconds * 500.0,
            ("node_time_seconds", ()): (NOW - 60_000) / 1000 + seconds,
            ("node_boot_time_seconds", ()): NOW / 1000 - 3600,
        }
        rig.push(atlas, readings, at_ms=NOW - 60_000 + seconds * 1000)

    rows = await hosts(alice)

    vitals = rows["acme"]["vitals"]
    assert vitals.pop("cpu_ratio") == pytest.approx(0.2)
    assert vitals == {
        "memory_ratio": 0.75,
        "filesystem_ratio": 0.95,
        "filesystem_mountpoint": "/srv",
        "load1": 0.5,
        "receive_bytes_per_s": pytest.approx(1000),
        "transmit_bytes_per_s": pytest.approx(500),
        "boot_at": "2023-11-14T21:13:20Z",
    }
    assert set(rows["globex"]["vitals"].values()) == {None}


async def test_a_host_that_falls_silent_loses_its_vitals(rig: Rig, alice: httpx.AsyncClient) -> None:
    atlas = rig.host_id("acme", "atlas")
    rig.push(atlas, {("node_load1", ()): 0.5})
    rig.clock.move(seconds=40)
    rig.head.beat(atlas, up=False, at_ms=rig.clock.now_ms())

    assert (await hosts(alice))["acme"]["vitals"]["load1"] is None


async def test_the_fleet_is_looked_at_once_a_second(
    rig: Rig, alice: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    vitals = rig.deps.hosts._vitals
    look = vitals._look
    monkeypatch.setattr(vitals, "_look", lambda now_ms: looked.append(now_ms) or look(now_ms))

    for seconds in (0, 0, 0.999, 0.002):
        rig.clock.move(seconds=seconds)
        await alice.get(HOSTS)

    assert looked == [NOW, NOW + 1001]


async def test_the_detail_holds_readings_less_what_the_row_says(rig: Rig, alice: httpx.AsyncClient) -> None:
    atlas = rig.host_id("acme", "atlas")
    rig.push(atlas, {("node_load1", ()): 0.5, (CPU, labels(cpu="0", mode="idle")): math.nan})
    rig.push(rig.host_id("globex", "atlas"), {("node_load5", ()): 9.0})

    detail = (await alice.get(f"{HOSTS}/{atlas}")).json()

    readings = {reading["name"]: reading for reading in detail["readings"]}
    assert readings["node_load1"]["value"] == 0.5
    assert readings["node_load1"]["labels"] == {}
    assert readings[CPU] == {
        "name": CPU,
        "labels": {"cpu": "0", "mode": "idle"},
        "kind": 2,
        "value": None,
        "at": "2023-11-14T22:13:20Z",
    }
    assert "node_load5" not in readings


async def test_the_detail_holds_what_is_wrong_with_this_host_alone(rig: Rig, alice: httpx.AsyncClient) -> None:
    atlas = rig.host_id("acme", "atlas")
    alert_id = rig.alert()
    new = {"client": "acme", "title": "The bell is silent", "host_id": atlas, "priority": 2}
    ticket = (await alice.post("/api/v1/tickets", json=new)).json()["ticket"]

    detail = (await alice.get(f"{HOSTS}/{atlas}")).json()
    elsewhere = (await alice.get(f"{HOSTS}/{rig.host_id('globex', 'atlas')}")).json()

    assert [alert["id"] for alert in detail["alerts"]] == [alert_id]
    assert [each["id"] for each in detail["tickets"]] == [ticket["id"]]
    assert (detail["host"]["open_tickets"], detail["host"]["worst_priority"]) == (1, 2)
    assert (elsewhere["alerts"], elsewhere["tickets"], elsewhere["host"]["open_tickets"]) == ([], [], 0)


async def test_a_device_is_shown_with_what_it_is_reached_through_and_who_probes_it(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    devices = (
        Device("switch-1", HostKind.NETWORK, 60, ("router-1", "atlas"), (SNMP,)),
        Device("router-1", HostKind.NETWORK, 60, (), (SNMP,)),
    )
    file = SiteProbes("acme.yml", "acme", "berlin", "atlas", devices)
    rig.storage.write(lambda session: settle_devices(session, [file], now_ms=NOW))
    rig.estate.reload()
    switch, atlas = rig.host_id("acme", "switch-1"), rig.host_id("acme", "atlas")
    target = {"instance": "switch-1", "job": "snmp", "site": "berlin"}
    rig.head.enlist(switch, client_id=1, target=target)
    rig.push(switch, {("ifOperStatus", labels(ifName="ge-0/0/1")): 2.0})

    detail = (await alice.get(f"{HOSTS}/{switch}")).json()
    prober = (await alice.get(f"{HOSTS}/{atlas}")).json()

    host = detail["host"]
    assert (detail["parents"], detail["probed_by"]) == (["atlas", "router-1"], "atlas")
    assert (host["kind"], host["job"], host["state"], host["agent_version"]) == ("network", "snmp", "up", "")
    assert set(host["vitals"].values()) == {None}
    assert detail["readings"][0]["labels"] == {"ifName": "ge-0/0/1"}
    assert (prober["parents"], prober["probed_by"]) == ([], None)


async def test_a_retired_host_leaves_the_list_but_can_be_looked_up(rig: Rig, alice: httpx.AsyncClient) -> None:
    atlas = rig.host_id("acme", "atlas")
    rig.storage.write(lambda s: retire_host(s, client_named(s, "acme"), "atlas", NOW) and None)
    rig.estate.reload()
    rig.head.retire(atlas)

    detail = (await alice.get(f"{HOSTS}/{atlas}")).json()

    assert set(await hosts(alice)) == {"globex"}
    assert (detail["host"]["state"], detail["host"]["name"], detail["readings"]) == ("retired", "atlas", [])
