"""What `sla explain` says of a ticket's clocks, as text and as JSON. Times are in each clock's own zone."""

from collections.abc import Iterator, Sequence
from datetime import tzinfo

from tocsin_server.cli.query import columns, shown
from tocsin_server.clock import moment
from tocsin_server.desk.promised import Chosen
from tocsin_server.sla.clock import Clock, Segment
from tocsin_server.sla.contract import Contract

_UNITS = (("h", 3_600_000), ("m", 60_000), ("s", 1000))


def lines(
    contract: Contract, clocks: Sequence[Clock], at_ms: int, chosen: Sequence[Chosen] = ()
) -> Iterator[str]:
    """The whole report, harmless to a terminal."""
    yield f"{shown(contract.id)} of {shown(contract.client)}, as it stands {_day(at_ms, contract.zone)}"
    yield from columns([_choice_cells(each, contract.zone) for each in chosen if each.at_ms <= at_ms])
    if not clocks:
        yield "no clock: nothing is promised for this ticket's priority"
    for clock in clocks:
        yield ""
        yield from _clock_lines(clock)


def as_json(
    contract: Contract, clocks: Sequence[Clock], at_ms: int, chosen: Sequence[Chosen] = ()
) -> dict[str, object]:
    """The same for programs; `docs/desk.md` says what each field is."""
    return {
        "contract": contract.id,
        "client": contract.client,
        "at": _iso(at_ms, contract.zone),
        "chosen": [_choice_json(each, contract.zone) for each in chosen if each.at_ms <= at_ms],
        "clocks": [_clock_json(clock) for clock in clocks],
    }


# -- text


def _choice_cells(chosen: Chosen, zone: tzinfo) -> tuple[str, ...]:
    """As what the ticket is clocked since then, and which row says so."""
    service = chosen.service
    what = "not clocked" if service.item is None else f"item {shown(service.item)}"
    says = "says" if chosen.is_told else "says now"
    return "chosen", _day(chosen.at_ms, zone), what, f"{says} {shown(service.row)}"


def _clock_lines(clock: Clock) -> Iterator[str]:
    agreement, target = clock.agreement, clock.target
    number = f", round {clock.round}" if clock.round > 1 else ""
    yield (
        f"{target.kind} of {agreement.type} {shown(agreement.name)} with {shown(agreement.counterparty)},"
        f" priority {clock.priority}{number}: {_standing(clock)}"
    )
    left_ms = clock.remaining_ms
    left = f"{length(left_ms)} left" if left_ms >= 0 else f"{length(-left_ms)} over"
    yield f"  target {length(target.target_ms)}, elapsed {length(clock.elapsed_ms)}, {left}"
    yield f"  calendar {shown(target.calendar.name)} in {shown(str(target.calendar.zone))}"
    yield from columns(list(_moments(clock)), indent="  ")
    yield from columns([_HEADING, *(_segment_cells(each, clock) for each in clock.segments)], indent="  ")
    if clock.passings:
        yield from columns(list(_passing_cells(clock)), indent="  ")


def _standing(clock: Clock) -> str:
    """The state with its reason."""
    return f"{clock.state}:{shown(clock.reason)}" if clock.reason else clock.state.value


def _moments(clock: Clock) -> Iterator[tuple[str, str]]:
    zone = clock.target.calendar.zone
    found = {
        "assigned": clock.assigned.at_ms,
        "start": clock.start_ms,
        "deadline": clock.deadline_ms,
        "breached": clock.breached_ms,
        "ended": clock.ended_ms,
        "next": clock.next_threshold_ms,
    }
    return ((name, _day(at_ms, zone)) for name, at_ms in found.items() if at_ms is not None)


_HEADING = ("segment", "from", "to", "open", "closed", "counts")


def _segment_cells(segment: Segment, clock: Clock) -> tuple[str, ...]:
    zone = clock.target.calendar.zone
    ends = (_day(segment.from_ms, zone), _day(segment.to_ms, zone))
    lengths = (length(each) for each in (segment.open_ms, segment.closed_ms, segment.counted_ms))
    return (shown(segment.name), *ends, *lengths)


def _passing_cells(clock: Clock) -> Iterator[tuple[str, ...]]:
    zone = clock.target.calendar.zone
    yield ("threshold", "at", "")
    for name, at_ms, is_reached in clock.passings:
        at = "-" if at_ms is None else _day(at_ms, zone)
        yield (shown(name), at, "reached" if is_reached else "ahead" if at_ms is not None else "not reached")


def length(ms: int) -> str:
    """`1h30m`: hours are the longest, since a day of open time is as long as its calendar says."""
    parts = []
    for unit, unit_ms in _UNITS:
        count, ms = divmod(ms, unit_ms)
        parts += [f"{count}{unit}"] if count else []
    parts += [f"{ms}ms"] if ms else []
    return "".join(parts) or "0s"


def _day(at_ms: int, zone: tzinfo) -> str:
    return f"{moment(at_ms).astimezone(zone):%a} {_iso(at_ms, zone).replace('T', ' ')}"


def _iso(at_ms: int, zone: tzinfo) -> str:
    """RFC 3339 in the zone, to the millisecond where there is a part of a second."""
    return moment(at_ms).astimezone(zone).isoformat(timespec="milliseconds" if at_ms % 1000 else "seconds")


# -- JSON


def _choice_json(chosen: Chosen, zone: tzinfo) -> dict[str, object]:
    service = chosen.service
    return {"at": _iso(chosen.at_ms, zone), "item": service.item, "row": service.row, "told": chosen.is_told}


def _clock_json(clock: Clock) -> dict[str, object]:
    target, zone = clock.target, clock.target.calendar.zone
    return {
        "agreement": clock.agreement.name,
        "type": clock.agreement.type,
        "counterparty": clock.agreement.counterparty,
        "kind": target.kind,
        "priority": clock.priority,
        "assigned": _iso(clock.assigned.at_ms, zone),
        "assigned_by": clock.assigned.id,
        "round": clock.round,
        "calendar": target.calendar.name,
        "zone": str(zone),
        "state": clock.state,
        "reason": clock.reason or None,
        "target_s": _seconds(target.target_ms),
        "elapsed_s": _seconds(clock.elapsed_ms),
        "remaining_s": _seconds(clock.remaining_ms),
        "start": _iso(clock.start_ms, zone),
        "deadline": _iso_or_null(clock.deadline_ms, zone),
        "breached": _iso_or_null(clock.breached_ms, zone),
        "ended": _iso_or_null(clock.ended_ms, zone),
        "next_threshold": _iso_or_null(clock.next_threshold_ms, zone),
        "segments": [_segment_json(segment, zone) for segment in clock.segments],
        "thresholds": [
            {"name": name, "at": _iso_or_null(at_ms, zone), "reached": is_reached}
            for name, at_ms, is_reached in clock.passings
        ],
    }


def _segment_json(segment: Segment, zone: tzinfo) -> dict[str, object]:
    return {
        "reason": segment.name,
        "from": _iso(segment.from_ms, zone),
        "to": _iso(segment.to_ms, zone),
        "open_s": _seconds(segment.open_ms),
        "closed_s": _seconds(segment.closed_ms),
        "counted_s": _seconds(segment.counted_ms),
    }


def _iso_or_null(at_ms: int | None, zone: tzinfo) -> str | None:
    return None if at_ms is None else _iso(at_ms, zone)


def _seconds(ms: int) -> int | float:
    """Whole where they are."""
    return ms / 1000 if ms % 1000 else ms // 1000
