"""One request, one effect: the `Idempotency-Key` of draft-ietf-httpapi-idempotency-key-header.

Who sends a key with a change may send it again until there is an answer. The answer is kept in the transaction
of the act, so a repeat finds either nothing, and acts, or the answer that was lost, and gives it again. What
was refused is not kept: nothing has happened, so the repeat is tried like a first one.

A key is a person's own, and stands for one request: method, path, `If-Match` and body, and the role in which it
was made, since an answer shows what that role may see.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
from litestar import Request, Response
from litestar.enums import MediaType
from sqlmodel import Session

from tocsin_protocol.messages import Message
from tocsin_server.access.answers import KeptAnswer, answer_under, keep_answer
from tocsin_server.access.scope import Scope
from tocsin_server.errors import NotFound, Refused, Unprocessable
from tocsin_server.http.deps import Deps
from tocsin_server.http.inwork import Mark
from tocsin_server.http.sessions import SignedIn, scope_of

A = TypeVar("A", bound=Message)
T = TypeVar("T")

HEADER = "idempotency-key"
REPEATED = "idempotency-replayed"
MAX_KEY = 200
_KEY = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')


class Repeated(Exception):
    """It has been done before; not a mistake, but the end of the transaction: this is the answer."""

    def __init__(self, answer: KeptAnswer) -> None:
        super().__init__()
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Done(Generic[A, T]):
    """What an act has come to: the answer, whose client it tells of, and what else has to be known of it."""

    answer: A
    client_id: int | None
    happened: T


async def once(deps: Deps, request: SignedIn, act: Callable[[Session], Done[A, T]]) -> Done[A, T]:
    """Do it, unless the request has a key under which it has been done: then that answer is given.

    Raises `Unprocessable` where the key was used for another request, and `StillInWork` where that one goes on.
    """
    mark = await _mark(request)
    if mark is None:
        return await deps.storage.write_soon(act)
    now_ms = deps.clock.now_ms()
    scope = scope_of(request)
    status = request.route_handler.status_code

    def run(session: Session) -> Done[A, T]:
        _give_again(answer_under(session, mark.person_id, mark.key, now_ms), mark, scope)
        done = act(session)
        body = msgspec.json.encode(done.answer)
        keep_answer(
            session,
            KeptAnswer(mark.person_id, mark.key, mark.fingerprint, done.client_id, status, body, now_ms),
        )
        return done

    with deps.in_work.held(mark):
        return await deps.storage.write_soon(run)


def repeated_response(_request: Request[Any, Any, Any], repeated: Repeated) -> Response[bytes]:
    """The answer as it was given first, and that it is a repeat."""
    return Response(
        repeated.answer.body,
        status_code=repeated.answer.status,
        media_type=MediaType.JSON,
        headers={"cache-control": "no-store", REPEATED: "true"},
    )


def read_key(lines: list[str]) -> str | None:
    """The key that a request carries: a string of RFC 8941. Raises `Refused` where it is none."""
    if not lines:
        return None
    found = _KEY.fullmatch(lines[0].strip(" \t")) if len(lines) == 1 else None
    key = "" if found is None else re.sub(r"\\(.)", r"\1", found[1])
    if not 0 < len(key) <= MAX_KEY:
        raise Refused(
            f"{HEADER} {', '.join(lines)[:100]!r} is no key",
            remedy=f'write one, of 1 to {MAX_KEY} characters, in double quotes: "8e03978e-40d5-43e8-bc93"',
        )
    return key


def _give_again(kept: KeptAnswer | None, mark: Mark, scope: Scope) -> None:
    if kept is None:
        return
    if kept.fingerprint != mark.fingerprint:
        raise Unprocessable(
            f"the key {mark.key!r} was used for another request", remedy="take a new key for each request"
        )
    if kept.client_id is not None and not scope.sees(kept.client_id):
        raise NotFound("what was done under this key is not to be seen any more")
    raise Repeated(kept)


async def _mark(request: SignedIn) -> Mark | None:
    key = read_key(request.headers.getall(HEADER, []))
    if key is None:
        return None
    asked = [request.method, request.url.path, *request.headers.getall("if-match", [])]
    digest = hashlib.sha256("\n".join([request.user.role.value, *asked, ""]).encode())
    digest.update(await request.body())
    return Mark(request.user.id, key, digest.hexdigest())
