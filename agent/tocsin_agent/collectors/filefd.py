"""File handles of the whole host: how many are open, how many may be."""

from collections.abc import Iterator

from tocsin_agent.collectors.kernel import KernelFile, Roots
from tocsin_agent.readings import Sample, gauge

HELP = {
    "node_filefd_allocated": "File handles in use.",
    "node_filefd_maximum": "File handles that the kernel allows.",
}


class FileHandleCollector:
    """Reads /proc/sys/fs/file-nr."""

    name = "filefd"

    def __init__(self, roots: Roots) -> None:
        self._file_nr = KernelFile(f"{roots.proc}/sys/fs/file-nr", at_once=True)

    def collect(self) -> Iterator[Sample]:
        """Two gauges; the number between them has been zero since Linux 2.6."""
        allocated, _, maximum = self._file_nr.read().split()
        yield gauge("node_filefd_allocated", int(allocated))
        yield gauge("node_filefd_maximum", int(maximum))
