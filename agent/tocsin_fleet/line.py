"""The way to the server: HTTP/1.1 POST over kept connections, TLS pinned by the invitation's fingerprint.

All hosts of a fleet share a few connections, where each real agent keeps one of its own; so ten thousand hosts
need no ten thousand descriptors here. Plain HTTP is spoken to loopback only, as real agents do.
"""

import asyncio
import hashlib
import hmac
import ipaddress
import ssl
from collections.abc import Mapping
from typing import NamedTuple, cast
from urllib.parse import urlsplit

from tocsin_fleet.agent import Answer, Request
from tocsin_fleet.errors import FleetError, Unreachable, Untrusted

ANSWER_S = 20.0


class Address(NamedTuple):
    """Where the server is; `fingerprint` is the SHA-256 of its certificate in hex, needed for TLS."""

    host: str
    port: int
    is_tls: bool
    prefix: str
    fingerprint: str


def parse_address(url: str, fingerprint: str = "") -> Address:
    """The address in a URL; raises `FleetError` for plain HTTP beyond loopback and for TLS without a pin."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    if parts.scheme not in {"http", "https"} or not host:
        raise FleetError(f"{url!r} is no URL of a server: give one such as https://tocsin.example:8443")
    is_tls = parts.scheme == "https"
    if not is_tls and not _is_loopback(host):
        raise FleetError(f"{url!r} is plain HTTP, which is spoken to loopback only: use https")
    if is_tls and not fingerprint:
        raise FleetError(f"no certificate is pinned for {url!r}: make invitations with this https URL")
    return Address(host, port or (443 if is_tls else 80), is_tls, parts.path.rstrip("/"), fingerprint.lower())


class Lines:
    """At most `most` connections; whoever finds none free waits. Owned by one event loop.

    What tells the time is made while its `places` is held, so that no wait for it is taken for a clock that is
    behind: `async with lines.places: await lines.post(request())`.
    """

    def __init__(self, address: Address, *, most: int, answer_s: float = ANSWER_S) -> None:
        self.places = asyncio.Semaphore(most)
        self._address = address
        self._answer_s = answer_s
        self._free: list[_Line] = []
        self._context = _tls_context() if address.is_tls else None

    async def post(self, request: Request) -> Answer:
        """The answer; raises `Unreachable` or `Untrusted`.

        A kept connection that the server has closed meanwhile is opened anew: all that an agent posts may
        arrive twice.
        """
        packed = self._packed(request)
        try:
            async with asyncio.timeout(self._answer_s):
                return await self._exchanged(packed)
        except (OSError, TimeoutError) as error:
            why = str(error) or "its answer did not come in time"
            raise Unreachable(f"no answer from {self._address.host}:{self._address.port}: {why}") from error

    def close(self) -> None:
        """Let go of the connections."""
        for line in self._free:
            line.close()
        self._free.clear()

    async def _exchanged(self, packed: bytes) -> Answer:
        while self._free:
            line = self._free.pop()
            try:
                return await self._asked(line, packed)
            except ConnectionError:
                continue
        return await self._asked(await self._opened(), packed)

    async def _asked(self, line: "_Line", packed: bytes) -> Answer:
        try:
            answer = await line.ask(packed)
        except BaseException:  # whatever it was goes on up; the line is not left open
            line.close()
            raise
        if answer.headers.get("connection", "").lower() == "close":
            line.close()
        else:
            self._free.append(line)
        return answer

    async def _opened(self) -> "_Line":
        address = self._address
        loop = asyncio.get_running_loop()
        name = address.host if address.is_tls else None
        _, line = await loop.create_connection(
            _Line, address.host, address.port, ssl=self._context, server_hostname=name
        )
        try:
            line.check(address)
        except Untrusted:
            line.close()
            raise
        return line

    def _packed(self, request: Request) -> bytes:
        address = self._address
        host = f"[{address.host}]" if ":" in address.host else address.host
        lines = [f"POST {address.prefix}{request.path} HTTP/1.1", f"host: {host}:{address.port}"]
        lines += (f"{name}: {value}" for name, value in request.headers.items())
        lines.append(f"content-length: {len(request.body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + request.body


class _Line(asyncio.Protocol):
    """One connection, one question at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._asked: asyncio.Future[Answer] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def check(self, address: Address) -> None:
        """Raises `Untrusted` unless the server shows the certificate that is pinned."""
        if not address.is_tls or self._transport is None:
            return
        certificate = self._transport.get_extra_info("ssl_object").getpeercert(binary_form=True) or b""
        shown = hashlib.sha256(certificate).hexdigest()
        if not hmac.compare_digest(shown, address.fingerprint):
            raise Untrusted(
                f"{address.host}:{address.port} shows the certificate {shown[:16]}…, but the invitations name"
                f" {address.fingerprint[:16]}…: make them anew on this server"
            )

    async def ask(self, packed: bytes) -> Answer:
        """Send a request; raises `ConnectionError` where the connection has ended."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("the connection was closed")
        self._asked = asyncio.get_running_loop().create_future()
        self._transport.write(packed)
        return await self._asked

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, is_whole, rest = self._received.partition(b"\r\n\r\n")
        if not is_whole or self._asked is None or self._asked.done():
            return
        try:
            status, headers = _head(head)
            length = int(headers.get("content-length", "0"))
        except ValueError:
            self._asked.set_exception(ConnectionError("what it answers is not HTTP/1.1"))
            return
        if len(rest) >= length:
            self._received = rest[length:]
            self._asked.set_result(Answer(status, headers, rest[:length]))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._asked is not None and not self._asked.done():
            self._asked.set_exception(ConnectionResetError("the connection was closed without an answer"))
        self._transport = None
        del exc

    def close(self) -> None:
        """Let go at once."""
        if self._transport is not None:
            self._transport.abort()


def _head(head: bytes) -> tuple[int, Mapping[str, str]]:
    status_line, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    words = status_line.split(" ")
    if not words[0].startswith("HTTP/1.") or len(words) < 2:
        raise ValueError(status_line)
    return int(words[1]), headers


def _tls_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The certificate itself is pinned, so that neither its name nor who signed it says anything more.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
