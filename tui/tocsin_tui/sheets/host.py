"""A host in words: its row in the list, its vitals, its readings. What only a device has is in `device`."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from tocsin_protocol.hosts import HostDetail, HostRow, Reading, Vitals
from tocsin_protocol.tickets import TicketRow
from tocsin_protocol.vocabulary import HostState, SeriesKind
from tocsin_tui.format import (
    Line,
    Span,
    Tone,
    bar,
    clock,
    dim,
    duration,
    host_kind,
    host_state,
    labels,
    level,
    line,
    number,
    owner,
    percent,
    priority,
    seconds,
    size,
    strong,
)
from tocsin_tui.sheets.device import is_probed, uptime

_SAID_ELSEWHERE = ("instance", "job", "site", "client")


def cells(row: HostRow, *, now: datetime) -> tuple[Span, ...]:
    """The row's cells: state, name, kind, client, site, tickets, cpu, memory, disk, load, seen, os."""
    return (
        host_state(row.state),
        (row.name, Tone.STRONG),
        host_kind(row.kind),
        (row.client, Tone.PLAIN),
        (row.site, Tone.DIM),
        _tickets(row),
        *_glance(row),
        _seen(row, now),
        (row.os, Tone.DIM),
    )


def _glance(row: HostRow) -> tuple[Span, ...]:
    """Cpu, memory, disk and load; a device that is probed has none, which is something else than unknown."""
    if is_probed(row):
        return (("", Tone.DIM),) * 4
    vitals, known = row.vitals, row.state is HostState.UP
    ratios = (vitals.cpu_ratio, vitals.memory_ratio, vitals.filesystem_ratio)
    load = (number(vitals.load1), Tone.PLAIN) if known else ("–", Tone.DIM)
    return (*(_share(ratio, known=known) for ratio in ratios), load)


def _tickets(row: HostRow) -> Span:
    if not row.open_tickets:
        return ("", Tone.DIM)
    glyph, tone = priority(row.worst_priority or 4)
    return (glyph if row.open_tickets == 1 else f"{glyph} x{row.open_tickets}", tone)


def _share(ratio: float | None, *, known: bool) -> Span:
    if not known or ratio is None:
        return ("–", Tone.DIM)
    tone = level(ratio)
    return (f"{ratio * 100:.0f} %", Tone.PLAIN if tone is Tone.GOOD else tone)


def _seen(row: HostRow, now: datetime) -> Span:
    if row.cloned:
        return ("cloned", Tone.BAD)
    match row.state:
        case HostState.UP:
            return (_up(row), Tone.GOOD)
        case HostState.SILENT if row.last_seen:
            return (f"silent {duration(now - row.last_seen)}", Tone.UNKNOWN)
        case _:
            return (row.state.value, Tone.DIM)


def _up(row: HostRow) -> str:
    """That a device is looked at does not say how it is: its probes do."""
    return "probed" if is_probed(row) else "up"


def heading(row: HostRow, detail: HostDetail | None, *, now: datetime) -> list[Line]:
    """The first lines of a host: which, what, since when it is known, and the way to it."""
    seen = f"seen {seconds(now - row.last_seen)} ago" if row.last_seen else "never seen"
    boot = row.vitals.boot_at
    up = now - boot if boot else uptime(detail.readings) if detail else None
    what = " · ".join(
        part
        for part in (
            row.client,
            row.site,
            row.kind.value,
            row.os,
            f"agent {row.agent_version}" if row.agent_version else "",
        )
        if part
    )
    glyph, tone = host_state(row.state)
    state = _up(row) if row.state is HostState.UP else row.state.value
    return [
        line((glyph, tone), strong(f" {row.name}"), "  ", (state, tone), *_cloned(row), *_failing(detail)),
        line(what, dim(f" · {seen}"), dim(f" · up {duration(up)}") if up else ""),
        *_way(detail),
    ]


def _cloned(row: HostRow) -> Iterable[Span]:
    if row.cloned:
        yield ("  two hosts run with its agent's key: neither is heard", Tone.BAD)


def _failing(detail: HostDetail | None) -> Iterable[Span]:
    fates = [each.value for each in detail.readings if each.name == "probe_success"] if detail else []
    if failing := fates.count(0):
        yield (f"  {failing} of {len(fates)} {'probe fails' if len(fates) == 1 else 'probes fail'}", Tone.WARN)


def _way(detail: HostDetail | None) -> Iterable[Line]:
    """Who looks at it, and what stands in between."""
    if detail is None:
        return
    told: list[Span] = []
    if detail.probed_by:
        told += [dim("probed by "), (detail.probed_by, Tone.PLAIN)]
    if detail.parents:
        told += [dim(" · behind " if told else "behind "), (", ".join(detail.parents), Tone.PLAIN)]
    if told:
        yield line(*told, hang=2)


def vitals(known: Vitals, *, width: int) -> list[Line]:
    """Gauges and rates, of what is known."""
    gauge = max(8, min(24, width - 30))
    shares = [
        ("cpu", known.cpu_ratio, ""),
        ("memory", known.memory_ratio, ""),
        ("disk", known.filesystem_ratio, known.filesystem_mountpoint or ""),
    ]
    lines = [_gauge(name, ratio, gauge, note) for name, ratio, note in shares if ratio is not None]
    if known.load1 is not None:
        lines.append(line(dim("load    "), number(known.load1)))
    rates = [("↓", known.receive_bytes_per_s), ("↑", known.transmit_bytes_per_s)]
    told = " ".join(f"{way} {size(rate, per='/s')}" for way, rate in rates if rate is not None)
    if told:
        lines.append(line(dim("net     "), told))
    return lines or [line(dim("no vitals are known"))]


def _gauge(name: str, ratio: float | None, width: int, note: str) -> Line:
    return line(dim(f"{name:7} "), (bar(ratio, width), level(ratio)), f" {percent(ratio):>6}", dim(f"  {note}"))


def ticket_lines(tickets: Sequence[TicketRow], *, me: str, now: datetime) -> list[Line]:
    """The host's tickets, a line each."""
    if not tickets:
        return [line(dim("no tickets"))]
    return [
        line(
            priority(row.priority),
            f" #{row.id} ",
            row.title,
            dim(f"  {clock(row.opened_at, now)}  {row.state.value.replace('_', ' ')}  "),
            owner(row.owner, me),
            hang=4,
        )
        for row in tickets
    ]


def reading_lines(readings: Iterable[Reading], wanted: str) -> list[Line]:
    """The last sample of every series whose name or labels contain what is wanted."""
    needle = wanted.casefold()
    lines = []
    for reading in readings:
        told = labels(reading.labels, hidden=_SAID_ELSEWHERE)
        if needle and needle not in f"{reading.name} {told}".casefold():
            continue
        kind = " ↑" if reading.kind is SeriesKind.COUNTER else ""
        lines.append(
            line(
                reading.name,
                dim("{" + told + "}") if told else "",
                "  ",
                (f"{number(reading.value)}{kind}", Tone.STRONG),
                hang=2,
            )
        )
    return lines


def nothing_here(filter_text: str, total: int) -> list[Line]:
    """What stands where the list is empty."""
    if filter_text:
        return [line(dim(f"0 of {total} match "), strong(f'"{filter_text}"'), dim("  ·  \\ clears the filter"))]
    return [
        line("No host is enrolled yet."),
        line(),
        line(dim("on the server:  tocsin-server enrol-token create --client CLIENT --site SITE")),
        line(dim("on the host:    tocsin-agent enrol TOKEN && tocsin-agent run")),
    ]
