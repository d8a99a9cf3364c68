"""The operator's commands: what they print, what they change, and the one line when they cannot."""

import argparse
import io
import json
import os
import re
import subprocess
import sys
from base64 import urlsafe_b64decode
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from nacl.exceptions import CryptoError
from nacl.public import SealedBox
from nacl.signing import SigningKey
from sqlmodel import Session, select

from tocsin_protocol.vocabulary import HostKind, Role
from tocsin_protocol.wire import decode_invitation
from tocsin_server import cli, serving
from tocsin_server.access.people import who
from tocsin_server.access.store import LoginSession, PersonRow
from tocsin_server.cli.words import SAID, WORDS
from tocsin_server.clock import SystemClock
from tocsin_server.config import ServerConfig
from tocsin_server.datafolder import administer, database, make_database
from tocsin_server.estate.agents import quarantine
from tocsin_server.estate.declared import settle_devices
from tocsin_server.estate.devices import load_device_files
from tocsin_server.estate.enrolment import enrol
from tocsin_server.estate.identity import open_identity
from tocsin_server.estate.store import Agent, EnrolToken, Host
from tocsin_server.storage.migrate import newest

pytestmark = pytest.mark.scenario

RULES = Path(__file__).resolve().parents[2] / "config" / "rules"


class Operator:
    """Somebody at a shell, with a data folder."""

    def __init__(self, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.data = data
        self._capsys = capsys

    def types(self, *words: str | Path, data: bool = True) -> str:
        """A command that works; what it prints."""
        status, out, err = self.tries(*words, data=data)
        assert (status, err) == (0, "")
        return out

    def fails(self, *words: str | Path, data: bool = True) -> str:
        """A command that cannot be done; the one line that says why."""
        status, out, err = self.tries(*words, data=data)
        assert (status, out) == (2, "")
        assert err.startswith("tocsin-server: ")
        assert err.count("\n") == 1
        return err

    def tries(self, *words: str | Path, data: bool = True) -> tuple[int, str, str]:
        place = ["--data", str(self.data)] if data else []
        status = cli.main([*map(str, words), *place])
        return status, *self._capsys.readouterr()


@pytest.fixture
def operator(tmp_path: Path, empty_database: bytes, capsys: pytest.CaptureFixture[str]) -> Operator:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    database(data).path.write_bytes(empty_database)
    return Operator(data, capsys)


@pytest.fixture
def acme(operator: Operator) -> Operator:
    """Where client acme has its site."""
    operator.types("client", "add", "acme", "--name", "Acme GmbH")
    operator.types("site", "add", "acme", "berlin")
    return operator


# -- the database


def test_migrating_says_which_tables_there_are_and_whether_anything_was_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    operator = Operator(tmp_path / "new", capsys)

    assert operator.types("migrate") == f"database at {newest()}\n"
    assert operator.types("migrate") == f"database at {newest()}, nothing to do\n"


def test_a_command_without_a_database_says_what_to_type(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = Operator(tmp_path, capsys).fails("client", "add", "acme")

    assert f"tocsin-server migrate --data {tmp_path}" in said


def test_the_doctor_has_a_line_for_each_thing_and_fails_only_on_red(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin_server.doctor.FREE_BYTES", 0)  # this machine's disk is not the matter
    status, healthy, _ = operator.tries("doctor")
    absent, ill, _ = Operator(tmp_path / "absent", operator._capsys).tries("doctor")

    assert (status, absent) == (0, 1)
    things = [
        "data",
        "database",
        "sqlite",
        "space",
        "port",
        "rules",
        "probes",
        "suppressions",
        "lifecycle",
        "decisions",
        "contracts",
        "teams",
        "contacts",
        "mail",
    ]
    assert [line.split()[1].rstrip(":") for line in healthy.splitlines()] == things
    assert ill.startswith("red    data: ")


# -- clients, sites, hosts


def test_clients_and_sites_are_added_and_named(operator: Operator) -> None:
    assert operator.types("client", "add", "acme") == "client acme added\n"
    assert operator.types("site", "add", "acme", "berlin") == "site berlin of acme added\n"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("client", "add", "acme"), "there is a client 'acme' already"),
        (("client", "add", "Acme GmbH"), "'Acme GmbH'"),
        (("site", "add", "globex", "hq"), "there is no client 'globex': tocsin-server client add globex"),
        (("host", "retire", "acme", "atlas"), "acme has no host 'atlas' in service"),
        (("agent", "release", "acme", "atlas"), "acme has no host 'atlas' in service"),
        (("enrol-token", "create", "--client", "acme", "--site", "rome"), "acme has no site 'rome'"),
    ],
)
def test_what_cannot_be_is_one_line_with_the_remedy(acme: Operator, words: tuple[str, ...], why: str) -> None:
    assert why in acme.fails(*words)


