"""What the decision tables say of a ticket: what it touches and how soon, how urgent that is, whose it is, who
hears of what happens and of a clock that runs out, and once it is solved, when it closes by itself.

    triage      kind, host, severity …    → impact, urgency
    priority    impact, urgency …         → priority, and the reason in words
    routing     kind, host, rule …        → team
    auto_close  kind, priority, by whom … → whether, and after how many hours
    escalation  clock, per cent used …    → to whom, and by what
    notification  event, kind, priority … → each to whom, and by what
    recurrence  how often in 30 days …    → whether a problem is opened of it
    storm       severity, opened lately … → whether an alert opens its own ticket, or joins the storm's

A ticket's history quotes the rows. Where a table is not in force, or does not know what it is asked, the
priority is the severity's, the ticket is no team's and does not close by itself: no file can stop the bell.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import structlog

from tocsin_protocol.vocabulary import Severity, TicketKind
from tocsin_server.decisions.decider import Decision
from tocsin_server.decisions.folder import Tables
from tocsin_server.decisions.forms import NOBODY, NONE, STORM
from tocsin_server.errors import Unprocessable

DEFAULT_PRIORITY = 3
_PRIORITIES: Mapping[str, int] = {Severity.CRITICAL: 1, Severity.WARNING: 2, Severity.INFO: 3}
_HOUR_MS = 3_600_000

_log = structlog.get_logger()


class World(NamedTuple):
    """What is known of a ticket; nothing, or empty, where there is none."""

    client: str
    site: str | None = None
    kind: TicketKind = TicketKind.INCIDENT
    host_kind: str | None = None
    severity: str = ""
    rule: str = ""

    def asked(self, tables: Tables, at_ms: int) -> dict[str, object]:
        """As the tables are asked at that moment."""
        return {
            "client": self.client,
            "site": self.site or "",
            "kind": self.kind.value,
            "host_kind": self.host_kind or NONE,
            "severity": known_severity(self.severity) or NONE,
            "rule": self.rule,
            "business_hours": tables.is_open(self.client, at_ms),
        }


class Ruling(NamedTuple):
    """What was decided, and by which rows."""

    priority: int = DEFAULT_PRIORITY
    reason: str = ""
    impact: str = ""
    urgency: str = ""
    team: str = ""
    rows: tuple[str, ...] = ()

    def data(self) -> dict[str, int | str | list[str]]:
        """What an entry of the timeline tells of it."""
        if not self.rows:
            return {}
        return {
            "impact": self.impact,
            "urgency": self.urgency,
            "priority": self.priority,
            "reason": self.reason,
            "team": self.team,
            "decided": list(self.rows),
        }

    def routed(self) -> dict[str, str | list[str]]:
        """The same, where a person has said how urgent it is."""
        return {"team": self.team, "decided": [self.rows[-1]]} if self.rows else {}


class Weight(NamedTuple):
    """How urgent a person has said a ticket is. Without impact and urgency, no table has reckoned it."""

    priority: int
    impact: str = ""
    urgency: str = ""
    reason: str = ""
    row: str = ""

    def data(self) -> dict[str, int | str | list[str]]:
        """What an entry of the timeline tells of it."""
        if not self.row:
            return {"priority": self.priority}
        return {
            "impact": self.impact,
            "urgency": self.urgency,
            "priority": self.priority,
            "reason": self.reason,
            "decided": [self.row],
        }


class Term(NamedTuple):
    """After how long a solved ticket closes by itself, nothing where it does not; and by which row."""

    ms: int | None = None
    row: str = ""

    def end_ms(self, solved_ms: int) -> int | None:
        """When that is over."""
        return None if self.ms is None else solved_ms + self.ms

    def data(self, solved_ms: int) -> dict[str, int | list[str]]:
        """What the entry that solves it tells of it."""
        closes_ms = self.end_ms(solved_ms)
        told: dict[str, int | list[str]] = {"decided": [self.row]} if self.row else {}
        return told if closes_ms is None else {**told, "closes_ms": closes_ms}


def ruled(tables: Tables, world: World, at_ms: int) -> Ruling:
    """What the tables in force say of a ticket that is new at that moment."""
    asked = world.asked(tables, at_ms)
    try:
        triage = tables["triage"].decide(asked)
        asked |= triage.outputs
        priority = tables["priority"].decide(asked)
        asked["priority"] = priority.outputs["priority"]
        routing = tables["routing"].decide(asked)
    except KeyError:
        return Ruling(priority_of(world.severity))
    except Unprocessable as error:
        _log.error(f"a decision table cannot say what a ticket is: {error}", action="undecided")
        return Ruling(priority_of(world.severity))
    return _ruling(triage, priority, routing)


def weighed(tables: Tables, world: World, at_ms: int, *, impact: str, urgency: str) -> Weight:
    """What the table `priority` makes of both; raises `Unprocessable` where it does not know them."""
    if "priority" not in tables:
        raise Unprocessable("no table 'priority' is in force", remedy="say the priority itself, and why")
    decision = tables["priority"].decide({**world.asked(tables, at_ms), "impact": impact, "urgency": urgency})
    said = decision.outputs
    return Weight(int(said["priority"]), impact, urgency, str(said["reason"]), str(decision))


def term_of(
    tables: Tables, world: World, at_ms: int, *, priority: int, solved_by: Literal["recovery", "person"]
) -> Term:
    """What the tables in force say of a ticket that is being solved."""
    try:
        decision = tables["auto_close"].decide(
            {**world.asked(tables, at_ms), "priority": priority, "solved_by": solved_by}
        )
    except KeyError:
        return Term()
    except Unprocessable as error:
        _log.error(f"a decision table cannot say when a ticket closes: {error}", action="undecided")
        return Term()
    closes, hours = decision.outputs["closes"], float(decision.outputs["after_hours"])
    return Term(round(hours * _HOUR_MS) if closes else None, str(decision))


class Whom(NamedTuple):
    """Who is to hear of something, and by what: words of the tables. `row` is which row has said so."""

    to: str = NOBODY
    by: str = NONE
    row: str = ""

    @property
    def is_nobody(self) -> bool:
        return self.to == NOBODY or self.by == NONE


def escalated(
    tables: Tables, world: World, at_ms: int, *, priority: int, clock: str, used_percent: float, is_owned: bool
) -> Whom:
    """Who hears that so much of a clock's target is used."""
    more = {"priority": priority, "clock": clock, "used_percent": used_percent, "owned": is_owned}
    try:
        decision = tables["escalation"].decide({**world.asked(tables, at_ms), **more})
    except KeyError:
        return Whom()
    except Unprocessable as error:
        _log.error(f"a decision table cannot say who hears of a clock: {error}", action="undecided")
        return Whom()
    return Whom(str(decision.outputs["to"]), str(decision.outputs["by"]), str(decision))


