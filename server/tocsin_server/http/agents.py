"""Where agents knock: raw ASGI, reached before Litestar sees the request, because a push has no time to lose.

The routes of `tocsin_protocol.wire`; an agent's credential opens nothing else, and a person's opens none of
these. Bodies are capped while they stream in. Every error is a problem document (RFC 9457).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec
import structlog
from prometheus_client import Counter

from tocsin_protocol import wire
from tocsin_protocol.problems import Problem
from tocsin_server.errors import NotFound, Refused, TocsinError, TooLarge, Unavailable
from tocsin_server.health import Health
from tocsin_server.ingest.doorkeeper import KeyedAnswer
from tocsin_server.ingest.enrolments import Enrolments
from tocsin_server.ingest.hello import Greeter
from tocsin_server.ingest.receive import Receiver
from tocsin_server.ingest.signed import SignedAnswer

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Headers = dict[bytes, bytes]
Answer = tuple[list[tuple[bytes, bytes]], bytes]
Route = Callable[[bytes, Headers, Scope], Awaitable[Answer]]

BODY_WITHIN_S = 20.0
"""A body that drips holds a connection and nothing else; after this it has to start again."""

_SESSION, _MAC = wire.SESSION_HEADER.encode(), wire.MAC_HEADER.encode()
_SIGNATURE = wire.SIGNATURE_HEADER.encode()
_CONTENT = [(b"content-type", wire.CONTENT_TYPE.encode())]
_PROBLEM = [(b"content-type", b"application/problem+json")]

_log = structlog.get_logger()


class _WrongMethod(Refused):
    status = 405
    kind = "wrong-method"


class _TooSlow(Unavailable):
    status = 408
    kind = "too-slow"


class Reply(NamedTuple):
    """An answer, ready to be written."""

    status: int
    headers: list[tuple[bytes, bytes]]
    content: bytes


class _Gone(Exception):
    """The agent has hung up: there is nobody to answer."""


class Question(Protocol):
    """What an agent may ask within its session besides to push."""

    async def answer(self, body: bytes, *, session_id: str, mac: str) -> KeyedAnswer:
        """The answer; raises a `TocsinError`."""
        ...


class AgentsApp:
    """The ASGI application of `/agent/v1/`; `questions` are those of a session, by path."""

    def __init__(
        self,
        *,
        receiver: Receiver,
        greeter: Greeter,
        enrolments: Enrolments,
        health: Health,
        questions: Mapping[str, Question] | None = None,
    ) -> None:
        self._receiver = receiver
        self._greeter = greeter
        self._enrolments = enrolments
        self._health = health
        self._counted: dict[tuple[str, int], Counter] = {}
        self._routes: dict[str, Route] = {
            wire.PUSH_PATH: self._push,
            wire.HELLO_PATH: self._hello,
            wire.ENROL_PATH: self._enrol,
            **{path: _asked(question) for path, question in (questions or {}).items()},
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"]
        try:
            reply = await self._replied(path, self._answered(path, scope, receive))
        except _Gone:
            return
        await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
        await send({"type": "http.response.body", "body": reply.content})

    async def take(self, body: bytes, headers: Headers) -> Reply:
        """The same of a push that has come whole."""
        return await self._replied(wire.PUSH_PATH, self._push(body, headers, {}))

    async def _replied(self, path: str, answered: Awaitable[Answer]) -> Reply:
        """Counted; whatever fails has an answer too, unless nobody is there to have it."""
        try:
            reply = Reply(200, *await answered)
        except _Gone:
            raise
        except TocsinError as error:
            reply = Reply(error.status, *_problem(error))
        except Exception:  # noqa: BLE001 - the outermost loop of a request: the next one may succeed
            _log.exception("a request of an agent has failed", action="request_failed", path=path)
            reply = Reply(500, *_problem(TocsinError("the server has failed; its log says why")))
        self._counter(path, reply.status).inc()
        return reply

    async def _answered(self, path: str, scope: Scope, receive: Receive) -> Answer:
        route = self._routes.get(path)
        if route is None:
            raise NotFound(f"there is nothing at {path[:200]!r}")
        if scope["method"] != "POST":
            raise _WrongMethod(f"{path} takes POST, not {scope['method']}")
        headers: Headers = dict(scope["headers"])
        return await route(await _body(headers, receive), headers, scope)

    async def _push(self, body: bytes, headers: Headers, _scope: Scope) -> Answer:
        answer = await self._receiver.push(body, session_id=_said(headers, _SESSION), mac=_said(headers, _MAC))
        return [*_CONTENT, _length(answer)], answer

    async def _hello(self, body: bytes, headers: Headers, scope: Scope) -> Answer:
        return _signed(self._greeter.greet(body, signature=_said(headers, _SIGNATURE), address=_address(scope)))

    async def _enrol(self, body: bytes, headers: Headers, scope: Scope) -> Answer:
        signature = _said(headers, _SIGNATURE)
        return _signed(await self._enrolments.enrol(body, signature=signature, address=_address(scope)))

    def _counter(self, path: str, status: int) -> Counter:
        """Remembered: finding a child by its labels costs as much as half a push's decoding."""
        key = (path if path in self._routes else "other", status)
        counter = self._counted.get(key)
        if counter is None:
            counter = self._counted[key] = self._health.pushes.labels(key[0], str(status))
        return counter


def _asked(question: Question) -> Route:
    async def answered(body: bytes, headers: Headers, _scope: Scope) -> Answer:
        answer = await question.answer(body, session_id=_said(headers, _SESSION), mac=_said(headers, _MAC))
        return [*_CONTENT, _length(answer.body), (_MAC, answer.mac.encode())], answer.body

    return answered


async def _body(headers: Headers, receive: Receive) -> bytes:
    """The whole body, never more than a push may have."""
    if int(headers.get(b"content-length", b"0")) > wire.MAX_BODY_BYTES:
        raise _too_large()
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        return _capped(message.get("body", b""))
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            return await _rest(message, receive)
    except TimeoutError:
        raise _TooSlow(f"the body has not come within {BODY_WITHIN_S:.0f} s") from None


async def _rest(message: Mapping[str, Any], receive: Receive) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise _Gone
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > wire.MAX_BODY_BYTES:
            raise _too_large()
        if not message.get("more_body", False):
            return b"".join(pieces)
        message = await receive()


def _capped(body: bytes) -> bytes:
    if len(body) > wire.MAX_BODY_BYTES:
        raise _too_large()
    return body


def _too_large() -> TooLarge:
    return TooLarge(f"a body has at most {wire.MAX_BODY_BYTES} bytes", remedy="split it")


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _said(headers: Headers, name: bytes) -> str:
    return headers.get(name, b"").decode("latin-1")


def _length(content: bytes) -> tuple[bytes, bytes]:
    return b"content-length", str(len(content)).encode()


def _signed(answer: SignedAnswer) -> Answer:
    signature = (_SIGNATURE, answer.signature.encode())
    return [*_CONTENT, _length(answer.body), signature], answer.body


def _problem(error: TocsinError) -> Answer:
    problem = Problem(
        title=error.kind.replace("-", " "),
        status=error.status,
        type=error.kind,
        detail=error.message,
        remedy=error.remedy,
    )
    content = msgspec.json.encode(problem)
    headers = [*_PROBLEM, _length(content)]
    if isinstance(error, Unavailable):
        headers.append((b"retry-after", str(max(1, round(error.retry_after_s))).encode()))
    return headers, content
