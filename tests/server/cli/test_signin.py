"""`user totp` and `user unlock`: what an operator does for who cannot sign in."""

import json
from pathlib import Path

import pytest
from tests.server.cli.operators import Operator
from tests.server.http.rig import CHEAP
from tests.server.http.test_signin import code_at

from tocsin_protocol.vocabulary import Role
from tocsin_server.access import totp
from tocsin_server.access.attempts import PAIR, charge
from tocsin_server.access.auditlog import entries
from tocsin_server.access.people import add_person, issue_session, person_named
from tocsin_server.access.vault import vault_of
from tocsin_server.cli import signin
from tocsin_server.clock import FakeClock
from tocsin_server.datafolder import administer, database, look
from tocsin_server.errors import Overloaded
from tocsin_server.estate.identity import open_identity

pytestmark = pytest.mark.scenario


@pytest.fixture
def operator(
    tmp_path: Path, empty_database: bytes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Operator:
    """Alice has a device and is signed in; Bob has none."""
    database(tmp_path).path.write_bytes(empty_database)
    clock, vault = FakeClock(), vault_of(open_identity(tmp_path))
    monkeypatch.setattr(signin, "SystemClock", lambda: clock)

    def found(session) -> None:
        now_ms = clock.now_ms()
        for login in ("alice", "bob"):
            add_person(session, login, login, "correct horse battery", Role.ADMIN, now_ms, passwords=CHEAP)
        alice = person_named(session, "alice")
        secret = totp.begin(session, alice, vault, now_ms).secret
        totp.confirm(session, alice.id, code_at(secret, now_ms), vault, now_ms)
        issue_session(session, alice, now_ms)

    administer(tmp_path, found)
    return Operator("user", tmp_path, clock, capsys)


def acts(operator: Operator) -> list[tuple[str, str, str]]:
    return look(operator.data, lambda s: [(each.act, each.party, each.subject) for each in entries(s)])


def test_it_says_whether_codes_are_asked_for(operator: Operator) -> None:
    assert operator.types("totp alice") == (
        "alice signs in with one-time codes since 2023-11-14 22:13Z; 10 recovery codes left\n"
    )
    assert operator.types("totp bob") == "bob signs in without one-time codes\n"
    assert json.loads(operator.types("totp alice --json"))["recovery_codes"] == 10
    assert json.loads(operator.types("totp bob --json")) == {"since": None, "recovery_codes": 0}


def test_who_has_lost_the_device_is_asked_for_none_and_signs_in_anew(operator: Operator) -> None:
    assert operator.types("totp alice --reset") == (
        "alice signs in without one-time codes until a device is enrolled; 1 session ended\n"
    )

    assert operator.types("totp alice") == "alice signs in without one-time codes\n"
    assert acts(operator) == [("person.codes_reset", "operator", "alice")]
    assert operator.fails("totp alice --reset").endswith("alice has no one-time codes: there is nothing to do")


def test_who_has_to_wait_is_let_try_again(operator: Operator) -> None:
    mark, now_ms = vault_of(open_identity(operator.data)).mark("alice"), operator.clock.now_ms()

    def fail(session) -> None:
        charge(session, mark, "192.0.2.1", now_ms)

    for _ in range(PAIR.free):
        administer(operator.data, fail)
    with pytest.raises(Overloaded):
        administer(operator.data, fail)

    assert operator.types("unlock alice") == "failed sign-ins of alice are forgotten\n"

    administer(operator.data, fail)
    assert acts(operator) == [("person.unlocked", "operator", "alice")]


@pytest.mark.parametrize("line", ["totp eve", "totp eve --reset", "unlock eve"])
def test_nobody_is_named_with_the_remedy(operator: Operator, line: str) -> None:
    assert operator.fails(line).endswith("there is no login 'eve': tocsin-server user list shows them")
