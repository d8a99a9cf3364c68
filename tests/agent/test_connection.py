"""The connection: pinned before a byte of a body is sent, kept while it lives, and patient only so long."""

import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from tests.agent.scripted import GARBAGE, ScriptedServer

from tocsin_agent.connection import Connection, _AnswerReader, parse_address
from tocsin_agent.errors import Misconfigured, Unreachable, Untrusted
from tocsin_agent.proxy import Proxy, proxy_for

NO_PROXY: dict[str, str] = {}


def connect(url: str, fingerprint: str = "", **more) -> Connection:
    return Connection(url, fingerprint=fingerprint, **{"environment": NO_PROXY, **more})


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A bare socket server that does with each connection what `serve` says."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    accepted, _ = listener.accept()
                except OSError:
                    return
                with accepted:
                    serve(accepted)

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def answering(*parts: bytes) -> Callable[[socket.socket], None]:
    def serve(accepted: socket.socket) -> None:
        accepted.recv(65536)
        for part in parts:
            accepted.sendall(part)

    return serve


def test_a_kept_connection_serves_one_post_after_the_other(server: ScriptedServer):
    connection = connect(server.url)

    for _ in range(3):
        assert connection.post("/agent/v1/push", b"x", {"tocsin-session": "00", "tocsin-mac": ""}).status == 401

    assert server.connections == 1
    connection.close()


def test_a_connection_that_the_server_closed_meanwhile_is_opened_anew(server: ScriptedServer):
    connection = connect(server.url)
    headers = {"tocsin-session": "00", "tocsin-mac": "", "connection": "close"}

    assert connection.post("/agent/v1/push", b"x", headers).status == 401
    assert connection.post("/agent/v1/push", b"x", headers).status == 401

    assert server.connections == 2
    connection.close()


def test_a_connection_that_breaks_without_an_answer_is_tried_once_more():
    asked = []

    def serve(accepted: socket.socket) -> None:
        while accepted.recv(65536):
            asked.append(1)
            if len(asked) == 2:
                return
            accepted.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    with listening(serve) as url:
        connection = connect(url)
        assert connection.post("/", b"1", {}).body == b"ok"
        assert connection.post("/", b"2", {}).body == b"ok"
        connection.close()

    assert len(asked) == 3


@pytest.mark.parametrize(
    "parts",
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",),
        (b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 5\r\n\r", b"\nhe", b"llo"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\ntrailer: 1\r\n\r\n",),
    ],
)
def test_an_answer_is_read_whichever_way_it_comes(parts):
    with listening(answering(*parts)) as url:
        connection = connect(url)
        answer = connection.post("/", b"", {})
        connection.close()

    assert (answer.status, answer.body) == (200, b"hello")


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 twohundred\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\ncontent-length: -4\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffff\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length",
        b"x" * 70_000,
    ],
)
def test_an_answer_that_is_none_is_no_delivery(part):
    with listening(answering(part)) as url, pytest.raises(Unreachable, match=url):
        connect(url).post("/", b"", {})


class Dripping:
    """A socket that gives one byte at a time, for ever."""

    def settimeout(self, seconds: float) -> None:
        assert seconds > 0

    def recv(self, _: int) -> bytes:
        return b"H"


def test_an_answer_that_drips_is_given_up_at_its_deadline():
    seconds = itertools.count()

    with pytest.raises(TimeoutError, match="in time"):
        _AnswerReader(Dripping(), 20.0, lambda: float(next(seconds))).read()

    assert next(seconds) == 21


def test_a_server_that_never_answers_is_given_up():
    ended = threading.Event()
    with (
        listening(lambda _: ended.wait(5) and None) as url,
        pytest.raises(Unreachable, match=r"timed out|in time"),
    ):
        connect(url, answer_s=0.05).post("/", b"", {})
    ended.set()


def test_nobody_listening_is_unreachable_with_the_address():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    with pytest.raises(Unreachable, match=f"{url}: Connection refused"):
        connect(url).post("/", b"", {})


def test_a_name_that_does_not_exist_is_unreachable():
    with pytest.raises(Unreachable, match=r"nowhere\.invalid"):
        connect("https://nowhere.invalid").post("/", b"", {})


def test_garbage_from_the_server_is_no_delivery(server: ScriptedServer):
    server.script.append(GARBAGE)
    server.sessions[b"s"] = b"k"
    with pytest.raises(Unreachable):
        connect(server.url).post("/agent/v1/push", b"x", {"tocsin-session": "zz"})


def test_the_pinned_certificate_is_spoken_to(tls_server: ScriptedServer):
    connection = connect(tls_server.url, tls_server.fingerprint.upper())

    for _ in range(2):
        assert connection.post("/agent/v1/push", b"x", {"tocsin-session": "00", "tocsin-mac": ""}).status == 401

    assert tls_server.connections == 1
    connection.close()


