"""What the desk tells each of its tables, and what it wants to hear.

A table may ask for less than it can be told; what it asks for has the type that is told, and it answers all
that is wanted. So one that asks for what nobody knows is refused as it is read, not as a ticket waits for it.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple

from tocsin_protocol.vocabulary import HostKind, Severity
from tocsin_server.decisions.domain import Domain, Numbers, Text, Truth, Words
from tocsin_server.decisions.sheet import FILE, DecisionFileError
from tocsin_server.decisions.table import Column, HitPolicy, Table
from tocsin_server.decisions.tablefile import OUTPUT, POLICY, SUFFIX
from tocsin_server.errors import suggestion

NONE = "none"
"""The severity of a ticket of a person's, and the kind of host of a ticket that is about none."""

NOBODY = "nobody"
"""Who is told, where nobody is."""

WATCHERS = "watchers"
"""Who watches the ticket."""

TEAM_LEAD = "team_lead"
"""Who leads the team that has it."""

STORM = "storm"
"""Where an alert goes that opens no ticket of its own."""

_KIND = Words(("incident", "request", "problem", "change"))
_PRIORITY = Numbers(1, 4, whole=True)
_DEGREE = Words(("high", "medium", "low"))
_COUNT = Numbers(whole=True)
_WAY = Words(("mail", "page", NONE))
_WORLD: Mapping[str, Domain] = {
    "client": Text(),
    "site": Text(),
    "kind": _KIND,
    "host_kind": Words((*HostKind, NONE)),
    "severity": Words((*Severity, NONE)),
    "rule": Text(),
    "business_hours": Truth(),
}
"""What is known of every ticket. `client` and `site` are slugs, `rule` is the alert's name; the last two are
empty where there is none."""


class Form(NamedTuple):
    """What a table may be told, and what it answers; whether it may answer more than once."""

    told: Mapping[str, Domain]
    wanted: Mapping[str, Domain]
    collects: bool = False


FORMS: Mapping[str, Form] = {
    "triage": Form(_WORLD, {"impact": _DEGREE, "urgency": _DEGREE}),
    "priority": Form(
        {**_WORLD, "impact": _DEGREE, "urgency": _DEGREE}, {"priority": _PRIORITY, "reason": Text()}
    ),
    "routing": Form({**_WORLD, "priority": _PRIORITY}, {"team": Text()}),
    "sla_selection": Form({**_WORLD, "priority": _PRIORITY}, {"clocked": Truth(), "item": Text()}),
    "notification": Form(
        {
            **_WORLD,
            "priority": _PRIORITY,
            "event": Words(("opened", "reopened", "commented", "recovered", "solved", "closed")),
        },
        {"to": Words(("team", "owner", "on_call", "requester", WATCHERS, NOBODY)), "by": _WAY},
        collects=True,
    ),
    "auto_close": Form(
        {**_WORLD, "priority": _PRIORITY, "solved_by": Words(("recovery", "person"))},
        {"closes": Truth(), "after_hours": Numbers(0, 8760)},
    ),
    "recurrence": Form({**_WORLD, "times": _COUNT}, {"problem": Truth()}),
    "storm": Form(
        {
            **_WORLD,
            "opened": _COUNT,
            "opened_of_rule": _COUNT,
            "opened_in_all": _COUNT,
            "storm": Words((NONE, "open", "host")),
        },
        {"ticket": Words(("own", STORM))},
    ),
    "escalation": Form(
        {
            **_WORLD,
            "priority": _PRIORITY,
            "clock": Words(("ack", "first_response", "resolve", "update")),
            "used_percent": Numbers(),
            "owned": Truth(),
        },
        {"to": Words((NOBODY, "owner", "team", TEAM_LEAD, "duty_manager", "account_manager")), "by": _WAY},
    ),
}


def misfits(file: str, table: Table) -> Iterator[DecisionFileError]:
    """Where a table of the desk's name is none that the desk can ask."""
    form = FORMS.get(table.name)
    if form is None:
        return
    if form.collects != (table.policy is HitPolicy.COLLECT):
        policies = HitPolicy.COLLECT if form.collects else "U, F or A"
        yield DecisionFileError(file, 1, POLICY, f"the desk asks {table.name!r} with {policies}")
    for column in table.inputs:
        yield from _misfit(file, column, form.told, "the desk does not tell this", fits=_alike)
    for column in table.outputs:
        yield from _misfit(file, column, form.wanted, "the desk does not ask for this", fits=_answers)
    for name in form.wanted.keys() - dict(table.outputs).keys():
        yield DecisionFileError(file, 1, name, f"the desk wants {OUTPUT} {name}:{form.wanted[name]}")


def missing_tables(files: Collection[str]) -> Iterator[DecisionFileError]:
    """Those that the desk asks and that are not among the files."""
    for file in (f"{name}{SUFFIX}" for name in FORMS):
        if file not in files:
            yield DecisionFileError(file, 1, FILE, "is missing: copy the shipped one")


def _misfit(
    file: str,
    column: Column,
    known: Mapping[str, Domain],
    unknown: str,
    *,
    fits: Callable[[Domain, Domain], bool],
) -> Iterator[DecisionFileError]:
    domain = known.get(column.name)
    if domain is None:
        yield DecisionFileError(file, 1, column.name, f"{unknown}{suggestion(column.name, known)}")
    elif not fits(column.domain, domain):
        yield DecisionFileError(file, 1, column.name, f"is {domain} at the desk, not {column.domain}")


def _alike(one: Domain, other: Domain) -> bool:
    """Whether they are the same; the order of an enum's words is no matter."""
    if isinstance(one, Words) and isinstance(other, Words):
        return set(one.values) == set(other.values)
    return one == other


def _answers(one: Domain, wanted: Domain) -> bool:
    """Whether the desk understands all that may be answered: a table need not know words that are newer."""
    if isinstance(one, Words) and isinstance(wanted, Words):
        return set(one.values) <= set(wanted.values)
    return one == wanted
