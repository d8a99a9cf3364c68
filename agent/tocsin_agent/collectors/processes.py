"""How many processes and threads there are, and in which states.

Asking every process costs some microseconds each, so it is done once a minute; not through psutil,
which takes ten times as long for it.
"""

import os
from collections import Counter
from collections.abc import Iterator

from tocsin_agent.collectors.kernel import Roots, read_once
from tocsin_agent.collectors.seldom import Seldom
from tocsin_agent.readings import Sample, gauge, labelled

HELP = {
    "node_processes_pids": "Processes.",
    "node_processes_threads": "Threads of all processes.",
    "node_processes_max_processes": "Process numbers that the kernel can give.",
    "node_processes_max_threads": "Threads that the kernel allows.",
    "node_processes_state": "Processes by state, as the letter that ps shows.",
}
_A_MINUTE_S = 60.0
_STATE, _THREADS = 0, 17
"""Places behind the name in /proc/PID/stat: fields 3 and 20 of proc(5)."""


class ProcessesCollector:
    """Reads /proc/PID/stat of every process, and the kernel's limits."""

    name = "processes"

    def __init__(self, roots: Roots) -> None:
        self._proc = roots.proc
        self._samples = Seldom(lambda: list(self._read()), every_s=_A_MINUTE_S)

    def collect(self) -> list[Sample]:
        """At most a minute old."""
        return self._samples.value()

    def _read(self) -> Iterator[Sample]:
        states: Counter[str] = Counter()
        threads = 0
        for fields in stats_of_processes(self._proc):
            states[fields[_STATE].decode()] += 1
            threads += int(fields[_THREADS])
        yield gauge("node_processes_pids", states.total())
        yield gauge("node_processes_threads", threads)
        for state, processes in states.items():
            yield gauge("node_processes_state", processes, labelled(state=state))
        kernel = f"{self._proc}/sys/kernel"
        yield gauge("node_processes_max_processes", int(read_once(f"{kernel}/pid_max")))
        yield gauge("node_processes_max_threads", int(read_once(f"{kernel}/threads-max")))


def stats_of_processes(proc: str) -> Iterator[list[bytes]]:
    """The fields behind each process's name; a process that ends meanwhile is not one of them."""
    for entry in os.listdir(proc):
        if not entry.isdigit():
            continue
        try:
            descriptor = os.open(f"{proc}/{entry}/stat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            line = os.read(descriptor, 4096)
        except OSError:
            continue
        finally:
            os.close(descriptor)
        # The name may hold blanks and brackets of its own: what counts is behind the last one.
        yield line.rpartition(b") ")[2].split()
