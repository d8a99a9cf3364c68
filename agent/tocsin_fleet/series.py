"""The series that a simulated host sends: those of `tocsin_agent` on Linux, each told as a share of one course.

A *course* is a number that a machine has at an instant (`readings.py` tells all of them). A series is its
course times `gain`, cut to the steps in which the kernel counts: so a counter that is a course times a
positive gain never falls, and packs as small as a real one.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tocsin_fleet.frames import Entry
from tocsin_fleet.machines import Model, Mount
from tocsin_protocol.vocabulary import SeriesKind

GAUGE, COUNTER, UNTYPED = SeriesKind.GAUGE, SeriesKind.COUNTER, SeriesKind.UNTYPED
TICKS, PAGES, MILLIS, MICROS, ONES = 100.0, 1 / 4096, 1000.0, 1e6, 1.0
"""Steps a unit: hundredths of a second, pages of memory, thousandths, millionths, whole numbers."""


_HOST, _ADDRESS = "{host}", "{address}"


class Series(NamedTuple):
    """A series; `steps` a unit is how finely it is counted."""

    name: str
    kind: SeriesKind
    labels: Mapping[str, str]
    course: str
    gain: float = 1.0
    steps: float = ONES


def spread(core: int) -> float:
    """How much more than the others a processor works; little, so that none works more than all the time."""
    return 0.012 * math.cos(2.4 * core)


def series_of(model: Model) -> list[Series]:
    """All series of a model; what names a single host is filled in by `named`."""
    return [
        *_processors(model),
        *_memory(),
        *(series for rank, mount in enumerate(model.mounts) for series in _mount(mount, rank)),
        *(series for rank, disk in enumerate(model.disks) for series in _disk(disk, rank)),
        *_network(model),
        *_netstat(),
        *_system(model),
        *_agent(),
    ]


def named(series: Sequence[Series], host: str, word: int) -> list[Entry]:
    """A host's schema: the series of its model, with its own name and address where labels tell them."""
    address = ":".join(["52", "54", *(f"{word >> shift & 0xFF:02x}" for shift in (0, 8, 16, 24))])
    own = {_HOST: host, _ADDRESS: address}
    return [
        (one.name, one.kind, {label: own.get(value, value) for label, value in one.labels.items()})
        for one in series
    ]


def _processors(model: Model) -> Iterator[Series]:
    for core in range(model.cores):
        cpu, share = str(core), 1 + spread(core)
        for mode in ("user", "nice", "system", "iowait", "irq", "softirq", "steal"):
            labels = {"cpu": cpu, "mode": mode}
            yield Series("node_cpu_seconds_total", COUNTER, labels, mode, share, TICKS)
        idle = {"cpu": cpu, "mode": "idle"}
        yield Series("node_cpu_seconds_total", COUNTER, idle, f"idle{core}", steps=TICKS)
        for mode in ("user", "nice"):
            yield Series("node_cpu_guest_seconds_total", COUNTER, {"cpu": cpu, "mode": mode}, "none")
        yield Series("node_cpu_info", GAUGE, {"cpu": cpu, "core": cpu, **model.processor}, "one")
    yield Series("node_context_switches_total", COUNTER, {}, "switches")
    yield Series("node_intr_total", COUNTER, {}, "switches", 0.6)
    yield Series("node_forks_total", COUNTER, {}, "forks")
    yield Series("node_procs_running", GAUGE, {}, "running")
    yield Series("node_procs_blocked", GAUGE, {}, "blocked")
    yield Series("node_boot_time_seconds", GAUGE, {}, "booted")
    for minutes in ("1", "5", "15"):
        yield Series(f"node_load{minutes}", GAUGE, {}, f"load{minutes}", steps=100.0)


_OF_MEMORY = """
    MemTotal=ram MemFree=free MemAvailable=available Buffers=cached*0.06 Cached=cached*0.94
    SwapCached=swapped*0.1 SwapTotal=swap SwapFree=swap_free Active=taken*0.7 Inactive=cached*0.55
    Active_anon=taken*0.55 Inactive_anon=taken*0.1 Active_file=cached*0.4 Inactive_file=cached*0.5
    AnonPages=taken*0.64 AnonHugePages=taken*0.2 Mapped=taken*0.12 Shmem=taken*0.02
    KReclaimable=cached*0.09 Slab=cached*0.13 SReclaimable=cached*0.09 SUnreclaim=cached*0.04
    KernelStack=taken*0.003 PageTables=taken*0.006 Committed_AS=taken*1.6 CommitLimit=ram*0.5
    Dirty=dirty Writeback=dirty*0.02 Percpu=ram*0.0004 Unevictable=ram*0.001 Mlocked=ram*0.001
    VmallocTotal=vmalloc VmallocUsed=ram*0.003 Hugepagesize=huge_page DirectMap4k=ram*0.01
    DirectMap2M=ram*0.29 DirectMap1G=ram*0.7
"""
_NO_MEMORY = (
    "Bounce FileHugePages FilePmdMapped Hugetlb NFS_Unstable SecPageTables ShmemHugePages ShmemPmdMapped"
    " VmallocChunk WritebackTmp Zswap Zswapped"
)


