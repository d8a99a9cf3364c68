"""`audit`: what commands do is recorded; whether the log is whole is said, and where it is not."""

import json
import shlex
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlmodel import Session, select

from tocsin_protocol.wire import decode_invitation
from tocsin_server import cli
from tocsin_server.access.audit import Act, Actor, Deed, Party
from tocsin_server.access.auditlog import record
from tocsin_server.access.checkpoints import FILE
from tocsin_server.access.notary import Notary
from tocsin_server.clock import FakeClock
from tocsin_server.datafolder import administer, database
from tocsin_server.estate.agents import quarantine
from tocsin_server.estate.enrolment import enrol
from tocsin_server.estate.identity import KEY_FILE, open_identity
from tocsin_server.estate.store import Agent
from tocsin_server.storage.engine import Storage

pytestmark = pytest.mark.scenario

NOW = 1_700_000_000_000
HOSTILE = Deed(
    Act.PERSON_SIGN_IN_FAILED,
    "alice",
    by=Actor(Party.NOBODY, "\u202egnp.exe", "192.0.2.9"),
    at_ms=NOW,
    details={"said": "\x1b[31m"},
)


class Operator:
    """Ann at a shell, with a data folder."""

    def __init__(self, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.data = data
        self._capsys = capsys

    def tries(self, line: str) -> tuple[int, str, str]:
        """Status, what is printed, and what is said of errors."""
        try:
            status = cli.main([*shlex.split(line), "--data", str(self.data)])
        except SystemExit as refused:
            status = int(refused.code or 0)
        return status, *self._capsys.readouterr()

    def types(self, line: str) -> str:
        """A command that works; what it prints."""
        status, out, err = self.tries(line)
        assert (status, err) == (0, "")
        return out

    def told(self, line: str = "audit list") -> list[dict[str, object]]:
        """What a list gives."""
        found: list[dict[str, object]] = json.loads(self.types(f"{line} --json"))
        return found

    def signs(self) -> None:
        """What a server does every five minutes."""
        with Storage(database(self.data)) as storage:
            Notary(storage, open_identity(self.data), self.data / FILE, FakeClock(NOW)).sign()
        self._capsys.readouterr()

    def tampers(self, *statements: str) -> None:
        """What somebody does past the server, who owns the file."""
        with closing(sqlite3.connect(self.data / "tocsin.db")) as opened, opened:
            for name in ("audit_no_update", "audit_no_delete", "audit_checkpoint_no_delete"):
                opened.execute(f"DROP TRIGGER IF EXISTS {name}")
            for statement in statements:
                opened.execute(statement)


@pytest.fixture
def operator(
    tmp_path: Path,
    empty_database: bytes,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Operator:
    database(tmp_path).path.write_bytes(empty_database)
    monkeypatch.setenv("SUDO_USER", "ann")
    return Operator(tmp_path, capsys)


@pytest.fixture
def acme(operator: Operator) -> Operator:
    operator.types("client add acme")
    operator.types("site add acme berlin")
    return operator


@pytest.fixture
def atlas(acme: Operator) -> Operator:
    """Where a host has enrolled, past the server."""
    word = acme.types("enrol-token create --client acme --site berlin --quiet").strip()
    secret = decode_invitation(word).secret

    def come(session: Session) -> None:
        enrol(session, secret=secret, public_key=bytes(32), name="atlas", os="", version="", now_ms=NOW)

    administer(acme.data, come)
    return acme


# -- what is recorded


def nothing(_: Operator) -> None:
    """Nothing has to be before."""


def cloned(operator: Operator) -> None:
    def act(session: Session) -> None:
        quarantine(session, agent_id=session.exec(select(Agent.id)).one(), evidence="", now_ms=NOW)

    administer(operator.data, act)


def silent(operator: Operator) -> None:
    operator.types("silence add a=b --client acme --for 2h")


def with_password(operator: Operator) -> None:
    (operator.data / "password").write_text("correct horse battery\n")


def with_bob(operator: Operator) -> None:
    with_password(operator)
    operator.types(f"user add bob --all-clients --password-file {operator.data}/password")


def without_bob(operator: Operator) -> None:
    with_bob(operator)
    operator.types("user disable bob")


ACTS: list[tuple[Callable[[Operator], None], str, list[tuple[str, str | None]]]] = [
    (nothing, "client add globex", [("client.added", "globex")]),
    (nothing, "site add acme rome", [("site.added", "acme")]),
    (nothing, "enrol-token create --client acme --site berlin", [("invitation.made", "acme")]),
    (nothing, "host retire acme atlas", [("host.retired", "acme"), ("agent.revoked", "acme")]),
    (with_password, "user add bob --all-clients --password-file {}/password", [("person.added", None)]),
    (with_bob, "user change bob --role viewer", [("person.changed", None)]),
    (with_bob, "user disable bob", [("person.disabled", None)]),
    (without_bob, "user enable bob", [("person.enabled", None)]),
    (with_bob, "user sign-out bob", [("person.signed_out", None)]),
    (cloned, "agent release acme atlas", [("agent.released", "acme")]),
    (nothing, "silence add a=b --client acme --for 2h", [("silence.made", "acme")]),
    (nothing, "silence add a=b --all-clients --for 2h", [("silence.made", None)]),
    (silent, "silence expire 1", [("silence.ended", "acme")]),
    (
        nothing,
        "prepare --url http://127.0.0.1:1",
        [
            ("client.added", "home"),
            ("site.added", "home"),
            ("invitation.made", "home"),
            ("person.added", None),
            ("person.signed_in", None),
        ],
    ),
]


@pytest.mark.parametrize(("before", "line", "recorded"), ACTS, ids=[line for _, line, _ in ACTS])
def test_what_a_command_does_is_recorded(
    atlas: Operator, before: Callable[[Operator], None], line: str, recorded: list[tuple[str, str | None]]
) -> None:
    before(atlas)
    already = len(atlas.told())

    atlas.types(line.format(atlas.data))

    told = atlas.told()[already:]
    assert [(entry["act"], entry["client"]) for entry in told] == recorded
    assert {(entry["party"], entry["actor"]) for entry in told} == {("operator", "ann")}
    assert atlas.types("audit verify").startswith(f"whole: {already + len(recorded)} entries")


@pytest.mark.parametrize(
    "line",
    ["client add acme", "site add nobody rome", "host retire acme nothing", "silence expire 7", "silence list"],
)
def test_what_a_command_does_not_do_is_not(atlas: Operator, line: str) -> None:
    before = atlas.told()

    atlas.tries(line)

    assert atlas.told() == before


def test_a_silence_that_had_expired_is_not_ended_again(atlas: Operator) -> None:
    silent(atlas)
    atlas.types("silence expire 1")
    before = atlas.told()

    atlas.types("silence expire 1")

    assert atlas.told() == before


def test_neither_a_password_nor_an_invitation_is_in_the_log(acme: Operator) -> None:
    with_password(acme)
    acme.types(f"user add bob --all-clients --password-file {acme.data}/password")
    word = acme.types("enrol-token create --client acme --site berlin --quiet").strip()

    told = acme.types("audit list --json")

    assert "horse" not in told
    assert word not in told
    assert decode_invitation(word).secret not in told


# -- list


def test_a_list_is_in_columns_and_harmless_to_a_terminal(acme: Operator) -> None:
    administer(acme.data, lambda session: record(session, HOSTILE))

    told = acme.types("audit list").splitlines()

    assert told[0].split() == ["id", "at", "by", "act", "of", "client", "from", "details"]
    assert told[2].split()[2:] == ["operator", "ann", "site.added", "berlin", "acme", '{"name":"berlin"}']
    assert told[3] == (
        "3   2023-11-14T22:13:20Z  nobody gnp.exe  person.sign_in_failed  alice           192.0.2.9"
        r'  {"said":"\u001b[31m"}'
    )


def test_what_somebody_has_written_into_the_table_is_harmless_too(acme: Operator) -> None:
    acme.tampers(
        "UPDATE audit SET actor = char(27) || '[2J', details = char(155), at_ms = 1 << 60, act = char(8238)"
    )

    told = acme.types("audit list")

    assert all(line.isprintable() for line in told.splitlines())
    assert acme.types("audit list --json").isascii()


@pytest.mark.parametrize(
    ("asked", "subjects"),
    [
        ("", ["acme", "berlin", "alice"]),
        ("--limit 2", ["berlin", "alice"]),
        ("--client acme", ["acme", "berlin"]),
        ("--actor ann", ["acme", "berlin"]),
        ("--act person.sign_in_failed", ["alice"]),
        ("--since 2023-11-14T22:13:21Z", ["acme", "berlin"]),
    ],
)
def test_a_list_tells_what_is_asked_for(acme: Operator, asked: str, subjects: list[str]) -> None:
    administer(acme.data, lambda session: record(session, HOSTILE))

    assert [entry["subject"] for entry in acme.told(f"audit list {asked}")] == subjects


def test_an_empty_list_is_empty(operator: Operator) -> None:
    assert operator.types("audit list") == ""


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("audit list --act ticket.eaten", "'ticket.eaten' is none of log.begun, client.added, "),
        ("audit list --client nobody", "there is no client 'nobody'"),
        ("audit list --since soon", "'soon' is not a moment"),
        ("audit list --limit 0", "'0' is not a number from 1 on"),
        ("audit verify --against nowhere", "nowhere is not there: name a copy of the server's checkpoints"),
    ],
)
def test_what_cannot_be_asked_is_said(acme: Operator, line: str, why: str) -> None:
    status, out, err = acme.tries(line)

    assert (status, out) == (2, "")
    assert why in err


