"""The firewall's table of connections: when it is full, new connections are dropped without a word."""

from collections.abc import Iterator

from tocsin_agent.collectors.kernel import KernelFile, Roots
from tocsin_agent.readings import Sample, gauge

HELP = {
    "node_nf_conntrack_entries": "Connections that the firewall tracks.",
    "node_nf_conntrack_entries_limit": "Connections that the firewall can track.",
}


class ConntrackCollector:
    """Reads /proc/sys/net/netfilter; a kernel without connection tracking has nothing to say, and no error."""

    name = "conntrack"

    def __init__(self, roots: Roots) -> None:
        folder = f"{roots.proc}/sys/net/netfilter"
        self._files = {
            "node_nf_conntrack_entries": KernelFile(f"{folder}/nf_conntrack_count", at_once=True),
            "node_nf_conntrack_entries_limit": KernelFile(f"{folder}/nf_conntrack_max", at_once=True),
        }

    def collect(self) -> Iterator[Sample]:
        """Two gauges, or none."""
        for name, file in self._files.items():
            if content := file.read_if_present():
                yield gauge(name, int(content))
