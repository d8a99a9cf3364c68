"""`rules backtest`: what rules would have fired over stored history, told in a hundred columns."""

import io
import json
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlmodel import Session

from tocsin_protocol.vocabulary import HostKind, SeriesKind
from tocsin_server import cli
from tocsin_server.alerts.backtest import Backtest
from tocsin_server.alerts.rules import RuleSet
from tocsin_server.cli import backtest as subject
from tocsin_server.cli.findings import length
from tocsin_server.clock import FakeClock
from tocsin_server.datafolder import administer
from tocsin_server.estate.clients import add_client
from tocsin_server.estate.sites import add_site
from tocsin_server.estate.store import Host, known
from tocsin_server.series.history.dayfile import DayFile, Grain
from tocsin_server.series.history.days import Closing, Days, day_paths
from tocsin_server.series.history.stretches import Stretch
from tocsin_server.series.schema import SeriesEntry
from tocsin_server.storage.address import VARIABLE

pytestmark = pytest.mark.scenario

MINUTE, HOUR = 60_000, 3_600_000
NOW = 1_700_006_400_000
"""A full hour: 2023-11-15 00:00."""
BEGAN = NOW - 6 * HOUR
RULES = """
groups:
  - name: load
    rules:
      - record: load:twice
        expr: 2 * node_load1
      - alert: HighLoad
        expr: node_load1 > 8
      - alert: HighLoadForLong
        expr: load:twice > 16
        for: 15m
      - alert: RedisDown
        expr: redis_up == 0
      - alert: Spiky
        expr: rate(node_load1[5m]) > 100
"""
LOAD = (SeriesEntry("node_load1", SeriesKind.GAUGE, ()),)

Types = Callable[[str], tuple[int, str, str]]


def minutes(*lengths: int) -> list[float]:
    """Calm and load by turns, and calm until four hours are over."""
    loads = [load for place, length in enumerate(lengths) for load in [9.0 if place % 2 else 1.0] * length]
    return (loads + [1.0] * 240)[:240]


@pytest.fixture
def data(tmp_path: Path, empty_database: bytes, monkeypatch: pytest.MonkeyPatch) -> Path:
    """acme's atlas has a load that flaps, then one that lasts; globex's zephyr is busy once."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(subject, "SystemClock", lambda: FakeClock(NOW))
    (tmp_path / "tocsin.db").write_bytes(empty_database)
    (tmp_path / "load.yml").write_text(RULES)
    loads = {"atlas": minutes(10, *[3, 5] * 8, 3, 30, 80), "zephyr": minutes(100, 20)}

    def found(session: Session) -> list[tuple[int, int, str]]:
        hosts = []
        for slug, name in (("acme", "atlas"), ("globex", "zephyr")):
            client = add_client(session, slug, slug, 1)
            site = add_site(session, client, "main", "Main", 1)
            host = Host(
                client_id=known(client.id),
                site_id=known(site.id),
                name=name,
                kind=HostKind.SERVER,
                job="node",
                enrolled_ms=1,
            )
            session.add(host)
            session.flush()
            hosts.append((known(client.id), known(host.id), name))
        return hosts

    times = BEGAN + MINUTE * np.arange(240)
    Days(tmp_path / "history").write(
        Closing(client_id, host_id, Stretch(LOAD, times, np.array([loads[name]])))
        for client_id, host_id, name in administer(tmp_path, found)
    )
    return tmp_path


@pytest.fixture
def types(data: Path, capsys: pytest.CaptureFixture[str]) -> Types:
    def run(line: str = "") -> tuple[int, str, str]:
        words = [str(data / "load.yml"), *shlex.split(line)]
        try:
            status = cli.main(["rules", "backtest", *words, "--data", str(data)])
        except SystemExit as refused:
            status = int(refused.code or 0)
        return status, *capsys.readouterr()

    return run


def forget_samples(data: Path) -> None:
    for _, path in day_paths(data / "history"):
        with DayFile(path, read_only=False) as day, day.transaction():
            for client_id in (1, 2):
                day.forget(Grain.SAMPLES, client_id)


def test_a_report_says_what_rules_would_have_fired_and_what_would_calm_them(types: Types) -> None:
    status, told, said = types("--last 12h")

    assert (status, said) == (0, "")
    assert (
        told
        == """\
