"""The way to a host, within one deadline: its name resolved, one address of it, a connection.

As blackbox_exporter does, a probe looks at one address only: the first that the resolver of this host prefers.
Trying the next would hide what is to be seen.

`getaddrinfo` cannot be interrupted and may hang for longer than any deadline: it runs in a daemon thread that
is left behind. A name whose lookup hangs is not looked up a second time, and only so many hang at once.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from tocsin_agent.probes.failure import Failed
from tocsin_agent.readings import Sample, gauge, labelled

_MOST_PENDING = 16
_AddressInfo = Callable[..., list[tuple[Any, ...]]]


class Deadline:
    """The end of one probe, whatever it is doing."""

    def __init__(self, seconds: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._end_s = monotonic() + seconds

    def left_s(self) -> float:
        """Seconds until the end; 0 when it is over."""
        return max(0.0, self._end_s - self._monotonic())

    def within(self, act: str) -> float:
        """Seconds that are left for `act`; raises `Failed` when there are none."""
        left_s = self.left_s()
        if left_s <= 0:
            raise self.over(act)
        return left_s

    def over(self, act: str) -> Failed:
        """The failure of an act that was not done in time."""
        return Failed("timeout", f"{act}: not done within {self._seconds:g} s")


class Phases:
    """How long each part of a probe took; 0 for one that was not come to."""

    def __init__(self, *names: str) -> None:
        self._seconds = dict.fromkeys(names, 0.0)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """What is done inside counts for this phase, also when it fails."""
        began_s = time.monotonic()
        try:
            yield
        finally:
            self._seconds[name] += time.monotonic() - began_s

    def took(self, name: str, seconds: float) -> None:
        """This phase took so long."""
        self._seconds[name] = seconds

    def seconds(self, name: str) -> float:
        """What has been counted."""
        return self._seconds[name]

    def samples(self, metric: str) -> list[Sample]:
        """One series a phase."""
        return [gauge(metric, seconds, labelled(phase=name)) for name, seconds in self._seconds.items()]


class Endpoint(NamedTuple):
    """One address and port; `name` is how it was declared."""

    name: str
    family: int
    address: tuple[Any, ...]

    @property
    def protocol(self) -> int:
        """4 or 6."""
        return 6 if self.family == socket.AF_INET6 else 4

    @property
    def port(self) -> int:
        """The port, of either family."""
        return int(self.address[1])

    def __str__(self) -> str:
        numeric = str(self.address[0])
        return self.name if numeric == self.name else f"{self.name} ({numeric})"


class _Lookup:
    """One question to the resolver, which a thread waits for."""

    def __init__(self) -> None:
        self.has_ended = threading.Event()
        self.addresses: list[tuple[Any, ...]] = []
        self.failure = ""


class Resolver:
    """Looks names up; those that hang stay with their threads, `most_pending` at most."""

    def __init__(
        self, *, most_pending: int = _MOST_PENDING, getaddrinfo: _AddressInfo = socket.getaddrinfo
    ) -> None:
        self._most_pending = most_pending
        self._getaddrinfo = getaddrinfo
        self._pending: dict[str, _Lookup] = {}
        self._lock = threading.Lock()

    def endpoint(self, host: str, port: int, deadline: Deadline) -> Endpoint:
        """The address that this host prefers; raises `Failed`."""
        addresses = _literal(host) or self._looked_up(host, deadline)
        family, _, _, _, address = addresses[0]
        return Endpoint(host, family, (address[0], port, *address[2:]))

    def _looked_up(self, host: str, deadline: Deadline) -> list[tuple[Any, ...]]:
        lookup = self._lookup(host)
        if not lookup.has_ended.wait(deadline.left_s()):
            raise Failed("name", f"the name {host} is not resolved in time: look at this host's resolver")
        if not lookup.addresses:
            raise Failed("name", f"the name {host} does not resolve: {lookup.failure}")
        return lookup.addresses

    def _lookup(self, host: str) -> _Lookup:
        with self._lock:
            if host in self._pending:
                return self._pending[host]
            if len(self._pending) >= self._most_pending:
                raise Failed(
                    "name", f"{len(self._pending)} names hang in this host's resolver: {host} is not asked for"
                )
            lookup = self._pending[host] = _Lookup()
            try:
                threading.Thread(target=self._ask, args=(host, lookup), name="tocsin-name", daemon=True).start()
            except RuntimeError:
                del self._pending[host]
                raise Failed("internal", "this host has no thread left to look a name up with") from None
            return lookup

    def _ask(self, host: str, lookup: _Lookup) -> None:
        try:
            # As bytes: a text would go through the codec for international names, which refuses some at length.
            lookup.addresses = self._getaddrinfo(host.encode("ascii"), None, type=socket.SOCK_STREAM)
        except OSError as error:
            lookup.failure = error.strerror or "no answer"
        finally:
            with self._lock:
                del self._pending[host]
            lookup.has_ended.set()


def _literal(host: str) -> list[tuple[Any, ...]]:
    """The address that `host` already is, if it is one: no resolver is asked."""
    try:
        return list(
            socket.getaddrinfo(host.encode("ascii"), None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        )
    except socket.gaierror:
        return []


RESOLVER = Resolver()
"""One for all probes of this agent, so that the bound holds for all of them together."""


def way(endpoint: Endpoint, phases: Phases) -> list[Sample]:
    """What every probe tells of its way."""
    return [
        gauge("probe_dns_lookup_time_seconds", phases.seconds("resolve")),
        gauge("probe_ip_protocol", endpoint.protocol),
    ]


def connect(endpoint: Endpoint, deadline: Deadline) -> socket.socket:
    """A TCP connection; raises `Failed`."""
    act = f"connecting to {endpoint} port {endpoint.port}"
    line = socket.socket(endpoint.family, socket.SOCK_STREAM)
    try:
        line.settimeout(deadline.within(act))
        line.connect(endpoint.address)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        line.close()
        raise _not_connected(error, act, deadline) from error
    except BaseException:  # whatever it was goes on up; the line is not left open
        line.close()
        raise
    return line


def _not_connected(error: OSError, act: str, deadline: Deadline) -> Failed:
    if isinstance(error, TimeoutError):
        return deadline.over(act)
    reason = "refused" if isinstance(error, ConnectionRefusedError) else "unreachable"
    return Failed(reason, f"{act}: {error.strerror or os.strerror(error.errno or 0)}")
