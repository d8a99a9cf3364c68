"""`team`: what an operator types, what is said, and what the audit log knows of it."""

import json
from pathlib import Path

import pytest
from sqlmodel import Session
from tests.server.cli.operators import Operator

from tocsin_protocol.vocabulary import Role
from tocsin_server.access.auditlog import entries
from tocsin_server.access.people import add_person
from tocsin_server.cli import teams
from tocsin_server.clock import FakeClock
from tocsin_server.datafolder import administer, database, look

pytestmark = pytest.mark.scenario


@pytest.fixture
def operator(
    tmp_path: Path, empty_database: bytes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Operator:
    database(tmp_path).path.write_bytes(empty_database)
    clock = FakeClock()
    monkeypatch.setattr(teams, "SystemClock", lambda: clock)

    def found(session: Session) -> None:
        for login in ("alice", "bob"):
            add_person(session, login, login.title(), None, Role.TECHNICIAN, clock.now_ms())

    administer(tmp_path, found)
    return Operator("team", tmp_path, clock, capsys)


def test_teams_are_made_filled_listed_and_left(operator: Operator) -> None:
    assert operator.types("list") == "there are no teams yet: tocsin-server team add SLUG\n"
    assert operator.types("add servers --mail servers@example.net --assign load") == "team servers added\n"
    assert operator.types("add network") == "team network added\n"
    assert operator.types("member add servers alice --lead --most-open 20") == "alice is in servers\n"
    assert operator.types("member add servers bob") == "bob is in servers\n"
    away = "member change servers bob --away-until 2023-12-01T08:00+01:00"
    assert operator.types(away) == "bob of servers changed\n"

    assert operator.types("list").splitlines() == [
        "team     assign  mail                 member        since       most  away until",
        "network  none    –                    –",
        "servers  load    servers@example.net  alice (lead)  2023-11-14  20",
        "servers  load    servers@example.net  bob           2023-11-14  –     2023-12-01 07:00Z",
    ]
    assert operator.types("member change servers bob --back") == "bob of servers changed\n"
    assert operator.types("member remove servers alice") == "alice is in servers no more\n"
    (_, told) = json.loads(operator.types("list --json"))
    assert [(each["login"], each["away_until"]) for each in told["members"]] == [("bob", None)]


def test_a_team_is_changed(operator: Operator) -> None:
    operator.types("add servers --mail servers@example.net")

    assert operator.types("change servers --mail '' --name 'Server team'") == "team servers changed\n"
    (told,) = json.loads(operator.types("list --json"))
    assert (told["name"], told["mail"]) == ("Server team", "")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("change servers", "nothing is to be changed: give --name, --mail or --assign"),
        ("member change servers alice", "nothing is to be changed: give --lead, "),
        ("member add network alice", "there is no team 'network': tocsin-server team list shows them"),
        ("member remove servers alice", "alice is not in servers: tocsin-server team list shows who is"),
        ("member add servers alice --most-open -1", "nobody has at most -1 open tickets: choose 1 to 10000"),
    ],
)
def test_what_cannot_be_done_is_told_with_the_remedy(operator: Operator, line: str, said: str) -> None:
    operator.types("add servers")

    assert said in operator.fails(line)


def test_each_act_is_in_the_audit_log(operator: Operator) -> None:
    for line in (
        "add servers",
        "change servers --assign load",
        "member add servers alice",
        "member change servers alice --lead",
        "member remove servers alice",
    ):
        operator.types(line)
    operator.fails("member remove servers alice")

    acts = look(operator.data, lambda session: [(each.act, each.subject) for each in entries(session)])

    assert acts == [
        ("team.added", "servers"),
        ("team.changed", "servers"),
        ("team.joined", "servers"),
        ("team.member_changed", "servers"),
        ("team.left", "servers"),
    ]
