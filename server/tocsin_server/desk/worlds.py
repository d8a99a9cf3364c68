"""What decision tables are told of tickets that there are, asked once for however many."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlmodel import Session

from tocsin_server.alerts.store import ALERTS
from tocsin_server.desk.ruling import World
from tocsin_server.desk.store import TICKET_ALERTS, TICKETS
from tocsin_server.estate.store import Client, Host, Site

_HOSTS = Host.metadata.tables["host"]
_SITES = Site.metadata.tables["site"]
_CLIENTS = Client.metadata.tables["client"]
# All alerts of a ticket have one name, which is in its key, but for those that are another ticket's as well.
_RULE = (
    select(func.min(ALERTS.c.alertname))
    .join_from(TICKET_ALERTS, ALERTS, ALERTS.c.id == TICKET_ALERTS.c.alert_id)
    .where(
        TICKET_ALERTS.c.ticket_id == TICKETS.c.id, TICKET_ALERTS.c.via_id.is_(None), ~TICKET_ALERTS.c.cut_off
    )
    .scalar_subquery()
)
WORLD = (
    TICKETS.c.kind.label("ticket_kind"),
    TICKETS.c.severity,
    _CLIENTS.c.slug.label("client"),
    _SITES.c.slug.label("site"),
    _HOSTS.c.kind.label("host_kind"),
    _RULE.label("rule"),
)
"""The columns of which `world_of` makes a world, in a question that is `placed`."""


def placed(asked: Select[Any]) -> Select[Any]:
    """A question about tickets, with where each has come from: client, site and host."""
    return (
        asked.join(_CLIENTS, _CLIENTS.c.id == TICKETS.c.client_id)
        .outerjoin(_SITES, _SITES.c.id == TICKETS.c.site_id)
        .outerjoin(_HOSTS, _HOSTS.c.id == TICKETS.c.host_id)
    )


_WORLDS = placed(select(TICKETS.c.id, *WORLD).select_from(TICKETS))


def worlds_of(session: Session, ticket_ids: Sequence[int]) -> dict[int, World]:
    """The world of each of these tickets, by its id."""
    if not ticket_ids:
        return {}
    return {row.id: world_of(row) for row in session.execute(_WORLDS.where(TICKETS.c.id.in_(ticket_ids)))}


def world_of(row: Row[Any]) -> World:
    """What a row of these columns says."""
    return World(row.client, row.site, row.ticket_kind, row.host_kind, row.severity, row.rule or "")
