"""What this agent costs its host: the watcher is watched by the same rules.

What takes several files to read is read once a minute; it would be a tenth of a whole collection.
"""

import time
from collections.abc import Iterator

import psutil

from tocsin_agent.collectors.seldom import Seldom
from tocsin_agent.readings import Sample, counter, gauge, labelled

HELP = {
    "tocsin_agent_info": "This agent's version; always 1.",
    "tocsin_agent_resident_memory_bytes": "Memory that this agent holds.",
    "tocsin_agent_cpu_seconds_total": "Processor time that this agent has used, user and system together.",
    "tocsin_agent_threads": "Threads of this agent; one that hangs on a dead mount stays among them.",
    "tocsin_agent_open_files": "File descriptors of this agent.",
    "tocsin_agent_start_time_seconds": "When this agent started, as Unix time.",
}
_A_MINUTE_S = 60.0


class OwnCollector:
    """Asks psutil about this very process; fields by name, for their order differs between its versions."""

    name = "agent"

    def __init__(self, version: str) -> None:
        self._process = psutil.Process()
        self._labels = labelled(version=version)
        self._upkeep = Seldom(lambda: list(self._read_upkeep()), every_s=_A_MINUTE_S)

    def collect(self) -> Iterator[Sample]:
        """An info metric, and what a process costs."""
        yield gauge("tocsin_agent_info", 1, self._labels)
        yield counter("tocsin_agent_cpu_seconds_total", time.process_time())
        yield from self._upkeep.value()

    def _read_upkeep(self) -> Iterator[Sample]:
        with self._process.oneshot():
            yield gauge("tocsin_agent_resident_memory_bytes", self._process.memory_info().rss)
            yield gauge("tocsin_agent_threads", self._process.num_threads())
            yield gauge("tocsin_agent_open_files", self._process.num_fds())
            yield gauge("tocsin_agent_start_time_seconds", self._process.create_time())
