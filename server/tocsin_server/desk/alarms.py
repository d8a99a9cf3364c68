"""Alerts as consoles see them, each with the ticket that it is on."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Row, case, exists, func, select
from sqlmodel import Session

from tocsin_protocol.alerts import Alert, AlertPage, Suppression
from tocsin_protocol.api import MAX_PAGE
from tocsin_protocol.vocabulary import AlertState, Severity
from tocsin_server.access.scope import Scope
from tocsin_server.alerts.store import AlertRow
from tocsin_server.clock import moment
from tocsin_server.desk.scope import client_id_of
from tocsin_server.desk.store import IS_GATHERED, IS_OPEN, TICKET_ALERTS, TICKETS
from tocsin_server.errors import NotFound, Unprocessable
from tocsin_server.estate.store import Client, Host

LiveValue = Callable[[int], float | None]
"""The value that an alert's expression has now, by the alert's id."""

_WORST_FIRST = (
    AlertState.FIRING,
    AlertState.UNKNOWN,
    AlertState.PENDING,
    AlertState.RESOLVED,
    AlertState.INACTIVE,
)
_RANK: Mapping[AlertState, int] = {state: rank for rank, state in enumerate(_WORST_FIRST)}
_ACTIVE = _WORST_FIRST[:3]

MOST_CUT_OFF = 20
MOST_OF_TICKET = 200
"""A storm may have ten thousand: what else there is, is counted."""

_ALERTS = AlertRow.metadata.tables["alert"]
_CLIENTS = Client.metadata.tables["client"]
_HOSTS = Host.metadata.tables["host"]

HAS_ALERTS: ColumnElement[bool] = exists().where(TICKET_ALERTS.c.ticket_id == TICKETS.c.id).correlate(TICKETS)
"""Of a ticket that is asked for."""
NEWEST_TICKET = (
    select(func.max(TICKET_ALERTS.c.ticket_id))
    .where(TICKET_ALERTS.c.alert_id == _ALERTS.c.id)
    .correlate(_ALERTS)
    .scalar_subquery()
)
_STORM = (
    select(func.max(TICKET_ALERTS.c.ticket_id))
    .join_from(TICKET_ALERTS, TICKETS, TICKETS.c.id == TICKET_ALERTS.c.ticket_id)
    .where(TICKET_ALERTS.c.alert_id == _ALERTS.c.id, IS_GATHERED, IS_OPEN)
    .correlate(_ALERTS)
    .scalar_subquery()
)
"""The open ticket of a storm that has taken it in: a ticket of its own may be newer, and is over then."""
_VIEW = (
    select(
        _ALERTS,
        _CLIENTS.c.slug.label("client"),
        _HOSTS.c.name.label("host"),
        func.coalesce(_STORM, NEWEST_TICKET).label("ticket_id"),
    )
    .join_from(_ALERTS, _CLIENTS, _CLIENTS.c.id == _ALERTS.c.client_id)
    .outerjoin(_HOSTS, _HOSTS.c.id == _ALERTS.c.host_id)
)
_ORDER = (case(_RANK, value=_ALERTS.c.state, else_=len(_RANK)), _ALERTS.c.changed_ms.desc(), _ALERTS.c.id)


def alert_page(
    session: Session,
    scope: Scope,
    *,
    state: str = "active",
    client: str | None = None,
    host_id: int | None = None,
    live_value: LiveValue | None = None,
) -> AlertPage:
    """The worst alerts first, and of those the latest; at most a page of them."""
    asked = _VIEW.where(scope.within(_ALERTS.c.client_id))
    if state == "active":
        asked = asked.where(_ALERTS.c.state.in_(_ACTIVE))
    elif state != "all":
        raise Unprocessable(f"no alerts are {state!r}", remedy="ask for state=active or state=all")
    if client:
        asked = asked.where(_ALERTS.c.client_id == client_id_of(session, scope, client))
    if host_id is not None:
        asked = asked.where(_ALERTS.c.host_id == host_id)
    rows = session.execute(asked.order_by(*_ORDER).limit(MAX_PAGE))
    return AlertPage(alerts=[_alert(row, scope, live_value) for row in rows])


def alert_view(session: Session, scope: Scope, alert_id: int, *, live_value: LiveValue | None = None) -> Alert:
    """One alert."""
    asked = _VIEW.where(_ALERTS.c.id == alert_id, scope.within(_ALERTS.c.client_id))
    row = session.execute(asked).one_or_none()
    if row is None:
        raise NotFound(f"there is no alert {alert_id}")
    return _alert(row, scope, live_value)


def alerts_of_ticket(
    session: Session, scope: Scope, ticket_id: int, *, live_value: LiveValue | None = None
) -> list[Alert]:
    """What a ticket is about, the worst of it first; after that a few of those whose hosts are only cut off."""
    on_ticket = select(TICKET_ALERTS.c.alert_id).where(TICKET_ALERTS.c.ticket_id == ticket_id)
    behind = on_ticket.where(TICKET_ALERTS.c.cut_off).order_by(TICKET_ALERTS.c.alert_id).limit(MOST_CUT_OFF)
    found: list[Alert] = []
    for some in (on_ticket.where(~TICKET_ALERTS.c.cut_off), behind):
        asked = _VIEW.where(_ALERTS.c.id.in_(some), scope.within(_ALERTS.c.client_id))
        first = asked.order_by(*_ORDER).limit(MOST_OF_TICKET)
        found += [_alert(row, scope, live_value) for row in session.execute(first)]
    return found


class Counted(NamedTuple):
    """How many alerts a ticket is about, and how many are on it only because their hosts cannot be reached."""

    own: int = 0
    cut_off: int = 0

    @property
    def more(self) -> int:
        """Of its own, beside those that are shown with it."""
        return max(0, self.own - MOST_OF_TICKET)


def counted_of_ticket(session: Session, ticket_id: int) -> Counted:
    asked = select(TICKET_ALERTS.c.cut_off, func.count()).where(TICKET_ALERTS.c.ticket_id == ticket_id)
    counts = {
        bool(is_cut_off): count
        for is_cut_off, count in session.execute(asked.group_by(TICKET_ALERTS.c.cut_off))
    }
    return Counted(counts.get(False, 0), counts.get(True, 0))


def worst_states(session: Session, ticket_ids: Sequence[int]) -> dict[int, AlertState]:
    """The worst state among each ticket's alerts, for those that have any, but for what is only cut off."""
    asked = (
        select(TICKET_ALERTS.c.ticket_id, _ALERTS.c.state)
        .join_from(TICKET_ALERTS, _ALERTS, _ALERTS.c.id == TICKET_ALERTS.c.alert_id)
        .where(TICKET_ALERTS.c.ticket_id.in_(ticket_ids), ~TICKET_ALERTS.c.cut_off)
        .distinct()
    )
    worst: dict[int, AlertState] = {}
    for ticket_id, state in session.execute(asked) if ticket_ids else ():
        worst[ticket_id] = min(state, worst.get(ticket_id, state), key=_RANK.__getitem__)
    return worst


