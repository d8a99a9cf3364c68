"""The four lines around every screen: status, place, message, keys."""

from collections.abc import Sequence
from datetime import datetime

from tocsin_protocol.people import Person
from tocsin_protocol.status import ServerStatus
from tocsin_protocol.tickets import TicketCounts
from tocsin_tui.format import Line, Span, Tone, dim, line, priority, seconds, shortened, strong
from tocsin_tui.sheets.files import file_count
from tocsin_tui.state import Link, LinkState

_LINKS: dict[LinkState, Span] = {
    LinkState.CONNECTING: ("◌ connecting", Tone.WARN),
    LinkState.LIVE: ("● live", Tone.GOOD),
    LinkState.STALE: ("◌ stale", Tone.WARN),
    LinkState.OFFLINE: ("◌ offline", Tone.BAD),
    LinkState.SIGNED_OUT: ("◌ signed out", Tone.BAD),
}


def status(
    *,
    width: int,
    me: Person | None,
    counts: TicketCounts | None,
    server: ServerStatus | None,
    link: Link,
    now: datetime,
    label: str = "",
) -> Line:
    """Who, how many of what, and how current it is; the link stands at the right edge."""
    left: list[Span] = [strong(" tocsin")]
    if label:
        left.append((f" {label}", Tone.WARN))
    if me is not None:
        left += [dim(" │ "), (me.login, Tone.PLAIN)]
    if counts is not None:
        left += [dim(" │"), *_counts(counts, roomy=width >= 110)]
    if server is not None:
        left += _server(server, roomy=width >= 110)
    right = _link(link, now)
    return _spread(left, right, width)


def place(*, width: int, here: str, crumb: str, note: str) -> Line:
    """Which screen this is, and where in it."""
    tabs: list[Span] = [(" ", Tone.PLAIN)]
    for key, name in (("1", "Queue"), ("2", "Hosts"), ("3", "Alerts"), ("4", "Silences")):
        tabs += [
            (f"[{key} {name}]", Tone.TITLE) if name == here else (f" {key} {name} ", Tone.DIM),
            (" ", Tone.PLAIN),
        ]
    if crumb:
        tabs.append((f" {crumb}", Tone.STRONG))
    return _spread(tabs, [dim(note)], width)


def narrowed(parts: Sequence[str]) -> Line:
    """By what a list is narrowed, each part for itself, and how that is taken away."""
    spans = [span for part in parts for span in (dim("  "), strong(part))]
    return shortened((" only", Tone.WARN), *spans, dim("   - takes one away · \\ all"))


def completing(words: Sequence[str], doubt: str, plain: str) -> Line:
    """How a filter that is being typed can go on, or which of its words means nothing here."""
    if doubt:
        return line((f" {doubt}", Tone.WARN))
    if words:
        return line((" tab", Tone.KEY), f" {'  '.join(words)}")
    as_text = dim(f"   looked for as text: {plain}" if plain else "")
    return shortened((" enter", Tone.KEY), dim(" keeps it  "), ("esc", Tone.KEY), dim(" clears it"), as_text)


def offline(link: Link, now: datetime) -> Line | None:
    """The sentence for a line that is down; nothing while it is up."""
    if link.state not in {LinkState.OFFLINE, LinkState.STALE} or link.as_of is None:
        return None
    retry = f" · next try in {seconds(link.retry_at - now)} · R tries now" if link.retry_at else ""
    since = f"as of {link.as_of.astimezone():%H:%M:%S} ({seconds(now - link.as_of)} old)"
    said = (f" {since}{retry} · {link.reason or 'the stream has ended'}", Tone.BAD)
    return Line((said,), wraps=False)


def _counts(counts: TicketCounts, *, roomy: bool) -> list[Span]:
    spans: list[Span] = []
    for number in (1, 2, 3, 4):
        amount = counts.by_priority.get(str(number), 0)
        glyph, tone = priority(number)
        if amount or (roomy and number < 3):
            spans += [
                (f" {glyph}", tone if amount else Tone.DIM),
                (f" {amount} ", Tone.PLAIN if amount else Tone.DIM),
            ]
    word = "unowned" if roomy else "unown"
    return [*spans, dim("│ "), (f"{word} {counts.unowned}", Tone.UNOWNED if counts.unowned else Tone.DIM)]


def _server(server: ServerStatus, *, roomy: bool) -> list[Span]:
    spans: list[Span] = []
    if server.rule_problems:  # first, for what comes last is cut on a narrow screen
        count = file_count(server.rule_problems)
        spans += [dim(" │ "), (f"! files: {count}" if roomy else f"! {count}", Tone.WARN)]
    if server.hosts_silent:
        spans += [dim(" │ "), (f"○ {server.hosts_silent} silent", Tone.UNKNOWN)]
    elif roomy:
        spans += [dim(f" │ {server.hosts} {'host' if server.hosts == 1 else 'hosts'} up")]
    return spans


def _link(link: Link, now: datetime) -> list[Span]:
    glyph, tone = _LINKS[link.state]
    if link.state in {LinkState.LIVE, LinkState.CONNECTING, LinkState.SIGNED_OUT} or link.as_of is None:
        return [(f"{glyph} ", tone)]
    return [(f"{glyph} {seconds(now - link.as_of)} ", tone)]


def _spread(left: list[Span], right: list[Span], width: int) -> Line:
    """Two groups at both edges; where there is no room for both, the left one is cut."""
    room = width - sum(len(text) for text, _ in right)
    cut: list[Span] = []
    for text, tone in left:
        if room <= 0:
            break
        cut.append((text[:room], tone))
        room -= len(text)
    return line(*cut, " " * max(0, room), *right)