# -- verify


def test_a_whole_log_says_how_far_it_is_signed(acme: Operator) -> None:
    assert acme.types("audit verify") == "whole: 2 entries, not signed yet\n"

    acme.signs()
    acme.types("client add globex")

    assert acme.types("audit verify") == "whole: 3 entries, signed up to entry 2 at 2023-11-14T22:13:20Z\n"
    told = json.loads(acme.types("audit verify --json"))
    assert (told["whole"], told["entries"], told["fault"]) == (True, 3, None)
    assert told["signed"] == {"entry": 2, "at": "2023-11-14T22:13:20Z"}


@pytest.mark.parametrize(
    ("statements", "entry", "ill"),
    [
        (["UPDATE audit SET actor = 'bob' WHERE id = 2"], 2, "changed"),
        (["UPDATE audit SET details = x'ff' WHERE id = 2"], 2, "changed"),
        (["UPDATE audit SET id = 5 WHERE id = 2"], 2, "missing"),
        (["DELETE FROM audit_checkpoint", "DELETE FROM audit WHERE id = 2"], 2, "cut"),
        (["DELETE FROM audit_checkpoint", "DELETE FROM audit"], 1, "cut"),
    ],
)
def test_a_log_that_was_tampered_with_is_broken_at_a_place(
    acme: Operator, statements: list[str], entry: int, ill: str
) -> None:
    acme.signs()
    acme.tampers(*statements)

    status, out, err = acme.tries("audit verify")
    told = json.loads(acme.tries("audit verify --json")[1])

    assert (status, err) == (1, "")
    assert out.startswith(f"broken: entry {entry} ")
    assert out.endswith(f"\nthe chain holds for {'1 entry' if entry == 2 else '0 entries'}, not signed yet\n")
    assert (told["whole"], told["fault"]["entry"], told["fault"]["ill"]) == (False, entry, ill)


