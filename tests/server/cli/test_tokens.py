"""`token`: programs' ways in, from the server's machine."""

import json
from pathlib import Path

import pytest
from tests.server.cli.operators import Operator
from tests.server.http.rig import CHEAP

from tocsin_protocol.vocabulary import Role, TokenScope
from tocsin_server.access.auditlog import entries
from tocsin_server.access.people import add_person, touch, who
from tocsin_server.access.standing import disable
from tocsin_server.cli import tokens
from tocsin_server.clock import FakeClock
from tocsin_server.datafolder import administer, database, look

pytestmark = pytest.mark.scenario


@pytest.fixture
def operator(
    tmp_path: Path, empty_database: bytes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Operator:
    database(tmp_path).path.write_bytes(empty_database)
    clock = FakeClock()
    monkeypatch.setattr(tokens, "SystemClock", lambda: clock)

    def found(session) -> None:
        for login in ("alice", "bob"):
            add_person(session, login, login, "correct horse battery", Role.ADMIN, 0, passwords=CHEAP)

    administer(tmp_path, found)
    return Operator("token", tmp_path, clock, capsys)


def visit(operator: Operator, token: str):
    return look(operator.data, lambda s: who(s, token, operator.clock.now_ms()))


def test_a_token_is_printed_alone_and_opens_what_was_said(operator: Operator) -> None:
    printed = operator.types("create alice --name robot --scope read --scope tickets:write")

    seen = visit(operator, printed.strip())
    assert printed.startswith("toc_api_")
    assert (seen.person.login, seen.scopes) == ("alice", {TokenScope.READ, TokenScope.TICKETS_WRITE})


def test_they_are_listed_with_whose_they_are_and_when_they_were_used(operator: Operator) -> None:
    token = operator.types("create alice --name robot --days 30").strip()
    operator.types("create bob --name 'wall board' --scope silences:write")
    administer(operator.data, lambda s: touch(s, who(s, token, 0), operator.clock.now_ms()))
    administer(operator.data, lambda s: disable(s, "bob", operator.clock.now_ms()))

    assert operator.types("list").splitlines() == [
        "id  login           scopes          until       last used          name",
        "1   alice           read            2023-12-14  2023-11-14 22:13Z  robot",
        "2   bob (disabled)  silences:write  2024-02-12  –                  wall board",
    ]
    told = json.loads(operator.types("list alice --json"))
    assert [(each["id"], each["scopes"]) for each in told] == [(1, ["read"])]


def test_without_one_the_list_says_how_to_make_one(operator: Operator) -> None:
    assert operator.types("list") == "no token is good now: tocsin-server token create LOGIN --name NAME\n"


def test_one_or_all_are_revoked_and_the_log_tells(operator: Operator) -> None:
    made = [operator.types(f"create alice --name robot{number}").strip() for number in range(3)]

    assert operator.types("revoke alice 2") == "1 token of alice revoked\n"
    assert [visit(operator, token) is None for token in made] == [False, True, False]
    assert operator.types("revoke alice --all") == "2 tokens of alice revoked\n"
    assert not [token for token in made if visit(operator, token)]
    told = look(operator.data, lambda s: [(each.act, each.party, each.subject) for each in entries(s)])
    assert told == [
        *(("token.made", "operator", str(number)) for number in (1, 2, 3)),
        *(("token.revoked", "operator", str(number)) for number in (2, 1, 3)),
    ]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("create eve --name x", "there is no login 'eve': tocsin-server user list shows them"),
        ("create alice --name x --days 400", "a token is good for 1 to 366 days, not 400"),
        ("create alice --name x --scope all", "(choose from 'read', 'tickets:write', 'silences:write')"),
        ("revoke alice", "it is not said which token: give its id, or --all"),
        ("revoke alice 7 --all", "it is not said which token: give its id, or --all"),
        ("revoke alice 9223372036854775808", "'9223372036854775808' is not the number of a token"),
        ("revoke alice 7", "there is no token 7: list them; it may have ended"),
    ],
)
def test_what_cannot_be_done_is_one_line_with_the_remedy(operator: Operator, line: str, why: str) -> None:
    assert operator.fails(line).endswith(why)


def test_who_is_disabled_is_given_none(operator: Operator) -> None:
    administer(operator.data, lambda s: disable(s, "bob", 0))

    assert "bob is disabled" in operator.fails("create bob --name x")
