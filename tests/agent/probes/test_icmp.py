"""An address is pinged: the loopback where the kernel permits, and a scripted socket for all that is rare."""

import errno
import os
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icmplib import ICMPv4Socket, SocketPermissionError
from tests.agent.probes.peers import at_most, unopened, values

from tocsin_agent.probes import icmp
from tocsin_agent.probes.failure import Failed, Misdeclared
from tocsin_agent.probes.icmp import Echo, Icmp, parse_echo

pytestmark = pytest.mark.peers


def may_ping() -> bool:
    for is_raw in (False, True):
        try:
            with ICMPv4Socket(privileged=is_raw):
                return True
        except SocketPermissionError:
            continue
    return False


needs_icmp = pytest.mark.skipif(not may_ping(), reason="this kernel lets the tests send no ICMP")


class ScriptedSocket:
    """In place of icmplib's socket and of the one inside: echoes what is sent as `answers` say."""

    is_privileged = False

    def __init__(self, *answers) -> None:
        self.sock = self
        self.is_closed = False
        self.sent = 0
        self._answers = list(answers)
        self._request = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        self.is_closed = True

    def setsockopt(self, *_) -> None:
        pass

    def connect(self, address) -> None:
        pass

    def settimeout(self, seconds: float) -> None:
        assert seconds > 0

    def send(self, request) -> None:
        self.sent += 1
        self._request = request

    def recvmsg(self, *_):
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer(self._request), [(socket.IPPROTO_IP, socket.IP_TTL, struct.pack("=i", 57))], 0, ()


def reply(request, *, sequence: int = 0, payload: bytes = b"") -> bytes:
    header = struct.pack("!BBHHH", 0, 0, 0, request.id, request.sequence + sequence)
    return header + (payload or request.payload)


def late(request) -> bytes:
    return reply(request, sequence=-1 & 0xFF)


def forged(request) -> bytes:
    return reply(request, payload=os.urandom(56))


@pytest.fixture
def scripted(monkeypatch):
    def script(*answers) -> ScriptedSocket:
        made = ScriptedSocket(*answers)
        monkeypatch.setattr(icmp, "ICMPv4Socket", lambda privileged: made)
        return made

    return script


def failure(probe: Icmp, deadline_s: float = 5) -> Failed:
    with pytest.raises(Failed) as failed:
        probe.probe(deadline_s)
    return failed.value


@needs_icmp
@pytest.mark.parametrize(("address", "protocol"), [("127.0.0.1", 4), ("::1", 6), ("localhost", None)])
def test_the_loopback_answers(address, protocol):
    read = values(Icmp({"address": address}, unopened).probe(5))

    assert protocol in {None, read["probe_ip_protocol"]}
    assert read["probe_icmp_reply_hop_limit"] >= 64
    assert 0 < read["probe_icmp_duration_seconds{rtt}"] < 1
    assert {"probe_icmp_duration_seconds{resolve}", "probe_icmp_duration_seconds{setup}"} < set(read)


def test_the_hop_limit_of_the_reply_is_told(scripted):
    scripted(reply)

    assert values(Icmp({"address": "192.0.2.1"}, unopened).probe(5))["probe_icmp_reply_hop_limit"] == 57


def test_packets_of_others_are_passed_over(scripted):
    line = scripted(late, forged, lambda request: b"\x03", reply)

    assert Icmp({"address": "192.0.2.1"}, unopened).probe(5)
    assert line.is_closed


def test_one_lost_packet_of_several_is_no_failure(scripted):
    line = scripted(TimeoutError(), reply)

    assert Icmp({"address": "192.0.2.1", "count": 3}, unopened).probe(5)
    assert line.sent == 2


def test_silence_is_a_timeout(scripted):
    line = scripted(TimeoutError(), TimeoutError())

    failed = failure(Icmp({"address": "192.0.2.1", "count": 2}, unopened))

    assert (failed.reason, line.sent, line.is_closed) == ("timeout", 2, True)
    assert values(failed.samples)["probe_icmp_duration_seconds{rtt}"] == 0


def test_a_flood_of_other_packets_ends_with_the_deadline(scripted):
    scripted(*[late] * 1_000_000)

    with at_most(1):
        failed = failure(Icmp({"address": "192.0.2.1"}, unopened), deadline_s=0.1)

    assert failed.reason == "timeout"


def test_an_error_that_a_router_sends_is_told_at_once(scripted):
    scripted(OSError(errno.EHOSTUNREACH, "No route to host"))

    failed = failure(Icmp({"address": "192.0.2.1"}, unopened))

    assert (failed.reason, failed.words) == ("unreachable", "pinging 192.0.2.1: No route to host")


def test_a_kernel_that_permits_no_icmp_is_named_with_the_remedy(monkeypatch):
    def refuse(privileged):
        raise SocketPermissionError(privileged)

    monkeypatch.setattr(icmp, "ICMPv4Socket", refuse)

    failed = failure(Icmp({"address": "192.0.2.1"}, unopened))

    assert failed.reason == "not_installed"
    assert "net.ipv4.ping_group_range" in failed.words
    assert "CAP_NET_RAW" in failed.words


@pytest.mark.parametrize("options", [{}, {"address": "a", "count": 0}, {"address": "a", "count": 21}])
def test_what_cannot_be_used_is_refused(options):
    with pytest.raises(Misdeclared):
        Icmp(options, unopened)


@given(st.binary(max_size=100), st.sampled_from([4, 6]), st.booleans())
def test_any_packet_is_an_echo_or_none(packet, protocol, has_ip_header):
    echo = parse_echo(packet, protocol, has_ip_header=has_ip_header)

    assert echo is None or packet.endswith(echo.payload)


@given(st.integers(5, 15), st.integers(0, 65535), st.integers(0, 65535), st.binary(max_size=64))
def test_a_reply_is_found_behind_any_ip_header(words, identifier, sequence, payload):
    packet = bytes((0x40 | words,)) + bytes(words * 4 - 1)
    packet += struct.pack("!BBHHH", 0, 0, 0, identifier, sequence) + payload

    assert parse_echo(packet, 4, has_ip_header=True) == Echo(identifier, sequence, payload)
