"""What `rules backtest` has found, as text of a hundred columns and as JSON. Times are in UTC."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

from tocsin_server.alerts.backtest import Backtest
from tocsin_server.alerts.findings import LONG_MS, SOON_MS, Finding, Place, Remedy
from tocsin_server.clock import moment
from tocsin_server.doctor import counted
from tocsin_server.promql.spelling import duration
from tocsin_server.series.history.stretches import HOUR_MS

WIDTH = 100
MOST_HOSTS = 8
"""So many hosts of a rule are named."""
_HEADING = ("rule", "alerts", "flaps", "hosts", "total", "median", "longest", "first fired", "last fired")
_NUMBERS = range(1, 7)
"""The columns that stand to the right."""
_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000))


@dataclass(frozen=True, slots=True)
class Scope:
    """What was judged. `clients` are slugs by id; groups were judged every so many milliseconds."""

    start_ms: int
    end_ms: int
    heard_from_ms: int
    samples_from_ms: int
    steps_ms: tuple[int, ...]
    hosts: int
    clients: Mapping[int, str]

    @classmethod
    def of(cls, backtest: Backtest) -> "Scope":
        return cls(
            backtest.start_ms,
            backtest.end_ms,
            backtest.heard_from_ms,
            backtest.samples_from_ms,
            tuple(sorted({group.interval_ms or 0 for group in backtest.rules.groups})),
            len(backtest.hosts),
            {host.client_id: host.client for host in backtest.hosts},
        )


def lines(scope: Scope, found: Sequence[Finding]) -> Iterator[str]:
    """The whole report; the rule that would have fired most comes first."""
    fired = sorted((each for each in found if each.alerts), key=lambda each: -each.alerts)
    silent = [each for each in found if not each.alerts]
    yield from _head(scope, found)
    if fired:
        yield ""
        yield from _table([_HEADING, *map(_cells, fired)])
    for each in fired:
        yield ""
        yield from _told(scope, each)
    if silent:
        yield ""
        yield from _silent(silent)
    yield from _warnings(scope, found)


def _head(scope: Scope, found: Sequence[Finding]) -> Iterator[str]:
    whose = (
        next(iter(scope.clients.values())) if len(scope.clients) == 1 else counted(len(scope.clients), "client")
    )
    often = " or ".join(f"each {duration(step_ms)}" for step_ms in scope.steps_ms)
    yield (
        f"{counted(len(found), 'rule')} over {counted(scope.hosts, 'host')} of {whose},"
        f" {_clock(scope.start_ms)} to {_clock(scope.end_ms)} UTC, judged {often}"
    )
    if scope.heard_from_ms >= scope.start_ms + HOUR_MS:
        yield f"history begins {_clock(scope.heard_from_ms)}"
    if scope.samples_from_ms > scope.start_ms:
        yield (
            f"until {_clock(scope.samples_from_ms)} only five-minute values are left (samples_days):"
            " what is shorter is not seen"
        )


def _cells(each: Finding) -> tuple[str, ...]:
    return (
        each.rule.name,
        str(each.alerts),
        str(each.flaps or "-"),
        str(len([place for place in each.places if place[1]]) or "-"),
        length(each.total_ms),
        length(each.median_ms),
        length(each.longest_ms),
        _short(each.first_ms),
        _short(each.last_ms),
    )


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns side by side; names that are too long for the page are cut."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    widths[0] = min(widths[0], max(12, WIDTH - sum(widths[1:]) - 2 * (len(widths) - 1)))
    for row in rows:
        cells = [
            cell.rjust(width) if place in _NUMBERS else _cut(cell, width).ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _told(scope: Scope, each: Finding) -> Iterator[str]:
    """A rule by itself: where it fired, and what would calm it."""
    kept_ms = each.rule.keep_firing_for_ms
    kept = f", keep_firing_for {duration(kept_ms)}" if kept_ms else ""
    yield f"{each.rule.name}  {each.group.file}:{each.rule.line}, for {duration(each.rule.for_ms)}{kept}"
    yield from _part("on", ", ".join(_places(scope, each.places)))
    if each.active:
        yield from _part("now", f"{each.active} still fired as the time ended")
    yield from _part("flaps", _flaps(each))
    if each.advice.remedy is not Remedy.FINE:
        yield from _part("try", _remedy(each))


def _places(scope: Scope, places: Mapping[Place, int]) -> Iterator[str]:
    """`acme/atlas 212`, most first."""
    named = list(places.items())
    for (client_id, instance), count in named[:MOST_HOSTS]:
        client = scope.clients.get(client_id, str(client_id))
        yield f"{client}/{instance} {count}" if instance else f"{client} {count}"
    if len(named) > MOST_HOSTS:
        yield f"and {len(named) - MOST_HOSTS} more"


def _flaps(each: Finding) -> str:
    soon = f"back within {duration(SOON_MS)} of the end of the one before"
    fine = ": fine as it is" if each.advice.remedy is Remedy.FINE else ""
    if not each.flaps:
        return f"no alert was {soon}{fine}"
    return f"{each.flaps} of {each.alerts} alerts {'was' if each.flaps == 1 else 'were'} {soon}{fine}"


def _remedy(each: Finding) -> str:
    """What it takes to calm a rule that flaps, and what is left then."""
    advice = each.advice
    taken = f"{advice.remedy.value}: {duration(advice.length_ms)}"
    left = counted(advice.left, "alert")
    if advice.remedy is Remedy.LONGER_FOR:
        dropped = f"{advice.removed} of {counted(advice.brief, 'brief flap')}"
        return f"{taken} leaves {left}: it drops {dropped}, and none of {duration(LONG_MS)} or longer"
    most = "at most " if each.rule.for_ms else ""
    return f"{taken} leaves {most}{left}, which go on over their pauses; a longer `for` would not help"


def _silent(found: Sequence[Finding]) -> Iterator[str]:
    yield from _wrapped("never fired: ", ", ".join(each.rule.name for each in found))


def _warnings(scope: Scope, found: Sequence[Finding]) -> Iterator[str]:
    """Why a rule may have been judged less than it seems."""
    lacking = [each for each in found if each.unknown and not each.alerts]
    if lacking:
        yield ""
        yield "history lacks metrics that these ask for:"
        width = max(len(each.rule.name) for each in lacking)
        for each in lacking:
            yield from _wrapped(f"  {each.rule.name:<{width}}  ", ", ".join(each.unknown))
    for words in (*_late(scope, found), *_failed(found)):
        yield ""
        yield from _wrapped("", words)


def _late(scope: Scope, found: Sequence[Finding]) -> Iterator[str]:
    """Rules that could not be judged all of the time, by when they first were."""
    later: dict[int, list[str]] = {}
    for each in found:
        if each.judged_from_ms > scope.start_ms:
            later.setdefault(each.judged_from_ms // HOUR_MS * HOUR_MS, []).append(each.rule.name)
    for from_ms, rules in sorted(later.items()):
        yield f"judged from {_clock(from_ms)} on only, as five-minute values are too coarse: {', '.join(rules)}"


def _failed(found: Sequence[Finding]) -> Iterator[str]:
    return (f"{each.rule.name} could not be evaluated: {each.failure}" for each in found if each.failure)


def _part(word: str, text: str) -> Iterator[str]:
    return _wrapped(f"  {word:<5}  ", text)


def _wrapped(begin: str, text: str) -> Iterator[str]:
    """Lines no wider than the page; those after the first stand below the text."""
    return iter(
        wrap(text, WIDTH, initial_indent=begin, subsequent_indent=" " * len(begin), break_on_hyphens=False)
    )


def length(milliseconds: int) -> str:
    """`2d4h`, `12m`, `40s`: its two largest units at most."""
    told: list[str] = []
    for unit, size in _UNITS:
        count, milliseconds = divmod(milliseconds, size)
        if count or told:
            told.append(f"{count}{unit}" if count else "")
    return "".join(told[:2]) or "0s"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _clock(at_ms: int) -> str:
    return f"{moment(at_ms):%Y-%m-%d %H:%M}"


def _short(at_ms: int) -> str:
    return f"{moment(at_ms):%m-%d %H:%M}"


# -- JSON


def as_json(scope: Scope, found: Sequence[Finding]) -> dict[str, object]:
    """The same for programs: times as RFC 3339, lengths in seconds."""
    return {
        "start": _iso(scope.start_ms),
        "end": _iso(scope.end_ms),
        "history_from": _iso(scope.heard_from_ms),
        "samples_from": _since(scope.samples_from_ms, scope),
        "hosts": scope.hosts,
        "rules": [_rule(scope, each) for each in found],
    }


def _rule(scope: Scope, each: Finding) -> dict[str, object]:
    advice = each.advice
    return {
        "alert": each.rule.name,
        "file": each.group.file,
        "group": each.group.name,
        "line": each.rule.line,
        "step_s": (each.group.interval_ms or 0) / 1000,
        "for_s": each.rule.for_ms / 1000,
        "keep_firing_for_s": each.rule.keep_firing_for_ms / 1000,
        "alerts": each.alerts,
        "active": each.active,
        "flaps": each.flaps,
        "total_s": each.total_ms / 1000,
        "median_s": each.median_ms / 1000,
        "longest_s": each.longest_ms / 1000,
        "first": _iso(each.first_ms) if each.alerts else None,
        "last": _iso(each.last_ms) if each.alerts else None,
        "hosts": [
            {"client": scope.clients.get(client_id), "host": instance or None, "alerts": count}
            for (client_id, instance), count in each.places.items()
        ],
        "advice": {
            "remedy": advice.remedy.value,
            "seconds": advice.length_ms / 1000,
            "left": advice.left,
            "brief": advice.brief,
            "removed": advice.removed,
        },
        "judged_from": _since(each.judged_from_ms, scope),
        "unknown_metrics": list(each.unknown),
        "failure": each.failure or None,
    }


def _since(at_ms: int, scope: Scope) -> str | None:
    return _iso(at_ms) if at_ms > scope.start_ms else None


def _iso(at_ms: int) -> str:
    return f"{moment(at_ms):%Y-%m-%dT%H:%M:%SZ}"
