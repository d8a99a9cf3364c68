"""Which collectors a Linux host has, and what their metrics mean."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

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


class Excludes(NamedTuple):
    """What a host's owner does not want to be watched, beside what is never watched.

    Collectors by name; mount points and devices by regular expression (empty: none), found anywhere in it.
    """

    collectors: frozenset[str] = frozenset()
    mount_points: str = ""
    disk_devices: str = ""
    network_devices: str = ""


def default_collectors(
    roots: Roots | None = None, *, version: str = "", excludes: Excludes | None = None
) -> list[Collector]:
    """All but the excluded, what rules ask most often first; `version` is the agent's own."""
    excludes = excludes or Excludes()
    every = _every_collector(roots or Roots(), version, excludes)
    return [collector for collector in every if collector.name not in excludes.collectors]


def _every_collector(roots: Roots, version: str, excludes: Excludes) -> list[Collector]:
    return [
        cpu.CpuCollector(roots),
        memory.MemoryCollector(roots),
        filesystem.FilesystemCollector(roots, exclude=excludes.mount_points),
        load.LoadCollector(roots),
        disk.DiskCollector(roots, exclude=excludes.disk_devices),
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
        network.NetworkCollector(roots, exclude=excludes.network_devices),
        cpuinfo.CpuInfoCollector(roots),
    ]


def collector_names() -> tuple[str, ...]:
    """What may be excluded."""
    return tuple(collector.name for collector in default_collectors())
