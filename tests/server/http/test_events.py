"""A stream ends when the console leaves, when it is nobody's any more, when it is stuck, and at the end."""

import asyncio
import socket
import time
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
import uvicorn
from tests.server.http.rig import Rig

from tocsin_server.access.scope import EVERYWHERE, Scope
from tocsin_server.http import events
from tocsin_server.http.broker import Broker, Event
from tocsin_server.http.build import build
from tocsin_server.http.events import Look, Stream, while_there


class Wire:
    """One console's side of a connection."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.came = asyncio.Event()
        self.left = asyncio.Event()

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        self.came.set()

    async def receive(self) -> Any:
        await self.left.wait()
        return {"type": "http.disconnect"}

    @property
    def text(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    async def until(self, words: bytes) -> None:
        async with asyncio.timeout(5):
            while words not in self.text:
                self.came.clear()
                await self.came.wait()


async def yes() -> Scope:
    return EVERYWHERE


async def words(_scope: Scope, events: Sequence[Event]) -> bytes:
    return b"".join(event.text for event in events)


def stream(broker: Broker, send: Any, *, look: Look = yes, **more: Any) -> Stream:
    return Stream(broker, send, look=look, words=words, **more)


async def test_it_begins_at_once_with_what_a_console_needs_to_come_back() -> None:
    broker, wire = Broker(), Wire()
    running = asyncio.create_task(stream(broker, wire.send).run(None))
    await wire.until(b"retry: 1000\n\n")
    broker.publish("rules", None)
    await wire.until(b"event: rules")
    broker.close()
    await asyncio.wait_for(running, 5)

    assert wire.sent[0]["status"] == 200
    assert (b"content-type", b"text/event-stream; charset=utf-8") in wire.sent[0]["headers"]
    assert wire.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


async def test_a_comment_keeps_a_quiet_line_open() -> None:
    broker, wire = Broker(), Wire()
    running = asyncio.create_task(stream(broker, wire.send, heartbeat_s=0.001).run(None))

    await wire.until(b": \n\n: \n\n")

    broker.close()
    await asyncio.wait_for(running, 5)


@pytest.mark.parametrize("is_busy", [True, False])
async def test_it_ends_when_its_session_has_ended(*, is_busy: bool) -> None:
    broker, wire = Broker(), Wire()

    async def no() -> None:
        return None

    ending = asyncio.create_task(stream(broker, wire.send, look=no, heartbeat_s=0.001).run(None))
    while not ending.done():
        if is_busy:
            broker.publish("rules", None)
        await asyncio.sleep(0)

    assert wire.sent[-1]["more_body"] is False


async def test_it_ends_when_the_console_leaves() -> None:
    broker, wire = Broker(), Wire()
    running = asyncio.create_task(while_there(stream(broker, wire.send).run(None), wire.receive))
    await wire.until(b"retry")

    wire.left.set()

    await asyncio.wait_for(running, 5)


async def test_a_console_that_takes_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "SEND_S", 0.001)
    wire = Wire()

    async def stuck(message: Any) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    running = while_there(stream(Broker(), stuck).run(None), wire.receive)

    await asyncio.wait_for(running, 5)


async def test_what_goes_wrong_is_not_hidden() -> None:
    wire = Wire()

    async def broken(message: Any) -> None:
        raise ConnectionError(message["type"])

    with pytest.raises(ConnectionError):
        await while_there(stream(Broker(), broken).run(None), wire.receive)


@pytest.mark.scenario
async def test_over_a_real_connection_it_is_heard_and_ends_with_the_server(rig: Rig) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    app = build(rig.deps)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=3))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/api/v1/events"
    headers = {"authorization": f"Bearer {rig.tokens['charlie']}"}
    heard: list[str] = []

    async with (
        httpx.AsyncClient(trust_env=False, timeout=5) as client,
        client.stream("GET", url, headers=headers) as stream,
    ):
        assert stream.status_code == 200
        async for line in stream.aiter_lines():
            heard.append(line)
            if line == "retry: 1000":
                rig.deps.broker.publish("rules", None)
            if line == "event: rules":
                rig.deps.broker.close()
                server.should_exit = True
                asked = time.monotonic()

    await asyncio.wait_for(serving, 5)
    assert time.monotonic() - asked < 3
    ids = [line.removeprefix("id: ") for line in heard if line.startswith("id: ")]
    assert rig.deps.broker.join(ids[-1]).place == rig.deps.broker.count
