"""A question to the running server of a data folder, over HTTP, with the pass that it has written there.

The pass goes to this machine in the clear, and elsewhere only to who shows this folder's certificate.
"""

import hashlib
import http.client
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, urlencode, urlsplit

import msgspec

from tocsin_protocol.problems import Problem
from tocsin_server.access.operator import Pass
from tocsin_server.errors import Misconfigured, Refused
from tocsin_server.estate.identity import open_identity
from tocsin_server.loopback import is_loopback

TIMEOUT_S = 60

T = TypeVar("T")


def ask(data: Path, held: Pass, url: str | None, path: str, asked: Mapping[str, object], kind: type[T]) -> T:
    """The answer; raises `Misconfigured` where no server answers and `Refused` with what it says against it."""
    address = checked(url or held.url)
    words = urlencode({name: value for name, value in asked.items() if value is not None})
    try:
        status, body = _get(address, data, f"{address.path.rstrip('/')}{path}?{words}", held.token)
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise Misconfigured(
            f"no server answers at {address.geturl()} ({why})",
            remedy=f"start it (tocsin-server run --data {data}), or say with --url where it listens",
        ) from error
    if status == http.HTTPStatus.UNAUTHORIZED:
        raise Misconfigured(
            f"the server at {address.geturl()} is not the one that runs on {data}",
            remedy="name its folder with --data",
        )
    return _read(status, body, kind)


def checked(url: str) -> SplitResult:
    """The parts of an address; raises `Misconfigured` for what is none or would tell the pass to others."""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that is not closed
        is_address = False
    if not is_address:
        raise Misconfigured(f"{url!r} is no server's address", remedy="write it as https://127.0.0.1:8443")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise Misconfigured(f"{url} is asked in the clear", remedy="use https, or 127.0.0.1 on its machine")
    return parts


def _get(address: SplitResult, data: Path, target: str, token: str) -> tuple[int, bytes]:
    connection = _connected(address, data)
    try:
        connection.request("GET", target, headers={"authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _connected(address: SplitResult, data: Path) -> http.client.HTTPConnection:
    """A connection on which the pass may be said."""
    host, port = address.hostname or "", address.port
    if address.scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the fingerprint says who it is, better than a name
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=context)
    connection.connect()
    shown = connection.sock.getpeercert(binary_form=True)
    if hashlib.sha256(shown or b"").hexdigest() != open_identity(data).fingerprint:
        connection.close()
        raise Misconfigured(
            f"{address.geturl()} shows another certificate than the server of {data} has",
            remedy="ask it where it listens itself, not through what stands before it",
        )
    return connection


def _read(status: int, body: bytes, kind: type[T]) -> T:
    try:
        if status == http.HTTPStatus.OK:
            return msgspec.json.decode(body, type=kind)
        problem = msgspec.json.decode(body, type=Problem)
    except msgspec.DecodeError as error:
        raise Misconfigured(f"what answers there is no tocsin server ({status})") from error
    raise Refused(_one_line(problem.detail or problem.title), remedy=_one_line(problem.remedy))


def _one_line(text: str) -> str:
    """Harmless to a terminal: the words may repeat what a host has sent."""
    return "".join(each if each.isprintable() else " " for each in text)
