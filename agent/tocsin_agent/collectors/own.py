"""What this agent costs its host: the watcher is watched by the same rules."""

from collections.abc import Iterator

import psutil

from tocsin_agent.readings import Sample, counter, gauge, labelled

HELP = {
    "tocsin_agent_info": "This agent's version; always 1.",
    "tocsin_agent_resident_memory_bytes": "Memory that this agent holds.",
    "tocsin_agent_cpu_seconds_total": "Processor time that this agent has used, user and system together.",
    "tocsin_agent_threads": "Threads of this agent; one that hangs on a dead mount stays among them.",
    "tocsin_agent_open_files": "File descriptors of this agent.",
    "tocsin_agent_start_time_seconds": "When this agent started, as Unix time.",
}


class OwnCollector:
    """Asks psutil about this very process; fields by name, for their order differs between its versions."""

    name = "agent"

    def __init__(self, version: str) -> None:
        self._process = psutil.Process()
        self._labels = labelled(version=version)

    def collect(self) -> Iterator[Sample]:
        """An info metric, and what a process costs."""
        with self._process.oneshot():
            used = self._process.cpu_times()
            yield gauge("tocsin_agent_info", 1, self._labels)
            yield gauge("tocsin_agent_resident_memory_bytes", self._process.memory_info().rss)
            yield counter("tocsin_agent_cpu_seconds_total", used.user + used.system)
            yield gauge("tocsin_agent_threads", self._process.num_threads())
            yield gauge("tocsin_agent_open_files", self._process.num_fds())
            yield gauge("tocsin_agent_start_time_seconds", self._process.create_time())
