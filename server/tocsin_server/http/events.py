"""`GET /api/v1/events`: one console's stream of changes.

It ends when the console leaves, when its session ends, when it is too slow, or when the server stops; a
console that has not ended it by itself comes back with `Last-Event-ID`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request, asgi
from litestar.types import Receive, Scope, Send

from tocsin_server.access.permissions import Permission
from tocsin_server.http.broker import Broker, Told
from tocsin_server.http.deps import Deps
from tocsin_server.http.permitted import needs
from tocsin_server.http.sessions import visit_of

HEARTBEAT_S = 15.0
"""A comment line this often keeps the line open, and the session is looked at again."""
SEND_S = 20.0
"""A console that takes nothing for so long is cut."""
_COMMENT = b": \n\n"
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]

Question = Callable[[], Awaitable[bool]]


def events(deps: Deps) -> asgi:
    """The route."""

    @asgi("/events", copy_scope=False, opt=needs(Permission.READ))
    async def listen(scope: Scope, receive: Receive, send: Send) -> None:
        request: Request[Any, Any, Any] = Request(scope, receive, send)

        async def is_welcome() -> bool:
            return await visit_of(request, deps) is not None

        stream = Stream(deps.broker, send, is_welcome=is_welcome)
        await while_there(stream.run(request.headers.get("last-event-id")), receive)

    return listen


class Stream:
    """What one console is told."""

    def __init__(
        self, broker: Broker, send: Send, *, is_welcome: Question, heartbeat_s: float = HEARTBEAT_S
    ) -> None:
        self._broker = broker
        self._send = send
        self._is_welcome = is_welcome
        self._heartbeat_s = heartbeat_s

    async def run(self, last_id: str | None) -> None:
        """Tell until there is a reason to end."""
        await self._send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        told = self._broker.join(last_id)
        await self._say(b"retry: 1000\n\n" + told.text)
        seen_at = asyncio.get_running_loop().time()
        while told.place is not None:
            told = await self._next(told.place)
            if told.text:
                await self._say(told.text)
            now = asyncio.get_running_loop().time()
            if now - seen_at >= self._heartbeat_s:
                seen_at = now
                if not await self._is_welcome():
                    break
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _next(self, place: int) -> Told:
        try:
            return await asyncio.wait_for(self._broker.after(place), self._heartbeat_s)
        except TimeoutError:
            return Told(_COMMENT, place)

    async def _say(self, text: bytes) -> None:
        async with asyncio.timeout(SEND_S):
            await self._send({"type": "http.response.body", "body": text, "more_body": True})


async def while_there(telling: Awaitable[None], receive: Receive) -> None:
    """Run until it ends or the other side has gone."""
    tasks = [asyncio.ensure_future(telling), asyncio.ensure_future(_until_gone(receive))]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        if not isinstance(error := task.exception(), TimeoutError | None):
            raise error


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
