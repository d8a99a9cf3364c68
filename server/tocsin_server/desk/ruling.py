"""What the decision tables say of a new ticket: what it touches and how soon, how urgent that is, whose it is.

    triage    kind, host, severity … → impact, urgency
    priority  impact, urgency …      → priority, and the reason in words
    routing   kind, host, rule …     → team

A ticket's history quotes the rows. Where a table is not in force, or does not know what it is asked, the
priority is the severity's and the ticket is no team's: no file can stop the bell.
"""

from collections.abc import Mapping
from typing import NamedTuple

import structlog

from tocsin_protocol.vocabulary import Severity, TicketKind
from tocsin_server.decisions.decider import Decision
from tocsin_server.decisions.folder import Tables
from tocsin_server.decisions.forms import NONE
from tocsin_server.errors import Unprocessable

DEFAULT_PRIORITY = 3
_PRIORITIES: Mapping[str, int] = {Severity.CRITICAL: 1, Severity.WARNING: 2, Severity.INFO: 3}

_log = structlog.get_logger()


class World(NamedTuple):
    """What is known of a ticket when it is opened; empty where there is none."""

    client: str
    site: str = ""
    kind: TicketKind = TicketKind.INCIDENT
    host_kind: str = ""
    severity: str = ""
    rule: str = ""

    def asked(self) -> dict[str, object]:
        """As the tables are asked, until contracts say otherwise always in business hours."""
        return {
            "client": self.client,
            "site": self.site,
            "kind": self.kind.value,
            "host_kind": self.host_kind or NONE,
            "severity": known_severity(self.severity) or NONE,
            "rule": self.rule,
            "business_hours": True,
        }


class Ruling(NamedTuple):
    """What was decided, and by which rows."""

    priority: int = DEFAULT_PRIORITY
    reason: str = ""
    impact: str = ""
    urgency: str = ""
    team: str = ""
    rows: tuple[str, ...] = ()

    def data(self) -> dict[str, str | list[str]]:
        """What an entry of the timeline tells of it."""
        if not self.rows:
            return {}
        return {
            "impact": self.impact,
            "urgency": self.urgency,
            "priority": f"{self.priority}: {self.reason}",
            "team": self.team,
            "decided": list(self.rows),
        }

    def routed(self) -> dict[str, str | list[str]]:
        """The same, where a person has said how urgent it is."""
        return {"team": self.team, "decided": [self.rows[-1]]} if self.rows else {}


def ruled(tables: Tables, world: World) -> Ruling:
    """What the tables in force say of a new ticket."""
    asked = world.asked()
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
