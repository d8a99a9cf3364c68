"""One HTTP/1.1 answer, read before a deadline and never further than it is worth.

What a peer sends is hostile: a head has an end and so has a body; a drip is not waited for beyond the deadline.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from tocsin_agent.probes.dial import Deadline
from tocsin_agent.probes.failure import Failed
from tocsin_agent.probes.handshake import broken

MOST_BODY_BYTES = 1 << 20
_MOST_HEAD_BYTES = 32 << 10
_MOST_LINE_BYTES = 4 << 10
_MOST_INTERIM = 8
_RECEIVE_BYTES = 16 << 10
_STATUS_LINE = re.compile(rb"HTTP/(1\.[01]) (\d{3})(?: [^\r\n]*)?")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?")
_LENGTH = re.compile(r"\d{1,18}")


class Head(NamedTuple):
    """Status and headers; names in lower case, of several with one name the last but for the length."""

    version: float
    status: int
    headers: Mapping[str, str]

    @property
    def length(self) -> int:
        """The length that is announced; -1, as blackbox_exporter has it, where there is none."""
        return -1 if self._is_coded else int(self.headers.get("content-length", -1))

    @property
    def is_chunked(self) -> bool:
        """Its body comes in chunks."""
        return self.headers.get("transfer-encoding", "").lower().rpartition(",")[2].strip() == "chunked"

    @property
    def _is_coded(self) -> bool:
        return "transfer-encoding" in self.headers


class Line(Protocol):
    """A connection, secured or not."""

    def settimeout(self, seconds: float, /) -> None:
        """How long the next act may take."""

    def sendall(self, clear: bytes, /) -> None:
        """Sends."""

    def recv(self, most_bytes: int, /) -> bytes:
        """Receives some; nothing at the end."""

    def close(self) -> None:
        """Hangs up."""


class AnswerReader:
    """Reads the answer of `name` from a connection on which the request was sent."""

    def __init__(self, source: Line, name: str, deadline: Deadline) -> None:
        self._source = source
        self._name = name
        self._act = f"reading the answer of {name}"
        self._deadline = deadline
        self._buffer = bytearray()

    def wait(self) -> None:
        """Until the first byte is here."""
        if not self._receive():
            raise Failed("refused", f"{self._name} closed the connection without an answer")

    def head(self) -> Head:
        """The head of the final answer; those on the way to it are passed over."""
        for _ in range(_MOST_INTERIM):
            head = self._one_head()
            if head.status >= 200:
                return head
        raise Failed("endless", f"{self._name} sends one interim answer after the other")

    def body(self, head: Head, *, is_head_only: bool) -> bytes:
        """The body as it was sent, or the first MiB of a longer one."""
        if is_head_only or head.status in {204, 304}:
            return b""
        if head.is_chunked:
            return self._chunks()
        if head.length >= 0:
            return self._exactly(min(head.length, MOST_BODY_BYTES))
        while len(self._buffer) < MOST_BODY_BYTES and self._receive():
            pass
        return bytes(self._buffer[:MOST_BODY_BYTES])

    def _one_head(self) -> Head:
        end = self._through(b"\r\n\r\n", _MOST_HEAD_BYTES, "head")
        status_line, *lines = end.split(b"\r\n")
        status = _STATUS_LINE.fullmatch(status_line)
        if status is None:
            raise self._malformed("its answer is not HTTP/1.1")
        return Head(float(status[1]), int(status[2]), self._headers(lines))

    def _headers(self, lines: list[bytes]) -> dict[str, str]:
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon:
                raise self._malformed("a line of its head is no header")
            name, value = name.strip().lower(), value.strip()
            if name == "content-length":
                self._check_length(value, headers.get(name, value))
            headers[name] = value
        return headers

    def _check_length(self, length: str, before: str) -> None:
        if length != before or _LENGTH.fullmatch(length) is None:
            raise self._malformed("the length of its answer is no one number")

    def _chunks(self) -> bytes:
        body = bytearray()
        while len(body) < MOST_BODY_BYTES:
            size = _CHUNK_SIZE.fullmatch(self._line())
            if size is None:
                raise self._malformed("its chunks cannot be read")
            chunk_bytes = int(size[1], 16)
            if chunk_bytes == 0:
                # The trailers stay unread: the connection ends here.
                break
            body += self._exactly(min(chunk_bytes, MOST_BODY_BYTES - len(body)))
            if len(body) < MOST_BODY_BYTES and self._line():
                raise self._malformed("a chunk is longer than it says")
        return bytes(body)

    def _line(self) -> bytes:
        return self._through(b"\r\n", _MOST_LINE_BYTES, "line")

    def _through(self, end: bytes, most: int, what: str) -> bytes:
        """What comes before `end`, which is taken too."""
        begin = 0
        while (at := self._buffer.find(end, begin)) < 0:
            if len(self._buffer) > most:
                raise Failed("endless", f"{self._name} sends a {what} of more than {most} bytes")
            begin = max(0, len(self._buffer) - len(end) + 1)
            self._receive_more()
        if at > most:
            raise Failed("endless", f"{self._name} sends a {what} of more than {most} bytes")
        taken = bytes(self._buffer[:at])
        del self._buffer[: at + len(end)]
        return taken

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._receive_more()
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _receive_more(self) -> None:
        if not self._receive():
            raise self._malformed("it closed the connection within its answer")

    def _receive(self) -> bool:
        """More of the answer; false at its end."""
        self._source.settimeout(self._deadline.within(self._act))
        try:
            received = self._source.recv(_RECEIVE_BYTES)
        except OSError as error:
            raise broken(error, self._act, self._deadline) from error
        self._buffer += received
        return bool(received)

    def _malformed(self, what: str) -> Failed:
        return Failed("malformed", f"{self._name}: {what}")
