"""Block devices: operations, bytes and time, as the kernel counts them in /proc/diskstats.

Not from psutil, which leaves out what is queued, weighted, discarded and flushed.
"""

import re
from collections.abc import Iterator

from tocsin_agent.collectors.kernel import KernelFile, Roots, readable
from tocsin_agent.readings import Labels, Sample, counter, gauge, labelled

HELP = {
    "node_disk_reads_completed_total": "Reads completed.",
    "node_disk_reads_merged_total": "Reads merged with a neighbour before they were issued.",
    "node_disk_read_bytes_total": "Bytes read.",
    "node_disk_read_time_seconds_total": "Seconds spent by all reads together.",
    "node_disk_writes_completed_total": "Writes completed.",
    "node_disk_writes_merged_total": "Writes merged with a neighbour before they were issued.",
    "node_disk_written_bytes_total": "Bytes written.",
    "node_disk_write_time_seconds_total": "Seconds spent by all writes together.",
    "node_disk_io_now": "Operations under way now.",
    "node_disk_io_time_seconds_total": "Seconds in which at least one operation was under way.",
    "node_disk_io_time_weighted_seconds_total": "Seconds times the operations under way in them.",
    "node_disk_discards_completed_total": "Discards completed.",
    "node_disk_discards_merged_total": "Discards merged with a neighbour before they were issued.",
    "node_disk_discarded_sectors_total": "Sectors of 512 bytes discarded.",
    "node_disk_discard_time_seconds_total": "Seconds spent by all discards together.",
    "node_disk_flush_requests_total": "Flushes completed.",
    "node_disk_flush_requests_time_seconds_total": "Seconds spent by all flushes together.",
}
_SECTOR_BYTES = 512
_MILLISECOND = 0.001
# The columns behind the device's name: Documentation/admin-guide/iostats.rst. `HELP` lists them in that order.
_UNITS: tuple[float, ...] = (
    *(1, 1, _SECTOR_BYTES, _MILLISECOND),
    *(1, 1, _SECTOR_BYTES, _MILLISECOND),
    *(1, _MILLISECOND, _MILLISECOND),
    *(1, 1, 1, _MILLISECOND),
    *(1, _MILLISECOND),
)
_COLUMNS = tuple(
    (name, gauge if name == "node_disk_io_now" else counter, unit)
    for name, unit in zip(HELP, _UNITS, strict=True)
)
_PARTITIONS_AND_PSEUDO_DEVICES = re.compile(r"(?:z?ram|loop|fd|(?:h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+")
_FEWEST_COLUMNS = 11


def is_whole_disk(device: str) -> bool:
    """Neither a partition nor a pseudo device."""
    return _PARTITIONS_AND_PSEUDO_DEVICES.fullmatch(device) is None


class DiskCollector:
    """Reads /proc/diskstats."""

    name = "diskstats"

    def __init__(self, roots: Roots, *, exclude: str = "") -> None:
        self._exclude = re.compile(exclude) if exclude else None
        self._diskstats = KernelFile(f"{roots.proc}/diskstats")
        self._labels: dict[bytes, Labels | None] = {}

    def collect(self) -> Iterator[Sample]:
        """Eleven series a device; discards since Linux 4.18, flushes since 5.5."""
        for line in self._diskstats.read().splitlines():
            _, _, device, *columns = line.split()
            if device not in self._labels:
                self._labels[device] = self._labels_of(readable(device))
            labels = self._labels[device]
            # Linux before 2.6.25 gave partitions four columns that mean something else.
            if labels is None or len(columns) < _FEWEST_COLUMNS:
                continue
            for (name, make, unit), column in zip(_COLUMNS, columns, strict=False):
                yield make(name, int(column) * unit, labels)

    def _labels_of(self, device: str) -> Labels | None:
        if not is_whole_disk(device) or (self._exclude and self._exclude.search(device)):
            return None
        return labelled(device=device)
