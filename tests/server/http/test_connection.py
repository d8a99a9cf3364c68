"""A push that comes whole is answered past ASGI, and nobody at the other end can tell."""

import asyncio
import itertools
from collections.abc import Sequence

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.server import ServerState

from tocsin_protocol import wire
from tocsin_server.http.agents import Headers, Reply
from tocsin_server.http.connection import Connection, connections
from tocsin_server.http.needs import Asgi

PUSH = f"POST {wire.PUSH_PATH} HTTP/1.1\r\nHost: tocsin\r\nX-Tocsin-Session: s1\r\n".encode()


def push(body: bytes, more: bytes = b"") -> bytes:
    return PUSH + b"%bContent-Length: %d\r\n\r\n%b" % (more, len(body), body)


class Peer(asyncio.Transport):
    """The other end of one connection, and both ways of a request."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.7", 5000), "sockname": ("192.0.2.1", 443)})
        self.writes: list[bytes] = []
        self.is_closed = False
        self.taken: list[tuple[bytes, Headers]] = []
        self.by_asgi: list[tuple[str, bytes]] = []
        self.state = ServerState()
        config = uvicorn.Config(self._app(), lifespan="off", log_config=None, date_header=False)
        config.load()
        made = connections(self._take)(
            config=config, server_state=self.state, app_state={}, _loop=asyncio.get_running_loop()
        )
        assert isinstance(made, Connection)
        self.connection = made
        self.connection.connection_made(self)
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def says(self, *reads: bytes) -> list[bytes]:
        """The answers to this; each read is one of the kernel's."""
        for read in reads:
            self.connection.data_received(read)
            await self.quiet()
        return self.writes

    async def quiet(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def _take(self, body: bytes, headers: Headers) -> Reply:
        self.taken.append((body, headers))
        await self.may_answer.wait()
        return Reply(200, [(b"content-length", b"%d" % len(body))], body)

    def _app(self) -> Asgi:
        async def app(scope, receive, send) -> None:
            body = b""
            while (message := await receive()).get("more_body"):
                body += message["body"]
            body += message.get("body", b"")
            self.by_asgi.append((f"{scope['method']} {scope['path']}", body))
            length = [(b"content-length", b"%d" % len(body))]
            await send({"type": "http.response.start", "status": 200, "headers": length})
            await send({"type": "http.response.body", "body": body})

        return app

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def test_a_push_that_comes_whole_is_answered_in_one_write() -> None:
    peer = Peer()

    answers = await peer.says(push(b"one"), push(b"three"))

    assert answers == [
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\none",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nthree",
    ]
    assert peer.by_asgi == []
    assert peer.taken[0][1][b"x-tocsin-session"] == b"s1"


@pytest.mark.parametrize(
    "reads",
    [
        (push(b"body")[:-4], b"body"),
        (push(b"body")[:-2], b"dy"),
        (PUSH + b"Expect: 100-continue\r\nContent-Length: 4\r\n\r\nbody",),
        (push(b"body").replace(b"HTTP/1.1", b"HTTP/1.0"),),
        (push(b"body").replace(b"POST", b"PUT"),),
        (push(b"body").replace(b"/push ", b"/hello "),),
        (push(b"body").replace(b"/push ", b"/push?x=1 "),),
    ],
    ids=["body later", "half the body later", "expects", "old", "put", "no push", "with a query"],
)
async def test_anything_else_goes_by_asgi_and_nothing_of_it_is_lost(reads: Sequence[bytes]) -> None:
    peer = Peer()

    answers = await peer.says(*reads)

    assert peer.taken == []
    assert [body for _, body in peer.by_asgi] == [b"body"]
    assert b"".join(answers).endswith(b"\r\n\r\nbody")


async def test_a_body_in_chunks_is_a_body() -> None:
    peer = Peer()

    await peer.says(PUSH + b"Transfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n")

    assert [body for body, _ in peer.taken] == [b"body"]


async def test_what_comes_while_a_push_is_answered_waits_for_its_turn() -> None:
    peer = Peer()
    peer.may_answer.clear()

    await peer.says(push(b"first"), b"GET /healthz HTTP/1.1\r\nHost: tocsin\r\n\r\n" + push(b"third"))
    assert (peer.writes, peer.by_asgi) == ([], [])
    peer.may_answer.set()
    await peer.quiet()

    assert b"".join(peer.writes).count(b"HTTP/1.1 200 OK") == 3
    assert peer.by_asgi == [("GET /healthz", b""), (f"POST {wire.PUSH_PATH}", b"third")]


async def test_who_wants_no_more_is_told_good_bye() -> None:
    peer = Peer()

    answers = await peer.says(push(b"one", b"Connection: close\r\n"))

    assert b"\r\nconnection: close\r\n" in answers[0]
    assert peer.is_closed


async def test_a_server_that_ends_answers_what_it_has_taken_and_then_hangs_up() -> None:
    peer = Peer()
    peer.may_answer.clear()

    await peer.says(push(b"one"))
    assert len(peer.state.tasks) == 1
    peer.connection.shutdown()
    assert not peer.is_closed
    peer.may_answer.set()
    await peer.quiet()

    assert b"\r\nconnection: close\r\n" in peer.writes[0]
    assert peer.is_closed
    assert not peer.state.tasks


async def test_who_has_hung_up_is_told_nothing_and_what_it_said_is_taken() -> None:
    peer = Peer()
    peer.may_answer.clear()

    await peer.says(push(b"one"))
    peer.connection.connection_lost(None)
    peer.may_answer.set()
    await peer.quiet()

    assert len(peer.taken) == 1
    assert peer.writes == []


async def test_nonsense_after_the_head_of_a_push_is_a_bad_request() -> None:
    peer = Peer()

    answers = await peer.says(PUSH + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nnonsense")

    assert answers[0].startswith(b"HTTP/1.1 400 ")
    assert (peer.taken, peer.state.tasks, peer.is_closed) == ([], set(), True)


async def test_who_asks_for_another_protocol_goes_by_asgi() -> None:
    peer = Peer()

    await peer.says(push(b"body", b"Connection: upgrade\r\nUpgrade: h2c\r\n"))

    assert peer.taken == []
    assert len(peer.by_asgi) == 1


async def test_an_idle_connection_is_ended_after_a_push_too() -> None:
    peer = Peer()

    await peer.says(push(b"one"))

    assert peer.connection.timeout_keep_alive_task is not None
    peer.connection.timeout_keep_alive_handler()
    assert peer.is_closed


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=4), st.data())
def test_however_the_kernel_cuts_it_every_push_is_taken_once_and_answered_in_order(
    bodies: list[bytes], data: st.DataObject
) -> None:
    said = b"".join(map(push, bodies))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(said) - 1), max_size=6)))
    reads = [said[start:end] for start, end in itertools.pairwise([0, *cuts, len(said)])]

    async def answered() -> tuple[bytes, list[bytes]]:
        peer = Peer()
        heard = await peer.says(*reads)
        return b"".join(heard), [body for body, _ in peer.taken] + [body for _, body in peer.by_asgi]

    heard, taken = asyncio.run(answered())

    assert heard == b"".join(
        b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body) for body in bodies
    )
    assert sorted(taken) == sorted(bodies)