def _memory() -> Iterator[Series]:
    for line, course, gain in _read(_OF_MEMORY):
        yield Series(f"node_memory_{line}_bytes", GAUGE, {}, course, gain, PAGES)
    for line in _NO_MEMORY.split():
        yield Series(f"node_memory_{line}_bytes", GAUGE, {}, "none")
    for line in ("Free", "Rsvd", "Surp", "Total"):
        yield Series(f"node_memory_HugePages_{line}", GAUGE, {}, "none")


def _mount(mount: Mount, rank: int) -> Iterator[Series]:
    labels = {"device": mount.device, "fstype": mount.fstype, "mountpoint": mount.path}
    size, free = mount.size_bytes, ("root_free", "data_free")[rank]
    # ext4 keeps a twentieth for root, and this is what `avail` lacks; an xfs does not.
    kept = 0.95 if mount.fstype == "ext4" else 1.0
    yield Series("node_filesystem_size_bytes", GAUGE, labels, "one", size, PAGES)
    yield Series("node_filesystem_free_bytes", GAUGE, labels, free, size, PAGES)
    yield Series("node_filesystem_avail_bytes", GAUGE, labels, free, size * kept, PAGES)
    yield Series("node_filesystem_files", GAUGE, labels, "one", size // 16384)
    yield Series("node_filesystem_files_free", GAUGE, labels, f"{free}_files", size // 16384)
    yield Series("node_filesystem_readonly", GAUGE, labels, "none")
    yield Series("node_filesystem_device_error", GAUGE, labels, "none")


_OF_DISK: dict[str, tuple[str, float, float]] = {
    "reads_completed_total": ("reads", 1, ONES),
    "reads_merged_total": ("reads", 0.1, ONES),
    "read_bytes_total": ("reads", 26_000, 1 / 512),
    "read_time_seconds_total": ("reads", 0.0009, MILLIS),
    "writes_completed_total": ("writes", 1, ONES),
    "writes_merged_total": ("writes", 0.45, ONES),
    "written_bytes_total": ("writes", 19_000, 1 / 512),
    "write_time_seconds_total": ("writes", 0.0016, MILLIS),
    "io_time_seconds_total": ("writes", 0.0011, MILLIS),
    "io_time_weighted_seconds_total": ("writes", 0.0024, MILLIS),
    "discards_completed_total": ("writes", 0.01, ONES),
    "discards_merged_total": ("none", 1, ONES),
    "discarded_sectors_total": ("writes", 3.2, ONES),
    "discard_time_seconds_total": ("writes", 0.00001, MILLIS),
    "flush_requests_total": ("writes", 0.2, ONES),
    "flush_requests_time_seconds_total": ("writes", 0.00004, MILLIS),
}


def _disk(device: str, rank: int) -> Iterator[Series]:
    share = (1.0, 0.7)[rank]
    for column, (course, gain, steps) in _OF_DISK.items():
        yield Series(f"node_disk_{column}", COUNTER, {"device": device}, course, gain * share, steps)
    yield Series("node_disk_io_now", GAUGE, {"device": device}, "blocked")


_COLUMNS = {
    "receive": "bytes packets errs drop fifo frame compressed multicast nohandler",
    "transmit": "bytes packets errs drop fifo colls carrier compressed",
}
_BYTES_A_PACKET = 730.0


def _network(model: Model) -> Iterator[Series]:
    for device, courses in ((model.nic, ("received", "sent")), ("lo", ("looped", "looped"))):
        labels = {"device": device}
        for (direction, columns), course in zip(_COLUMNS.items(), courses, strict=True):
            for column in columns.split():
                gain = {"bytes": 1.0, "packets": 1 / _BYTES_A_PACKET}.get(column)
                name = f"node_network_{direction}_{column}_total"
                yield Series(name, COUNTER, labels, course if gain else "none", gain or 1.0)
        yield Series("node_network_up", GAUGE, labels, "none" if device == "lo" else "one")
        yield Series("node_network_carrier", GAUGE, labels, "one")
        yield Series("node_network_mtu_bytes", GAUGE, labels, "one", 65536 if device == "lo" else 1500)
    nic = {"device": model.nic}
    about = {"duplex": "full", "address": _ADDRESS, "broadcast": "ff:ff:ff:ff:ff:ff"}
    yield Series("node_network_info", GAUGE, {**nic, **about, "adminstate": "up", "operstate": "up"}, "one")
    yield Series("node_network_carrier_changes_total", COUNTER, nic, "one", 2)
    yield Series("node_network_speed_bytes", GAUGE, nic, "one", model.nic_bytes_per_s)


_OF_NETSTAT = """
    Icmp_InMsgs=age*0.02 Icmp_OutMsgs=age*0.02 Icmp6_InMsgs=age*0.001 Icmp6_OutMsgs=age*0.001
    Ip6_InOctets=age*3 Ip6_OutOctets=age*3 IpExt_InOctets=received*0.98 IpExt_OutOctets=sent*0.98
    Ip_Forwarding=one*2 Tcp_ActiveOpens=sent/40000 Tcp_PassiveOpens=received/50000
    Tcp_CurrEstab=connections Tcp_InSegs=received/800 Tcp_OutSegs=sent/800 Tcp_RetransSegs=sent/900000
    Tcp_OutRsts=sent/200000 TcpExt_TCPTimeouts=sent/9e6 TcpExt_TCPSynRetrans=sent/9e6
    TcpExt_TCPOFOQueue=received/2e6 Udp_InDatagrams=received/60000 Udp_OutDatagrams=sent/60000
    Udp_NoPorts=age*0.001
"""
_NO_NETSTAT = (
    "Icmp_InErrors Icmp6_InErrors Tcp_InErrs TcpExt_ListenDrops TcpExt_ListenOverflows TcpExt_SyncookiesFailed"
    " TcpExt_SyncookiesRecv TcpExt_SyncookiesSent TcpExt_TCPRcvQDrop Udp_InErrors Udp_RcvbufErrors"
    " Udp_SndbufErrors Udp6_InDatagrams Udp6_InErrors Udp6_NoPorts Udp6_OutDatagrams Udp6_RcvbufErrors"
    " Udp6_SndbufErrors UdpLite_InErrors UdpLite6_InErrors"
)
_OF_SOCKSTAT = """
    sockets_used=connections*4.2 TCP_alloc=connections*1.3 TCP_inuse=connections*1.1
    TCP_mem=connections*0.4 UDP_inuse=connections*0.1
"""
_NO_SOCKSTAT = (
    "FRAG6_inuse FRAG6_memory FRAG_inuse FRAG_memory RAW6_inuse RAW_inuse TCP6_inuse TCP_orphan TCP_tw"
    " UDP6_inuse UDPLITE6_inuse UDPLITE_inuse UDP_mem UDP_mem_bytes"
)


def _netstat() -> Iterator[Series]:
    for name, course, gain in _read(_OF_NETSTAT):
        yield Series(f"node_netstat_{name}", UNTYPED, {}, course, gain)
    for name in _NO_NETSTAT.split():
        yield Series(f"node_netstat_{name}", UNTYPED, {}, "none")
    for name, course, gain in _read(_OF_SOCKSTAT):
        yield Series(f"node_sockstat_{name}", GAUGE, {}, course, gain)
    yield Series("node_sockstat_TCP_mem_bytes", GAUGE, {}, "connections", 0.4 * 4096, PAGES)
    for name in _NO_SOCKSTAT.split():
        yield Series(f"node_sockstat_{name}", GAUGE, {}, "none")


_OF_VMSTAT = """
    pgfault=faults pgmajfault=faults*0.0004 oom_kill=kills pgpgin=reads*26 pgpgout=writes*19
    pswpin=stalled*900 pswpout=stalled*1400
"""
_OF_PRESSURE = """
    cpu_waiting=queued*0.7 io_waiting=writes*0.0002 io_stalled=writes*0.0001
    memory_waiting=stalled*1.3 memory_stalled=stalled
"""
_DEBIAN = {"id": "debian", "name": "Debian GNU/Linux"}


_UNAME = {
    "domainname": "(none)",
    "machine": "x86_64",
    "nodename": _HOST,
    "release": "6.12.48+deb13-amd64",
    "sysname": "Linux",
    "version": "#1 SMP PREEMPT_DYNAMIC Debian 6.12.48-1 (2025-09-20)",
}


def _system(model: Model) -> Iterator[Series]:
    yield Series("node_uname_info", GAUGE, _UNAME, "one")
    for name, course, gain in _read(_OF_VMSTAT):
        yield Series(f"node_vmstat_{name}", UNTYPED, {}, course, gain)
    for name, course, gain in _read(_OF_PRESSURE):
        yield Series(f"node_pressure_{name}_seconds_total", COUNTER, {}, course, gain, MICROS)
    for state, share in (("I", 0.3), ("S", 0.69), ("R", 0.01)):
        yield Series("node_processes_state", GAUGE, {"state": state}, "processes", share)
    yield Series("node_processes_pids", GAUGE, {}, "processes")
    yield Series("node_processes_threads", GAUGE, {}, "processes", 1.7)
    yield Series("node_processes_max_processes", GAUGE, {}, "one", 4_194_304)
    yield Series("node_processes_max_threads", GAUGE, {}, "one", model.ram_bytes // 131_072)
    yield Series("node_filefd_allocated", GAUGE, {}, "processes", 13)
    yield Series("node_filefd_maximum", GAUGE, {}, "one", model.ram_bytes // 10_240)
    yield Series("node_nf_conntrack_entries", GAUGE, {}, "connections", 1.2)
    yield Series("node_nf_conntrack_entries_limit", GAUGE, {}, "one", 262_144)
    yield from _clock()
    version = {"version": "13 (trixie)", "version_codename": "trixie", "version_id": "13"}
    yield Series(
        "node_os_info", GAUGE, {**_DEBIAN, "pretty_name": "Debian GNU/Linux 13 (trixie)", **version}, "one"
    )
    yield Series("node_os_version", GAUGE, _DEBIAN, "one", 13)


def _clock() -> Iterator[Series]:
    yield Series("node_time_seconds", GAUGE, {}, "now", steps=MILLIS)
    yield Series("node_timex_sync_status", GAUGE, {}, "one")
    yield Series("node_timex_status", GAUGE, {}, "one", 8193)
    yield Series("node_timex_maxerror_seconds", GAUGE, {}, "jitter", 0.02, MICROS)
    yield Series("node_timex_estimated_error_seconds", GAUGE, {}, "jitter", 0.0004, MICROS)
    yield Series("node_timex_offset_seconds", GAUGE, {}, "jitter", 0.0008, MICROS)
    yield Series("node_timex_frequency_adjustment_ratio", GAUGE, {}, "one")
    yield Series("node_timex_loop_time_constant", GAUGE, {}, "one", 7)
    yield Series("node_timex_tai_offset_seconds", GAUGE, {}, "one", 37)
    yield Series("node_timex_tick_seconds", GAUGE, {}, "one", 0.01, TICKS)


_COLLECTORS = (
    "agent conntrack cpu cpuinfo diskstats filefd filesystem loadavg meminfo netdev netstat os pressure"
    " processes sockstat timex uname vmstat"
)


def _agent() -> Iterator[Series]:
    for rank, collector in enumerate(_COLLECTORS.split()):
        labels = {"collector": collector}
        yield Series("node_scrape_collector_success", GAUGE, labels, "one")
        gain = 0.0002 + 0.0001 * (rank % 5)
        yield Series("node_scrape_collector_duration_seconds", GAUGE, labels, "jitter", gain, MICROS)
    yield Series("tocsin_agent_info", GAUGE, {"version": "0"}, "one")
    yield Series("tocsin_agent_cpu_seconds_total", COUNTER, {}, "age", 0.0006, MILLIS)
    yield Series("tocsin_agent_open_files", GAUGE, {}, "one", 21)
    yield Series("tocsin_agent_resident_memory_bytes", GAUGE, {}, "one", 24e6, PAGES)
    yield Series("tocsin_agent_start_time_seconds", GAUGE, {}, "booted")
    yield Series("tocsin_agent_threads", GAUGE, {}, "one", 3)


def _read(table: str) -> Iterator[tuple[str, str, float]]:
    """Name, course and gain of each word such as `Slab=cached*0.13`."""
    for word in table.split():
        name, _, told = word.partition("=")
        course, sign, number = re.split(r"([*/])", f"{told}*1")[:3]
        yield name, course, 1 / float(number) if sign == "/" else float(number)
