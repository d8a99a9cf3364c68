"""`rules why` asks the running server, and prints what whoever is woken has to know, harmless to a terminal."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.examples import share

from tocsin_protocol.alerts import Alert, AlertPage, Suppression
from tocsin_protocol.messages import Message
from tocsin_protocol.problems import Problem
from tocsin_protocol.tickets import TicketRow
from tocsin_protocol.vocabulary import AlertState, Severity, SuppressionKind, TicketState
from tocsin_protocol.why import (
    AlertStep,
    AskedSelector,
    AskedSeries,
    ConditionAt,
    JudgedRule,
    SeriesSample,
    TicketWhy,
    Why,
)
from tocsin_server import cli
from tocsin_server.access.operator import issue_pass
from tocsin_server.cli.why import lines
from tocsin_server.clock import moment

NOW = 1_700_000_000_000
MINUTE = 60_000
SILENCE = Suppression(kind=SuppressionKind.SILENCE, name="7", words="silence 7 by alice: new disks")
ALERT = Alert(
    id=17,
    state=AlertState.FIRING,
    alertname="HighLoad",
    severity=Severity.WARNING,
    client="acme",
    host="atlas",
    host_id=1,
    ticket_id=42,
    rule_file="datacenter.yml",
    rule_group="host",
    expression="node_load1 > 4",
    labels={"alertname": "HighLoad", "instance": "atlas"},
    annotations={},
    value=5.25,
    active_at=moment(NOW - 2 * MINUTE),
    fired_at=moment(NOW - MINUTE),
    resolved_at=None,
)
FIRED = AlertStep(
    at=moment(NOW - MINUTE),
    old=AlertState.PENDING,
    new=AlertState.FIRING,
    value="5",
    sample_at=moment(NOW - MINUTE - 2000),
    words="load is 5",
    withheld=[],
    redelivered=False,
    late=False,
    ticket_id=42,
)
RULE = JudgedRule(
    file="datacenter.yml",
    group="host",
    expression="node_load1 > 4",
    in_force=True,
    line=12,
    for_s=60,
    keep_firing_for_s=0,
    interval_s=30,
)
SERIES = AskedSeries(
    labels={"__name__": "node_load1", "instance": "atlas"},
    samples=[
        SeriesSample(at=moment(NOW - back * 10_000), value=value)
        for back, value in ((3, "3"), (2, "3"), (1, "10.5"), (0, "+Inf"))
    ],
    total=9,
)
WHY = Why(
    alert=ALERT,
    rule=RULE,
    steps=[FIRED],
    steps_left_out=0,
    start=moment(NOW - 7 * MINUTE),
    end=moment(NOW),
    condition=[
        ConditionAt(at=moment(NOW - 7 * MINUTE), holds=None, value=None),
        ConditionAt(at=moment(NOW - 3 * MINUTE), holds=False, value=None),
        ConditionAt(at=moment(NOW), holds=True, value="5.25"),
    ],
    selectors=[AskedSelector(selector="node_load1", series=[SERIES], total=1)],
    missing=[],
)
TICKET = TicketRow(
    id=42,
    version=1,
    title="load",
    state=TicketState.NEW,
    priority=2,
    client="acme",
    site="berlin",
    host="atlas",
    host_id=1,
    owner=None,
    severity=Severity.WARNING,
    alert_state=AlertState.FIRING,
    recovered=False,
    opened_at=moment(NOW),
    updated_at=moment(NOW),
    solved_at=None,
)


@dataclass
class Server:
    """Answers every question alike, and remembers what it was asked."""

    status: int = 200
    body: bytes = b""
    asked: list[str] = field(default_factory=list)

    def says(self, said: Message) -> None:
        self.status = said.status if isinstance(said, Problem) else 200
        self.body = msgspec.json.encode(said)

    def serve(self) -> ThreadingHTTPServer:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(self.path.rstrip("?"))
                self.send_response(server.status)
                self.end_headers()
                self.wfile.write(server.body)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        return made


@dataclass
class Operator:
    """Somebody at a shell beside a server."""

    data: Path
    server: Server
    capsys: pytest.CaptureFixture[str]

    def asks(self, *words: str) -> tuple[int, str, str]:
        status = cli.main(["rules", "why", *words, "--data", str(self.data)])
        return status, *self.capsys.readouterr()


@pytest.fixture
def operator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Operator]:
    server = Server()
    server.says(WHY)
    with server.serve() as http:
        issue_pass(tmp_path, f"http://127.0.0.1:{http.server_address[1]}")
        yield Operator(tmp_path, server, capsys)
        http.shutdown()


def text(answer: Why | TicketWhy | AlertPage) -> str:
    return "".join(f"{line}\n" for line in lines(answer))


def test_an_alert_is_told_from_its_head_to_its_samples(operator: Operator) -> None:
    status, out, err = operator.asks("17")

    assert (status, err, operator.server.asked) == (0, "", ["/api/v1/alerts/17/why"])
    assert (
        out
        == """\
