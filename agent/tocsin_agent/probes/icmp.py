"""Pings a host, as blackbox_exporter tells of it: the first echo that comes back is a success.

`count` is how often it is tried within the deadline: a device on a line that loses packets is up for all that.
icmplib makes the sockets and the requests; the reply is received here, because it has the hop limit with it,
which icmplib does not hand on, and because a deadline must hold among the ICMP of others on a raw socket.
"""

import os
import socket
import struct
import sys
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from icmplib import ICMPRequest, ICMPSocketError, ICMPv4Socket, ICMPv6Socket
from icmplib.sockets import ICMPSocket

from tocsin_agent.probes.declared import Declared
from tocsin_agent.probes.dial import RESOLVER, Deadline, Endpoint, Phases, way
from tocsin_agent.probes.failure import Failed
from tocsin_agent.readings import Sample, gauge

_PAYLOAD_BYTES = 56
_MOST_PACKET_BYTES = 2048
_ECHO_REPLY = {4: 0, 6: 129}
# Of <linux/in.h> and <linux/in6.h>; Python's socket module has no names for them. An error that a router
# sends back is reported on the socket at once, instead of silence until the deadline.
_IP_RECVERR, _IP_RECVTTL, _IPV6_RECVERR = 11, 12, 25
_OPTIONS = {
    4: ((socket.IPPROTO_IP, _IP_RECVTTL), (socket.IPPROTO_IP, _IP_RECVERR)),
    6: ((socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT), (socket.IPPROTO_IPV6, _IPV6_RECVERR)),
}
_HOP_LIMIT = {(socket.IPPROTO_IP, socket.IP_TTL), (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT)}


class Echo(NamedTuple):
    """What an echo reply repeats of its request."""

    identifier: int
    sequence: int
    payload: bytes


class _Reply(NamedTuple):
    rtt_s: float
    hop_limit: int


class Icmp:
    """One address that is pinged."""

    def __init__(self, options: Mapping[str, object], open_secret: Callable[[str], bytes]) -> None:  # noqa: ARG002 - made as every method
        declared = Declared("icmp", options)
        self._host = declared.host()
        self._count = declared.whole("count", 1, most=20)

    def probe(self, deadline_s: float) -> list[Sample]:
        """The round trip of the first reply; raises `Failed`."""
        deadline, phases = Deadline(deadline_s), Phases("resolve", "setup", "rtt")
        samples: list[Sample] = []
        try:
            with phases.timed("resolve"):
                endpoint = RESOLVER.endpoint(self._host, 0, deadline)
            samples += way(endpoint, phases)
            with phases.timed("setup"):
                line = _open(endpoint)
            with line:
                reply = self._first_reply(line, endpoint, deadline)
        except Failed as failed:
            told = [*samples, *phases.samples("probe_icmp_duration_seconds")]
            raise Failed(failed.reason, failed.words, told) from failed
        phases.took("rtt", reply.rtt_s)
        if reply.hop_limit:
            samples.append(gauge("probe_icmp_reply_hop_limit", reply.hop_limit))
        return samples + phases.samples("probe_icmp_duration_seconds")

    def _first_reply(self, line: ICMPSocket, endpoint: Endpoint, deadline: Deadline) -> _Reply:
        identifier = int.from_bytes(os.urandom(2), "big")
        for attempt in range(self._count):
            share_s = deadline.left_s() / (self._count - attempt)
            request = ICMPRequest(
                endpoint.address[0], id=identifier, sequence=attempt, payload=os.urandom(_PAYLOAD_BYTES)
            )
            reply = _exchange(line, request, endpoint, share_s)
            if reply is not None:
                return reply
        raise deadline.over(f"pinging {endpoint}")


def _open(endpoint: Endpoint) -> ICMPSocket:
    """A socket that hears of this address only; without privilege where the kernel lets this agent's group."""
    kind = ICMPv6Socket if endpoint.protocol == 6 else ICMPv4Socket
    for is_raw in (False, True):
        try:
            line = kind(privileged=is_raw)
        except ICMPSocketError:
            continue
        return _aimed(line, endpoint)
    raise Failed(
        "not_installed",
        "this host lets the agent send no ICMP: widen net.ipv4.ping_group_range to the agent's group,"
        " or give the agent CAP_NET_RAW",
    )


def _aimed(line: ICMPSocket, endpoint: Endpoint) -> ICMPSocket:
    try:
        for level, option in _OPTIONS[endpoint.protocol]:
            line.sock.setsockopt(level, option, 1)
        line.sock.connect(endpoint.address)
    except OSError as error:
        line.close()
        raise _unreachable(endpoint, error) from error
    return line


def _exchange(line: ICMPSocket, request: ICMPRequest, endpoint: Endpoint, seconds: float) -> _Reply | None:
    """The reply to the request; None where none comes in time."""
    began_s = time.monotonic()
    try:
        line.send(request)
        while (left_s := began_s + seconds - time.monotonic()) > 0:
            line.sock.settimeout(left_s)
            packet, ancillary, _, _ = line.sock.recvmsg(_MOST_PACKET_BYTES, 256)
            rtt_s = time.monotonic() - began_s
            echo = parse_echo(packet, endpoint.protocol, has_ip_header=_has_ip_header(line, endpoint))
            if echo == Echo(request.id, request.sequence, request.payload):
                return _Reply(rtt_s, _hop_limit(ancillary))
    except TimeoutError:
        return None
    except (OSError, ICMPSocketError) as error:
        raise _unreachable(endpoint, error) from error
    return None


def _has_ip_header(line: ICMPSocket, endpoint: Endpoint) -> bool:
    return line.is_privileged and endpoint.protocol == 4


def parse_echo(packet: bytes, protocol: int, *, has_ip_header: bool) -> Echo | None:
    """The echo reply in a packet; None for all else that comes."""
    if has_ip_header:
        # The low half of its first byte is the length of an IPv4 header, in words of four bytes.
        packet = packet[(packet[0] & 0x0F) * 4 :] if packet else b""
    if len(packet) < 8 or packet[0] != _ECHO_REPLY[protocol] or packet[1] != 0:
        return None
    identifier, sequence = struct.unpack_from("!HH", packet, 4)
    return Echo(identifier, sequence, packet[8:])


def _hop_limit(ancillary: list[tuple[int, int, bytes]]) -> int:
    for level, kind, value in ancillary:
        if (level, kind) in _HOP_LIMIT and len(value) == 4:
            return int.from_bytes(value, sys.byteorder)
    return 0


def _unreachable(endpoint: Endpoint, error: Exception) -> Failed:
    # icmplib keeps of the system's error its words only.
    cause = error if isinstance(error, OSError) else error.__context__
    words = cause.strerror if isinstance(cause, OSError) and cause.strerror else "no packet can be sent"
    return Failed("unreachable", f"pinging {endpoint}: {words}")
