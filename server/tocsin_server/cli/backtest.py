"""`rules backtest`: what rules would have fired over stored history, judged in the command's own process."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TextIO

from sqlmodel import Session

from tocsin_server.alerts.backtest import Backtest, lead_ms
from tocsin_server.alerts.findings import Finding, findings
from tocsin_server.alerts.replay import Replay
from tocsin_server.alerts.rulefile import RuleFileErrors, load_rule_files
from tocsin_server.alerts.rules import AlertingRule, RuleSet
from tocsin_server.cli.command import Commands, Options, command, duration_ms, settings
from tocsin_server.cli.findings import Scope, as_json, lines
from tocsin_server.cli.query import shown
from tocsin_server.clock import Clock, SystemClock, moment
from tocsin_server.datafolder import look
from tocsin_server.errors import Misconfigured
from tocsin_server.estate.clients import client_named
from tocsin_server.estate.estate import HostFacts, hosts_in_service
from tocsin_server.promql.spelling import duration
from tocsin_server.series.history.days import HISTORY
from tocsin_server.series.history.reader import Archive, Covered
from tocsin_server.series.history.stretches import HOUR_MS

WEEK = "7d"
LEAST_STEP_MS = 1000
GUESSING_S = 3.0
EXAMPLES = """\
examples:
  tocsin-server rules backtest my-rules/disk.yml
  tocsin-server rules backtest my-rules/*.yml --last 30d --client acme
  tocsin-server rules backtest config/rules/datacenter.yml --last 90d --step 5m      (coarser is faster)
  tocsin-server rules backtest my-rules/disk.yml --json

Each alerting rule is judged as the server would have judged it, with its recording rules, its `for`
and its keep_firing_for, over what hosts in service have sent. Nothing is changed and nobody is told;
it runs beside the server, or without one. Of each rule it says how many alerts it would have fired,
how long they lasted, on which hosts, how many were back within 15m of the end of the one before, and
what would calm it: the shortest `for` that spares you four of five brief alerts (under 15m) and none
of half an hour or longer; or keep_firing_for, where what flaps is not brief.

Rules are judged each --step: what is over sooner is not seen. Silences and maintenance are not
regarded. An hour is judged once it is over for an hour. Where samples are gone (samples_days)
five-minute values are judged, and rules with a range of less than 20m are not. The status is 1 where
a rule could not be evaluated.
"""


def add_backtest(rules: Commands) -> None:
    """`rules backtest`."""
    asked = command(
        rules,
        "backtest",
        _backtest,
        "say what rules would have fired over stored history, and what would calm them",
        examples=EXAMPLES,
    )
    asked.add_argument("files", type=Path, nargs="+", metavar="FILE", help="rule file, or a folder of them")
    asked.add_argument(
        "--last", type=duration_ms, default=WEEK, metavar="TIME", help=f"how far back (default {WEEK})"
    )
    asked.add_argument("--client", metavar="SLUG", help="this client only")
    asked.add_argument(
        "--step",
        type=duration_ms,
        metavar="TIME",
        help="how often rules are judged (default: the group's interval, or 1m)",
    )
    asked.add_argument("--json", action="store_true", help="the findings as JSON")


def _backtest(options: Options) -> int:
    if options.step is not None and options.step < LEAST_STEP_MS:
        raise Misconfigured(f"a step of {duration(options.step)} is too short", remedy="--step 1s is the least")
    try:
        rules = load_rule_files(options.files)
    except RuleFileErrors as refused:
        for wrong in refused.errors:
            print(shown(str(wrong)))
        return 1
    except OSError as error:
        raise Misconfigured(f"{error.filename} cannot be read ({error.strerror})") from error
    if not any(isinstance(rule, AlertingRule) for rule in rules.rules()):
        raise Misconfigured(
            "there is no alerting rule in these files", remedy="name a file with `alert:` in it"
        )
    with redirect_stdout(sys.stderr):  # what is damaged in history is logged, and no part of the report
        backtest, found = _judged(options, rules, SystemClock())
    scope = Scope.of(backtest)
    if options.json:
        print(json.dumps(as_json(scope, found), indent=2))
    else:
        print("".join(f"{shown(line)}\n" for line in lines(scope, found)), end="")
    return 1 if backtest.failures else 0


def _judged(options: Options, rules: RuleSet, clock: Clock) -> tuple[Backtest, list[Finding]]:
    """The rules, played over the time that is asked, and what has come of each."""
    replay = Replay(Archive(_folder(options)), rules.windows().keys())
    hosts = look(options.data, lambda session: _hosts(session, options.client))
    backtest = _ready(options, rules, hosts, replay, clock.now_ms())
    with _progress(sys.stderr) as tell:
        begun_s = clock.monotonic()
        for at_ms in backtest.play(replay.frame):
            tell(backtest, at_ms, clock.monotonic() - begun_s)
    return backtest, findings(
        backtest.rules,
        backtest.firings,
        metrics=replay.found,
        judged_from_ms=backtest.judged_from_ms,
        failures=backtest.failures,
    )


def _folder(options: Options) -> Path:
    folder: Path = options.data / HISTORY
    if not folder.is_dir():
        raise Misconfigured(
            f"there is no history in {options.data}",
            remedy="name the server's folder with --data; an hour comes into history once it is over",
        )
    return folder


def _hosts(session: Session, slug: str | None) -> list[HostFacts]:
    """Those of a client, or all."""
    client_id = None if slug is None else client_named(session, slug).id
    return [host for host in hosts_in_service(session) if client_id in (None, host.client_id)]


def _end_ms(hosts: Sequence[HostFacts], covered: Mapping[int, Covered], replay: Replay, now_ms: int) -> int:
    """When anybody was heard last, in hours that are sure to be in history of whoever sends; 0 for never."""
    sure_ms = now_ms // HOUR_MS * HOUR_MS - HOUR_MS
    end_ms = min(sure_ms, max((each.to_ms for each in covered.values()), default=0))
    return replay.newest_ms(hosts, end_ms - HOUR_MS, end_ms) if end_ms else 0


def _ready(options: Options, rules: RuleSet, hosts: list[HostFacts], replay: Replay, now_ms: int) -> Backtest:
    """A backtest of the last so much."""
    start_ms = now_ms - options.last
    covered = replay.covered(hosts, start_ms - lead_ms(rules), now_ms)
    end_ms = _end_ms(hosts, covered, replay, now_ms)
    if end_ms <= start_ms:
        whose = f" of {options.client}" if options.client else ""
        raise Misconfigured(
            f"the last {duration(options.last)} have no hour{whose} in history yet",
            remedy="tocsin-server history show lists the days; an hour is judged once it is over for an hour",
        )
    return Backtest(
        rules,
        hosts,
        covered,
        start_ms=start_ms,
        end_ms=end_ms,
        interval_s=settings(options).interval_s,
        step_ms=options.step,
    )


@contextmanager
def _progress(stream: TextIO) -> Iterator[Callable[[Backtest, int, float], None]]:
    """Says how far it is on one line of a terminal, which is gone at the end; to a file it says nothing."""
    if not stream.isatty():
        yield lambda _backtest, _at_ms, _since_s: None
        return
    said = ""

    def tell(backtest: Backtest, at_ms: int, since_s: float) -> None:
        nonlocal said
        line = _how_far(backtest.moments, at_ms, since_s)
        if line != said:
            stream.write(f"\r\x1b[K{line}")
            stream.flush()
            said = line

    try:
        yield tell
    finally:
        stream.write("\r\x1b[K")
        stream.flush()


def _how_far(moments: range, at_ms: int, since_s: float) -> str:
    """`37%  2026-11-10 14:00 UTC  2m left`; what is left is guessed once it has run for a while."""
    share = (moments.index(at_ms) + 1) / len(moments)
    done = f"{share:4.0%}  {moment(at_ms // HOUR_MS * HOUR_MS):%Y-%m-%d %H:%M} UTC"
    if since_s < GUESSING_S:
        return done
    left_s = since_s / share - since_s
    return f"{done}  {left_s / 60:.0f}m left" if left_s >= 60 else f"{done}  less than a minute left"
