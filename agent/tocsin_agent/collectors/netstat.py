"""What the network stack counts: the few of its hundreds of counters that tell of trouble.

/proc/net/netstat and snmp hold pairs of lines, names above values. The names keep their places, so the wanted
places of a line of names are found once.
"""

import re
from collections.abc import Iterator

from tocsin_agent.collectors.kernel import KernelFile, Roots
from tocsin_agent.readings import Sample, untyped

HELP_BY_PREFIX = {"node_netstat_": "The counter of this protocol and name in /proc/net/netstat, snmp or snmp6."}
_WANTED = re.compile(
    r".*_(?:InErrors|InErrs)"
    r"|Ip_Forwarding"
    r"|Ip(?:6|Ext)_(?:InOctets|OutOctets)"
    r"|Icmp6?_(?:InMsgs|OutMsgs)"
    r"|TcpExt_(?:Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)"
    r"|Tcp_(?:ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)"
    r"|Udp6?_(?:InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors)"
)
_SNMP6_KEY = re.compile(r"(Ip6|Icmp6|Udp6|UdpLite6)(.*)")

_Places = list[tuple[int, str]]


class NetstatCollector:
    """Reads /proc/net/netstat and /proc/net/snmp, and snmp6 where there is IPv6."""

    name = "netstat"

    def __init__(self, roots: Roots) -> None:
        self._paired = [KernelFile(f"{roots.proc}/net/{file}", at_once=True) for file in ("netstat", "snmp")]
        self._snmp6 = KernelFile(f"{roots.proc}/net/snmp6", at_once=True)
        self._places: dict[bytes, _Places] = {}
        self._snmp6_places: tuple[int, _Places] = (0, [])

    def collect(self) -> Iterator[Sample]:
        """Untyped: some of them are gauges, and the kernel does not say which."""
        for file in self._paired:
            lines = file.read().splitlines()
            for names, values in zip(lines[::2], lines[1::2], strict=True):
                if names not in self._places:
                    self._places[names] = paired_places(names)
                if places := self._places[names]:
                    yield from _picked(places, values.split())
        words = self._snmp6.read_if_present().split()
        if len(words) != self._snmp6_places[0]:
            self._snmp6_places = (len(words), snmp6_places(words))
        yield from _picked(self._snmp6_places[1], words)


def _picked(places: _Places, values: list[bytes]) -> Iterator[Sample]:
    for place, name in places:
        yield untyped(name, int(values[place]))


def paired_places(names: bytes) -> _Places:
    """Where the wanted values stand under `TcpExt: SyncookiesSent …`, with the metrics' names."""
    protocol, *fields = names.decode().split()
    keys = [f"{protocol.rstrip(':')}_{field}" for field in fields]
    return [(place, f"node_netstat_{key}") for place, key in enumerate(keys, 1) if _WANTED.fullmatch(key)]


def snmp6_places(words: list[bytes]) -> _Places:
    """The same for snmp6, whose words are names and values in turn: Ip6InOctets is Ip6_InOctets."""
    keys = [_SNMP6_KEY.sub(r"\1_\2", word.decode(), count=1) for word in words[::2]]
    return [(2 * line + 1, f"node_netstat_{key}") for line, key in enumerate(keys) if _WANTED.fullmatch(key)]
