"""Who sees one client learns nothing of another; and where something is to be learnt, the proof finds it."""

import json
from pathlib import Path

import pytest
import structlog
from sqlalchemy import ColumnElement, true
from tests.postgres import Cluster

from tocsin_server.access.scope import Scope
from tocsin_server.cli import main
from tocsin_server.http.broker import Event
from tocsin_server.http.hearing import Hearing
from tocsin_server.isolation import proof
from tocsin_server.isolation.clients import named
from tocsin_server.isolation.proof import Report, prove
from tocsin_server.isolation.questions import QUESTIONS, Ask, Asked, filled, names, path_of

pytestmark = pytest.mark.scenario


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof asks some routes only, which is soon done."""
    paths = {"/api/v1/tickets", "/api/v1/hosts", "/api/v1/events"}
    kept = {(method, path): asked for (method, path), asked in QUESTIONS.items() if path in paths}
    monkeypatch.setattr(proof, "QUESTIONS", kept)


def test_who_sees_one_client_learns_nothing_of_another_at_any_route() -> None:
    report = prove()

    assert report.unsaid == [], "say in isolation/questions.py how a new route is asked"
    assert report.leaks == []
    assert report.blind == []
    assert report.routes > 50
    assert report.asks > 1500


@pytest.mark.real
def test_who_sees_one_client_learns_nothing_of_another_on_postgresql_either(cluster: Cluster) -> None:
    name = cluster.copy_of()

    report = prove(cluster.url(name))

    cluster.drop(name)
    assert (report.leaks, report.blind, report.unsaid) == ([], [], [])
    assert report.asks > 1500


@pytest.mark.real
@pytest.mark.usefixtures("few")
def test_a_condition_that_is_forgotten_shows_nothing_on_postgresql(
    monkeypatch: pytest.MonkeyPatch, cluster: Cluster
) -> None:
    monkeypatch.setattr(Scope, "within", lambda _self, _column: true())
    name = cluster.copy_of()

    leaks = prove(cluster.url(name)).leaks

    cluster.drop(name)
    assert leaks == []


@pytest.mark.usefixtures("few")
def test_a_condition_that_is_forgotten_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def within(_self: Scope, _column: ColumnElement[int]) -> ColumnElement[bool]:
        return true()

    monkeypatch.setattr(Scope, "within", within)

    leaks = prove().leaks

    assert {leak.asked.split(" {")[0] for leak in leaks} >= {"GET /api/v1/tickets"}
    assert any("is another when the other client has more" in leak.what for leak in leaks)
    assert any("than of what nobody has" in leak.what for leak in leaks)


@pytest.mark.usefixtures("few")
def test_a_stream_that_tells_everything_to_everybody_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def words(_self: Hearing, _scope: Scope, events: list[Event]) -> bytes:
        return b"".join(event.text for event in events)

    monkeypatch.setattr(Hearing, "words", words)

    leaks = [leak for leak in prove().leaks if leak.asked == "GET /api/v1/events"]

    assert {leak.who for leak in leaks} >= {"client_viewer", "technician"}


@pytest.mark.usefixtures("few")
def test_a_route_of_which_nobody_has_said_how_it_is_asked_is_named() -> None:
    report = prove()

    assert "GET /api/v1/alerts" in report.unsaid
    assert not report.is_proven


def test_a_desk_of_ones_own_is_not_looked_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOCSIN_DATABASE", f"postgresql://nobody@/nowhere?host={tmp_path}")
    monkeypatch.setattr(proof, "QUESTIONS", {})

    assert prove().routes > 50


@pytest.mark.parametrize(("report", "status"), [(Report(routes=3), 0), (Report(unsaid=["GET /new"]), 1)])
def test_the_command_says_what_was_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], report: Report, status: int
) -> None:
    monkeypatch.setattr(proof, "prove", lambda: report)
    logs = structlog.get_config()

    assert main(["audit", "isolation", "--json"]) == status
    assert json.loads(capsys.readouterr().out)["proven"] is (status == 0)
    assert main(["audit", "isolation"]) == status
    assert capsys.readouterr().out.endswith(f"{report.routes} routes, 0 questions of 0 people, 0 leaks\n")
    assert structlog.get_config() == logs  # whoever called it is heard as before


def test_names_are_put_in_where_a_question_has_them() -> None:
    of = named("acme", "zq1", 1000)

    assert filled({"query": 'x{site="$site"}', "tickets": [{"id": "$ticket_id"}]}, of) == {
        "query": 'x{site="site-zq1"}',
        "tickets": [{"id": 1100}],
    }
    assert path_of("/api/v1/tickets/{ticket_id:int}/why", of) == "/api/v1/tickets/1100/why"
    assert [names(each) for each in ({"a": "b"}, {"a": ["$word"]}, 3, None)] == [False, True, False, False]
    with pytest.raises(KeyError):
        path_of("/api/v1/things/{thing_id:int}", of)
    assert Asked().asks == (Ask(),)
