"""`GET /api/v1/events`: one console's stream of changes, those that its person sees.

It ends when the console leaves, when its session ends, when it is too slow, or when the server stops; a
console that has not ended it by itself comes back with `Last-Event-ID`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from litestar import Request, asgi
from litestar.types import Receive, Send
from litestar.types import Scope as AsgiScope

from tocsin_server.access.permissions import Permission
from tocsin_server.access.scope import Scope
from tocsin_server.http.broker import Broker, Event, Told
from tocsin_server.http.deps import Deps
from tocsin_server.http.hearing import Hearing
from tocsin_server.http.permitted import needs
from tocsin_server.http.sessions import visit_of

HEARTBEAT_S = 15.0
"""A comment line this often keeps the line open."""
LOOK_AGAIN_S = 1.0
"""Before something is told, the session and what it sees are looked at again where that was so long ago."""
SEND_S = 20.0
"""A console that takes nothing for so long is cut."""
_COMMENT = b": \n\n"
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]

Look = Callable[[], Awaitable[Scope | None]]
"""Which clients are seen now; None where the session has ended."""
Words = Callable[[Scope, Sequence[Event]], Awaitable[bytes]]
"""What is said of events within a scope."""


def events(deps: Deps) -> asgi:
    """The route."""

    @asgi("/events", copy_scope=False, opt=needs(Permission.READ))
    async def listen(scope: AsgiScope, receive: Receive, send: Send) -> None:
        request: Request[Any, Any, Any] = Request(scope, receive, send)

        async def look() -> Scope | None:
            visit = await visit_of(request, deps)
            return None if visit is None else visit.scope

        words = Hearing(deps.storage, deps.estate, deps.terms).words
        stream = Stream(deps.broker, send, look=look, words=words)
        await while_there(stream.run(request.headers.get("last-event-id")), receive)

    return listen


class Stream:
    """What one console is told. When it is told something does not depend on what others hear."""

    def __init__(
        self, broker: Broker, send: Send, *, look: Look, words: Words, heartbeat_s: float = HEARTBEAT_S
    ) -> None:
        self._broker = broker
        self._send = send
        self._look = look
        self._words = words
        self._heartbeat_s = heartbeat_s

    async def run(self, last_id: str | None) -> None:
        """Tell until there is a reason to end."""
        await self._send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        told = self._broker.join(last_id)
        await self._say(b"retry: 1000\n\n" + told.before)
        now = asyncio.get_running_loop().time
        scope, looked_at = await self._look(), now()
        comment_at = now() + self._heartbeat_s
        while told.place is not None and scope is not None:
            told = await self._next(told.place, comment_at - now())
            if now() - looked_at >= min(LOOK_AGAIN_S, self._heartbeat_s):
                scope, looked_at = await self._look(), now()
            text = b"" if scope is None else await self._words(scope, told.events)
            if now() >= comment_at:
                text, comment_at = text or _COMMENT, now() + self._heartbeat_s
            if text:
                await self._say(text)
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _next(self, place: int, within_s: float) -> Told:
        try:
            return await asyncio.wait_for(self._broker.after(place), max(0.0, within_s))
        except TimeoutError:
            return Told((), place)

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
