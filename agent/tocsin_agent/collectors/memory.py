"""Memory, as /proc/meminfo tells it: every line is a gauge.

Not from psutil, whose `cached` adds the reclaimable slab to what the kernel calls Cached.
"""

from collections.abc import Iterator

from tocsin_agent.collectors.kernel import KernelFile, Roots, readable
from tocsin_agent.readings import Sample, gauge

HELP_BY_PREFIX = {"node_memory_": "The line of this name in /proc/meminfo; sizes are in bytes."}
_KIB = 1024


class MemoryCollector:
    """Reads /proc/meminfo."""

    name = "meminfo"

    def __init__(self, roots: Roots) -> None:
        self._meminfo = KernelFile(f"{roots.proc}/meminfo", at_once=True)
        self._names: dict[bytes, tuple[str, str]] = {}

    def collect(self) -> Iterator[Sample]:
        """One gauge a line: `Active(anon): 4 kB` is node_memory_Active_anon_bytes 4096."""
        for line in self._meminfo.read().splitlines():
            key, _, value = line.partition(b":")
            count, name = self._names.get(key) or self._names.setdefault(key, names_of(key))
            if value.endswith(b" kB"):
                yield gauge(name, int(value[:-3]) * _KIB)
            else:
                yield gauge(count, int(value))


def names_of(key: bytes) -> tuple[str, str]:
    """The metric's name when the line is a count, and when it is a size."""
    word = readable(key).replace("(", "_").replace(")", "")
    return f"node_memory_{word}", f"node_memory_{word}_bytes"
