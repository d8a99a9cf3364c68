"""One kept connection to the one server that this host knows: HTTP/1.1 POST over pinned TLS.

The server is known by the SHA-256 of its certificate, from the enrolment token; no authority vouches for it,
and nothing is sent before the certificate has been compared. Plain HTTP is spoken to loopback only.

`http.client` would do the HTTP as well, for 1.5 MB more resident memory in every agent (it brings `email`);
measured with psutil, ssl, msgpack and nacl loaded: 22.9 MB with it, 21.4 MB without.
"""

import hashlib
import hmac
import os
import re
import select
import socket
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from tocsin_agent.errors import Misconfigured, Unreachable, Untrusted
from tocsin_agent.proxy import proxy_for

if TYPE_CHECKING:
    import ssl

CONNECT_S = 10.0
ANSWER_S = 20.0
_MOST_HEAD_BYTES = 32 << 10
_MOST_BODY_BYTES = 1 << 20
_CHUNK_BYTES = 16 << 10
_URL = re.compile(
    r"(?P<scheme>https?)://(?:(?P<name>[A-Za-z0-9._-]+)|\[(?P<ipv6>[0-9A-Fa-f:.]+)\])(?::(?P<port>\d{1,5}))?"
    r"(?P<prefix>(?:/[A-Za-z0-9._~-]+)*)/?"
)


class Address(NamedTuple):
    """Where the server is."""

    host: str
    port: int
    is_tls: bool
    prefix: str