def known_severity(word: str) -> Severity | None:
    """The severity, where the word is one of ours."""
    return _SEVERITIES.get(word)


_SEVERITIES: Mapping[str, Severity] = {severity.value: severity for severity in Severity}


def _alert(row: Row[Any], scope: Scope, live_value: LiveValue | None) -> Alert:
    """From outside it is not told what withholds it: that may name what is the provider's own."""
    file, group = _place(row.rule_key, row.alertname)
    return Alert(
        id=row.id,
        state=row.state,
        alertname=row.alertname,
        severity=known_severity(row.severity),
        client=row.client,
        host=row.host,
        host_id=row.host_id,
        ticket_id=row.ticket_id,
        rule_file=file,
        rule_group=group,
        expression=row.expression,
        labels=row.labels,
        annotations=row.annotations,
        value=_value(row, live_value),
        active_at=_moment(row.active_ms),
        fired_at=_moment(row.fired_ms),
        resolved_at=_moment(row.resolved_ms),
        suppressed=msgspec.convert(row.suppressed, list[Suppression]) if scope.is_inside else [],
        suppressed_at=_moment(row.suppressed_ms),
        acknowledged_by=row.acknowledged_by,
        acknowledged_at=_moment(row.acknowledged_ms),
        late=row.late,
    )


def _place(rule_key: str, alertname: str) -> tuple[str, str]:
    """File and group of `file/group/alertname`. A group's name may hold a slash; a file's cannot."""
    file, _, rest = rule_key.partition("/")
    return file, rest.rpartition(f"/{alertname}")[0]


def _value(row: Row[Any], live_value: LiveValue | None) -> float | None:
    value: float | None = row.value
    if live_value is not None and row.state in _ACTIVE:
        live = live_value(row.id)
        value = value if live is None else live
    return value if value is not None and math.isfinite(value) else None


def _moment(ms: int | None) -> datetime | None:
    return None if ms is None else moment(ms)
