"""Load averages, as the kernel keeps them."""

from collections.abc import Iterator

from tocsin_agent.collectors.kernel import KernelFile, Roots
from tocsin_agent.readings import Sample, gauge

HELP = {
    "node_load1": "Load average over 1 minute.",
    "node_load5": "Load average over 5 minutes.",
    "node_load15": "Load average over 15 minutes.",
}


class LoadCollector:
    """Reads /proc/loadavg."""

    name = "loadavg"

    def __init__(self, roots: Roots) -> None:
        self._loadavg = KernelFile(f"{roots.proc}/loadavg", at_once=True)

    def collect(self) -> Iterator[Sample]:
        """Three gauges."""
        for name, average in zip(HELP, self._loadavg.read().split(), strict=False):
            yield gauge(name, float(average))
