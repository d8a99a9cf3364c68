"""The machines of a fleet: which models there are, and in what each differs from others of its model."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tocsin_fleet.activity import Activity
from tocsin_fleet.chance import Floats, Rows, Words, between, drawn
from tocsin_protocol.vocabulary import HostKind

GIB = float(1 << 30)
_DAY_S = 86_400.0
_STEADY = 0.04
"""What is stored moves with the day and the week, and hardly from one minute to the next."""


class Mount(NamedTuple):
    """A file system."""

    device: str
    fstype: str
    path: str
    size_bytes: float


class Model(NamedTuple):
    """What is the same for all machines of one model; `mounts` are the root and where data is kept."""

    name: str
    kind: HostKind
    cores: int
    ram_bytes: float
    swap_bytes: float
    mounts: tuple[Mount, Mount]
    disks: tuple[str, ...]
    nic: str
    nic_bytes_per_s: float
    processor: Mapping[str, str]
    """As labels of node_cpu_info."""


_EPYC = {
    "package": "0",
    "vendor": "AuthenticAMD",
    "family": "25",
    "model": "1",
    "model_name": "AMD EPYC 7443P 24-Core Processor",
    "stepping": "1",
    "microcode": "0xa0011d5",
    "cachesize": "512 KB",
}
_CORE = {
    "package": "0",
    "vendor": "GenuineIntel",
    "family": "6",
    "model": "165",
    "model_name": "Intel(R) Core(TM) i5-10500 CPU @ 3.10GHz",
    "stepping": "3",
    "microcode": "0xf8",
    "cachesize": "12288 KB",
}


def _server(name: str, cores: int, ram_gib: int, data_gib: int, path: str) -> Model:
    mounts = (
        Mount("/dev/vda1", "ext4", "/", 40 * GIB),
        Mount("/dev/vdb", "xfs", path, data_gib * GIB),
    )
    return Model(
        name,
        HostKind.SERVER,
        cores,
        ram_gib * GIB,
        2 * GIB,
        mounts,
        ("vda", "vdb"),
        "eth0",
        1.25e9,
        _EPYC,
    )


def _desktop(name: str, cores: int, ram_gib: int, disk_gib: int) -> Model:
    mounts = (
        Mount("/dev/nvme0n1p2", "ext4", "/", 60 * GIB),
        Mount("/dev/nvme0n1p3", "ext4", "/home", disk_gib * GIB),
    )
    return Model(
        name,
        HostKind.DESKTOP,
        cores,
        ram_gib * GIB,
        4 * GIB,
        mounts,
        ("nvme0n1",),
        "enp3s0",
        1.25e8,
        _CORE,
    )


MODELS = (
    _server("small server", 2, 4, 100, "/var"),
    _server("server", 4, 16, 400, "/srv"),
    _server("large server", 8, 64, 1500, "/srv"),
    _desktop("desktop", 4, 8, 200),
    _desktop("workstation", 8, 32, 420),
)


def model_of(word: int, kind: HostKind) -> Model:
    """The model of a host; most servers are small, most desktops are plain."""
    models = [model for model in MODELS if model.kind is kind] or list(MODELS)
    share = drawn(np.array([word], np.uint64), "model")[0]
    return models[int(share**1.5 * len(models))]


class Machines:
    """Machines of one model, by row; what each does all day is drawn from its word.

    `words` are of shape [hosts], and so is whatever is told for all of them.
    """

    def __init__(self, model: Model, words: Words) -> None:
        self.model = model
        self.words = words
        is_server = model.kind is HostKind.SERVER
        self.processor = Activity(words, "processor", between(words, "busy", 0.05, 0.30 if is_server else 0.14))
        self.disk = Activity(words, "disk", between(words, "disk", 2, 90 if is_server else 15))
        self.network = Activity(words, "network", between(words, "network", 4e3, 9e5 if is_server else 6e4))
        self.used_memory = Activity(words, "memory", between(words, "memory", 0.2, 0.36), noise=_STEADY)
        self.used_root = Activity(words, "root", between(words, "root", 0.14, 0.29), noise=_STEADY)
        self.used_data = Activity(words, "data", between(words, "data", 0.12, 0.29), noise=_STEADY)
        days = (20.0, 55.0) if is_server else (4.0, 12.0)
        self._uptime_s = between(words, "uptime", *days) * _DAY_S
        self._first_boot_s = drawn(words, "boot") * self._uptime_s

    def booted_s(self, rows: Rows, at_s: Floats) -> Floats:
        """When each was last started, as whole Unix seconds: it is restarted every few days or weeks."""
        uptime, first = self._uptime_s[rows], self._first_boot_s[rows]
        started: Floats = np.floor(np.floor((at_s - first) / uptime) * uptime + first)
        return started

    def noise(self, rows: Rows, what: str, at_s: Floats) -> Floats:
        """White noise in [0, 1), another value each second."""
        return drawn(self.words[rows], what, np.floor(at_s).astype(np.int64))
