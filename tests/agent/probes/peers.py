"""Peers for probes: bare sockets that do with each connection what a test says, well or badly."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import trustme

from tocsin_agent.readings import Sample

Serve = Callable[[socket.socket], None]
EXPIRES = datetime(2040, 1, 2, 3, 4, 5, tzinfo=UTC)
EXPIRED = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)


@contextmanager
def listening(serve: Serve, *, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of a server on loopback; what a peer that hangs up makes of `serve` is nobody's business."""
    has_ended = threading.Event()

    def one(accepted: socket.socket) -> None:
        with accepted, contextlib.suppress(OSError):
            accepted.settimeout(10)
            if tls is None:
                serve(accepted)
            else:
                with tls.wrap_socket(accepted, server_side=True) as secured:
                    serve(secured)

    def accept() -> None:
        while not has_ended.is_set():
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(accepted,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        has_ended.set()
        listener.shutdown(socket.SHUT_RDWR)


def answering(*parts: bytes) -> Serve:
    """Reads one request and says the parts."""

    def serve(accepted: socket.socket) -> None:
        accepted.recv(65536)
        for part in parts:
            accepted.sendall(part)

    return serve


def silent(accepted: socket.socket) -> None:
    """Says nothing until the other side goes."""
    while accepted.recv(65536):
        pass


def endlessly(begin: bytes, part: bytes) -> Serve:
    """Says `part` again and again, as fast as it is taken."""

    def serve(accepted: socket.socket) -> None:
        accepted.sendall(begin)
        while True:
            accepted.sendall(part)

    return serve


def dripping(begin: bytes, drop: bytes = b"x") -> Serve:
    """Says `drop` every tenth of a second, for ever: each single read is in time."""

    def serve(accepted: socket.socket) -> None:
        accepted.sendall(begin)
        waiting = threading.Event()
        while not waiting.wait(0.1):
            accepted.sendall(drop)

    return serve


class Authority:
    """A certificate authority and the contexts of servers that it vouches for."""

    def __init__(self) -> None:
        self._authority = trustme.CA()
        self.pem = self._authority.cert_pem.bytes().decode()

    def server(self, *names: str, expires: datetime = EXPIRES) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.issue(*names, expires=expires).configure_cert(context)
        return context

    def issue(self, *names: str, expires: datetime = EXPIRES) -> trustme.LeafCert:
        return self._authority.issue_cert(
            *(names or ("127.0.0.1",)), not_before=datetime(2019, 1, 1, tzinfo=UTC), not_after=expires
        )


def unopened(sealed: str) -> bytes:
    """For methods that have no secret."""
    raise AssertionError(f"nothing is to be opened: {sealed}")


def values(samples: list[Sample] | tuple[Sample, ...]) -> dict[str, float]:
    """By name, with the labels' values in braces."""
    return {
        name + (f"{{{','.join(value for _, value in labels)}}}" if labels else ""): number
        for name, _, labels, number in samples
    }


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """What is inside takes no longer."""
    began_s = time.monotonic()
    yield
    assert time.monotonic() - began_s < seconds
