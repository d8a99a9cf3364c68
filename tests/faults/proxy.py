"""A line between agents and their server that breaks: in a thread of its own, on a loopback port.

What breaks is drawn for each exchange: the answer is lost after the server has given it, the connection is
reset in the middle of what is sent, or nothing at all. It speaks no HTTP: an exchange is what comes until
somebody turns to answer.
"""

import asyncio
import enum
import random
import socket
import struct
import threading
from collections import Counter
from typing import Self

from tests.ports import free_port

_RESET_AT_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: the peer sees a reset."""


class Break(enum.Enum):
    """What happens to an exchange."""

    NOTHING = enum.auto()
    ANSWER_LOST = enum.auto()
    CUT_WHILE_SENDING = enum.auto()


class Proxy:
    """Leaving the context ends it. `breaks` counts what has happened; `share` of all exchanges break."""

    def __init__(self, to_port: int, *, seed: int, share: float = 0.5) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.share = share
        self.breaks: Counter[Break] = Counter()
        self._to_port = to_port
        self._chance = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._is_there = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._is_there.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        self._is_there.set()
        self._loop.run_forever()
        server.close()
        lines = asyncio.all_tasks(self._loop)
        for line in lines:
            line.cancel()
        self._loop.run_until_complete(asyncio.gather(*lines, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _serve(self, asking: asyncio.StreamReader, answering: asyncio.StreamWriter) -> None:
        try:
            there, onward = await asyncio.open_connection("127.0.0.1", self._to_port)
        except OSError:
            answering.close()
            return
        try:
            while await self._exchange(asking, onward, there, answering):
                pass
        except OSError:
            pass
        finally:
            onward.close()
            answering.close()

    async def _exchange(
        self,
        asking: asyncio.StreamReader,
        onward: asyncio.StreamWriter,
        there: asyncio.StreamReader,
        answering: asyncio.StreamWriter,
    ) -> bool:
        """One question and its answer; whether the line still holds."""
        drawn = self._draw()
        answer = asyncio.ensure_future(there.read(1 << 16))
        try:
            while not answer.done():
                question = asyncio.ensure_future(asking.read(1 << 16))
                await asyncio.wait((question, answer), return_when=asyncio.FIRST_COMPLETED)
                if not question.done():
                    question.cancel()
                    await asyncio.gather(question, return_exceptions=True)
                    break
                if not (asked := question.result()):
                    return False
                if drawn is Break.CUT_WHILE_SENDING:
                    onward.write(asked[: len(asked) // 2])
                    return self._broken(drawn, answering)
                onward.write(asked)
            said = await answer
        finally:
            answer.cancel()
        if drawn is Break.ANSWER_LOST:
            return self._broken(drawn, answering)
        answering.write(said)
        await answering.drain()
        return bool(said)

    def _draw(self) -> Break:
        if self._chance.random() >= self.share:
            return Break.NOTHING
        return self._chance.choice((Break.ANSWER_LOST, Break.ANSWER_LOST, Break.CUT_WHILE_SENDING))

    def _broken(self, drawn: Break, answering: asyncio.StreamWriter) -> bool:
        self.breaks[drawn] += 1
        answering.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
        return False
