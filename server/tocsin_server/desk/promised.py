"""What is promised about tickets, and how each promise stands, reckoned anew from their timelines when asked.

    client, day of creation   the contract in force
    timeline                  whether the ticket is clocked, and as which item of the contract (`service.py`)
                              the events of its clocks (`served.py`)

A contract is asked only about tickets of its client. Where nothing is clocked, `why` says so.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import Row, select
from sqlmodel import Session

from tocsin_protocol.clocks import ClockSegment, TicketClock
from tocsin_protocol.vocabulary import ActorKind
from tocsin_server.clock import moment
from tocsin_server.decisions.folder import NO_TABLES, Tables
from tocsin_server.desk.ruling import World
from tocsin_server.desk.served import TELLING, Step, events_of, priority_at_first
from tocsin_server.desk.service import Service, selected, service_told
from tocsin_server.desk.store import EVENTS, TICKETS
from tocsin_server.errors import Unprocessable
from tocsin_server.estate.store import Client, Host, Site
from tocsin_server.sla.calendar import NeverOpen
from tocsin_server.sla.clock import Clock, ClockState, Segment, clocks
from tocsin_server.sla.contract import Contract
from tocsin_server.sla.events import Event
from tocsin_server.sla.register import NO_CONTRACTS, Contracts, contract_at
from tocsin_server.sla.terms import AgreementType

_T, _E = TICKETS.c, EVENTS.c
_CLIENTS = Client.metadata.tables["client"]
_SITES = Site.metadata.tables["site"]
_HOSTS = Host.metadata.tables["host"]
_STEPS = (
    select(
        *(_T.id, _T.kind, _T.severity, _T.priority),
        _CLIENTS.c.slug.label("client"),
        _SITES.c.slug.label("site"),
        _HOSTS.c.kind.label("host_kind"),
        _E.id.label("step_id"),
        _E.kind.label("step_kind"),
        *(_E.at_ms, _E.actor_kind, _E.actor, _E.data, _E.public),
    )
    .join_from(EVENTS, TICKETS, _T.id == _E.ticket_id)
    .join(_CLIENTS, _CLIENTS.c.id == _T.client_id)
    .outerjoin(_SITES, _SITES.c.id == _T.site_id)
    .outerjoin(_HOSTS, _HOSTS.c.id == _T.host_id)
    .where(_E.kind.in_(TELLING))
    .order_by(_T.id, _E.id)
)


class Due(NamedTuple):
    """The first deadline of a ticket's promises, where that is known; without `goes` nothing can be due."""

    at_ms: int | None = None
    goes: bool = False

    def state(self, now_ms: int) -> str:
        """How that promise stands; empty where there is none."""
        if not self.goes:
            return ""
        if self.at_ms is None:
            return ClockState.PAUSED
        return ClockState.BREACHED if self.at_ms < now_ms else ClockState.RUNNING


Kept = dict[int, tuple[int, Due]]
"""By ticket: a version of it, and what was due then."""


class Terms(NamedTuple):
    """What is in force now, and what is known already of tickets under it."""

    contracts: Contracts
    tables: Tables
    now_ms: int
    kept: Kept


NO_TERMS = Terms(NO_CONTRACTS, NO_TABLES, 0, {})


class Chosen(NamedTuple):
    """As which item a ticket is clocked from a moment on; `is_told` where its timeline says so."""

    at_ms: int
    service: Service
    is_told: bool = True


class Promised(NamedTuple):
    """The clocks of a ticket by its contract, and the events they are reckoned from; `why` there are none."""

    contract: Contract | None = None
    events: Sequence[Event] = ()
    clocks: Sequence[Clock] = ()
    why: str = ""
    chosen: Sequence[Chosen] = ()


Reckon = Callable[[Sequence[Event], Contract, int], Sequence[Clock]]
"""The clocks that are wanted, from events and contract at a moment."""


def promised(
    session: Session, ids: Collection[int], terms: Terms, *, reckon: Reckon = clocks
) -> dict[int, Promised]:
    """How these tickets stand, by their ids, in one question; of clients without a contract, none."""
    if not ids or not terms.contracts:
        return {}
    asked = _STEPS.where(_E.ticket_id.in_(ids), _CLIENTS.c.slug.in_(terms.contracts))
    return {
        ticket_id: _promised(list(rows), terms, reckon)
        for ticket_id, rows in groupby(session.execute(asked), key=attrgetter("id"))
    }


