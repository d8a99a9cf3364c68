"""Gaps: the late data of a client's hosts that has come together, once it is worth judging and comes no more.

Pure: spans, hosts and `now` in, gaps out.

    trifle   a host whose oldest late instant was younger than three pushes was never silent: it is let go
    quiet    a spool is drained newest first, so a span is whole when nothing more of it comes
    patience of a client somebody may always be draining: after a while those that are quiet are taken
    cut      a span that grows and grows is judged as it is, and once more when it is whole
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from tocsin_server.estate.estate import HostFacts
from tocsin_server.ingest.late import Span
from tocsin_server.ingest.presence import GRACE_MS, patience_ms

QUIET_MS = 5000
PATIENCE_MS = 600_000


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of a client's time of which these hosts' data came late; by host."""

    client_id: int
    spans: Mapping[int, Span]
    cut: frozenset[int] = frozenset()
    """The hosts of which still more comes: what was before their span is not known yet."""

    @property
    def from_ms(self) -> int:
        return min(span.from_ms for span in self.spans.values())

    @property
    def to_ms(self) -> int:
        return max(span.to_ms for span in self.spans.values())

    @property
    def length_s(self) -> float:
        """How much late time it is, host by host."""
        return sum(span.to_ms - span.from_ms for span in self.spans.values()) / 1000


@dataclass(frozen=True, slots=True)
class Sorted:
    """What waits: gaps that can be judged, the shortest first, and spans that nobody has to judge."""

    gaps: Sequence[Gap]
    trifles: Sequence[Span]


def silent_after_ms(host: HostFacts, interval_s: float) -> int:
    """After how long without a frame a host is silent; as `Presence` has it."""
    return patience_ms(host.interval_s or interval_s) + GRACE_MS


def sort_out(
    spans: Iterable[Span], hosts: Mapping[int, HostFacts], now_ms: int, *, interval_s: float
) -> Sorted:
    """What of all that waits is ripe. A host that is watched no longer is nobody's."""
    by_client: dict[int, list[Span]] = {}
    trifles = []
    for span in spans:
        host = hosts.get(span.host_id)
        if host is None or (_is_quiet(span, now_ms) and span.age_ms <= silent_after_ms(host, interval_s)):
            trifles.append(span)
        else:
            by_client.setdefault(host.client_id, []).append(span)
    gaps = [
        gap
        for client_id, of_client in by_client.items()
        for gap in _together(client_id, _ripe(of_client, now_ms), now_ms)
    ]
    return Sorted(sorted(gaps, key=attrgetter("length_s")), trifles)


def _is_quiet(span: Span, now_ms: int) -> bool:
    """Also where our clock was set back: nothing is to wait for hours."""
    return not 0 <= now_ms - span.last_received_ms < QUIET_MS


def _ripe(spans: Sequence[Span], now_ms: int) -> list[Span]:
    if all(_is_quiet(span, now_ms) for span in spans):
        return list(spans)
    if now_ms - min(span.first_received_ms for span in spans) < PATIENCE_MS:
        return []
    return [span for span in spans if _is_quiet(span, now_ms) or _is_overdue(span, now_ms)]


def _is_overdue(span: Span, now_ms: int) -> bool:
    return now_ms - span.first_received_ms >= PATIENCE_MS


def _together(client_id: int, spans: Sequence[Span], now_ms: int) -> Iterator[Gap]:
    """Spans that overlap are one gap: what is asked of all hosts together needs each of them."""
    ordered = sorted(spans, key=attrgetter("from_ms"))
    numbers: list[int] = []
    end_ms = 0
    for span in ordered:
        is_apart = bool(numbers) and span.from_ms > end_ms
        numbers.append((numbers[-1] if numbers else 0) + is_apart)
        end_ms = max(end_ms, span.to_ms)
    for _, run in groupby(zip(numbers, ordered, strict=True), key=lambda pair: pair[0]):
        chosen = [span for _, span in run]
        cut = frozenset(span.host_id for span in chosen if not _is_quiet(span, now_ms))
        yield Gap(client_id, {span.host_id: span for span in chosen}, cut)
