"""Sockets in use by protocol, and the memory they hold."""

import os
from collections.abc import Iterator

from tocsin_agent.collectors.kernel import KernelFile, Roots
from tocsin_agent.readings import Sample, gauge

HELP_BY_PREFIX = {"node_sockstat_": "The field of this name in /proc/net/sockstat; mem counts pages."}


class SockstatCollector:
    """Reads /proc/net/sockstat, and sockstat6 where there is IPv6."""

    name = "sockstat"

    def __init__(self, roots: Roots) -> None:
        self._sockstat = KernelFile(f"{roots.proc}/net/sockstat", at_once=True)
        self._sockstat6 = KernelFile(f"{roots.proc}/net/sockstat6", at_once=True)
        self._page_bytes = os.sysconf("SC_PAGE_SIZE")
        self._names: dict[tuple[bytes, bytes], str] = {}

    def collect(self) -> Iterator[Sample]:
        """A gauge a field: `TCP: inuse 4` is node_sockstat_TCP_inuse; pages are given in bytes too."""
        for line in (self._sockstat.read() + self._sockstat6.read_if_present()).splitlines():
            protocol, *fields = line.split()
            for field, value in zip(fields[::2], fields[1::2], strict=True):
                name = self._name(protocol, field)
                yield gauge(name, int(value))
                if field == b"mem":
                    yield gauge(f"{name}_bytes", int(value) * self._page_bytes)

    def _name(self, protocol: bytes, field: bytes) -> str:
        known = self._names.get((protocol, field))
        if known is None:
            known = f"node_sockstat_{protocol.rstrip(b':').decode()}_{field.decode()}"
            self._names[protocol, field] = known
        return known
