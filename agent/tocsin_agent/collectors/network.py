"""Network interfaces: traffic and faults from /proc/net/dev, state from /sys/class/net.

What hardly moves (speed, size of a packet, addresses) is read once a minute, for some drivers ask their
hardware; what an alert waits for (up, carrier) each time.
"""

import re
from collections.abc import Iterator

from tocsin_agent.collectors.kernel import KernelFile, Roots, readable
from tocsin_agent.collectors.seldom import Seldom
from tocsin_agent.readings import Sample, counter, gauge, labelled

_RECEIVED = ("bytes", "packets", "errs", "drop", "fifo", "frame", "compressed", "multicast")
_TRANSMITTED = ("bytes", "packets", "errs", "drop", "fifo", "colls", "carrier", "compressed")
_COUNTERS = tuple(
    [f"node_network_receive_{column}_total" for column in _RECEIVED]
    + [f"node_network_transmit_{column}_total" for column in _TRANSMITTED]
)
HELP = {
    **{
        name: f"{name.split('_')[3]} {name.split('_')[2]}d, as /proc/net/dev counts them." for name in _COUNTERS
    },
    "node_network_receive_nohandler_total": "Packets received that nobody here wanted.",
    "node_network_up": "Whether the interface's operational state is up.",
    "node_network_carrier": "Whether there is a link.",
    "node_network_carrier_changes_total": "Times that the link came or went.",
    "node_network_mtu_bytes": "Largest packet that goes through whole.",
    "node_network_speed_bytes": "Bytes per second that the link can carry.",
    "node_network_info": "What the interface is; always 1.",
}
_INFO_FILES = ("address", "broadcast", "duplex", "ifalias", "operstate")
_INTERFACE_IS_UP = 0x1
_MBIT_IN_BYTES = 125_000
_A_MINUTE_S = 60.0
_MOST_KEPT_INTERFACES = 64
"""A host with a thousand containers has a thousand interfaces; there, files are opened anew each time."""


class NetworkCollector:
    """Reads /proc/net/dev, and the state of each interface that it names."""

    name = "netdev"

    def __init__(self, roots: Roots, *, exclude: str = "") -> None:
        self._exclude = re.compile(exclude) if exclude else None
        self._dev = KernelFile(f"{roots.proc}/net/dev")
        self._folder = f"{roots.sys}/class/net"
        self._interfaces: dict[bytes, Interface] = {}

    def collect(self) -> Iterator[Sample]:
        """Some two dozen series an interface; it goes when its interface goes."""
        seen: dict[bytes, Interface] = {}
        for line in self._dev.read().splitlines()[2:]:
            name, _, columns = line.rpartition(b":")
            name = name.strip()
            if self._exclude and self._exclude.search(readable(name)):
                continue
            interface = self._interfaces.get(name) or self._new_interface(name, rank=len(seen))
            seen[name] = interface
            for series, column in zip(_COUNTERS, columns.split(), strict=True):
                yield counter(series, int(column), interface.labels)
            yield from interface.state()
        self._interfaces = seen

    def _new_interface(self, raw_name: bytes, *, rank: int) -> "Interface":
        name = readable(raw_name)
        return Interface(name, f"{self._folder}/{name}", keeps_files=rank < _MOST_KEPT_INTERFACES)


class Interface:
    """One interface under /sys/class/net; what its driver does not tell is absent."""

    def __init__(self, name: str, folder: str, *, keeps_files: bool) -> None:
        self.labels = labelled(device=name)
        self._name = name
        self._folder = folder
        self._keeps_files = keeps_files
        self._files: dict[str, KernelFile] = {}
        self._settings = Seldom(lambda: list(self._read_settings()), every_s=_A_MINUTE_S)
        self._operstate = b""

    def state(self) -> Iterator[Sample]:
        """Up, carrier, and what is read seldom."""
        operstate = self._read("operstate")
        if operstate is None:
            return
        if operstate != self._operstate:
            self._operstate = operstate
            self._settings.forget()
        yield gauge("node_network_up", operstate == b"up", self.labels)
        if carrier := self._read("carrier"):
            yield gauge("node_network_carrier", int(carrier), self.labels)
        if changes := self._read("carrier_changes"):
            yield counter("node_network_carrier_changes_total", int(changes), self.labels)
        if unhandled := self._read("statistics/rx_nohandler"):
            yield counter("node_network_receive_nohandler_total", int(unhandled), self.labels)
        yield from self._settings.value()

    def _read_settings(self) -> Iterator[Sample]:
        if mtu := self._read_once("mtu"):
            yield gauge("node_network_mtu_bytes", int(mtu), self.labels)
        # A speed that the driver does not know is -1: no speed, rather than a negative one.
        if (speed := self._read_once("speed")) and int(speed) >= 0:
            yield gauge("node_network_speed_bytes", int(speed) * _MBIT_IN_BYTES, self.labels)
        texts = {file: readable(self._read_once(file) or b"") for file in _INFO_FILES}
        flags = self._read_once("flags")
        if flags:
            texts["adminstate"] = "up" if int(flags, 16) & _INTERFACE_IS_UP else "down"
        yield gauge("node_network_info", 1, labelled(device=self._name, **texts))

    def _read(self, file: str) -> bytes | None:
        if not self._keeps_files:
            return self._read_once(file)
        kept = self._files.get(file) or self._files.setdefault(file, self._file(file))
        return _content(kept)

    def _read_once(self, file: str) -> bytes | None:
        return _content(self._file(file))

    def _file(self, file: str) -> KernelFile:
        return KernelFile(f"{self._folder}/{file}", at_once=True)


def _content(file: KernelFile) -> bytes | None:
    """Without its line feed; drivers answer with an error what they do not know, or not while it is down."""
    try:
        return file.read().rstrip(b"\n")
    except OSError:
        return None
