"""Which item of its contract a ticket is clocked as: chosen by the table `sla_selection`, and written down.

    opened                            chosen, as table and ticket are then
    another priority or severity      chosen again, in the entry that tells of it

So what was promised stays promised, whatever becomes of the table. An entry of an earlier version says nothing
of it, nor does one that was written while no table was in force: there the table says what it says now.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import structlog

from tocsin_server.decisions.folder import Tables
from tocsin_server.desk.ruling import World
from tocsin_server.desk.standing import Change, Standing
from tocsin_server.errors import Unprocessable

TABLE = "sla_selection"
_SERVICE = "service"

_log = structlog.get_logger()


class Service(NamedTuple):
    """The item of the contract's lines, nothing where the ticket is not clocked; and by which row."""

    item: str | None
    row: str

    @property
    def is_clocked(self) -> bool:
        return self.item is not None

    def data(self) -> dict[str, dict[str, str]]:
        """What an entry of the timeline tells of it."""
        return {_SERVICE: {"row": self.row} if self.item is None else {"row": self.row, "item": self.item}}


def selected(tables: Tables, world: World, at_ms: int, *, priority: int) -> Service:
    """What the table in force says of a ticket that was opened at that moment; raises `Unprocessable`."""
    if TABLE not in tables:
        raise Unprocessable(f"no table {TABLE!r} is in force")
    decision = tables[TABLE].decide({**world.asked(tables, at_ms), "priority": priority})
    item = str(decision.outputs["item"]) if decision.outputs["clocked"] else None
    return Service(item, str(decision))


def asks_anew(was: Standing, now: Standing) -> bool:
    """Whether the table may say something else by now."""
    return (now.priority, now.severity) != (was.priority, was.severity)


def with_service(change: Change, tables: Tables, world: World, opened_ms: int) -> Change:
    """The same, and its entry tells as which item the ticket is clocked from then on.

    Where no table can say it, it tells nothing: no file can stop the bell.
    """
    now = change.standing
    if TABLE not in tables:
        return change
    try:
        service = selected(tables, world._replace(severity=now.severity), opened_ms, priority=now.priority)
    except Unprocessable as error:
        _log.error(f"a decision table cannot say how a ticket is clocked: {error}", action="undecided")
        return change
    return replace(change, entry=replace(change.entry, data={**change.entry.data, **service.data()}))


def service_told(data: Mapping[str, Any]) -> Service | None:
    """What an entry says of it, if anything."""
    told = data.get(_SERVICE)
    return Service(told.get("item"), str(told["row"])) if isinstance(told, dict) and "row" in told else None