4 rules over 2 hosts of 2 clients, 2023-11-14 12:00 to 2023-11-14 21:59 UTC, judged each 1m
history begins 2023-11-14 18:00

rule             alerts  flaps  hosts  total  median  longest  first fired  last fired
HighLoad             11      8      2   2h7m      3m    1h20m  11-14 18:10  11-14 19:47
HighLoadForLong       2      -      2  1h10m     35m     1h5m  11-14 19:55  11-14 20:02

HighLoad  load.yml:7, for 0s
  on     acme/atlas 10, globex/zephyr 1
  flaps  8 of 11 alerts were back within 15m of the end of the one before
  try    for: 5m leaves 2 alerts: it drops 9 of 9 brief flaps, and none of 30m or longer

HighLoadForLong  load.yml:9, for 15m
  on     globex/zephyr 1, acme/atlas 1
  flaps  no alert was back within 15m of the end of the one before: fine as it is

never fired: RedisDown, Spiky

history lacks metrics that these ask for:
  RedisDown  redis_up
"""
    )


def test_a_report_is_no_wider_than_a_hundred_columns(types: Types, data: Path) -> None:
    long = RULES.replace("HighLoad\n", "ALongNameThatSaysAllThatThereIsToSayOfLoad\n")
    (data / "load.yml").write_text(long.replace("redis_up", "redis_up_" + "_and_".join("abcdefghijklmnop")))

    _, told, _ = types()

    assert max(map(len, told.splitlines())) <= 100
    assert "\nALongNameThatSaysAllThatThe…  " in told


def test_one_client_alone_is_judged_where_it_is_named(types: Types) -> None:
    _, told, _ = types("--client globex")

    assert told.startswith("4 rules over 1 host of globex, ")
    assert "on     globex/zephyr 1" in told
    assert "acme" not in told


def test_a_longer_step_sees_less(types: Types) -> None:
    _, told, _ = types("--client acme --step 20m")

    assert "judged each 20m" in told
    assert "HighLoad              3 " in told


def test_an_alert_that_goes_on_as_the_time_ends_is_told(types: Types, data: Path) -> None:
    (data / "load.yml").write_text("groups: [{name: g, rules: [{alert: Calm, expr: node_load1 < 2}]}]")

    _, told, _ = types()

    assert "  now    2 still fired as the time ended\n" in told


def test_what_flaps_and_lasts_is_to_be_kept_firing(types: Types, data: Path) -> None:
    (data / "load.yml").write_text(
        "groups: [{name: g, rules: [{alert: Busy, expr: vector(time() % 1800) < 1300, for: 1m}]}]"
    )

    _, told, _ = types("--client acme")

    assert "  on     acme 8\n" in told
    assert (
        "  try    keep_firing_for: 15m leaves at most 1 alert, which go on over their pauses;"
        " a longer `for`\n         would not help\n"
    ) in told


def test_where_samples_are_gone_the_report_says_until_when(types: Types, data: Path) -> None:
    forget_samples(data)

    status, told, _ = types()

    assert status == 0
    assert told.splitlines()[2] == (
        "until 2023-11-14 22:00 only five-minute values are left (samples_days): what is shorter is not seen"
    )
    assert "\njudged from 2023-11-14 22:00 on only, as five-minute values are too coarse: Spiky\n" in told


def test_findings_are_told_to_programs_as_json(types: Types) -> None:
    status, told, _ = types("--json --client acme")

    answer = json.loads(told)
    rules = {rule["alert"]: rule for rule in answer["rules"]}
    assert status == 0
    assert (answer["start"], answer["end"], answer["hosts"]) == (
        "2023-11-08T00:00:00Z",
        "2023-11-14T21:59:00Z",
        1,
    )
    assert rules["HighLoad"] == {
        "alert": "HighLoad",
        "file": "load.yml",
        "group": "load",
        "line": 7,
        "step_s": 60.0,
        "for_s": 0.0,
        "keep_firing_for_s": 0.0,
        "alerts": 10,
        "active": 0,
        "flaps": 8,
        "total_s": 6420.0,
        "median_s": 180.0,
        "longest_s": 4800.0,
        "first": "2023-11-14T18:10:00Z",
        "last": "2023-11-14T19:47:00Z",
        "hosts": [{"client": "acme", "host": "atlas", "alerts": 10}],
        "advice": {"remedy": "for", "seconds": 300.0, "left": 1, "brief": 9, "removed": 9},
        "judged_from": None,
        "unknown_metrics": [],
        "failure": None,
    }
    assert rules["RedisDown"]["unknown_metrics"] == ["redis_up"]
    assert rules["RedisDown"]["advice"]["remedy"] == "none"


def test_what_is_damaged_in_history_is_no_part_of_the_report(types: Types, data: Path) -> None:
    (data / "history" / "2023-11-13.db").write_bytes(b"no database at all" * 100)

    status, told, said = types("--json")

    assert status == 0
    assert json.loads(told)["history_from"] == "2023-11-14T18:00:00Z"
    assert "2023-11-13.db" in said


def test_a_rule_that_cannot_be_evaluated_is_told_and_fails(types: Types, data: Path) -> None:
    expression = 'node_load1 + on () {__name__=~"node_load1|up"}'
    (data / "load.yml").write_text(f"groups: [{{name: g, rules: [{{alert: Twice, expr: '{expression}'}}]}}]")

    status, told, _ = types()

    assert status == 1
    assert "\nTwice could not be evaluated: " in told


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--client nobody", "there is no client 'nobody'"),
        ("--last 1h", "the last 1h have no hour in history yet"),
        ("--last soon", "is not a duration"),
        ("--step 0s", "a step of 0s is too short: --step 1s is the least"),
    ],
)
def test_what_cannot_be_judged_is_said_in_a_line(types: Types, line: str, said: str) -> None:
    status, told, complaint = types(line)

    assert (status, told) == (2, "")
    assert said in complaint


def test_a_file_that_is_refused_is_told_with_its_line(types: Types, data: Path) -> None:
    (data / "load.yml").write_text("groups: [{name: g, rules: [{alert: A, expr: 'a >'}]}]")

    status, told, _ = types()

    assert status == 1
    assert told.startswith(f"{data}/load.yml:1, group 'g', rule 'A': ")


def test_files_without_an_alerting_rule_are_refused(types: Types, data: Path) -> None:
    (data / "load.yml").write_text("groups: [{name: g, rules: [{record: a, expr: b}]}]")

    assert "there is no alerting rule in these files" in types()[2]


def test_without_history_it_is_said_what_to_do(types: Types, data: Path) -> None:
    for path in (data / "history").iterdir():
        path.unlink()
    assert "the last 7d have no hour in history yet: tocsin-server history show" in types()[2]

    (data / "history").rmdir()
    assert f"there is no history in {data}: name the server's folder" in types()[2]


# -- how far it is


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def backtest() -> Backtest:
    return Backtest(RuleSet(), [], {}, start_ms=NOW - HOUR, end_ms=NOW, interval_s=10)


def test_a_terminal_is_told_how_far_it_is_and_left_as_it_was() -> None:
    terminal, made = Terminal(), backtest()

    with subject._progress(terminal) as tell:
        tell(made, made.moments[29], 90.0)

    line, left = terminal.getvalue().rsplit("\r", 1)
    assert line == "\r\x1b[K 49%  2023-11-14 23:00 UTC  2m left"
    assert left == "\x1b[K"


def test_how_long_it_will_take_is_not_told_before_it_can_be_known() -> None:
    made = backtest()

    assert subject._how_far(made.moments, made.moments[0], 2.0) == "  2%  2023-11-14 23:00 UTC"
    assert subject._how_far(made.moments, made.moments[-2], 60.0).endswith("UTC  less than a minute left")


def test_a_terminal_is_left_as_it_was_when_somebody_has_seen_enough(
    types: Types, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(subject.sys, "stderr", terminal)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subject.Replay, "frame", interrupted)

    assert types()[:2] == (130, "")
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_a_file_is_told_nothing_on_the_way() -> None:
    stream, made = io.StringIO(), backtest()

    with subject._progress(stream) as tell:
        tell(made, NOW, 1.0)

    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("milliseconds", "told"),
    [(0, "0s"), (40_000, "40s"), (60_000, "1m"), (3_660_000, "1h1m"), (86_461_000, "1d"), (90_000_000, "1d1h")],
)
def test_a_length_is_told_by_its_two_largest_units(milliseconds: int, told: str) -> None:
    assert length(milliseconds) == told
