"""Every error is a problem in RFC 9457's words, and says the thing, the value and the remedy."""

import httpx
import msgspec
import pytest
from tests.server.http.rig import Rig

from tocsin_protocol.problems import Problem


def problem(answer: httpx.Response) -> Problem:
    """What a client reads of an error."""
    assert answer.headers["content-type"] == "application/problem+json"
    read = msgspec.json.decode(answer.content, type=Problem)
    assert read.status == answer.status_code
    assert read.title
    return read


@pytest.mark.parametrize("path", ["/", "/nothing", "/api/v1/nothing", "/api/v1/tickets/abc", "/agents"])
async def test_an_unknown_path(alice: httpx.AsyncClient, path: str) -> None:
    told = problem(await alice.get(path))

    assert (told.status, told.type, told.detail) == (404, "not-found", f"there is nothing at {path}")


async def test_a_wrong_method(alice: httpx.AsyncClient) -> None:
    told = problem(await alice.delete("/api/v1/tickets"))

    assert (told.status, told.detail) == (405, "/api/v1/tickets does not take DELETE")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=many", "limit"),
        ("state=lost", "state"),
        ("host=atlas", "host"),
    ],
)
async def test_a_wrong_question_names_the_field(alice: httpx.AsyncClient, query: str, field: str) -> None:
    told = problem(await alice.get(f"/api/v1/tickets?{query}"))

    assert (told.status, told.type) == (400, "invalid")
    assert told.detail.startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"text": 5}', "text"),
        (b'{"text": "a", "version": "new"}', "version"),
        (b'{"txet": "a"}', "txet"),  # misspelt
        (b"{}", "text"),
        (b"[]", ""),
        (b"{", ""),
        (b"", ""),
        (b"\xff\xfe", ""),
    ],
)
async def test_a_wrong_body_names_the_field(alice: httpx.AsyncClient, body: bytes, words: str) -> None:
    told = problem(await alice.post("/api/v1/tickets/1/comment", content=body))

    assert (told.status, told.type) == (400, "invalid")
    assert words in told.detail


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(alice: httpx.AsyncClient) -> None:
    told = problem(await alice.post("/api/v1/tickets/1/comment", content=b'{"text": "' + b"x" * 300_000))

    assert (told.status, told.type) == (413, "too-large")


async def test_a_mistake_of_ours_is_logged_and_not_told(
    rig: Rig, alice: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rig.deps.hosts, "all", lambda scope, client: 1 / 0)

    told = problem(await alice.get("/api/v1/hosts"))

    assert (told.status, told.type) == (500, "internal")
    assert "division" not in told.detail
    said = capsys.readouterr()
    assert "division by zero" in said.out + said.err


async def test_what_is_not_there_is_said(alice: httpx.AsyncClient) -> None:
    for path in ("/hosts/99", "/alerts/99", "/tickets/99", "/hosts/99/chart?vital=cpu", "/alerts/99/chart"):
        told = problem(await alice.get(f"/api/v1{path}"))
        assert (told.status, told.type) == (404, "not-found"), path
        assert "99" in told.detail


async def test_an_id_beyond_what_a_database_can_hold_is_refused(alice: httpx.AsyncClient) -> None:
    for path in ("hosts", "alerts", "tickets"):
        assert problem(await alice.get(f"/api/v1/{path}/{10**30}")).status == 400