def test_a_host_is_retired(acme: Operator) -> None:
    word = acme.types("enrol-token", "create", "--client", "acme", "--site", "berlin", "--quiet").strip()
    administer(acme.data, lambda session: come(session, word))

    assert acme.types("host", "retire", "acme", "atlas").startswith("host atlas of acme retired")

    retired = administer(acme.data, lambda session: session.exec(select(Host.retired_ms)).one())
    assert retired is not None


def test_an_agent_in_quarantine_is_shown_with_its_evidence_and_released(acme: Operator) -> None:
    word = acme.types("enrol-token", "create", "--client", "acme", "--site", "berlin", "--quiet").strip()
    administer(acme.data, lambda session: come(session, word))
    agent = administer(acme.data, lambda session: session.exec(select(Agent.id)).one())
    administer(acme.data, lambda s: quarantine(s, agent_id=agent, evidence="here and there", now_ms=1))

    shown = acme.types("agent", "show", "acme", "atlas")
    released = acme.types("agent", "release", "acme", "atlas")
    again = acme.fails("agent", "release", "acme", "atlas")

    assert f"agent {agent}" in shown
    assert "in quarantine since 1970-01-01 00:00:00 UTC" in shown
    assert "cloned by server: here and there" in shown
    assert "is heard again within two seconds" in released
    assert "not in quarantine" in again
    assert "released by " in acme.types("agent", "show", "acme", "atlas")


def come(session: Session, word: str, *, public_key: bytes = b"k" * 32) -> int | None:
    """The host that has this invitation enrols."""
    secret = decode_invitation(word).secret
    now_ms = SystemClock().now_ms()
    return enrol(
        session, secret=secret, public_key=public_key, name="atlas", os="", version="", now_ms=now_ms
    ).host.id


# -- devices

FILE = """\
client: acme
site: berlin
agent: atlas
devices:
- {name: switch-1, kind: network, probes: [{icmp: {address: 192.0.2.1}}]}
"""


@pytest.fixture
def atlas(acme: Operator) -> SigningKey:
    """The key of an enrolled host of Acme's."""
    key = SigningKey.generate()
    word = acme.types("enrol-token", "create", "--client", "acme", "--site", "berlin", "--quiet").strip()
    administer(acme.data, lambda session: come(session, word, public_key=bytes(key.verify_key)))
    return key


def opened(word: str, key: SigningKey) -> bytes:
    """As the agent with this key reads it, by the contract alone."""
    assert word.endswith("\n")
    box = word.strip().removeprefix("sealed:")
    return SealedBox(key.to_curve25519_private_key()).decrypt(urlsafe_b64decode(box + "=" * (-len(box) % 4)))


@pytest.mark.parametrize(
    ("typed", "secret"),
    [
        (b"public\n", b"public"),
        (b"public", b"public"),
        (b"public\r\n", b"public"),
        (b"a\nb\n\n", b"a\nb\n"),
        ("gehäim".encode(), "gehäim".encode()),
    ],
)
def test_a_secret_is_sealed_for_the_agent_that_is_to_use_it(
    acme: Operator, atlas: SigningKey, monkeypatch: pytest.MonkeyPatch, typed: bytes, secret: bytes
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(typed)))

    word = acme.types("seal", "--client", "acme", "--host", "atlas")

    assert word.startswith("sealed:")
    assert opened(word, atlas) == secret
    with pytest.raises(CryptoError):
        opened(word, SigningKey.generate())


def test_a_secret_that_is_typed_is_not_shown(
    acme: Operator, atlas: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda prompt: "public" if prompt == "secret: " else "")

    assert opened(acme.types("seal", "--client", "acme", "--host", "atlas"), atlas) == b"public"


@pytest.mark.parametrize(
    ("words", "typed", "why"),
    [
        (("--client", "globex", "--host", "atlas"), b"x", "there is no client 'globex'"),
        (("--client", "acme", "--host", "borea"), b"x", "acme has no host 'borea' in service"),
        (("--client", "acme", "--host", "atlas"), b"\n", "a secret has 1 to 16384 bytes, this one 0"),
        (("--client", "acme", "--host", "atlas"), b"x" * 16_385, "a secret has 1 to 16384 bytes"),
    ],
)
def test_what_cannot_be_sealed_is_one_line(
    acme: Operator,
    atlas: SigningKey,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    typed: bytes,
    why: str,
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(typed)))

    assert why in acme.fails("seal", *words)


def test_nothing_is_sealed_to_a_device(
    acme: Operator, atlas: SigningKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "acme.yml").write_text(FILE)
    files = load_device_files(tmp_path / "acme.yml")
    administer(acme.data, lambda session: settle_devices(session, files, now_ms=1))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"x")))

    said = acme.fails("seal", "--client", "acme", "--host", "switch-1")

    assert "acme's 'switch-1' is a device and has no agent" in said


