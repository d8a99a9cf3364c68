"""The way to a host: names that hang, addresses that refuse, and one deadline over it all."""

import socket
import threading

import pytest
from tests.agent.probes.peers import at_most, listening, silent

from tocsin_agent.probes.dial import Deadline, Resolver, connect
from tocsin_agent.probes.failure import Failed

pytestmark = pytest.mark.peers

ATLAS = [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::1", 0, 0, 0))]


class HangingResolver:
    """`getaddrinfo` that answers when it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.asked: list[bytes] = []

    def __call__(self, host, port, **more):
        self.asked.append(host)
        self.go.wait(10)
        return ATLAS


def test_an_address_is_taken_as_it_is():
    endpoint = Resolver(getaddrinfo=HangingResolver()).endpoint("192.0.2.7", 22, Deadline(1))

    assert (endpoint.protocol, endpoint.address, str(endpoint)) == (4, ("192.0.2.7", 22), "192.0.2.7")


def test_the_first_address_of_a_name_is_used():
    resolver = Resolver(getaddrinfo=lambda *host, **more: ATLAS)

    endpoint = resolver.endpoint("atlas.example", 443, Deadline(1))

    assert (endpoint.protocol, endpoint.address) == (6, ("2001:db8::1", 443, 0, 0))
    assert str(endpoint) == "atlas.example (2001:db8::1)"


def test_a_name_that_hangs_fails_in_time_and_is_not_asked_for_twice():
    hanging = HangingResolver()
    resolver = Resolver(getaddrinfo=hanging)

    for _ in range(2):
        with at_most(1), pytest.raises(Failed, match="not resolved in time") as failed:
            resolver.endpoint("atlas.example", 443, Deadline(0.05))
        assert failed.value.reason == "name"

    assert hanging.asked == [b"atlas.example"]
    hanging.go.set()


def test_only_so_many_names_hang_at_once():
    hanging = HangingResolver()
    resolver = Resolver(most_pending=2, getaddrinfo=hanging)

    for name in ("one", "two"):
        with pytest.raises(Failed, match="in time"):
            resolver.endpoint(name, 443, Deadline(0.01))
    with pytest.raises(Failed, match="2 names hang"):
        resolver.endpoint("three", 443, Deadline(0.01))

    assert hanging.asked == [b"one", b"two"]
    hanging.go.set()


def test_a_name_that_does_not_resolve_says_so():
    def no(host, port, **more):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(Failed, match=r"atlas\.example does not resolve: Name or service not known") as failed:
        Resolver(getaddrinfo=no).endpoint("atlas.example", 443, Deadline(1))

    assert failed.value.reason == "name"


def test_a_port_where_nobody_listens_refuses():
    with listening(silent) as port:
        pass
    endpoint = Resolver().endpoint("127.0.0.1", port, Deadline(1))

    with pytest.raises(Failed) as failed:
        connect(endpoint, Deadline(1))

    assert failed.value.reason == "refused"


def test_a_deadline_that_is_over_lets_nothing_begin():
    now_s = iter([0.0, 5.0])
    deadline = Deadline(5, monotonic=lambda: next(now_s))

    with pytest.raises(Failed, match="dialling: not done within 5 s") as failed:
        deadline.within("dialling")

    assert failed.value.reason == "timeout"
