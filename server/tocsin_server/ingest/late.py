"""Late data: what came of a host when something newer of it was there already, until somebody has judged it.

The rules are judged on the newest sample. An instant that is older than the newest of its host when it becomes
durable has never been that, so live evaluation has passed it by: its agent was away and now drains its spool,
newest first. Of each host the span of such instants is kept, which grows from its new end to its old one.

The journal notes what it has made durable, in the event loop and again as it is replayed at a start; so what
had not been judged at the end is found again, as far back as the journal reaches. A small file says up to which
receipt everything late has been judged. Where it is lost, more is judged twice, which changes nothing.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace

from tocsin_protocol.wire import SPOOL_HOURS
from tocsin_server.ingest.records import Mark

_SPOOL_MS = SPOOL_HOURS * 3_600_000
NEVER = -1


@dataclass(frozen=True, slots=True)
class Span:
    """The late instants of one host that have come, and when they came by our clock."""

    host_id: int
    from_ms: int
    to_ms: int
    first_received_ms: int
    last_received_ms: int
    age_ms: int
    """How old the oldest was when it came."""

    def joined(self, other: "Span") -> "Span":
        """Both in one, `other` having come later."""
        return Span(
            self.host_id,
            min(self.from_ms, other.from_ms),
            max(self.to_ms, other.to_ms),
            self.first_received_ms,
            other.last_received_ms,
            max(self.age_ms, other.age_ms),
        )


class Late:
    """All spans that wait. What was received up to `judged_ms` is past waiting."""

    def __init__(self, judged_ms: int = NEVER) -> None:
        self._judged_ms = judged_ms
        self._lock = threading.Lock()
        self._newest_ms: dict[int, int] = {}
        self._spans: dict[int, Span] = {}

    def __len__(self) -> int:
        """Of how many hosts something waits."""
        return len(self._spans)

    def took(self, marks: Iterable[Mark], received_ms: int) -> None:
        """These frames of one push are durable."""
        instants: dict[int, list[int]] = {}
        for mark in marks:
            instants.setdefault(mark.host_id, []).extend((mark.first_ms, mark.last_ms))
        for host_id, times_ms in instants.items():
            newest_ms = max(self._newest_ms.get(host_id, NEVER), *times_ms)
            self._newest_ms[host_id] = newest_ms
            # More than a spool holds no agent has kept: a span is never longer.
            late = [at for at in times_ms if received_ms - _SPOOL_MS <= at < newest_ms]
            if late and received_ms > self._judged_ms:
                begin, end = min(late), max(late)
                self._add(Span(host_id, begin, end, received_ms, received_ms, received_ms - begin))

    def waiting(self) -> list[Span]:
        """What waits now; from any thread."""
        with self._lock:
            return list(self._spans.values())

    def settle(self, spans: Iterable[Span], now_ms: int) -> None:
        """These have been judged as they are; one that has grown meanwhile waits on, as if it came now."""
        with self._lock:
            for span in spans:
                stands = self._spans[span.host_id]
                if stands == span:
                    del self._spans[span.host_id]
                else:
                    self._spans[span.host_id] = replace(stands, first_received_ms=now_ms)

    def _add(self, span: Span) -> None:
        with self._lock:
            known = self._spans.get(span.host_id)
            self._spans[span.host_id] = span if known is None else known.joined(span)
