"""Which collectors a Linux host has, and what their metrics mean."""

from collections.abc import Iterator, Mapping

from tocsin_agent.collectors import (
    collection,
    conntrack,
    cpu,
    cpuinfo,
    disk,
    filefd,
    filesystem,
    load,
    memory,
    netstat,
    network,
    own,
    pressure,
    processes,
    sockstat,
    system,
    timex,
    vmstat,
)
from tocsin_agent.collectors.collection import Collector
from tocsin_agent.collectors.kernel import Roots


class HelpTexts(Mapping[str, str]):
    """Help by metric name; families whose names the kernel makes have one text by prefix."""

    def __init__(self, by_name: Mapping[str, str], by_prefix: Mapping[str, str]) -> None:
        self._by_name = by_name
        self._by_prefix = by_prefix

    def __getitem__(self, name: str) -> str:
        if text := self._by_name.get(name):
            return text
        for prefix, text in self._by_prefix.items():
            if name.startswith(prefix):
                return text
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)


HELP: Mapping[str, str] = HelpTexts(
    {
        **collection.HELP,
        **conntrack.HELP,
        **cpu.HELP,
        **cpuinfo.HELP,
        **disk.HELP,
        **filefd.HELP,
        **filesystem.HELP,
        **load.HELP,
        **network.HELP,
        **own.HELP,
        **pressure.HELP,
        **processes.HELP,
        **system.HELP,
        **timex.HELP,
    },
    {
        **memory.HELP_BY_PREFIX,
        **netstat.HELP_BY_PREFIX,
        **sockstat.HELP_BY_PREFIX,
        **vmstat.HELP_BY_PREFIX,
    },
)


def default_collectors(roots: Roots | None = None, *, version: str = "") -> list[Collector]:
    """All of them, what rules ask most often first; `version` is the agent's own."""
    roots = roots or Roots()
    return [
        cpu.CpuCollector(roots),
        memory.MemoryCollector(roots),
        filesystem.FilesystemCollector(roots),
        load.LoadCollector(roots),
        disk.DiskCollector(roots),
        vmstat.VmstatCollector(roots),
        pressure.PressureCollector(roots),
        timex.TimexCollector(),
        filefd.FileHandleCollector(roots),
        system.UnameCollector(roots),
        system.OsReleaseCollector(roots),
        own.OwnCollector(version),
        processes.ProcessesCollector(roots),
        conntrack.ConntrackCollector(roots),
        sockstat.SockstatCollector(roots),
        netstat.NetstatCollector(roots),
        network.NetworkCollector(roots),
        cpuinfo.CpuInfoCollector(roots),
    ]
