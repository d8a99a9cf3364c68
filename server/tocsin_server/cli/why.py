"""`rules why`: why an alert stands as it does, printed for whoever is woken by it.

What the running server says: each change and what withheld it, and the samples. Times are in UTC. Moments at
which a value stays the same stand in one row.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter

import msgspec

from tocsin_protocol.alerts import Alert, AlertPage
from tocsin_protocol.api import PREFIX
from tocsin_protocol.why import AlertStep, AskedSelector, AskedSeries, ConditionAt, JudgedRule, TicketWhy, Why
from tocsin_server.access.operator import read_pass
from tocsin_server.cli.asking import ask
from tocsin_server.cli.command import Commands, Options, command, from_one
from tocsin_server.cli.query import columns, quoted, shown
from tocsin_server.promql.spelling import decimal, duration

EXAMPLES = """\
examples:
  tocsin-server rules why                 (the alerts that are active, with their numbers)
  tocsin-server rules why 17              (an alert)
  tocsin-server rules why --ticket 42     (every alert of a ticket; '#42' as the console writes it will do)
  tocsin-server rules why 17 --json

Whoever reads the data folder may ask the running server; nothing is changed. The samples reach from five
minutes before the condition became true until it was over, as far as the server keeps them (samples_days);
what is left out is said. The condition is asked again of what is kept now: where its data is not there it is
unknown.
"""
_TICKET = "#"
_HEADING = ("alert", "state", "name", "where", "since (UTC)", "ticket", "withheld by")
_Rows = Iterable[tuple[datetime, str]]


def add_why(rules: Commands) -> None:
    """`rules why`."""
    asked = command(
        rules, "why", _why, "say why an alert stands as it does, or each alert of a ticket", examples=EXAMPLES
    )
    which = asked.add_mutually_exclusive_group()
    which.add_argument("alert", type=_which, nargs="?", metavar="ALERT", help="its number (default: list them)")
    which.add_argument("--ticket", type=_ticket, metavar="TICKET", help="a ticket's number")
    asked.add_argument(
        "--url", help="where the server listens (default: as it has written into its data folder)"
    )
    asked.add_argument("--json", action="store_true", help="the answer as JSON")


def _which(text: str) -> str:
    """The path of an alert, or of a ticket as the console writes it."""
    return _ticket(text) if text.startswith(_TICKET) else f"/alerts/{from_one(text)}/why"


def _ticket(text: str) -> str:
    try:
        return f"/tickets/{from_one(text.removeprefix(_TICKET))}/why"
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no ticket such as 42 or '#42'") from error


def _why(options: Options) -> int:
    path = options.ticket or options.alert or "/why"
    kind = _kind(path)
    answer = ask(options.data, read_pass(options.data), options.url, f"{PREFIX}{path}", {}, kind)
    if options.json:
        print(json.dumps(msgspec.to_builtins(answer), indent=2))
        return 0
    print("".join(f"{line}\n" for line in lines(answer)), end="")
    if isinstance(answer, AlertPage) and not answer.alerts:
        print("tocsin-server: no alert is active", file=sys.stderr)
    return 0


def _kind(path: str) -> type[AlertPage | Why | TicketWhy]:
    if path == "/why":
        return AlertPage
    return Why if path.startswith("/alerts") else TicketWhy


def lines(answer: AlertPage | Why | TicketWhy) -> Iterator[str]:
    """An answer as text; harmless to a terminal."""
    match answer:
        case AlertPage():
            yield from _listed(answer.alerts)
        case Why():
            yield from _of_alert(answer)
        case TicketWhy():
            yield from _of_ticket(answer)


def _listed(alerts: Sequence[Alert]) -> Iterator[str]:
    if alerts:
        yield from columns([_HEADING, *map(_row, alerts)])


def _row(alert: Alert) -> tuple[str, ...]:
    since = _since(alert)
    return (
        str(alert.id),
        alert.state.value,
        _line(alert.alertname),
        _where(alert),
        "" if since is None else _clock(since),
        "" if alert.ticket_id is None else f"#{alert.ticket_id}",
        ", ".join(sorted({each.kind.value for each in alert.suppressed})),
    )


def _of_ticket(answer: TicketWhy) -> Iterator[str]:
    ticket = answer.ticket
    owner = "nobody's" if ticket.owner is None else f"{_line(ticket.owner)}'s"
    yield f"ticket #{ticket.id} of {_line(ticket.client)}, {ticket.state.value}, {owner}: {_line(ticket.title)}"
    if not answer.whys:
        yield "it is about no alert"
    for why in answer.whys:
        yield ""
        yield from _of_alert(why)
    if answer.left_out:
        yield ""
        yield f"{answer.left_out} more alerts are on it: tocsin-server rules why names those that are active"


def _of_alert(why: Why) -> Iterator[str]:
    yield from _head(why.alert, _entered(why) or _since(why.alert))
    yield ""
    yield from _rule(why.rule)
    yield ""
    yield from _changes(why)
    if why.condition:
        yield ""
        yield "condition, asked again"
        yield from _timed((each.at, _holds(each)) for each in why.condition)
    for selector in why.selectors:
        yield ""
        yield from _selector(selector)
    if why.missing:
        yield ""
        yield "not told"
        yield from (f"  {_line(each)}" for each in why.missing)


# -- the alert and its rule


def _head(alert: Alert, since: datetime | None) -> Iterator[str]:
    when = "" if since is None else f" since {_clock(since)} UTC"
    yield f"{_line(alert.alertname)} of {_where(alert)}: {alert.state.value}{when}"
    facts = {
        "alert": f"{alert.id}{_on_ticket(alert.ticket_id)}",
        "labels": ", ".join(f"{shown(name)}={quoted(value)}" for name, value in sorted(alert.labels.items())),
        "true": "" if alert.active_at is None else f"from {_clock(alert.active_at)} on",
        "value": "" if alert.value is None else decimal(alert.value),
        "known": _known(alert),
        "late": "it was over before the server heard of it: nobody was told" if alert.late else "",
    }
    yield from (f"  {name:<9}{said}" for name, said in facts.items() if said)
    for place, reason in enumerate(alert.suppressed):
        name = "withheld" if place == 0 else ""
        since_when = "" if alert.suppressed_at is None else f"since {_clock(alert.suppressed_at)}: "
        yield f"  {name:<9}{since_when}{_line(reason.words)}"


def _entered(why: Why) -> datetime | None:
    """When it became what it is, by its changes."""
    state = why.alert.state
    return next((step.at for step in reversed(why.steps) if step.new is state is not step.old), None)


def _since(alert: Alert) -> datetime | None:
    return alert.resolved_at or alert.fired_at or alert.active_at


def _on_ticket(ticket_id: int | None) -> str:
    return ", on no ticket" if ticket_id is None else f", on ticket #{ticket_id}"


def _known(alert: Alert) -> str:
    """Who has acknowledged it."""
    if alert.acknowledged_by is None:
        return ""
    when = "" if alert.acknowledged_at is None else f" since {_clock(alert.acknowledged_at)}"
    return f"to {_line(alert.acknowledged_by)}{when}"


def _where(alert: Alert) -> str:
    return _line(alert.client if alert.host is None else f"{alert.client}/{alert.host}")


def _rule(rule: JudgedRule) -> Iterator[str]:
    line = "" if rule.line is None else f":{rule.line}"
    yield f"rule {_line(rule.file)}{line}, group {_line(rule.group)}: {_terms(rule)}"
    yield f"  {_line(rule.expression)}"
    if rule.now_asks is not None:
        yield f"  now it asks: {_line(rule.now_asks)}"


def _terms(rule: JudgedRule) -> str:
    if not rule.in_force:
        return "not in force"
    waits = {"for": rule.for_s, "keep_firing_for": rule.keep_firing_for_s}
    said = [f"{word} {_length(seconds)}" for word, seconds in waits.items() if seconds]
    pace = "judged in every round" if rule.interval_s is None else f"judged every {_length(rule.interval_s)}"
    return ", ".join(["in force", *said, pace])


# -- its changes


def _changes(why: Why) -> Iterator[str]:
    yield "changes"
    if why.steps_left_out:
        yield f"  {why.steps_left_out} older ones are left out"
    if not why.steps:
        yield "  none are written"
    for step in why.steps:
        value = "" if step.value is None else f"  value {shown(step.value)}"
        yield f"  {_clock(step.at)}  {_move(step)}{value}"
        yield from (f"  {'':19}  {said}" for said in _said(step))


def _move(step: AlertStep) -> str:
    return step.new.value if step.old is step.new else f"{step.old.value} -> {step.new.value}"


def _said(step: AlertStep) -> Iterator[str]:
    """What there is to say of a change, a line each."""
    if step.words:
        yield _line(step.words)
    if step.sample_at is not None:
        yield f"newest sample read at {_clock(step.sample_at)}"
    yield from (f"withheld: {_line(reason.words)}" for reason in step.withheld)
    if step.redelivered:
        yield "delivered after all"
    if step.late:
        yield "found late: nobody was told"
    if step.ticket_id is not None:
        yield f"told to ticket #{step.ticket_id}"


# -- its samples


def _holds(at: ConditionAt) -> str:
    if at.holds is None:
        return "unknown: its data is not there"
    if not at.holds:
        return "false"
    return "true" if at.value is None else f"true, {shown(at.value)}"


def _selector(selector: AskedSelector) -> Iterator[str]:
    yield f"samples of {_line(selector.selector)}"
    if not selector.series:
        yield "  none are kept of this alert's"
    for series in selector.series:
        yield f"  {_series(series)}"
        yield from _timed((each.at, shown(each.value)) for each in series.samples)
    if len(selector.series) < selector.total:
        yield f"  {selector.total - len(selector.series)} more series are left out"


def _series(series: AskedSeries) -> str:
    labels = dict(series.labels)
    name = shown(labels.pop("__name__", ""))
    pairs = ", ".join(f"{shown(label)}={quoted(value)}" for label, value in sorted(labels.items()))
    some = "" if len(series.samples) == series.total else f"  ({len(series.samples)} of {series.total} samples)"
    return f"{name}{{{pairs}}}{some}"


def _timed(rows: _Rows) -> Iterator[str]:
    """Times and what was then, in two columns; what stays the same is one row."""
    runs = [(said, [at for at, _ in run]) for said, run in groupby(rows, key=itemgetter(1))]
    yield from columns([(_stretch(times), said) for said, times in runs], indent="    ")


def _stretch(times: Sequence[datetime]) -> str:
    first, last = times[0], times[-1]
    if first == last:
        return _clock(first)
    return f"{_clock(first)} .. {f'{last:%H:%M:%S}' if first.date() == last.date() else _clock(last)}"


# -- words


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _length(seconds: float) -> str:
    return duration(round(seconds * 1000))


def _line(text: str) -> str:
    """On one line, and harmless to a terminal."""
    return shown(" ".join(text.split()))