class Answer(NamedTuple):
    """What the server said; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def parse_address(url: str) -> Address:
    """The address in a URL; plain HTTP is refused but to loopback."""
    parts = _URL.fullmatch(url)
    if parts is None:
        raise Misconfigured(f"the server's address {url!r} is not https://NAME[:PORT]: enrol again")
    is_tls = parts["scheme"] == "https"
    host, port = parts["name"] or parts["ipv6"], int(parts["port"] or 0)
    if not is_tls and not _is_loopback(host):
        raise Misconfigured(
            f"the server's address {url!r} is plain HTTP, which is spoken to loopback only: use https"
        )
    return Address(host, port or (443 if is_tls else 80), is_tls, parts["prefix"])


def _is_loopback(host: str) -> bool:
    if host in {"localhost", "::1"}:
        return True
    try:
        return socket.inet_aton(host)[0] == 127 and host.count(".") == 3
    except OSError:
        return False


class Connection:
    """Posts, one at a time, over a connection that is opened when it is needed and kept while it lives."""

    def __init__(
        self,
        url: str,
        *,
        fingerprint: str,
        answer_s: float = ANSWER_S,
        environment: Mapping[str, str] = os.environ,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = url
        self._address = parse_address(url)
        self._fingerprint = fingerprint.lower()
        self._answer_s = answer_s
        self._proxy = proxy_for(self._address.host, environment) if self._address.is_tls else None
        self._monotonic = monotonic
        self._socket: socket.socket | None = None
        self._context: ssl.SSLContext | None = None

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The answer; raises `Unreachable` or `Untrusted`.

        A kept connection that the server has closed meanwhile is opened anew, once: all that an agent posts may
        arrive twice.
        """
        request = self._head(path, body, headers) + body
        is_kept = self._socket is not None and not _has_ended(self._socket)
        if is_kept:
            try:
                return self._exchange(request)
            except _EndedBeforeAnswer:
                self.close()
            except (OSError, _NotHttp) as error:
                raise self._unreachable(error) from error
        self.close()
        try:
            self._socket = self._open()
            return self._exchange(request)
        except (OSError, _NotHttp) as error:
            raise self._unreachable(error) from error
        except Untrusted:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the connection; the next post opens one."""
        if self._socket is not None:
            kept, self._socket = self._socket, None
            kept.close()

    def _unreachable(self, error: Exception) -> Unreachable:
        self.close()
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        return Unreachable(f"no answer from {self.url}: {reason}")

    def _head(self, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        address = self._address
        host = f"[{address.host}]" if ":" in address.host else address.host
        lines = [f"POST {address.prefix}{path} HTTP/1.1", f"host: {host}:{address.port}"]
        lines += (f"{name}: {value}" for name, value in headers.items())
        lines.append(f"content-length: {len(body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _exchange(self, request: bytes) -> Answer:
        assert self._socket is not None  # noqa: S101 - both callers have just made sure
        deadline_s = self._monotonic() + self._answer_s
        self._socket.settimeout(self._answer_s)
        try:
            self._socket.sendall(request)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise _EndedBeforeAnswer(str(error)) from error
        answer = _AnswerReader(self._socket, deadline_s, self._monotonic).read()
        if answer.headers.get("connection", "").lower() == "close":
            self.close()
        return answer

    def _open(self) -> socket.socket:
        address, proxy = self._address, self._proxy
        host, port = (proxy.host, proxy.port) if proxy else (address.host, address.port)
        # As bytes: a name as text is put through the codec for international names, and its tables into memory.
        raw = socket.create_connection((host.encode("ascii"), port), timeout=CONNECT_S)  # type: ignore[arg-type]
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if proxy:
                self._tunnel(raw, proxy.request(address.host, address.port))
            return self._secured(raw) if address.is_tls else raw
        except BaseException:  # whatever it was goes on up; the socket is not left open
            raw.close()
            raise

    def _tunnel(self, raw: socket.socket, request: bytes) -> None:
        raw.sendall(request)
        reader = _AnswerReader(raw, self._monotonic() + CONNECT_S, self._monotonic)
        status, _ = reader.read_head()
        if status != 200:
            raise _NotHttp(f"the proxy of HTTPS_PROXY refuses the tunnel with status {status}")

    def _secured(self, raw: socket.socket) -> socket.socket:
        secured = self._tls_context().wrap_socket(raw, server_hostname=self._address.host.encode())
        shown = hashlib.sha256(secured.getpeercert(binary_form=True) or b"").hexdigest()
        if not hmac.compare_digest(shown, self._fingerprint):
            secured.close()
            raise Untrusted(
                f"{self.url} shows the certificate {shown[:16]}…, but the enrolment token names"
                f" {self._fingerprint[:16]}…: if the server was set up anew, enrol again with --force;"
                " else somebody is in between"
            )
        return secured

    def _tls_context(self) -> "ssl.SSLContext":
        if self._context is None:
            import ssl  # noqa: PLC0415 - a megabyte that an agent on the server's own host does not need

            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            # The certificate itself is pinned, so that neither its name nor who signed it says anything more.
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self._context = context
        return self._context


class _NotHttp(Exception):
    """What came is no answer."""


class _EndedBeforeAnswer(OSError):
    """The connection had been closed before a byte of the answer came."""


def _has_ended(kept: socket.socket) -> bool:
    """An idle connection that can be read has been closed, or holds what nobody has asked for."""
    poll = select.poll()
    poll.register(kept, select.POLLIN)
    return bool(poll.poll(0))


class _AnswerReader:
    """Reads one answer before a deadline, however slowly it drips."""

    def __init__(self, source: socket.socket, deadline_s: float, monotonic: Callable[[], float]) -> None:
        self._source = source
        self._deadline_s = deadline_s
        self._monotonic = monotonic
        self._buffer = b""
        self._has_begun = False

    def read(self) -> Answer:
        status, headers = self.read_head()
        while 100 <= status < 200:
            status, headers = self.read_head()
        return Answer(status, headers, self._read_body(headers))

    def read_head(self) -> tuple[int, dict[str, str]]:
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > _MOST_HEAD_BYTES:
                raise _NotHttp("its answer's head does not end")
            self._receive()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        words = status_line.split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
            raise _NotHttp("its answer is not HTTP/1.1")
        pairs = (line.partition(":") for line in lines)
        return int(words[1]), {name.strip().lower(): value.strip() for name, _, value in pairs}

    def _read_body(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._read_chunks()
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > _MOST_BODY_BYTES:
            raise _NotHttp(f"its answer's length is {length[:20]!r}")
        return self._take(int(length))

    def _read_chunks(self) -> bytes:
        body = b""
        while True:
            size_text = self._line().partition(b";")[0].strip()
            try:
                size = int(size_text, 16)
            except ValueError:
                raise _NotHttp("its answer's chunks cannot be read") from None
            if len(body) + size > _MOST_BODY_BYTES:
                raise _NotHttp("its answer does not end")
            if size == 0:
                while self._line():
                    pass
                return body
            body += self._take(size)
            self._line()

    def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            if len(self._buffer) > _MOST_HEAD_BYTES:
                raise _NotHttp("its answer's line does not end")
            self._receive()
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._receive()
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _receive(self) -> None:
        remaining_s = self._deadline_s - self._monotonic()
        if remaining_s <= 0:
            raise TimeoutError("its answer did not come in time")
        self._source.settimeout(remaining_s)
        try:
            received = self._source.recv(_CHUNK_BYTES)
        except ConnectionResetError as error:
            if not self._has_begun:
                raise _EndedBeforeAnswer(error.errno, error.strerror) from error
            raise
        if not received:
            if not self._has_begun:
                raise _EndedBeforeAnswer("the connection was closed without an answer")
            raise _NotHttp("the connection was closed within an answer")
        self._has_begun = True
        self._buffer += received
