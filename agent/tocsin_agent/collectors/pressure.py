"""Pressure stall information: how long tasks waited for processor, I/O or memory.

The best sign of saturation that a kernel has, where it keeps it (`psi=1`, 4.20 and later).
"""

from collections.abc import Iterator

from tocsin_agent.collectors.kernel import KernelFile, Roots
from tocsin_agent.readings import Sample, counter

HELP = {
    "node_pressure_cpu_waiting_seconds_total": "Seconds in which some task waited for a processor.",
    "node_pressure_io_waiting_seconds_total": "Seconds in which some task waited for I/O.",
    "node_pressure_io_stalled_seconds_total": "Seconds in which all tasks waited for I/O.",
    "node_pressure_memory_waiting_seconds_total": "Seconds in which some task waited for memory.",
    "node_pressure_memory_stalled_seconds_total": "Seconds in which all tasks waited for memory.",
}
# The processor's `full` line is left out: for the whole host it is always zero.
_NAMES = {
    "cpu": {b"some": "node_pressure_cpu_waiting_seconds_total"},
    "io": {
        b"some": "node_pressure_io_waiting_seconds_total",
        b"full": "node_pressure_io_stalled_seconds_total",
    },
    "memory": {
        b"some": "node_pressure_memory_waiting_seconds_total",
        b"full": "node_pressure_memory_stalled_seconds_total",
    },
}
_MICROSECOND = 1e-6


class PressureCollector:
    """Reads the files of /proc/pressure."""

    name = "pressure"

    def __init__(self, roots: Roots) -> None:
        self._files = [
            (KernelFile(f"{roots.proc}/pressure/{file}", at_once=True), names) for file, names in _NAMES.items()
        ]

    def collect(self) -> Iterator[Sample]:
        """Up to five counters of seconds."""
        for file, names in self._files:
            for line in file.read().splitlines():
                if name := names.get(line[:4]):
                    yield counter(name, int(line.rpartition(b"total=")[2]) * _MICROSECOND)
