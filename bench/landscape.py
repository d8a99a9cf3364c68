"""Hosts that send what a pack of rules asks for: the metrics and labels are read from the rules' selectors.

Seven hosts in ten are Linux servers with a container and a probed website, two are Windows servers, one is a
switch. What is known of exporters' labels stands in `DIMENSIONS`, of healthy and troubled values in `LEVELS`
and `PACES`; all else is 1, or counts ten a second. One host in forty-seven is troubled in an eighth of its
metrics.

A value is a function of host, series and instant, so that nobody has to keep what two programs are told.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import product
from typing import NamedTuple

import numpy as np

from tocsin_protocol.vocabulary import SeriesKind
from tocsin_server.alerts.rules import RuleSet
from tocsin_server.promql.syntax import Call, Node, Selector, ranged, walk
from tocsin_server.series.arrays import Floats, Ints
from tocsin_server.series.matchers import MatchKind
from tocsin_server.series.schema import Schema, SeriesEntry

INTERVAL_MS = 10_000
SERIES = 100
BEATS = ("up", "tocsin_clock_skew_seconds")
FILLER = "filler"
_COUNTING = frozenset({"increase", "irate", "rate"})
_TARGET = frozenset({"__name__", "instance", "job", "site"})
_DAY_S = 86_400
_HOUR_S = 3600

_Labels = tuple[tuple[str, str], ...]


def _each(name: str, *values: str) -> list[_Labels]:
    return [((name, value),) for value in values]


DIMENSIONS: dict[str, list[_Labels]] = {
    "node_cpu_": _each("cpu", "0", "1", "2", "3"),
    "node_disk_": _each("device", "sda", "sdb"),
    "node_edac_": _each("controller", "0"),
    "node_filesystem_": [
        (("device", f"/dev/{name}"), ("fstype", "ext4"), ("mountpoint", mount))
        for name, mount in (("sda1", "/"), ("sdb1", "/srv"))
    ],
    "node_hwmon_": [(("chip", "platform_coretemp_0"), ("sensor", "temp1"))],
    "node_md_": _each("device", "md0"),
    "node_network_": _each("device", "eth0", "eth1"),
    "node_systemd_": _each("name", "cron.service", "ssh.service"),
    "node_uname_": [(("release", "6.1.0-37-amd64"), ("sysname", "Linux"))],
    "node_bonding_": _each("master", "bond0"),
    "container_": [
        (("container", "app"), ("name", "app-{host}"), ("namespace", "shop"), ("pod", "shop-{host}"))
    ],
    "windows_cpu_": _each("core", *map(str, range(8))),
    "windows_exporter_": _each("collector", "cpu", "os", "logical_disk", "service"),
    "windows_logical_disk_": _each("volume", "C:", "D:"),
    "windows_service_": _each("name", *(f"service{number}" for number in range(30))),
    "if": [(("ifDescr", f"port{number}"), ("ifIndex", str(number))) for number in range(1, 9)],
}
"""The series of a metric by the beginning of its name, besides what matchers ask for."""

OTHERS = {"mode": "user", "state": "active", "status": "degraded"}
"""What a label that rules ask for has besides."""

LEVELS: dict[str, tuple[float, float]] = {
    "node_memory_MemAvailable_bytes": (8e9, 5e8),
    "node_memory_MemTotal_bytes": (16e9, 16e9),
    "node_memory_SwapFree_bytes": (3e9, 1e8),
    "node_memory_SwapTotal_bytes": (4e9, 4e9),
    "node_network_speed_bytes": (1.25e8, 1.25e8),
    "node_filesystem_avail_bytes": (5e10, 1e9),
    "node_filesystem_size_bytes": (1e11, 1e11),
    "node_filesystem_files": (6e6, 6e6),
    "node_filesystem_files_free": (5e6, 1e5),
    "node_filesystem_readonly": (0, 0),
    "node_filesystem_device_error": (0, 1),
    "node_systemd_unit_state:failed": (0, 1),
    "node_hwmon_temp_celsius": (45, 96),
    "node_hwmon_temp_max_celsius": (90, 90),
    "node_hwmon_temp_crit_alarm_celsius": (0, 0),
    "node_hwmon_temp_alarm": (0, 1),
    "node_md_disks_required": (2, 2),
    "node_md_disks:active": (2, 1),
    "node_md_disks:failed": (0, 1),
    "node_bonding_active": (2, 1),
    "node_bonding_slaves": (2, 2),
    "node_nf_conntrack_entries": (1e4, 2.5e5),
    "node_nf_conntrack_entries_limit": (262_144, 262_144),
    "node_timex_offset_seconds": (0.001, 0.2),
    "node_timex_sync_status": (1, 0),
    "node_timex_maxerror_seconds": (16, 16),
    "windows_exporter_collector_success": (1, 0),
    "windows_service_status:ok": (1, 0),
    "windows_os_physical_memory_free_bytes": (8e9, 5e8),
    "windows_cs_physical_memory_bytes": (16e9, 16e9),
    "windows_logical_disk_free_bytes": (5e10, 5e9),
    "windows_logical_disk_size_bytes": (1e11, 1e11),
    "probe_success": (1, 0),
    "probe_duration_seconds": (0.1, 4),
    "probe_http_status_code": (200, 503),
    "probe_http_duration_seconds": (0.1, 4),
    "probe_icmp_duration_seconds": (0.01, 2),
    "probe_ssl_earliest_cert_expiry": (60 * _DAY_S, 10 * _DAY_S),
    "container_last_seen": (_DAY_S, -_HOUR_S),
    "container_spec_cpu_quota": (1e5, 1e5),
    "container_spec_cpu_period": (1e5, 1e5),
    "container_memory_working_set_bytes": (5e8, 9.5e8),
    "container_spec_memory_limit_bytes": (1e9, 1e9),
    "container_fs_inodes_free": (5e6, 1e6),
    "container_fs_inodes_total": (1e7, 1e7),
    "ifOperStatus": (1, 2),
    "ifSpeed": (1e9, 1e9),
    "sysUpTime": (1e9, 1e4),
    "node_boot_time_seconds": (-10 * _DAY_S, -60),
}
"""Gauges: healthy and troubled."""

SINCE_NOW = frozenset({"probe_ssl_earliest_cert_expiry", "container_last_seen", "node_boot_time_seconds"})
"""Gauges whose value is a time."""

SWINGING = ("avail", "free", "temp_celsius", "entries", "working_set", "duration")
"""In whose names these stand, they are never twice the same."""

PACES: dict[str, tuple[float, float]] = {
    "node_vmstat_pgmajfault": (5, 5000),
    "node_vmstat_oom_kill": (0, 0.01),
    "node_network_receive_bytes_total": (1e6, 1.1e8),
    "node_network_transmit_bytes_total": (1e6, 1.1e8),
    "node_network_receive_errs_total": (0, 50),
    "node_network_transmit_errs_total": (0, 50),
    "node_network_receive_packets_total": (1000, 1000),
    "node_network_transmit_packets_total": (1000, 1000),
    "node_disk_io_time_seconds_total": (0.1, 0.95),
    "node_disk_read_time_seconds_total": (0.01, 5),
    "node_disk_write_time_seconds_total": (0.01, 5),
    "node_cpu_seconds_total:idle": (0.5, 0.05),
    "node_cpu_seconds_total:iowait": (0.02, 0.5),
    "node_cpu_seconds_total:steal": (0.01, 0.2),
    "node_cpu_seconds_total:user": (0.3, 0.2),
    "node_edac_correctable_errors_total": (0, 0.2),
    "windows_cpu_time_total:idle": (0.5, 0.05),
    "container_cpu_usage_seconds_total": (0.4, 0.95),
    "container_cpu_cfs_throttled_periods_total": (0.1, 5),
    "ifInErrors": (0, 500),
    "ifOutErrors": (0, 500),
}
"""Counters: how much a second."""

ZEROS = frozenset({"node_edac_uncorrectable_errors_total"})
"""Counters of what should never be: 0, or 3 where it was."""


class Kind(NamedTuple):
    """A kind of host and its series: `[healthy, troubled]` levels and paces, and how long rules look back."""

    job: str
    series: list[tuple[str, _Labels]]
    levels: Floats
    paces: Floats
    swings: Floats
    windows_ms: Ints
    turns: Ints
    """When a troubled host is troubled in this metric."""


class Host(NamedTuple):
    number: int
    kind: Kind

    @property
    def offset_ms(self) -> int:
        """When within the interval it sends."""
        return self.number * 1000 % INTERVAL_MS

    @property
    def target(self) -> dict[str, str]:
        number = self.number
        return {"instance": f"host{number:05}", "job": self.kind.job, "site": f"site{number % 40:02}"}

    @property
    def labels(self) -> list[dict[str, str]]:
        """Of each series, its own."""
        word = str(self.number)
        return [
            {name: value.replace("{host}", word) for name, value in labels} for _, labels in self.kind.series
        ]

    def schema(self) -> Schema:
        names = (name for name, _ in self.kind.series)
        entries = (
            SeriesEntry(name, SeriesKind.GAUGE, tuple(sorted(labels.items())))
            for name, labels in zip(names, self.labels, strict=True)
        )
        return Schema(self.number, "", tuple(entries))

    def values(self, columns: Ints, ticks: Ints, epoch: int) -> Floats:
        """Samples of some of its series, `[columns, ticks]`; a tick is an interval, `epoch` one before all."""
        kind = self.kind
        is_troubled = (self.number // 47 + kind.turns[columns]) % 8 == 0 if self.number % 47 == 0 else 0
        state = np.broadcast_to(np.asarray(is_troubled, np.intp), len(columns))
        level, pace = kind.levels[state, columns, None], kind.paces[state, columns, None]
        chance = (ticks * 7919 + (columns[:, None] + self.number * 131) * 104_729) % 997 / 997
        gone_s = (ticks - epoch) * (INTERVAL_MS / 1000) + 2 * chance
        values: Floats = level * (1 + kind.swings[columns, None] * chance) + pace * gone_s
        return values

    def tick(self, now_ms: int) -> int:
        """The tick of its newest frame."""
        return (now_ms - self.offset_ms) // INTERVAL_MS

    def time_ms(self, tick: int) -> int:
        return tick * INTERVAL_MS + self.offset_ms


class Landscape:
    """The kinds of hosts that these rules ask for, and any number of hosts of them."""

    def __init__(self, rules: RuleSet, now_ms: int) -> None:
        self.epoch = now_ms // INTERVAL_MS - 2000
        self._nodes = [node for rule in rules.rules() for node in walk(rule.expression.root)]
        self._windows = rules.windows()
        self._now_s = now_ms // 1000
        self._kinds = {job: self._kind(job) for job in ("node", "windows", "snmp")}

    def host(self, number: int) -> Host:
        job = "node" if number % 10 < 7 else "windows" if number % 10 < 9 else "snmp"
        return Host(number, self._kinds[job])

    def hosts(self, count: int) -> list[Host]:
        return [self.host(number) for number in range(1, count + 1)]

    @cached_property
    def _asked(self) -> Mapping[str, dict[str, set[str]]]:
        """Of each metric what its selectors want labels to be."""
        asked: dict[str, dict[str, set[str]]] = {}
        for selector in _selectors(self._nodes):
            wanted = asked.setdefault(selector.name or "", defaultdict(set))
            for matcher in selector.matchers:
                if matcher.kind is MatchKind.EQUAL and matcher.value and matcher.name not in _TARGET:
                    wanted[matcher.name].add(matcher.value)
        return {name: wanted for name, wanted in asked.items() if name and name not in BEATS}

    @cached_property
    def _counters(self) -> set[str]:
        calls = [node for node in self._nodes if isinstance(node, Call) and node.function in _COUNTING]
        return {selector.name or "" for call in calls for selector in _selectors(walk(ranged(call)))}

    def _kind(self, job: str) -> Kind:
        names = [name for name in self._asked if job in _jobs(name)]
        series = [(name, labels) for name in names for labels in self._labels(name)]
        series += [(f"{FILLER}_{number}", ()) for number in range(SERIES - len(BEATS) - len(series))]
        levels, paces = zip(*(self._course(*each) for each in series), strict=True)
        return Kind(
            job,
            series,
            np.array(levels).T.copy(),
            np.array(paces).T.copy(),
            np.array([0.01 * any(word in name.lower() for word in SWINGING) for name, _ in series]),
            np.array([self._windows.get(name, 0) for name, _ in series], np.int64),
            np.array([names.index(name) if name in names else 0 for name, _ in series]),
        )

    def _labels(self, name: str) -> Iterator[_Labels]:
        base = next((rows for start, rows in DIMENSIONS.items() if name.startswith(start)), [()])
        asked = [
            [(label, value) for value in sorted({*values, OTHERS.get(label, "")} - {""})]
            for label, values in self._asked[name].items()
        ]
        for row, more in product(base, product(*asked)):
            yield tuple({**dict(row), **dict(more)}.items())

    def _course(self, name: str, labels: _Labels) -> tuple[Sequence[float], Sequence[float]]:
        """Levels and paces."""
        special = [f"{name}:{value}" for _, value in labels]
        if name in ZEROS:
            return (0, 3), (0, 0)
        for key in (*special, name):
            if key in PACES:
                return (0, 0), PACES[key]
            if key in LEVELS:
                since_s = self._now_s if name in SINCE_NOW else 0
                return [since_s + level for level in LEVELS[key]], (0, 0)
        return ((0, 0), (10, 10)) if name in self._counters else ((1, 1), (0, 0))


def _selectors(nodes: Iterator[Node] | list[Node]) -> Iterator[Selector]:
    return (node for node in nodes if isinstance(node, Selector))


def _jobs(name: str) -> Sequence[str]:
    """Which hosts send a metric."""
    if name.startswith("windows_"):
        return ("windows",)
    if name.startswith(("if", "sysUpTime")):
        return ("snmp",)
    return ("node", "windows") if name.startswith(("probe_", "blackbox_")) else ("node",)
