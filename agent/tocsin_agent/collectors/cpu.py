"""Processor time by mode, and what else /proc/stat counts: one read serves them all.

The kernel's idle and iowait sometimes step back a little (another core does the accounting). A rate over
such a step would take it for a restart of the counter, so a small step back is held at the old value; a
large one is a restart, or a processor plugged in anew, and is reported as it is.
"""

import os
from collections.abc import Iterator
from itertools import starmap

from tocsin_agent.collectors.kernel import KernelFile, Roots
from tocsin_agent.readings import Labels, Sample, counter, gauge, labelled

HELP = {
    "node_cpu_seconds_total": "Seconds each processor spent in each mode; guests are within user and nice.",
    "node_cpu_guest_seconds_total": "Seconds each processor spent running guests, by mode.",
    "node_context_switches_total": "Context switches since boot.",
    "node_intr_total": "Interrupts served since boot.",
    "node_forks_total": "Processes and threads created since boot.",
    "node_procs_running": "Tasks that run or could run now.",
    "node_procs_blocked": "Tasks that wait for I/O now.",
    "node_boot_time_seconds": "When the kernel started, as Unix time.",
}
_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_GUEST_MODES = ("user", "nice")
_COUNTERS = {
    b"intr": ("node_intr_total", counter),
    b"ctxt": ("node_context_switches_total", counter),
    b"btime": ("node_boot_time_seconds", gauge),
    b"processes": ("node_forks_total", counter),
    b"procs_running": ("node_procs_running", gauge),
    b"procs_blocked": ("node_procs_blocked", gauge),
}
_HELD_STEP_BACK_S = 3

_Series = list[tuple[str, Labels]]


class CpuCollector:
    """Reads /proc/stat; its ticks are hundredths of a second on every architecture that matters."""

    name = "cpu"

    def __init__(self, roots: Roots, *, ticks_per_second: int | None = None) -> None:
        self._stat = KernelFile(f"{roots.proc}/stat", at_once=True)
        self._ticks_per_second = ticks_per_second or os.sysconf("SC_CLK_TCK")
        self._held_step = _HELD_STEP_BACK_S * self._ticks_per_second
        self._series: dict[bytes, _Series] = {}
        self._ticks: dict[bytes, list[int]] = {}

    def collect(self) -> Iterator[Sample]:
        """Eight modes and two guest modes a processor, and six numbers of the whole host."""
        for line in self._stat.read().splitlines():
            key, _, rest = line.partition(b" ")
            if key in _COUNTERS:
                name, make = _COUNTERS[key]
                yield make(name, float(rest.split(b" ", 1)[0]))
            elif key.startswith(b"cpu") and key != b"cpu":
                yield from self._processor(key, rest)

    def _processor(self, key: bytes, columns: bytes) -> Iterator[Sample]:
        series = self._series.get(key) or self._series.setdefault(key, _series_of(key[3:].decode()))
        # Kernels before 2.6.33 have fewer columns; zip leaves out what they do not count.
        ticks = [int(column) for column in columns.split()]
        if before := self._ticks.get(key):
            ticks = list(starmap(self._held, zip(before, ticks, strict=False)))
        self._ticks[key] = ticks
        for (name, labels), tick in zip(series, ticks, strict=False):
            yield counter(name, tick / self._ticks_per_second, labels)

    def _held(self, before: int, now: int) -> int:
        return before if 0 < before - now < self._held_step else now


def _series_of(cpu: str) -> _Series:
    modes = [("node_cpu_seconds_total", labelled(cpu=cpu, mode=mode)) for mode in _MODES]
    return modes + [("node_cpu_guest_seconds_total", labelled(cpu=cpu, mode=mode)) for mode in _GUEST_MODES]