def _promised(rows: Sequence[Row[Any]], terms: Terms, reckon: Reckon) -> Promised:
    ticket, steps = rows[0], list(_steps(rows))
    try:
        contract = _contract(terms.contracts, ticket.client, steps[0].at_ms)
        priority = priority_at_first(steps, ticket.priority)
        chosen = _chosen(terms.tables, rows, steps, priority)
        events = events_of(
            steps,
            item=chosen[0].service.item,
            priority=priority,
            reasons=contract.pause_reasons,
            sla_of=lambda item: contract.sla_of(item, steps[0].at_ms).name,
        )
        now_ms = max(terms.now_ms, events[-1].at_ms)  # the server's clock may have been set back
        return Promised(contract, events, reckon(events, contract, now_ms), chosen=chosen)
    except (Unprocessable, NeverOpen) as none:
        return Promised(why=none.message)


def _steps(rows: Sequence[Row[Any]]) -> Iterator[Step]:
    return (Step(row.step_id, row.at_ms, row.step_kind, row.actor_kind, row.data, row.public) for row in rows)


def _contract(contracts: Contracts, client: str, at_ms: int) -> Contract:
    contract = contract_at(contracts, client, at_ms)
    if contract is None:
        raise Unprocessable(f"{client} had no contract on {moment(at_ms):%Y-%m-%d}")
    return contract


def _chosen(tables: Tables, rows: Sequence[Row[Any]], steps: Sequence[Step], priority: int) -> Sequence[Chosen]:
    """As what it is clocked since it was opened, as the timeline tells, else as the table says now.

    Raises `Unprocessable` where it never was.
    """
    told = [(step.at_ms, service_told(step.data)) for step in steps]
    chosen = [Chosen(at_ms, service) for at_ms, service in told if service is not None]
    if told[0][1] is None:
        world = _world(rows[0])
        now = selected(tables, world, steps[0].at_ms, priority=priority)
        chosen = [Chosen(steps[0].at_ms, now, is_told=False), *chosen]
    if not any(each.service.is_clocked for each in chosen):
        raise Unprocessable(f"not clocked, says {chosen[-1].service.row}")
    return chosen


def _world(ticket: Row[Any]) -> World:
    """By the entry that opens it."""
    rule = ticket.actor if ticket.actor_kind is ActorKind.RULE else ""
    return World(ticket.client, ticket.site, ticket.kind, ticket.host_kind, ticket.severity, rule)


# -- as consoles are told


def as_the_client_sees(found: Promised) -> Promised:
    """Only what is promised to the client: what teams and suppliers have promised is the provider's own."""
    clocks = [clock for clock in found.clocks if clock.agreement.type is AgreementType.SLA]
    return found._replace(clocks=clocks)


def clocks_told(found: Promised) -> list[TicketClock]:
    """Every clock with its segments."""
    return [_told(clock) for clock in found.clocks]


def _told(clock: Clock) -> TicketClock:
    target = clock.target
    return TicketClock(
        kind=target.kind,
        agreement=clock.agreement.name,
        counterparty=clock.agreement.counterparty,
        type=clock.agreement.type,
        priority=clock.priority,
        round=clock.round,
        calendar=target.calendar.name,
        zone=str(target.calendar.zone),
        state=clock.state,
        reason=clock.reason,
        target_s=target.target_ms / 1000,
        elapsed_s=clock.elapsed_ms / 1000,
        remaining_s=clock.remaining_ms / 1000,
        started_at=moment(clock.start_ms),
        due_at=None if clock.deadline_ms is None else moment(clock.deadline_ms),
        ended_at=None if clock.ended_ms is None else moment(clock.ended_ms),
        segments=[_segment(each) for each in clock.segments],
    )


def _segment(segment: Segment) -> ClockSegment:
    return ClockSegment(
        reason=segment.name,
        begin=moment(segment.from_ms),
        end=moment(segment.to_ms),
        counted_s=segment.counted_ms / 1000,
    )
