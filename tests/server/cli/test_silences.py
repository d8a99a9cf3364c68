"""`silence`: what is typed is kept beside the running server; what cannot be is one line with the remedy."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.databases import Mould
from tests.examples import share
from tests.server.cli import operators

from tocsin_server.alerts.matchertext import parse_matchers
from tocsin_server.alerts.silences import Silence
from tocsin_server.cli import silences as silence_command
from tocsin_server.clock import FakeClock
from tocsin_server.datafolder import administer, database
from tocsin_server.errors import Misconfigured
from tocsin_server.estate.clients import add_client
from tocsin_server.storage.address import VARIABLE

pytestmark = pytest.mark.scenario

DISKS = "alertname=DiskFull --client acme"
DISK_FULL, LOAD_HIGH = '{alertname="DiskFull"}', '{alertname="LoadHigh"}'


class Operator(operators.Operator):
    """Somebody who silences."""

    def told(self, line: str = "list --all") -> list[dict[str, str]]:
        """What a list gives."""
        found: list[dict[str, str]] = json.loads(self.types(f"{line} --json"))
        return found


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory, empty_database: bytes) -> bytes:
    """A database with two clients."""
    folder = tmp_path_factory.mktemp("founded")
    database(folder).path.write_bytes(empty_database)
    for slug in ("acme", "globex"):
        administer(folder, lambda session, slug=slug: add_client(session, slug, slug, 1))
    return database(folder).path.read_bytes()


@pytest.fixture
def operator(
    tmp_path: Path,
    founded: bytes,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Operator:
    database(tmp_path).path.write_bytes(founded)
    clock = FakeClock()
    monkeypatch.setattr(silence_command, "SystemClock", lambda: clock)
    monkeypatch.setenv("SUDO_USER", "ann")
    return Operator("silence", tmp_path, clock, capsys)


def test_a_silence_is_kept_as_it_is_typed(operator: Operator) -> None:
    said = operator.types(
        """add 'alertname="DiskFull", instance=~"db-.+"' --client acme --for 2h --comment 'disk swap'"""
    )

    matchers = '{alertname="DiskFull",instance=~"db-.+"}'
    assert said == f"silence 1 of acme, from 2023-11-14T22:13:20Z until 2023-11-15T00:13:20Z: {matchers}\n"
    assert operator.told() == [
        {
            "id": 1,
            "client": "acme",
            "matchers": matchers,
            "state": "active",
            "starts_at": "2023-11-14T22:13:20Z",
            "ends_at": "2023-11-15T00:13:20Z",
            "author": "ann",
            "comment": "disk swap",
        }
    ]


@pytest.mark.parametrize(
    "words",
    [
        """'alertname="DiskFull", instance=~"db-.+"'""",
        "alertname=DiskFull instance=~db-.+",
        "alertname=DiskFull, 'instance=~\"db-.+\"'",
        "'{alertname=DiskFull}' '{instance=~db-.+,}'",
    ],
)
def test_matchers_are_one_text_or_a_word_each(operator: Operator, words: str) -> None:
    operator.types(f"add {words} --client acme --for 2h")

    assert operator.told()[0]["matchers"] == '{alertname="DiskFull",instance=~"db-.+"}'


@pytest.mark.parametrize(
    ("times", "starts", "ends"),
    [
        ("--until 2023-11-15T06:00+01:00", "2023-11-14T22:13:20Z", "2023-11-15T05:00:00Z"),
        ("--from 2023-11-15T06:00Z --for 90m", "2023-11-15T06:00:00Z", "2023-11-15T07:30:00Z"),
        ("--from 2023-11-14T20:00Z --for 3h", "2023-11-14T22:13:20Z", "2023-11-14T23:00:00Z"),
        ("--until 1700000060", "2023-11-14T22:13:20Z", "2023-11-14T22:14:20Z"),
    ],
)
def test_it_lasts_for_some_time_or_until_a_moment(
    operator: Operator, times: str, starts: str, ends: str
) -> None:
    operator.types(f"add {DISKS} {times}")

    (told,) = operator.told()
    assert (told["starts_at"], told["ends_at"]) == (starts, ends)


def test_all_clients_are_meant_only_where_it_is_said(operator: Operator) -> None:
    refused = operator.fails("add alertname=DiskFull --for 2h")

    assert refused.endswith("one of the arguments --client --all-clients is required")
    assert operator.types("add alertname=DiskFull --all-clients --for 2h").startswith(
        "silence 1 of all clients, "
    )
    assert operator.told("list --client acme")[0]["client"] is None


def test_who_calls_without_sudo_and_without_an_account_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    monkeypatch.setattr("os.getuid", lambda: 4711)

    assert silence_command.author() == "uid 4711"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("add 'disk full' --client acme --for 2h", "'disk full' is not a matcher such as alertname="),
        ("add 'a=~\"(\"' --client acme --for 2h", "write alertname=DiskFull or, in the shell's quotes"),
        (f"add {DISKS.replace('acme', 'nobody')} --for 2h", "there is no client 'nobody'"),
        ("add a=~.* --client acme --for 2h", "name what is to be silent, such as alertname="),
        (f"add {DISKS} --for 0s", "a silence has to end after it starts: give it a later end"),
        (f"add {DISKS} --until 2023-11-14T00:00Z", "a silence has to end after it starts"),
        (f"add {DISKS} --from 2023-11-13T00:00Z --for 1h", "a silence cannot end in the past"),
        (f"add {DISKS} --until 999999999999", "a silence has to end before the year 9999"),
        (f"add {DISKS} --for 2h --comment {'x' * 2001}", "say it in at most 2000"),
        (f"add {DISKS} --for soon", "argument --for: 'soon' is not a duration such as 5m, 1h30m or 0s"),
        (f"add {DISKS} --until soon", "'soon' is not a moment such as 2026-11-26T22:00+01:00"),
        (f"add {DISKS}", "one of the arguments --for --until is required"),
        (f"add {DISKS} --for 2h --until 1800000000", "not allowed with argument"),
        ("add --client acme --for 2h", "the following arguments are required: MATCHER"),
        ("list --client nobody", "there is no client 'nobody'"),
        ("expire 7", "there is no silence 7: list them: tocsin-server silence list"),
        ("expire seven", "argument ID: 'seven' is not the number of a silence"),
        (f"expire {1 << 63}", "is not the number of a silence"),
        ("expire", "the following arguments are required: ID"),
    ],
)
def test_what_cannot_be_is_one_line_with_the_remedy(operator: Operator, line: str, why: str) -> None:
    assert why in operator.fails(line)
    assert operator.told() == []


def test_a_list_has_columns_and_leaves_out_what_has_expired(operator: Operator) -> None:
    operator.types("add alertname=Old --client acme --for 1m")
    operator.types("add alertname=LoadHigh --client globex --for 2h --comment 'a\x1b[31mb'")
    operator.types("add alertname=DiskFull --all-clients --from 2023-11-15T00:00Z --for 2h")
    operator.clock.move(seconds=60)

    heading, *rows = operator.types("list").splitlines()
    assert heading.split() == ["id", "state", "client", "from", "until", "by", "matchers", "comment"]
    assert [row.index("2023-11-1") for row in rows] == [heading.index("from")] * 2
    assert [row.split() for row in rows] == [
        ["3", "pending", "(all)", "2023-11-15T00:00:00Z", "2023-11-15T02:00:00Z", "ann", DISK_FULL],
        ["2", "active", "globex", "2023-11-14T22:13:20Z", "2023-11-15T00:13:20Z", "ann", LOAD_HIGH, "a[31mb"],
    ]
    assert [each["id"] for each in operator.told("list --client acme")] == [3]
    assert sorted(each["id"] for each in operator.told("list --client acme --all")) == [1, 3]


def test_a_list_of_none_prints_nothing(operator: Operator) -> None:
    assert (operator.types("list"), operator.told("list")) == ("", [])


def test_silences_are_ended_once(operator: Operator) -> None:
    operator.types(f"add {DISKS} --for 2h")
    operator.types(f"add {DISKS} --for 2h")
    operator.types("expire 1")
    operator.clock.move(seconds=5)

    assert operator.types("expire 1 2") == "silence 1 had expired already\nsilence 2 expired\n"
    assert {each["id"]: each["ends_at"] for each in operator.told()} == {
        1: "2023-11-14T22:13:20Z",
        2: "2023-11-14T22:13:25Z",
    }


def test_all_are_ended_or_none(operator: Operator) -> None:
    operator.types(f"add {DISKS} --for 2h")

    assert "there is no silence 9" in operator.fails("expire 1 9")
    assert operator.told()[0]["state"] == "active"


def test_a_command_without_a_database_says_what_to_type(operator: Operator, tmp_path: Path) -> None:
    operator.data = tmp_path / "absent"
    operator.data.mkdir()

    assert f"tocsin-server migrate --data {operator.data}" in operator.fails("list")


def test_silences_are_kept_in_either_kind_of_database(
    tmp_path: Path, empty: Mould, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with empty.copied(tmp_path) as where:
        if not where.is_sqlite:
            monkeypatch.setenv(VARIABLE, where.url.render_as_string(hide_password=False))
        administer(tmp_path, lambda session: add_client(session, "acme", "Acme", 1))
        operator = Operator("silence", tmp_path, FakeClock(), capsys)
        for whose in ("--client acme", "--all-clients"):
            operator.types(f"add 'path=\"C:\\\\Temp\\u0000ä\"' {whose} --for 2h --comment 'a\x01b'")
        operator.types("expire 1")

        told = operator.told()

    assert {(each["client"], each["state"]) for each in told} == {("acme", "expired"), (None, "active")}
    assert {each["comment"] for each in told} == {"ab"}
    assert {parse_matchers(each["matchers"])[0].value for each in told} == {"C:\\Temp\0ä"}


@pytest.mark.parametrize("word", ["add", "list", "expire"])
def test_each_has_examples(operator: Operator, word: str) -> None:
    status, out, _ = operator.tries(f"{word} --help")

    assert (status, f"examples:\n  tocsin-server silence {word}" in out) == (0, True)


@settings(max_examples=share(60))
@given(st.lists(st.text(max_size=20) | st.just("a=b,"), max_size=4))
def test_whatever_words_are_typed_are_matchers_or_are_refused(words: list[str]) -> None:
    try:
        found = silence_command.read_matchers(words)
    except Misconfigured:
        return

    assert found == tuple(each for word in words for each in parse_matchers(word))


@settings(max_examples=share(60))
@given(st.text(max_size=40), st.text(max_size=40))
def test_whatever_people_have_written_is_a_line_in_a_list(author: str, comment: str) -> None:
    kept = Silence(1, None, parse_matchers("a=b"), 0, 60_000, author, comment)

    lines = list(silence_command.lines([silence_command.silence_view(kept, None, 0)]))

    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
