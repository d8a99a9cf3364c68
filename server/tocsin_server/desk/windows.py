"""Maintenance windows of tickets' hosts: when each began and ended stands in the timeline, for the clocks.

A window that is for a whole client, site or host is planned work there, and its time is excluded from service
levels. One with `matchers` is about certain alerts only, and excludes nothing. What is written is what was seen
to hold while it held, so that a file that is edited later changes nothing that has been.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, not_, or_, select, true
from sqlmodel import Session

from tocsin_server.alerts.maintenance import Place, Window
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.record import read_records, window_names, written
from tocsin_server.desk.store import IS_IN_MAINTENANCE, IS_OPEN, TICKETS
from tocsin_server.desk.ticket import window_closed, window_opened
from tocsin_server.estate.store import Client, Host, Site

LIMIT = 500
"""How many tickets one call tells; the others wait for the next."""
_CLIENTS = Client.metadata.tables["client"]
_SITES = Site.metadata.tables["site"]
_HOSTS = Host.metadata.tables["host"]
_PLACES = (
    select(
        TICKETS.c.id,
        TICKETS.c.windows,
        _CLIENTS.c.slug.label("client"),
        _SITES.c.slug.label("site"),
        _HOSTS.c.name.label("host"),
    )
    .join_from(TICKETS, _CLIENTS, _CLIENTS.c.id == TICKETS.c.client_id)
    .join(_HOSTS, _HOSTS.c.id == TICKETS.c.host_id)
    .join(_SITES, _SITES.c.id == _HOSTS.c.site_id)
    .order_by(TICKETS.c.id)
)


def tell_windows(session: Session, now_ms: int, windows: Sequence[Window]) -> list[Happening]:
    """Tell each open ticket which windows of its host have begun or ended since it was told last."""
    opened = {each.name: each for each in windows if not each.matchers and each.is_open(now_ms)}
    due = {
        row.id: holding
        for row in _in_question(session, list(opened.values()))
        if (holding := _holding(row, opened)) != sorted(window_names(row.windows))
    }
    records = read_records(session, TICKETS.c.id.in_(list(due)[:LIMIT])) if due else []
    for record in records:
        known, holding = record.standing.windows, due[record.ticket_id]
        for name in (each for each in known if each not in holding):
            record.take_in(window_closed(record.standing, now_ms, name=name))
        for name in (each for each in holding if each not in known):
            record.take_in(window_opened(record.standing, now_ms, name=name, reason=opened[name].reason))
    return written(session, records)


def _in_question(session: Session, opened: Sequence[Window]) -> Iterator[Row[Any]]:
    """Open tickets that were not told of a window that holds them, or were told of one that does not.

    A window over all clients holds thousands for hours, and they are not to be read each second.
    """
    if opened:
        is_new = (and_(_within(each), not_(_is_told(each))) for each in opened)
        yield from session.execute(_PLACES.where(IS_OPEN, or_(*is_new)))
    is_out = (and_(_is_told(each), not_(_within(each))) for each in opened)
    yield from session.execute(
        _PLACES.where(IS_OPEN, IS_IN_MAINTENANCE, or_(_is_told_of_others(opened), *is_out))
    )


def _is_told(window: Window) -> ColumnElement[bool]:
    """Whether the column has its name. Not by LIKE, which on SQLite takes capitals for small letters."""
    return func.replace(TICKETS.c.windows, json.dumps(window.name), "") != TICKETS.c.windows


def _is_told_of_others(opened: Sequence[Window]) -> ColumnElement[bool]:
    """Whether the column has a name, and so its quotation marks, that is none of these."""
    left: ColumnElement[str] = TICKETS.c.windows
    for each in opened:
        left = func.replace(left, json.dumps(each.name), "")
    return func.replace(left, '"', "") != left


def _within(window: Window) -> ColumnElement[bool]:
    place = window.place
    wanted = ((_CLIENTS.c.slug, place.client), (_SITES.c.slug, place.site), (_HOSTS.c.name, place.host))
    return and_(true(), *(column == name for column, name in wanted if name is not None))


def _holding(row: Row[Any], opened: Mapping[str, Window]) -> list[str]:
    place = Place(row.client, row.site, row.host)
    return sorted(name for name, window in opened.items() if window.place.holds(place))