def test_another_certificate_is_refused_before_any_byte_of_a_body_is_sent(tls_server: ScriptedServer):
    connection = connect(tls_server.url, "ab" * 32)

    with pytest.raises(Untrusted, match="somebody is in between"):
        connection.post("/agent/v1/push", b"a secret", {"tocsin-session": "00", "tocsin-mac": ""})

    assert tls_server.requests == 0
    assert tls_server.bytes_seen == 0


def test_a_missing_fingerprint_trusts_nobody(tls_server: ScriptedServer):
    with pytest.raises(Untrusted):
        connect(tls_server.url, "").post("/agent/v1/push", b"a secret", {})

    assert tls_server.bytes_seen == 0


def test_tls_to_a_server_that_speaks_plain_is_no_delivery(server: ScriptedServer):
    with pytest.raises(Unreachable):
        connect(server.url.replace("http:", "https:"), "ab" * 32).post("/", b"a secret", {})

    assert server.bytes_seen == 0


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://ops.acme.example", ("ops.acme.example", 443, True, "")),
        ("https://ops.acme.example:8443/", ("ops.acme.example", 8443, True, "")),
        ("https://ops.acme.example/tocsin/", ("ops.acme.example", 443, True, "/tocsin")),
        ("https://[2001:db8::1]:8443", ("2001:db8::1", 8443, True, "")),
        ("http://127.0.0.1:8443", ("127.0.0.1", 8443, False, "")),
        ("http://localhost", ("localhost", 80, False, "")),
        ("http://[::1]:8443", ("::1", 8443, False, "")),
    ],
)
def test_an_address_is_read(url, address):
    assert parse_address(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "http://ops.acme.example",
        "http://10.0.0.1",
        "http://127.0.0.1.evil.example",
        "http://1270.0.1",
        "http://localhost.evil.example",
        "ftp://127.0.0.1",
        "https://",
        "https://user:word@ops.acme.example",
        "https://ops.acme.example\r\nhost: evil",
        "",
    ],
)
def test_an_address_that_is_none_or_would_be_spoken_to_in_clear_is_refused(url):
    with pytest.raises(Misconfigured):
        parse_address(url)


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://proxy:8080"}, Proxy("proxy", 8080, "")),
        ({"https_proxy": "proxy"}, Proxy("proxy", 3128, "")),
        ({"HTTPS_PROXY": "http://al%40ice:w%3Aord@proxy:1"}, Proxy("proxy", 1, "Basic YWxAaWNlOnc6b3Jk")),
        ({"HTTPS_PROXY": "http://proxy", "NO_PROXY": "acme.example"}, None),
        ({"HTTPS_PROXY": "http://proxy", "NO_PROXY": "other, .acme.example"}, None),
        ({"HTTPS_PROXY": "http://proxy", "no_proxy": "*"}, None),
        ({"HTTPS_PROXY": "http://proxy", "NO_PROXY": "me.example"}, Proxy("proxy", 3128, "")),
    ],
)
def test_the_way_out_is_the_environments(environment, proxy):
    assert proxy_for("ops.acme.example", environment) == proxy


@pytest.mark.parametrize("address", ["socks5://proxy", "http://", "http://proxy:port"])
def test_a_proxy_that_is_none_is_said(address):
    with pytest.raises(Misconfigured, match="HTTPS_PROXY"):
        proxy_for("ops.acme.example", {"HTTPS_PROXY": address})


def test_tls_goes_through_the_proxys_tunnel_end_to_end(tls_server: ScriptedServer):
    seen = []

    def tunnel(accepted: socket.socket) -> None:
        seen.append(accepted.recv(65536))
        with socket.create_connection(("127.0.0.1", tls_server.port)) as onward:
            accepted.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pump, args=(onward, accepted), daemon=True)
            back.start()
            pump(accepted, onward)

    with listening(tunnel) as proxy:
        connection = connect(
            tls_server.url,
            tls_server.fingerprint,
            environment={"HTTPS_PROXY": proxy.replace("//", "//alice:w@")},
        )
        answer = connection.post("/agent/v1/push", b"a secret", {"tocsin-session": "00", "tocsin-mac": ""})
        connection.close()

    assert answer.status == 401
    assert seen[0].startswith(f"CONNECT 127.0.0.1:{tls_server.port} HTTP/1.1\r\n".encode())
    assert b"proxy-authorization: Basic YWxpY2U6dw==" in seen[0]
    assert b"secret" not in b"".join(seen)


def test_a_proxy_that_refuses_is_named():
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"
    with listening(answering(refusal)) as proxy:
        connection = connect("https://ops.acme.example", "ab" * 32, environment={"HTTPS_PROXY": proxy})
        with pytest.raises(Unreachable, match="HTTPS_PROXY refuses the tunnel with status 407"):
            connection.post("/", b"a secret", {})


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while content := source.recv(65536):
            sink.sendall(content)
    except OSError:
        return
