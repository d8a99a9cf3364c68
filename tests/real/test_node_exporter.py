"""A real node_exporter and our collection read one host at one moment: what both have must be the same.

Debian 12 carries version 1.5 with some defaults of its own, so it is started with upstream's excludes. What is
left of the difference to the current version is named below, each with its reason.
"""

import http.client
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tocsin_agent.collectors import Collection, default_collectors
from tocsin_agent.exposition import render

pytestmark = pytest.mark.real

MOUNTS = r"^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)"
TYPES = (
    r"^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs"
    r"|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$"
)
DEVICES = r"^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$"
FLAGS = (
    "--log.level=error",
    "--collector.processes",
    "--collector.cpu.info",
    "--collector.netdev.device-exclude=",
    f"--collector.diskstats.device-exclude={DEVICES}",
    f"--collector.filesystem.mount-points-exclude={MOUNTS}",
    f"--collector.filesystem.fs-types-exclude={TYPES}",
)

NEWER_LABELS = {"node_network_info": {"adminstate"}}
"""Labels that version 1.5 does not have and the current one has."""

NOT_IN_1_5 = {
    "node_netstat_TcpExt_TCPOFOQueue",
    "node_netstat_TcpExt_TCPRcvQDrop",
}

SPEED = "node_network_speed_bytes"
"""Version 1.5 gives an unknown speed as -125000; we, as its authors announce for 2.0, do not give one."""

LABELS_THAT_MOVE = {
    "node_scrape_collector_success",  # each has collectors of its own
    "node_scrape_collector_duration_seconds",
    "node_processes_state",  # a state that no process is in at this moment has no series
}

GAUGES_THAT_STAND_STILL = {
    "node_boot_time_seconds",
    "node_cpu_info",
    "node_filefd_maximum",
    "node_filesystem_device_error",
    "node_filesystem_files",
    "node_filesystem_readonly",
    "node_filesystem_size_bytes",
    "node_memory_MemTotal_bytes",
    "node_memory_HugePages_Total",
    "node_memory_SwapTotal_bytes",
    "node_network_carrier",
    "node_network_carrier_changes_total",
    "node_network_info",
    "node_network_mtu_bytes",
    "node_network_speed_bytes",
    "node_network_up",
    "node_nf_conntrack_entries_limit",
    "node_os_info",
    "node_os_version",
    "node_processes_max_processes",
    "node_processes_max_threads",
    "node_timex_sync_status",
    "node_timex_tick_seconds",
    "node_uname_info",
}

Series = frozenset[tuple[str, str]]


class Family(NamedTuple):
    kind: str
    values: dict[Series, float]


def families(page: str) -> dict[str, Family]:
    """By sample name; an empty label is an absent one, as it is to Prometheus."""
    by_name: dict[str, Family] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            series = frozenset((name, value) for name, value in sample.labels.items() if value)
            by_name.setdefault(sample.name, Family(family.type, {})).values[series] = sample.value
    return by_name


class Pages(NamedTuple):
    ours: dict[str, Family]
    theirs: dict[str, Family]
    ours_later: dict[str, Family]


@pytest.fixture(scope="module")
def pages(require) -> Iterator[Pages]:
    """Our page, theirs, and ours again: what theirs counts must lie between."""
    program = require("prometheus-node-exporter", "prometheus-node-exporter")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [program, f"--web.listen-address=127.0.0.1:{port}", *FLAGS]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            scrape(port)
            collection = Collection(default_collectors())
            ours = render(collection.collect(time.time_ns() // 1_000_000))
            theirs = scrape(port)
            later = render(collection.collect(time.time_ns() // 1_000_000))
        finally:
            process.terminate()
    return Pages(families(ours), families(theirs), families(later))


def scrape(port: int) -> str:
    deadline_s = time.monotonic() + 10
    while True:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            try:
                connection.request("GET", "/metrics")
                return connection.getresponse().read().decode()
            except ConnectionRefusedError:
                assert time.monotonic() < deadline_s, "node_exporter does not listen"


def test_every_node_metric_of_ours_is_one_of_node_exporters(pages):
    ours = {name for name in pages.ours if name.startswith("node_")}

    assert ours - pages.theirs.keys() == NOT_IN_1_5 & ours
    assert len(ours) > 200


def test_what_the_field_has_rules_for_is_there(pages):
    asked_by_the_node_mixin = {
        "node_filesystem_avail_bytes",
        "node_filesystem_size_bytes",
        "node_filesystem_readonly",
        "node_filesystem_files",
        "node_filesystem_files_free",
        "node_network_receive_errs_total",
        "node_network_transmit_errs_total",
        "node_network_receive_packets_total",
        "node_network_transmit_packets_total",
        "node_timex_offset_seconds",
        "node_timex_sync_status",
        "node_timex_maxerror_seconds",
        "node_filefd_allocated",
        "node_filefd_maximum",
        "node_cpu_seconds_total",
        "node_load1",
        "node_vmstat_pgmajfault",
        "node_memory_MemAvailable_bytes",
        "node_memory_MemTotal_bytes",
        "node_disk_io_time_weighted_seconds_total",
    }

    assert asked_by_the_node_mixin - pages.ours.keys() == set()


def test_types_are_the_same(pages):
    ours = {name: family.kind for name, family in pages.ours.items() if name in pages.theirs}

    assert {name: pages.theirs[name].kind for name in ours} == ours


def test_series_are_the_same(pages):
    differences = {}
    for name in (pages.ours.keys() & pages.theirs.keys()) - LABELS_THAT_MOVE:
        newer = NEWER_LABELS.get(name, set())
        ours = {
            frozenset(pair for pair in series if pair[0] not in newer) for series in pages.ours[name].values
        }
        theirs = pages.theirs[name].values
        known = {series for series in theirs if name != SPEED or theirs[series] >= 0}
        if ours != known:
            differences[name] = ours ^ known

    assert differences == {}


def test_label_names_are_the_same_where_the_series_themselves_move(pages):
    for name in LABELS_THAT_MOVE:
        ours = {label for series in pages.ours[name].values for label, _ in series}
        theirs = {label for series in pages.theirs[name].values for label, _ in series}
        assert ours == theirs, name


@pytest.mark.parametrize("name", sorted(GAUGES_THAT_STAND_STILL))
def test_gauges_that_stand_still_have_the_same_value(pages, name):
    if name not in pages.ours or name not in pages.theirs:
        pytest.skip(f"this host has no {name}")
    newer = NEWER_LABELS.get(name, set())
    ours = {
        frozenset(pair for pair in series if pair[0] not in newer): value
        for series, value in pages.ours[name].values.items()
    }

    assert {series: pages.theirs[name].values[series] for series in ours} == ours


def test_counters_of_theirs_lie_between_two_readings_of_ours(pages):
    astray = {}
    counted = 0
    for name, family in pages.theirs.items():
        if family.kind != "counter" or name not in pages.ours:
            continue
        for series, value in family.values.items():
            before = pages.ours[name].values[series]
            after = pages.ours_later[name].values[series]
            counted += 1
            # Two roundings of one number of ticks or milliseconds may differ in the last place.
            if not before * (1 - 1e-12) <= value <= after * (1 + 1e-12):
                astray[name, series] = (before, value, after)

    assert astray == {}
    assert counted > 50
