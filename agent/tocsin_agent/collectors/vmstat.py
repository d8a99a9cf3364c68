"""Paging, faults and out-of-memory kills: the few lines of /proc/vmstat that tell of trouble."""

import re
from collections.abc import Iterator

from tocsin_agent.collectors.kernel import KernelFile, Roots
from tocsin_agent.readings import Sample, untyped

HELP_BY_PREFIX = {"node_vmstat_": "The line of this name in /proc/vmstat."}
_WANTED = re.compile(rb"(?:oom_kill|pgpg|pswp|pg.*fault)")


class VmstatCollector:
    """Reads /proc/vmstat. Its lines keep their places until a new kernel, so places are remembered."""

    name = "vmstat"

    def __init__(self, roots: Roots) -> None:
        self._vmstat = KernelFile(f"{roots.proc}/vmstat")
        self._words: int = 0
        self._wanted: list[tuple[int, str]] = []

    def collect(self) -> Iterator[Sample]:
        """Untyped, as the kernel does not say which of them only grow; pages and counts, not bytes."""
        words = self._vmstat.read().split()
        if len(words) != self._words:
            keys = words[::2]
            self._wanted = [
                (2 * line + 1, f"node_vmstat_{key.decode()}")
                for line, key in enumerate(keys)
                if _WANTED.match(key)
            ]
            self._words = len(words)
        for place, name in self._wanted:
            yield untyped(name, int(words[place]))