class Crowd(NamedTuple):
    """How many tickets alerts have opened lately, and what there is of a storm: words of the table."""

    opened: int
    opened_of_rule: int
    opened_in_all: int
    storm: Literal["none", "open", "host"]


def stormy(tables: Tables, world: World, at_ms: int, crowd: Crowd) -> str:
    """The row by which an alert joins the storm of its client; empty where it opens a ticket of its own."""
    try:
        decision = tables["storm"].decide({**world.asked(tables, at_ms), **crowd._asdict()})
    except KeyError:
        return ""
    except Unprocessable as error:
        _log.error(f"a decision table cannot say what joins a storm: {error}", action="undecided")
        return ""
    return str(decision) if decision.outputs["ticket"] == STORM else ""


def is_problem(tables: Tables, world: World, at_ms: int, *, times: int) -> str:
    """The row by which trouble that has come so often is a problem; empty where it is none."""
    try:
        decision = tables["recurrence"].decide({**world.asked(tables, at_ms), "times": times})
    except KeyError:
        return ""
    except Unprocessable as error:
        _log.error(f"a decision table cannot say what is a problem: {error}", action="undecided")
        return ""
    return str(decision) if decision.outputs["problem"] else ""


def notified(tables: Tables, world: World, at_ms: int, *, priority: int, event: str) -> list[Whom]:
    """Who is told what has happened to a ticket."""
    try:
        decision = tables["notification"].decide(
            {**world.asked(tables, at_ms), "priority": priority, "event": event}
        )
    except KeyError:
        return []
    except Unprocessable as error:
        _log.error(f"a decision table cannot say who is told of a ticket: {error}", action="undecided")
        return []
    return [
        Whom(str(answer["to"]), str(answer["by"]), f"{decision.table} row {row}")
        for answer, row in zip(decision.answers, decision.rows, strict=True)
    ]


def _ruling(triage: Decision, priority: Decision, routing: Decision) -> Ruling:
    return Ruling(
        priority=int(priority.outputs["priority"]),
        reason=str(priority.outputs["reason"]),
        impact=str(triage.outputs["impact"]),
        urgency=str(triage.outputs["urgency"]),
        team=str(routing.outputs["team"]),
        rows=(str(triage), str(priority), str(routing)),
    )


def priority_of(severity: str) -> int:
    """The priority of a rule's severity, where no table says another; 3 for a word that is not ours."""
    return _PRIORITIES.get(severity, DEFAULT_PRIORITY)


def known_severity(severity: str) -> str:
    """The severity, where the word is ours."""
    return severity if severity in _PRIORITIES else ""