def test_files_of_devices_are_checked(operator: Operator, tmp_path: Path) -> None:
    good, bad = tmp_path / "acme.yml", tmp_path / "bad.yml"
    good.write_text(FILE)
    bad.write_text(FILE.replace("icmp", "imcp"))

    fine = operator.types("probes", "check", good, data=False)
    status, said, _ = operator.tries("probes", "check", good, bad, data=False)

    assert fine == f"{good}: 1 of acme, probed by atlas at berlin\n1 device in 1 file\n"
    assert status == 1
    assert f"{bad}:5, device 'switch-1': a probe has no field 'imcp'; did you mean 'icmp'" in said
    assert operator.types("probes", "check", data=False) == "0 devices in 0 files\n"
    assert "cannot be read" in operator.tries("probes", "check", tmp_path / "absent.yml", data=False)[1]


# -- invitations


def test_an_invitation_carries_url_and_key_and_is_shown_as_what_to_type(acme: Operator) -> None:
    said = acme.types(
        "enrol-token", "create", "--client", "acme", "--site", "berlin", "--kind", "desktop", "--hours", "2"
    )

    line = next(line for line in said.splitlines() if "sudo" in line)
    invitation = decode_invitation(line.split()[-1])
    assert line.split()[:3] == ["sudo", "tocsin-agent", "enrol"]
    assert "within 2 h" in said
    assert invitation.url == "http://127.0.0.1:8443"
    assert invitation.server_key == open_identity(acme.data).public_key_hex
    kept = administer(acme.data, lambda session: session.exec(select(EnrolToken)).one().model_copy())
    assert (kept.kind, kept.expires_ms - kept.created_ms) == (HostKind.DESKTOP, 2 * 3_600_000)


def test_an_invitation_takes_the_url_that_the_settings_say(acme: Operator, tmp_path: Path) -> None:
    settings = tmp_path / "server.toml"
    settings.write_text('host = "0.0.0.0"\npublic_url = "https://tocsin.example"\n')

    word = acme.types(
        "enrol-token", "create", "--client", "acme", "--site", "berlin", "--quiet", "--settings", settings
    )

    invitation = decode_invitation(word)
    assert invitation.url == "https://tocsin.example"
    assert invitation.fingerprint == open_identity(acme.data).fingerprint


