"""Every error as RFC 9457 problem details: a stable word for programs, a sentence and a remedy for people."""

from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import ExceptionHandlersMap

from tocsin_protocol.problems import Problem, WrongPart
from tocsin_server.errors import Malformed, TocsinError, Unauthenticated, Unavailable

_log = structlog.get_logger()

MOST_WRONG = 100
"""How many things that are wrong a problem tells."""
CONTENT_TYPE = "application/problem+json"
_WORDS = {
    400: "invalid",
    401: "unauthenticated",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
}
"""The words for what the framework itself refuses; ours say their own."""

_ASKED_AS = {"which": "state", "promql": "query", "shown": "which"}
"""Parameters that the code has to call otherwise."""

AnyRequest = Request[Any, Any, Any]


def problem_response(problem: Problem, headers: dict[str, str] | None = None) -> Response[bytes]:
    """The problem as an answer."""
    return Response(
        msgspec.json.encode(problem),
        status_code=problem.status,
        media_type=CONTENT_TYPE,
        headers={"cache-control": "no-store", **(headers or {})},
    )


def problem_of(error: TocsinError) -> Problem:
    """What one of our own says."""
    return Problem(
        type=error.kind,
        title=HTTPStatus(error.status).phrase,
        status=error.status,
        detail=error.message,
        remedy=error.remedy,
        errors=_wrong(error) if isinstance(error, Malformed) else [],
    )


def _wrong(error: Malformed) -> list[WrongPart]:
    return [
        WrongPart(detail=each.detail, pointer=f"#{each.pointer}", key=each.key)
        for each in error.errors[:MOST_WRONG]
    ]


def _told(_request: AnyRequest, error: TocsinError) -> Response[bytes]:
    """One of our own: its words are meant to be read."""
    headers = {}
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, Unavailable):
        headers["retry-after"] = str(max(1, round(error.retry_after_s)))
    return problem_response(problem_of(error), headers)


def _refused(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """The framework's own: an unknown path, a wrong method, a body that is not what the route takes."""
    if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _unexpected(request, error)
    problem = Problem(
        type=_WORDS.get(error.status_code, "refused"),
        title=HTTPStatus(error.status_code).phrase,
        status=error.status_code,
        detail=_detail(request, error),
    )
    return problem_response(problem, error.headers)


def _unexpected(request: AnyRequest, error: Exception) -> Response[bytes]:
    """A mistake of ours: the log has all of it, the answer nothing."""
    _log.error(
        "a request has failed",
        action="request_failed",
        method=request.method,
        path=request.url.path,
        exc_info=error,
    )
    problem = Problem(
        type="internal",
        title="Internal Server Error",
        status=500,
        detail="the server has made a mistake; its log says which",
    )
    return problem_response(problem)


def _detail(request: AnyRequest, error: HTTPException) -> str:
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        return "; ".join(_field(entry) for entry in error.extra if isinstance(entry, dict)) or error.detail
    if error.status_code == HTTPStatus.NOT_FOUND:
        return f"there is nothing at {request.url.path}"
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"{request.url.path} does not take {request.method}"
    return error.detail


def _field(entry: dict[str, Any]) -> str:
    """One field that is wrong, by name."""
    key, message = entry.get("key", ""), entry.get("message", "is wrong")
    return f"{_ASKED_AS.get(key, key)}: {message}" if key else str(message)


EXCEPTION_HANDLERS: ExceptionHandlersMap = {TocsinError: _told, HTTPException: _refused, Exception: _unexpected}
