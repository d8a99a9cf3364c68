"""A connection of HTTP/1.1: uvicorn's, with a short way for pushes that come whole.

A push of a host fits in one read. What ASGI needs to hand over a body in pieces, and an answer in pieces (a
scope, an event, four messages, two writes), is otherwise half of what a push costs. A push that is not whole
when the read ends, one that waits behind another request, and all that is no push go uvicorn's way.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from tocsin_protocol import wire
from tocsin_server.http.agents import Headers, Reply

Take = Callable[[bytes, Headers], Awaitable[Reply]]
"""A push's body and headers; it has an answer to everything."""

_PATH = wire.PUSH_PATH.encode()


def connections(take: Take) -> Callable[..., asyncio.Protocol]:
    """What makes a connection when uvicorn asks for one."""
    return partial(Connection, take)


class Connection(HttpToolsProtocol):
    """One peer's."""

    cycle: "RequestResponseCycle | Turn | None"  # type: ignore[assignment]

    def __init__(
        self,
        take: Take,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._take = take
        self._held: list[bytes] | None = None
        """The body so far of a push that may yet come whole."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._held is not None:
            self._go_uvicorns_way()

    def on_headers_complete(self) -> None:
        if self._is_push():
            self._held = []
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._held is None:
            super().on_body(body)
        else:
            self._held.append(body)

    def on_message_complete(self) -> None:
        if self._held is None:
            super().on_message_complete()
            return
        body, self._held = b"".join(self._held), None
        self.cycle = turn = Turn(keep_alive=self.parser.should_keep_alive())
        task = self.loop.create_task(self._answer(turn, body, dict(self.headers)))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _is_push(self) -> bool:
        return (
            self.url == _PATH
            and (self.cycle is None or self.cycle.response_complete)
            and self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
            and not self.expect_100_continue
            and not self.parser.should_upgrade()
        )

    def _go_uvicorns_way(self) -> None:
        pieces, self._held = self._held or [], None
        if self.transport.is_closing():
            return
        super().on_headers_complete()
        for piece in pieces:
            super().on_body(piece)

    async def _answer(self, turn: "Turn", body: bytes, headers: Headers) -> None:
        reply = await self._take(body, headers)
        turn.response_complete = True
        if turn.disconnected:
            return
        self.transport.write(_rendered(reply, self.server_state.default_headers, keep_alive=turn.keep_alive))
        if not turn.keep_alive:
            self.transport.close()
        self.on_response_complete()


class Turn:
    """What uvicorn knows and asks of the request that has its turn."""

    __slots__ = ("disconnected", "keep_alive", "message_event", "response_complete")

    def __init__(self, *, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        """Cleared by a server that ends."""
        self.response_complete = False
        self.disconnected = False
        self.message_event = _NOBODY_WAITS


class _NobodyWaits:
    def set(self) -> None:
        """For more of the body, for it is whole."""


_NOBODY_WAITS = _NobodyWaits()


def _rendered(reply: Reply, default: list[tuple[bytes, bytes]], *, keep_alive: bool) -> bytes:
    headers = (
        [*default, *reply.headers] if keep_alive else [*default, *reply.headers, (b"connection", b"close")]
    )
    lines = [b"%b: %b\r\n" % header for header in headers]
    return b"".join([STATUS_LINE[reply.status], *lines, b"\r\n", reply.content])
