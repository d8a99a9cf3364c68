"""What sends the pushes that are measured, on the event loop that the benchmark runs."""

import asyncio
from collections.abc import Sequence
from itertools import chain
from typing import cast

import pytest
import uvloop
from bench.push import _send_all, request

pytestmark = pytest.mark.peers

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Answering(asyncio.Protocol):
    """Gives one answer to whatever it hears."""

    def __init__(self, answer: bytes, heard: list[bytes]) -> None:
        self._answer = answer
        self._heard = heard

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._heard.append(data)
        self._transport.write(self._answer)


def heard_of(requests: Sequence[Sequence[bytes]], answer: bytes) -> list[bytes]:
    """What comes of these requests, each list over a connection of its own, where this is the answer."""
    heard: list[bytes] = []

    async def send() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Answering(answer, heard), "127.0.0.1", 0)
        async with server, asyncio.timeout(10):
            await _send_all(server.sockets[0].getsockname()[1], requests)

    uvloop.run(send())
    return heard


def test_each_connection_sends_all_that_it_has_in_turn() -> None:
    lists = [[request("/push", f"{one}{turn}".encode(), {}) for turn in range(3)] for one in range(2)]

    heard = heard_of(lists, ANSWER)

    assert sorted(heard) == sorted(chain.from_iterable(lists))
    assert [each for each in heard if each[-2:-1] == b"0"] == lists[0]


def test_a_refusal_ends_the_measurement() -> None:
    with pytest.raises(RuntimeError, match="503 Unavailable"):
        heard_of([[request("/push", b"1", {})]], ANSWER.replace(b"200 OK", b"503 Unavailable"))