def test_a_log_that_was_made_anew_with_the_servers_key_shows_against_a_copy(acme: Operator) -> None:
    acme.signs()
    copy = acme.data / "copy"
    shutil.copy(acme.data / FILE, copy)
    (acme.data / FILE).unlink()
    acme.tampers("DELETE FROM audit_checkpoint", "DELETE FROM audit")
    acme.types("client add globex")
    acme.types("client add hooli")
    acme.signs()

    assert acme.types("audit verify").startswith("whole: 2 entries, signed up to entry 2")
    status, out, _ = acme.tries(f"audit verify --against {copy}")
    assert status == 1
    assert out.startswith("broken: entry 2 is not the one that was signed")


def test_a_log_without_its_key_cannot_be_verified_and_no_new_one_is_made(acme: Operator) -> None:
    acme.signs()
    (acme.data / KEY_FILE).unlink()

    status, out, err = acme.tries("audit verify")

    assert (status, out) == (2, "")
    assert "identity.key is not there: name the server's data folder with --data" in err
    assert not (acme.data / KEY_FILE).exists()


def test_how_far_a_long_log_is_read_is_said_at_a_terminal(
    acme: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin_server.cli.audit.TELL_EVERY", 2)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)

    status, _, err = acme.tries("audit verify")

    assert status == 0
    assert err.startswith("entry 2 of 2\r")
    assert err.endswith(" \r")
