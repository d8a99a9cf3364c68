"""`user`: who there is, who may sign in, and who no longer does."""

import json
from pathlib import Path

import pytest
from tests.server.cli.operators import Operator
from tests.server.http.rig import CHEAP

from tocsin_protocol.vocabulary import Role
from tocsin_server.access.audit import Act
from tocsin_server.access.auditlog import latest
from tocsin_server.access.people import add_person, issue_session, person_named
from tocsin_server.access.store import TotpRow
from tocsin_server.cli import people
from tocsin_server.clock import FakeClock
from tocsin_server.datafolder import administer, database
from tocsin_server.estate.clients import add_client

pytestmark = pytest.mark.scenario


@pytest.fixture
def operator(
    tmp_path: Path, empty_database: bytes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Operator:
    database(tmp_path).path.write_bytes(empty_database)
    clock = FakeClock()
    monkeypatch.setattr(people, "SystemClock", lambda: clock)
    monkeypatch.setattr(people, "Passwords", lambda: CHEAP)

    def found(session) -> None:
        add_person(
            session, "alice", "Alice", "correct horse battery", Role.TECHNICIAN, clock.now_ms(), passwords=CHEAP
        )
        add_person(session, "root", "Root", None, Role.ADMIN, clock.now_ms())
        for _ in range(2):
            issue_session(session, person_named(session, "alice"), clock.now_ms())

    administer(tmp_path, found)
    return Operator("user", tmp_path, clock, capsys)


def test_everybody_is_listed(operator: Operator) -> None:
    operator.types("disable root")

    assert operator.types("list").splitlines() == [
        "login  role        clients  state                sessions  last used          name",
        "alice  technician  none     active               2         2023-11-14 22:13Z  Alice",
        "root   admin       none     disabled 2023-11-14  0         –                  Root",
    ]
    told = json.loads(operator.types("list --json"))
    assert [(each["login"], each["sessions"], each["has_password"]) for each in told] == [
        ("alice", 2, True),
        ("root", 0, False),
    ]


def test_of_who_has_a_device_the_list_says_so(operator: Operator) -> None:
    administer(operator.data, lambda s: s.add(TotpRow(person_id=1, sealed="…")))

    assert ["  active, codes  " in line for line in operator.types("list").splitlines()] == [False, True, False]
    assert [each["has_codes"] for each in json.loads(operator.types("list --json"))] == [True, False]


def test_whose_rows_somebody_sees_is_granted_listed_and_recorded(operator: Operator) -> None:
    def clients() -> list[object]:
        return [each["clients"] for each in json.loads(operator.types("list --json"))]

    def recorded() -> list[object]:
        found = administer(operator.data, lambda session: latest(session, act=Act.PERSON_CHANGED, limit=9))
        return [json.loads(entry.details) for entry in found]

    administer(
        operator.data, lambda session: [add_client(session, slug, slug, 0) for slug in ("acme", "globex")]
    )

    assert operator.types("change alice --client globex --client acme") == "technician alice changed\n"
    assert clients() == [["acme", "globex"], []]
    operator.types("change alice --client acme --role client_viewer")
    assert clients() == [["acme"], []]
    operator.types("change root --all-clients")
    assert clients() == [["acme"], "all"]
    operator.types("change alice --no-clients")
    assert clients() == [[], "all"]

    assert recorded() == [
        {"clients": ["acme", "globex"]},
        {"clients": ["acme"], "role": "client_viewer"},
        {"clients": "all"},
        {"clients": []},
    ]
    assert operator.fails("change root --role client_viewer").endswith("name the client: --client SLUG")


def test_without_people_the_list_says_how_to_add_one(operator: Operator, empty_database: bytes) -> None:
    database(operator.data).path.write_bytes(empty_database)

    assert operator.types("list") == "nobody signs in yet: tocsin-server user add LOGIN\n"


def test_somebody_leaves_and_comes_back(operator: Operator) -> None:
    assert operator.types("disable alice") == "alice is disabled; 2 sessions ended\n"
    assert operator.fails("disable alice").endswith("alice is disabled already: there is nothing to do")
    assert operator.types("enable alice") == "alice may sign in again\n"
    assert operator.types("sign-out alice") == "alice is signed out everywhere\n"


def test_a_role_and_a_name_are_changed_and_a_password_ends_the_sessions(
    operator: Operator, tmp_path: Path
) -> None:
    (tmp_path / "new").write_text("four quite other words\n")

    assert operator.types("change alice --role admin --name 'Alice Durand'") == "admin alice changed\n"
    said = operator.types(f"change alice --password-file {tmp_path / 'new'}")

    assert said == "admin alice changed; 2 sessions ended\n"
    kept = administer(operator.data, lambda session: person_named(session, "alice").model_copy())
    assert (kept.name, kept.role) == ("Alice Durand", Role.ADMIN)
    assert CHEAP.is_right(kept.password_hash, "four quite other words")


def test_an_address_for_notices_is_given_recorded_and_taken_away(operator: Operator) -> None:
    operator.types("change alice --mail alice@desk.example")
    given = json.loads(operator.types("list --json"))[0]["mail"]
    refused = operator.fails("change alice --email 'alice@desk.example\nBcc: x@y'")
    operator.types("change alice --email ''")

    assert given == "alice@desk.example"
    assert "is no mail address" in refused
    assert json.loads(operator.types("list --json"))[0]["mail"] == ""


def test_a_new_password_is_asked_for_and_a_short_one_changes_nothing(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getpass", lambda _prompt: "short")

    assert "a password has 12 to 512 characters, this one 5" in operator.fails("change alice --password")
    assert json.loads(operator.types("list --json"))[0]["sessions"] == 2


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("change alice", "nothing is to be changed: give --name, --role, --client, --mail or --password"),
        ("change eve --role admin", "there is no login 'eve': tocsin-server user list shows them"),
        (
            "change alice --role king",
            f"invalid choice: 'king' (choose from {', '.join(repr(role.value) for role in Role)})",
        ),
        ("change alice --client nobody", "there is no client 'nobody': tocsin-server client add nobody"),
        ("change alice --client a --all-clients", "argument --all-clients: not allowed with argument --client"),
        (
            "change alice --role client_viewer --all-clients",
            "a client_viewer is one client's and cannot see all: name the client: --client SLUG",
        ),
        ("enable root", "root is not disabled: there is nothing to do"),
    ],
)
def test_what_cannot_be_done_is_one_line_with_the_remedy(operator: Operator, line: str, why: str) -> None:
    assert operator.fails(line).endswith(why)
