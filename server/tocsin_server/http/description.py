"""The API in OpenAPI's words, made whole: what the framework does not see in a route is added to its own.

That is who may ask, the headers of `http/etags.py` and `http/once.py`, and every refusal with its document.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from tocsin_protocol.api import PREFIX
from tocsin_server.http.once import HEADER, MAX_KEY, REPEATED
from tocsin_server.http.problems import CONTENT_TYPE

OPEN = frozenset({"/healthz", f"{PREFIX}/login"})
"""What is asked without a token."""
_CHANGING = frozenset({"post", "put", "patch", "delete"})
_ONCE = (f"{PREFIX}/tickets", f"{PREFIX}/silences", f"{PREFIX}/contracts", f"{PREFIX}/clients")
"""Whose changes take a key."""
_LOOKING = "/looking"
"""It is said again and again, and nothing is kept of it."""
_UNCONDITIONAL = (_LOOKING, "/watch", "/unwatch")
"""What is done to a ticket whatever its version."""
_TICKET = f"{PREFIX}/tickets/{{ticket_id}}"
_CONTRACT = f"{PREFIX}/contracts/{{contract_id}}"
_TAGGED = ((_CONTRACT, "get"), (_CONTRACT, "put"))
_ALWAYS = (429, 500, 503)
_SIGNED_IN = (401, 403)
_ASKED = (400, 404, 422)
_CHANGED = (409, 412, 413)
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457: `type` is a stable word, `remedy` says how to mend it.",
    "properties": {
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "type": {"type": "string"},
        "detail": {"type": "string"},
        "remedy": {"type": "string"},
        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/WrongPart"}},
    },
    "required": ["title", "status"],
}

_WRONG: dict[str, Any] = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("detail", "pointer", "key")},
    "required": ["detail", "pointer"],
}

_TAG = r'(W/)?"[!#-~]*"'
_TAGS = rf"^(\*|{_TAG}(, {_TAG})*)$"
_KEY = rf'^"[ !#-\[\]-~]{{1,{MAX_KEY}}}"$'
_TOLD_HEADER = {"schema": {"type": "string"}, "required": False}

Json = dict[str, Any]


def completed(schema: Json) -> Json:
    """The whole description, of what the framework says."""
    components = schema.setdefault("components", {})
    components.setdefault("schemas", {}).update(Problem=_PROBLEM, WrongPart=_WRONG)
    components["securitySchemes"] = {"session": {"type": "http", "scheme": "bearer"}}
    for path, item in schema["paths"].items():
        for method, operation in item.items():
            _complete(path, method, operation)
    _loosen(schema)
    return schema


def _complete(path: str, method: str, operation: Json) -> None:
    headers = list(_headers(path, method))
    if headers:
        operation["parameters"] = [*operation.get("parameters", []), *headers]
    if path not in OPEN:
        operation["security"] = [{"session": []}]
    responses = operation["responses"]
    for status in _refusals(path, method, operation):
        responses[str(status)] = _refusal(status)
    if (path, method) in _TAGGED:
        responses["200"].setdefault("headers", {})["etag"] = _TOLD_HEADER
    if (path, method) == (_TICKET, "get"):
        responses["200"].setdefault("headers", {})["etag"] = _TOLD_HEADER
        responses["304"] = {"description": "It has not changed", "headers": {"etag": _TOLD_HEADER}}
    if _takes_keys(path, method):
        for done in {"200", "201"} & responses.keys():
            responses[done].setdefault("headers", {})[REPEATED] = _TOLD_HEADER


def _loosen(part: object) -> None:
    """A whole number is a number as well: where the framework says that one of the kinds fits, more may."""
    if isinstance(part, dict):
        if "oneOf" in part:
            part["anyOf"] = part.pop("oneOf")
        _loosen(list(part.values()))
    elif isinstance(part, list):
        for each in part:
            _loosen(each)


def _refusals(path: str, method: str, operation: Json) -> Iterator[int]:
    if path == "/healthz":
        return
    yield from _ALWAYS
    if path not in OPEN:
        yield from _SIGNED_IN
    if "parameters" in operation or "requestBody" in operation:
        yield from _ASKED
    if method in _CHANGING:
        yield from _CHANGED
    if path in OPEN:
        yield 401


def _refusal(status: int) -> Json:
    reference = {"$ref": "#/components/schemas/Problem"}
    return {"description": HTTPStatus(status).phrase, "content": {CONTENT_TYPE: {"schema": reference}}}


def _headers(path: str, method: str) -> Iterator[Json]:
    if (path, method) == (_TICKET, "get"):
        said = 'Tags that are known, such as "v7": 304 where it still has one of them'
        yield _header("If-None-Match", said, _TAGS)
    if path.startswith(f"{_TICKET}/") and method == "post" and not path.endswith(_UNCONDITIONAL):
        yield _header("If-Match", 'Tags such as "v7": 412 where the ticket has none of them any more', _TAGS)
    if (path, method) == (_CONTRACT, "put"):
        yield _header("If-Match", 'The version that is to be followed, such as "v3"; without it, none', _TAGS)
    if _takes_keys(path, method):
        said = f"At most {MAX_KEY} characters in double quotes: what is sent again with the same is done once"
        yield _header(HEADER, said, _KEY)


def _takes_keys(path: str, method: str) -> bool:
    return method in _CHANGING and path.startswith(_ONCE) and not path.endswith(_LOOKING)


def _header(name: str, description: str, pattern: str) -> Json:
    schema = {"type": "string", "pattern": pattern}
    return {"name": name, "in": "header", "required": False, "description": description, "schema": schema}
