"""Requests to an ASGI application in this process, without a socket."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from tocsin_server.http.needs import Asgi

WITHIN_S = 10.0
Message = dict[str, Any]
"""One of ASGI's."""


class Answer(NamedTuple):
    """What came back."""

    status: int
    text: str
    """Headers and body, in which a leak would be."""


async def answer_of(
    app: Asgi, method: str, path: str, *, token: str, query: Mapping[str, Any], body: object
) -> Answer:
    """Ask once."""
    content = b"" if body is None else json.dumps(body).encode()
    sent: list[Message] = []
    waiting = [{"type": "http.request", "body": content, "more_body": False}]

    async def receive() -> object:
        return waiting.pop() if waiting else await asyncio.Event().wait()

    async def send(message: Message) -> None:
        sent.append(message)

    async with asyncio.timeout(WITHIN_S):
        await app(_scope(method, path, token, query), receive, send)
    return _told(sent)


async def stream_of(app: Asgi, path: str, *, token: str, publish: Callable[[], None], until: bytes) -> Answer:
    """Listen to a stream of events: publish something once it has begun, and leave when the last has come.

    Whoever may not listen at all is told so at once.
    """
    sent: list[Message] = []
    came, left = asyncio.Event(), asyncio.Event()

    async def receive() -> object:
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        came.set()

    listening = asyncio.ensure_future(app(_scope("GET", path, token, {}), receive, send))
    async with asyncio.timeout(WITHIN_S):
        is_published = False
        while not listening.done() and until not in _body(sent):
            await asyncio.wait(
                [listening, asyncio.ensure_future(came.wait())], return_when=asyncio.FIRST_COMPLETED
            )
            came.clear()
            if not is_published and b"retry:" in _body(sent):
                is_published = True
                publish()
        left.set()
        await listening
    return _told(sent)


def _scope(method: str, path: str, token: str, query: Mapping[str, Any]) -> dict[str, Any]:
    headers = [(b"host", b"desk.example"), (b"content-type", b"application/json")]
    if token:
        headers.append((b"authorization", f"Bearer {token}".encode()))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": urlencode(query).encode(),
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }


def _body(sent: list[Message]) -> bytes:
    return b"".join(message.get("body", b"") for message in sent)


def _told(sent: list[Message]) -> Answer:
    start = next(message for message in sent if message["type"] == "http.response.start")
    headers = b"\n".join(b": ".join(pair) for pair in start["headers"])
    return Answer(start["status"], (headers + b"\n\n" + _body(sent)).decode("utf-8", "replace"))
