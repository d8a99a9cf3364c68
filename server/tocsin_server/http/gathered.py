"""One write an answer: uvicorn writes its head and its body apart, which is two calls of the kernel."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

AT_ONCE_BYTES = 64 * 1024
"""So much is written without waiting for more: who writes without end is to be told to pause."""


class GatheredProtocol(HttpToolsProtocol):
    """uvicorn's, on a transport that gathers."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(Gathered(transport, self.loop))  # type: ignore[arg-type]


class Gathered:
    """A transport that writes at the end of the loop's turn what was written in it."""

    __slots__ = ("_bytes", "_loop", "_pieces", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._pieces: list[bytes] = []
        self._bytes = 0

    def write(self, data: bytes) -> None:
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)
        self._bytes += len(data)
        if self._bytes >= AT_ONCE_BYTES:
            self._flush()

    def close(self) -> None:
        """After what was written."""
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)

    def _flush(self) -> None:
        pieces, self._pieces, self._bytes = self._pieces, [], 0
        if pieces and not self._transport.is_closing():
            self._transport.write(b"".join(pieces))
