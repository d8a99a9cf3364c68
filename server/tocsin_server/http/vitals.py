"""The readings of every host at a glance, each a PromQL expression evaluated over the whole fleet at once."""

import math
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tocsin_protocol.hosts import Vitals
from tocsin_server.clock import Clock, moment
from tocsin_server.http.needs import Head
from tocsin_server.promql import Expression, Vector, evaluate, parse
from tocsin_server.series.labels import NO_HOST

FRESH_MS = 1000
"""A list of hosts is asked for by every console, but the fleet is looked at once a second at most."""
_READ_ONLY = "squashfs|iso9660|erofs|udf"
"""Filesystems that are always full and never a worry."""


@dataclass(frozen=True, slots=True)
class Vital:
    """One reading: the field of `Vitals`, the expression and its unit."""

    name: str
    """What the API calls it."""
    field: str
    expression: Expression
    unit: str


_COVERED = "rate(node_time_seconds[1m])"
"""How much of the minute there are samples of: 1, but less for a host that has only just come. What is divided
by it is right from the second sample on, instead of after a minute."""
_CPU = f'1 - avg without (cpu, mode) (rate(node_cpu_seconds_total{{mode="idle"}}[1m])) / {_COVERED}'
_MEMORY = "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes"
_FILESYSTEM = f'1 - node_filesystem_avail_bytes{{fstype!~"{_READ_ONLY}"}} / node_filesystem_size_bytes'
_RECEIVE = f'sum without (device) (rate(node_network_receive_bytes_total{{device!="lo"}}[1m])) / {_COVERED}'
_TRANSMIT = f'sum without (device) (rate(node_network_transmit_bytes_total{{device!="lo"}}[1m])) / {_COVERED}'

VITALS: tuple[Vital, ...] = (
    Vital("cpu", "cpu_ratio", parse(_CPU), "ratio"),
    Vital("memory", "memory_ratio", parse(_MEMORY), "ratio"),
    Vital("filesystem", "filesystem_ratio", parse(_FILESYSTEM), "ratio"),
    Vital("load", "load1", parse("node_load1"), ""),
    Vital("receive", "receive_bytes_per_s", parse(_RECEIVE), "bytes/s"),
    Vital("transmit", "transmit_bytes_per_s", parse(_TRANSMIT), "bytes/s"),
)
_BOOT = Vital("boot", "boot_at", parse("node_boot_time_seconds"), "s")
UNKNOWN = Vitals()


def vital_windows() -> dict[str, int]:
    """What the head has to keep for these, as `Head.require` takes it."""
    longest: dict[str, int] = {}
    for vital in (*VITALS, _BOOT):
        for name, window_ms in vital.expression.windows().items():
            longest[name] = max(longest.get(name, 0), window_ms)
    return longest


class VitalSigns:
    """The vitals of all hosts, as of a second ago at most."""

    def __init__(self, head: Head, clock: Clock) -> None:
        self._head = head
        self._clock = clock
        self._lock = threading.Lock()
        self._at_ms = -FRESH_MS
        self._by_host: Mapping[int, Vitals] = {}

    def of_all(self) -> Mapping[int, Vitals]:
        """Host → vitals; blocks, so it is not for the event loop. Hosts without any are left out."""
        now_ms = self._clock.now_ms()
        with self._lock:
            if not 0 <= now_ms - self._at_ms < FRESH_MS:
                self._by_host = self._look(now_ms)
                self._at_ms = now_ms
            return self._by_host

    def _look(self, now_ms: int) -> dict[int, Vitals]:
        with self._head.lock:
            vectors = [(vital, evaluate(vital.expression, self._head, now_ms)) for vital in (*VITALS, _BOOT)]
        found: dict[int, dict[str, Any]] = {}
        for vital, vector in vectors:
            _put(found, vital, vector)
        return {host_id: Vitals(**values) for host_id, values in found.items()}


def _put(found: dict[int, dict[str, Any]], vital: Vital, vector: Vector) -> None:
    """Add one vital of every host to what is found of it."""
    for row, host_id, value in _finite(vector):
        values = found.setdefault(host_id, {})
        if vital is _BOOT:
            values[vital.field] = moment(round(value * 1000))
        elif value > values.get(vital.field, -math.inf):  # of several filesystems the fullest
            values[vital.field] = value
            if vital.name == "filesystem":
                values["filesystem_mountpoint"] = vector.labels.row(row).get("mountpoint")


def _finite(vector: Vector) -> Iterator[tuple[int, int, float]]:
    """Row, host and value of what is a number and a host's."""
    hosts = vector.labels.hosts.tolist()
    for row, value in enumerate(vector.values.tolist()):
        if hosts[row] != NO_HOST and math.isfinite(value):
            yield row, hosts[row], value