HighLoad of acme/atlas: firing since 2023-11-14 22:12:20 UTC
  alert    17, on ticket #42
  labels   alertname="HighLoad", instance="atlas"
  true     from 2023-11-14 22:11:20 on
  value    5.25

rule datacenter.yml:12, group host: in force, for 1m, judged every 30s
  node_load1 > 4

changes
  2023-11-14 22:12:20  pending -> firing  value 5
                       load is 5
                       newest sample read at 2023-11-14 22:12:18
                       told to ticket #42

condition, asked again
    2023-11-14 22:06:20  unknown: its data is not there
    2023-11-14 22:10:20  false
    2023-11-14 22:13:20  true, 5.25

samples of node_load1
  node_load1{instance="atlas"}  (4 of 9 samples)
    2023-11-14 22:12:50 .. 22:13:00  3
    2023-11-14 22:13:10              10.5
    2023-11-14 22:13:20              +Inf
"""
    )


def test_what_withheld_an_alert_and_that_it_was_delivered_after_all_is_told() -> None:
    held = replace(FIRED, withheld=[SILENCE], ticket_id=None)
    again = replace(FIRED, old=AlertState.FIRING, redelivered=True, words="no longer withheld")
    alert = replace(
        ALERT,
        suppressed=[SILENCE],
        suppressed_at=moment(NOW),
        acknowledged_by="bob",
        acknowledged_at=moment(NOW),
    )

    said = text(replace(WHY, alert=alert, steps=[held, again]))

    assert "  known    to bob since 2023-11-14 22:13:20\n" in said
    assert "  withheld since 2023-11-14 22:13:20: silence 7 by alice: new disks\n" in said
    assert " withheld: silence 7 by alice: new disks\n" in said
    assert "22:12:20  firing  value 5\n" in said
    assert " delivered after all\n" in said


def test_one_that_was_found_late_says_that_nobody_was_told() -> None:
    late = replace(ALERT, late=True, state=AlertState.RESOLVED, resolved_at=moment(NOW), ticket_id=None)

    said = text(replace(WHY, alert=late, steps=[replace(FIRED, late=True, ticket_id=None)]))

    assert said.startswith("HighLoad of acme/atlas: resolved since 2023-11-14 22:13:20 UTC\n")
    assert "  alert    17, on no ticket\n" in said
    assert "it was over before the server heard of it: nobody was told" in said
    assert " found late: nobody was told\n" in said


def test_what_is_left_out_and_what_is_no_longer_kept_is_said() -> None:
    gone = replace(RULE, in_force=False, line=None)
    why = replace(WHY, rule=gone, steps=[], steps_left_out=3, condition=[], missing=["samples: they are gone"])
    many = AskedSelector(selector="cpu", series=[], total=0)
    cut = replace(WHY.selectors[0], total=21)

    said = text(replace(why, selectors=[many, cut]))

    assert "rule datacenter.yml, group host: not in force\n" in said
    assert "  3 older ones are left out\n" in said
    assert "samples of cpu\n  none are kept of this alert's\n" in said
    assert "  20 more series are left out\n" in said
    assert said.endswith("\nnot told\n  samples: they are gone\n")


def test_a_rule_that_asks_something_else_now_is_said() -> None:
    said = text(replace(WHY, rule=replace(RULE, now_asks="node_load1 > 9", interval_s=None)))

    assert "for 1m, judged in every round\n  node_load1 > 4\n  now it asks: node_load1 > 9\n" in said


@pytest.mark.parametrize("words", [("--ticket", "42"), ("--ticket", "#42"), ("#42",)])
def test_a_ticket_is_told_as_each_of_its_alerts(operator: Operator, words: tuple[str, ...]) -> None:
    operator.server.says(TicketWhy(ticket=TICKET, whys=[WHY, WHY], left_out=1))

    status, out, _ = operator.asks(*words)

    assert (status, operator.server.asked) == (0, ["/api/v1/tickets/42/why"])
    assert out.startswith("ticket #42 of acme, new, nobody's: load\n\nHighLoad of acme/atlas: firing")
    assert out.count("samples of node_load1") == 2
    assert "1 more alerts are on it" in out


def test_a_ticket_about_no_alert_says_so() -> None:
    said = text(TicketWhy(ticket=replace(TICKET, owner="bob"), whys=[], left_out=0))

    assert said == "ticket #42 of acme, new, bob's: load\nit is about no alert\n"


def test_without_a_number_the_active_alerts_are_listed(operator: Operator) -> None:
    quiet = replace(ALERT, id=8, suppressed=[SILENCE], ticket_id=None, host=None)
    operator.server.says(AlertPage(alerts=[ALERT, quiet]))

    status, out, err = operator.asks()

    assert (status, err, operator.server.asked) == (0, "", ["/api/v1/why"])
    assert out.splitlines() == [
        "alert  state   name      where       since (UTC)          ticket  withheld by",
        "17     firing  HighLoad  acme/atlas  2023-11-14 22:12:20  #42",
        "8      firing  HighLoad  acme        2023-11-14 22:12:20          silence",
    ]


def test_that_nothing_is_active_is_said(operator: Operator) -> None:
    operator.server.says(AlertPage(alerts=[]))

    assert operator.asks() == (0, "", "tocsin-server: no alert is active\n")


def test_the_answer_is_printed_as_json(operator: Operator) -> None:
    status, out, _ = operator.asks("17", "--json")

    assert status == 0
    assert msgspec.convert(json.loads(out), Why) == WHY


def test_what_is_not_there_says_how_to_find_it(operator: Operator) -> None:
    remedy = "tocsin-server rules why names those that are active"
    operator.server.says(Problem(title="Not Found", status=404, detail="there is no alert 99", remedy=remedy))

    assert operator.asks("99") == (2, "", f"tocsin-server: there is no alert 99: {remedy}\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("soon",), "'soon' is not a number from 1 on"),
        (("#x",), "'#x' is no ticket such as 42 or '#42'"),
        (("--ticket", "0"), "'0' is no ticket"),
        (("17", "--ticket", "42"), "not allowed with argument"),
    ],
)
def test_what_is_no_number_is_refused(operator: Operator, words: tuple[str, ...], said: str) -> None:
    with pytest.raises(SystemExit):
        operator.asks(*words)

    assert said in operator.capsys.readouterr().err


def test_the_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["rules", "why", "--help"])

    assert "tocsin-server rules why --ticket 42" in capsys.readouterr().out


_HOSTILE = st.text(max_size=20) | st.sampled_from(["\x1b[2J", "a\nb", "\u202e", "\x9b1m", "\r", "\ud800"])


@settings(max_examples=share(60))
@given(_HOSTILE)
def test_what_hosts_and_people_write_is_harmless_to_a_terminal(evil: str) -> None:
    reason = replace(SILENCE, words=evil)
    alert = replace(
        ALERT,
        alertname=evil,
        client=evil,
        host=evil,
        labels={evil: evil},
        suppressed=[reason],
        acknowledged_by=evil,
    )
    series = replace(SERIES, labels={"__name__": evil, evil or "a": evil})
    rule = replace(RULE, file=evil, group=evil, expression=evil, now_asks=evil)
    why = replace(
        WHY,
        alert=alert,
        rule=rule,
        steps=[replace(FIRED, words=evil, withheld=[reason], value=evil)],
        condition=[replace(WHY.condition[-1], value=evil)],
        selectors=[replace(WHY.selectors[0], selector=evil, series=[series])],
        missing=[evil],
    )
    ticket = replace(TICKET, title=evil, client=evil, owner=evil)
    told = TicketWhy(ticket=ticket, whys=[why], left_out=0)

    printed = [*lines(told), *lines(AlertPage(alerts=[alert]))]

    assert all(line.isprintable() for line in printed)