@pytest.mark.parametrize("hours", ["0", "-1", "soon"])
def test_an_invitation_that_would_be_over_at_once_is_not_made(
    acme: Operator, hours: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        acme.types("enrol-token", "create", "--client", "acme", "--site", "berlin", "--hours", hours)

    assert ended.value.code == 2
    assert f"argument --hours: '{hours}' is not a number from 1 on" in capsys.readouterr().err


# -- people


def test_a_person_is_added_with_a_password_from_a_file(operator: Operator, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("correct horse battery\n")

    assert operator.types(
        "user", "add", "alice", "--role", "admin", "--all-clients", "--password-file", secret
    ) == ("admin alice added\n")

    person = administer(operator.data, lambda session: session.exec(select(PersonRow)).one().model_copy())
    assert (person.login, person.name, person.role) == ("alice", "alice", Role.ADMIN)
    assert "horse" not in person.password_hash


def test_a_password_that_is_typed_is_typed_twice_alike(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = iter(["correct horse battery", "correct horse batery"])
    monkeypatch.setattr("getpass.getpass", lambda _prompt: next(typed))

    assert "the two passwords differ: type them again" in operator.fails("user", "add", "alice", "--no-clients")


def test_a_password_file_that_is_not_there_is_named(operator: Operator, tmp_path: Path) -> None:
    said = operator.fails("user", "add", "alice", "--no-clients", "--password-file", tmp_path / "absent")

    assert "absent cannot be read (No such file or directory)" in said


# -- what `tocsin up` needs


def test_preparing_makes_what_is_missing_and_nothing_twice(operator: Operator) -> None:
    first = json.loads(operator.types("prepare", "--url", "http://127.0.0.1:1"))
    again = json.loads(operator.types("prepare", "--url", "http://127.0.0.1:1", "--no-invitation"))

    assert decode_invitation(first["invitation"]).url == "http://127.0.0.1:1"
    assert again["invitation"] == ""
    now_ms = SystemClock().now_ms()
    for said in (first, again):
        visit = administer(operator.data, lambda session, token=said["session"]: who(session, token, now_ms))
        assert visit is not None
        assert visit.person.role is Role.ADMIN
    people = administer(operator.data, lambda session: len(session.exec(select(PersonRow)).all()))
    assert people == 1


def test_who_runs_it_without_an_account_is_a_technician(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", nobody)

    operator.types("prepare", "--url", "http://127.0.0.1:1", "--no-invitation")

    login = administer(operator.data, lambda session: session.exec(select(PersonRow.login)).one())
    assert login == "technician"


def test_a_prepared_session_does_not_end(operator: Operator) -> None:
    operator.types("prepare", "--url", "http://127.0.0.1:1", "--no-invitation")

    assert (
        administer(operator.data, lambda session: session.exec(select(LoginSession.expires_ms)).one()) is None
    )


# -- rules


def test_rules_that_are_right_pass_their_check_and_their_tests(operator: Operator) -> None:
    assert "SUCCESS" in operator.types("rules", "check", *sorted(RULES.glob("*.yml")), data=False)
    assert "SUCCESS" in operator.types("rules", "test", RULES / "tests" / "desktop.yml", data=False)


def test_rules_that_are_wrong_fail_with_what_is_wrong(operator: Operator, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text("groups: [{name: a, rules: [{alert: A, expr: 'up =='}]}]")

    status, out, _ = operator.tries("rules", "check", wrong, data=False)
    missing, said, _ = operator.tries("rules", "check", tmp_path / "absent.yml", data=False)

    assert (status, missing) == (1, 1)
    assert "wrong.yml" in out
    assert "absent.yml" in said


# -- running


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, ServerConfig, Path | None]]:
    """What the server would be run with."""
    runs: list[tuple[Path, ServerConfig, Path | None]] = []

    def run(
        data: Path, settings: ServerConfig, *, config: Path | None, prepare: Callable[[], None] = lambda: None
    ) -> int:
        make_database(data)
        prepare()
        runs.append((data, settings, config))
        return 0

    monkeypatch.setattr(serving, "run", run)
    return runs


def test_flags_go_before_the_settings_and_these_before_the_defaults(
    operator: Operator, tmp_path: Path, ran: list[tuple[Path, ServerConfig, Path | None]]
) -> None:
    settings = tmp_path / "server.toml"
    settings.write_text("port = 9000\ninterval_s = 5\n")

    operator.types("run", "--settings", settings, "--port", "9001", "--open-metrics", "--config", tmp_path)

    assert ran == [
        (operator.data, ServerConfig(port=9001, interval_s=5, open_metrics=True), tmp_path),
    ]


@pytest.mark.usefixtures("ran")
def test_a_server_may_prepare_itself_and_tells_whoever_started_it(operator: Operator) -> None:
    reading, writing = os.pipe()

    operator.types("run", "--public-url", "http://127.0.0.1:1", "--prepare", str(writing))

    with os.fdopen(reading) as pipe:
        told = json.loads(pipe.read())
    assert decode_invitation(told["invitation"]).url == "http://127.0.0.1:1"
    assert told["session"]


@pytest.mark.parametrize("words", [["--demo"], ["--hosts", "5"], ["--no-invitation"]])
def test_a_server_that_runs_does_not_pass_over_what_it_was_to_prepare(
    operator: Operator, words: list[str], ran: list[tuple[Path, ServerConfig, Path | None]]
) -> None:
    status, _, said = operator.tries("run", *words)

    assert status == 2
    assert "--prepare is not given" in said
    assert ran == []


def test_an_interrupted_command_ends_as_shells_expect(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(serving, "run", interrupt)

    assert operator.tries("run") == (130, "", "")


def test_help_shows_examples_and_a_command_is_required(
    operator: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as asked:
        cli.main(["--help"])
    helped = capsys.readouterr().out
    with pytest.raises(SystemExit) as nothing:
        cli.main([])

    assert (asked.value.code, nothing.value.code) == (0, 2)
    assert "tocsin-server client add acme --name 'Acme GmbH'" in helped


@pytest.mark.parametrize("word", SAID)
def test_each_command_is_in_the_file_that_is_read_for_it(word: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as asked:
        cli.main([word, "--help"])

    assert asked.value.code == 0
    assert f"tocsin-server {word} " in capsys.readouterr().out


@pytest.mark.parametrize("file", WORDS)
def test_a_file_has_the_commands_that_are_listed_as_its_own(file: str):
    added = argparse.ArgumentParser().add_subparsers()

    import_module(f"tocsin_server.cli.{file}").add_commands(added)

    assert list(added.choices) == list(WORDS[file])


def test_a_list_of_commands_reads_no_file_of_them():
    asked = [sys.executable, "-X", "importtime", "-m", "tocsin_server", "--help"]
    listed = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=30)

    assert "enrol-token" in listed.stdout
    assert not re.findall(r"sqlalchemy|sqlmodel|litestar|tocsin_server\.cli\.(?:estate|files)", listed.stderr)


def test_whoever_asks_a_server_reads_no_database():
    asked = [sys.executable, "-X", "importtime", "-m", "tocsin_server", "query", "--help"]
    helped = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=30)

    assert not re.findall(r"sqlalchemy|sqlmodel|litestar", helped.stderr)
