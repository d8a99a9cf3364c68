"""What a backtest has found of each alerting rule: how often, how long, how it flapped, and what would calm it.

    flap     an alert fires again within a quarter of an hour of its end, with the same labels
    brief    a firing that is part of a flap and lasted less than that quarter of an hour
    remedy   a longer `for` where what flaps is brief, `keep_firing_for` where it is not

Pure: firings in, findings out.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby, pairwise
from operator import attrgetter
from statistics import median

from tocsin_server.alerts.backtest import Firing
from tocsin_server.alerts.lint import SERVERS_OWN
from tocsin_server.alerts.rules import AlertingRule, Group, RecordingRule, RuleSet

SOON_MS = 900_000
"""What fires again within this time has flapped."""
LONG_MS = 1_800_000
"""A firing as long as this is never to be lost."""
LADDER_MS = tuple(minutes * 60_000 for minutes in (0, 1, 2, 5, 10, 15, 30, 60))
"""The `for` that are tried."""
_ENOUGH = 0.8
"""How many of the brief firings a longer `for` has to remove."""
_MOSTLY = 0.5
_SELDOM = 0.1

Place = tuple[int, str]
"""A client, and a host's name; empty where an alert is about none."""


class Remedy(StrEnum):
    """What to do about a rule."""

    NONE = "none"
    """It never fired."""
    FINE = "fine"
    """Nothing flapped, or hardly anything."""
    LONGER_FOR = "for"
    KEEP_FIRING = "keep_firing_for"


@dataclass(frozen=True, slots=True)
class Advice:
    """A remedy, how long it is, and how many alerts would be left with it; of `keep_firing_for` at most."""

    remedy: Remedy
    length_ms: int = 0
    left: int = 0
    brief: int = 0
    """How many firings were brief."""
    removed: int = 0
    """How many of those would be gone."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule would have done. Times are 0 where there are no alerts."""

    rule: AlertingRule
    group: Group
    alerts: int
    active: int
    """How many of them still fire as the time ends."""
    flaps: int
    total_ms: int
    median_ms: int
    longest_ms: int
    first_ms: int
    last_ms: int
    """When the last one fired."""
    places: Mapping[Place, int]
    """How many alerts each host had, most first."""
    advice: Advice
    unknown: tuple[str, ...] = ()
    """Metrics that it asks for and that history has nothing of."""
    judged_from_ms: int = 0
    """From when on history was fine enough for it; 0 where it always was."""
    failure: str = ""


def findings(
    rules: RuleSet,
    firings: Iterable[Firing],
    *,
    metrics: Iterable[str],
    judged_from_ms: Mapping[str, int],
    failures: Mapping[str, str],
) -> list[Finding]:
    """One for each alerting rule, in the order of the files. `metrics` are the names that history has."""
    known = {*metrics, *SERVERS_OWN, *_recorded(rules), ""}
    by_rule: dict[str, list[Firing]] = {}
    for firing in firings:
        by_rule.setdefault(firing.rule_key, []).append(firing)
    return [
        finding(
            rule,
            group,
            by_rule.get(rule.key, []),
            unknown=tuple(sorted(rule.expression.windows().keys() - known)),
            judged_from_ms=judged_from_ms.get(rule.key, 0),
            failure=failures.get(rule.key, ""),
        )
        for group in rules.groups
        for rule in group.rules
        if isinstance(rule, AlertingRule)
    ]


def finding(
    rule: AlertingRule,
    group: Group,
    firings: Sequence[Firing],
    *,
    unknown: tuple[str, ...] = (),
    judged_from_ms: int = 0,
    failure: str = "",
) -> Finding:
    """What is to be said of a rule with these firings."""
    lengths = [firing.lasted_ms for firing in firings]
    begins = [firing.from_ms for firing in firings]
    places = Counter((firing.client_id, firing.instance) for firing in firings)
    returns = [(before, after) for before, after in _pairs(firings) if after.from_ms - before.to_ms <= SOON_MS]
    return Finding(
        rule=rule,
        group=group,
        alerts=len(firings),
        active=sum(firing.is_active for firing in firings),
        flaps=len(returns),
        total_ms=sum(lengths),
        median_ms=round(median(lengths)) if lengths else 0,
        longest_ms=max(lengths, default=0),
        first_ms=min(begins, default=0),
        last_ms=max(begins, default=0),
        places=dict(places.most_common()),
        advice=_advice(rule, firings, returns),
        unknown=unknown,
        judged_from_ms=judged_from_ms,
        failure=failure,
    )


def _advice(rule: AlertingRule, firings: Sequence[Firing], returns: Sequence[tuple[Firing, Firing]]) -> Advice:
    """What would calm a rule that flaps; where less than a tenth of its alerts are back soon it is fine.

    A `for` is suggested where at least half of the firings that flap are brief: the shortest of the ladder that
    is longer than the rule's, removes four of five brief firings, and loses none of half an hour or longer. A
    firing is removed by a `for` that its condition was never true for without a break; one that is left fires
    later. Shorter `for` are not suggested: of what the rule's own has held back nothing is counted.

    Where what flaps lasts longer, or no `for` of the ladder will do, the alerts had better go on over their
    pauses: `keep_firing_for` of a quarter of an hour more joins an alert whose condition was true again within
    that time to the one before. What was true for less than `for` may join more, so at most so many are left.
    """
    if not firings:
        return Advice(Remedy.NONE)
    if len(returns) < max(1, _SELDOM * len(firings)):
        return Advice(Remedy.FINE, rule.for_ms, len(firings))
    flapping = set().union(*returns)
    brief = [firing for firing in flapping if firing.lasted_ms < SOON_MS and not firing.is_active]
    lasting = [firing for firing in firings if firing.lasted_ms >= LONG_MS]
    for for_ms in LADDER_MS if len(brief) >= _MOSTLY * len(flapping) else ():
        removed = sum(firing.held_ms < for_ms for firing in brief)
        keeps = all(firing.held_ms >= for_ms for firing in lasting)
        if for_ms > rule.for_ms and keeps and removed >= _ENOUGH * len(brief):
            left = sum(firing.held_ms >= for_ms for firing in firings)
            return Advice(Remedy.LONGER_FOR, for_ms, left, len(brief), removed)
    joined = sum(after.begun_ms - before.to_ms <= SOON_MS for before, after in _pairs(firings))
    return Advice(
        Remedy.KEEP_FIRING, rule.keep_firing_for_ms + SOON_MS, len(firings) - joined, brief=len(brief)
    )


def _pairs(firings: Iterable[Firing]) -> Iterator[tuple[Firing, Firing]]:
    """Each firing but the first of its labels, behind the one before."""
    identity = attrgetter("client_id", "fingerprint")
    for _, run in groupby(sorted(firings, key=attrgetter("client_id", "fingerprint", "from_ms")), identity):
        yield from pairwise(run)


def _recorded(rules: RuleSet) -> set[str]:
    return {rule.name for rule in rules.rules() if isinstance(rule, RecordingRule)}
