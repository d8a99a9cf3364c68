"""What becomes of tickets that have to do with each other. Pure.

    A merged into B     A: closed, part of B; what it was stays in the entry, so that it can be undone
                        B: open as before, no longer clear where an alert of A's goes on
    undone              A: as it was; B: clear, where only alerts of A's went on

Each act is an entry of both timelines, of one person.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tocsin_protocol.vocabulary import LinkKind, TicketEventKind, TicketState, Tie
from tocsin_server.desk.standing import Actor, Change, Entry, Standing, Technician, changed
from tocsin_server.errors import Conflict

TIES: Mapping[LinkKind, tuple[Tie, Tie]] = {
    LinkKind.RELATES: (Tie.RELATES, Tie.RELATES),
    LinkKind.CAUSED_BY: (Tie.CAUSED_BY, Tie.CAUSES),
    LinkKind.DUPLICATE_OF: (Tie.DUPLICATE_OF, Tie.DUPLICATED_BY),
    LinkKind.PARENT: (Tie.PARENT, Tie.CHILD),
}
"""What the other ticket is to the one that is linked, and that one to the other."""

Kept = Mapping[str, str]
"""What a ticket was before it was merged; times in milliseconds, empty for none."""


def linked(was: Standing, who: Technician, now_ms: int, *, tie: Tie, other_id: int) -> Change:
    """Another ticket has to do with it."""
    return tied(was, who.actor, now_ms, tie=tie, other_id=other_id)


def tied(was: Standing, by: Actor, now_ms: int, *, tie: Tie, other_id: int) -> Change:
    """The same, whoever or whatever has found it."""
    _require_not_closed(was)
    entry = Entry(now_ms, TicketEventKind.LINKED, by, data={"tie": tie.value, "ticket": other_id})
    return changed(was, entry)


def unlinked(was: Standing, who: Technician, now_ms: int, *, tie: Tie, other_id: int) -> Change:
    """Another ticket has no more to do with it."""
    _require_not_closed(was)
    return _told(was, TicketEventKind.UNLINKED, who, now_ms, {"tie": tie.value, "ticket": other_id})


def under(change: Change, parent_id: int | None) -> Change:
    """The same, where that other ticket is its parent now, or is it no more."""
    return replace(change, standing=replace(change.standing, parent_id=parent_id))


def merged(was: Standing, who: Technician, now_ms: int, *, into: int, shared: Sequence[str]) -> Change:
    """It is part of another ticket now; `shared` are alerts that the other has as well."""
    _require_not_closed(was)
    now = replace(
        was,
        state=TicketState.CLOSED,
        merged_into=into,
        solved_ms=was.solved_ms or now_ms,
        recovered_ms=None,
        confirm=False,
        waits_for="",
        wakes_ms=None,
        closes_ms=None,
    )
    data = {"into": into, "was": dict(_kept(was)), "shared": list(shared)}
    return _told(now, TicketEventKind.MERGED, who, now_ms, data)


def unmerged(was: Standing, who: Technician, now_ms: int, *, kept: Kept, holds: bool, is_clear: bool) -> Change:
    """It is a ticket of its own again. `holds`: an alert goes on; `is_clear`: there are some, and none does."""
    state = TicketState(kept["state"])
    recovered_ms = _number(kept["recovered_ms"]) or (now_ms if is_clear else None)
    now = replace(
        was,
        state=state,
        merged_into=None,
        solved_ms=_number(kept["solved_ms"]),
        recovered_ms=None if holds else recovered_ms,
        confirm=bool(kept["confirm"]) and not holds,
        waits_for=kept["waits_for"],
        wakes_ms=_number(kept["wakes_ms"]),
        closes_ms=_number(kept["closes_ms"]),
    )
    return _told(now, TicketEventKind.UNMERGED, who, now_ms, {"from": was.merged_into})


def absorbed(
    was: Standing, who: Technician, now_ms: int, *, ticket_id: int, opened_ms: int, holds: bool
) -> Change:
    """Another ticket is part of it now, and `holds` where one of its alerts goes on.

    A person has spoken by that, so it is not solved by itself.
    """
    if not was.is_open:
        raise Conflict(
            f"ticket {was.id} is {was.state.value}", remedy="merge into one that is open, or reopen this one"
        )
    now = replace(was, human=True)
    if holds:
        now = replace(now, recovered_ms=None, confirm=False)
    data = {"ticket": ticket_id, "opened_ms": opened_ms}
    return _told(now, TicketEventKind.ABSORBED, who, now_ms, data)


def separated(was: Standing, who: Technician, now_ms: int, *, ticket_id: int, is_clear: bool) -> Change:
    """That was undone; `is_clear` where it has alerts and none of them goes on."""
    _require_not_closed(was)
    now = replace(was, recovered_ms=now_ms) if is_clear and was.is_open and was.recovered_ms is None else was
    return _told(now, TicketEventKind.SEPARATED, who, now_ms, {"ticket": ticket_id})


def _told(
    now: Standing, kind: TicketEventKind, who: Technician, now_ms: int, data: Mapping[str, Any]
) -> Change:
    return changed(now, Entry(now_ms, kind, who.actor, data=data))


def _kept(was: Standing) -> Kept:
    return {
        "state": was.state.value,
        "solved_ms": _text(was.solved_ms),
        "recovered_ms": _text(was.recovered_ms),
        "confirm": "yes" if was.confirm else "",
        "waits_for": was.waits_for,
        "wakes_ms": _text(was.wakes_ms),
        "closes_ms": _text(was.closes_ms),
    }


def _text(ms: int | None) -> str:
    return "" if ms is None else str(ms)


def _number(text: str) -> int | None:
    return int(text) if text else None


def _require_not_closed(was: Standing) -> None:
    if was.state is TicketState.CLOSED:
        raise Conflict(f"ticket {was.id} is closed", remedy="name one that is not")
