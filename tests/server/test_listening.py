"""The socket, and the URL that others reach it under."""

import socket

import pytest

from tocsin_server.config import ServerConfig
from tocsin_server.errors import Misconfigured
from tocsin_server.listening import is_local, listen, local_url, url_of


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        (ServerConfig(), "http://127.0.0.1:8443"),
        (ServerConfig(host="::1"), "http://[::1]:8443"),
        (ServerConfig(host="192.0.2.7", port=443), "https://192.0.2.7:443"),
        (ServerConfig(host="0.0.0.0"), "https://0.0.0.0:8443"),
        (ServerConfig(host="0.0.0.0", public_url="https://tocsin.example"), "https://tocsin.example"),
    ],
)
def test_the_url_is_plain_only_on_loopback(settings: ServerConfig, url: str) -> None:
    assert url_of(settings) == url


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        (ServerConfig(), "http://127.0.0.1:8443"),
        (ServerConfig(host="::1"), "http://[::1]:8443"),
        (ServerConfig(host="192.0.2.7", public_url="https://tocsin.example"), "https://192.0.2.7:8443"),
        (ServerConfig(host="0.0.0.0", port=443), "https://127.0.0.1:443"),
        (ServerConfig(host="::"), "https://[::1]:8443"),
    ],
)
def test_this_machine_reaches_the_server_itself_and_not_what_stands_before_it(
    settings: ServerConfig, url: str
) -> None:
    assert local_url(settings) == url


@pytest.mark.parametrize(
    ("host", "answer"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False)],
)
def test_an_address_that_others_can_reach_is_not_loopback(host: str, answer: bool) -> None:  # noqa: FBT001
    assert is_local(ServerConfig(host=host)) is answer


def test_a_port_that_is_free_is_had() -> None:
    with listen(ServerConfig(port=0)) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"


def test_a_port_that_is_taken_is_named_with_the_remedy() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(Misconfigured, match=f"127.0.0.1:{port} .*: choose another port with --port"):
            listen(ServerConfig(port=port))


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_is_none_is_named(port: int) -> None:
    with pytest.raises(Misconfigured, match=f"cannot listen on 127.0.0.1:{port}"):
        listen(ServerConfig(port=port))


def test_an_address_that_is_not_this_machines_is_named() -> None:
    with pytest.raises(Misconfigured, match=r"cannot listen on 192\.0\.2\.1:8443"):
        listen(ServerConfig(host="192.0.2.1"))
