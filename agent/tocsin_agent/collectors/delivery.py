"""What waits to be delivered, and what has become of the rest: a spool that fills is told while it can be."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from tocsin_agent.readings import Sample, counter, gauge, labelled

HELP = {
    "tocsin_agent_spool_frames": "Frames that the server has not acknowledged.",
    "tocsin_agent_spool_held_frames": "Those of them that are in memory only, for want of disk.",
    "tocsin_agent_spool_bytes": "Size of the spool on disk.",
    "tocsin_agent_spool_oldest_seconds": "Age of the oldest frame in the spool.",
    "tocsin_agent_spool_dropped_frames_total": "Frames given up: the spool was full, or they too old.",
    "tocsin_agent_spool_damages_total": "Places of the spool that could not be read.",
    "tocsin_agent_spool_disk_errors_total": "Errors of the disk that the spool has met.",
    "tocsin_agent_delivered_frames_total": "Frames that the server has acknowledged.",
    "tocsin_agent_quarantined_frames_total": "Frames that the server has refused for what they are.",
    "tocsin_agent_pushes_total": "Pushes by what became of them.",
    "tocsin_agent_sent_bytes_total": "Bytes of pushes sent, compressed.",
}


class Delivery(NamedTuple):
    """The state of delivery now; totals count from the agent's start."""

    frames: int
    held_frames: int
    size_bytes: int
    oldest_ms: int
    dropped_full: int
    dropped_old: int
    damages: int
    disk_errors: int
    delivered_frames: int
    quarantined_frames: int
    sent_bytes: int
    pushes: Mapping[str, int]


class DeliveryCollector:
    """Asks the spool and the push, through `ask`."""

    name = "delivery"

    def __init__(self, ask: Callable[[], Delivery], *, now_ms: Callable[[], int]) -> None:
        self._ask = ask
        self._now_ms = now_ms
        self._full = labelled(reason="full")
        self._old = labelled(reason="old")

    def collect(self) -> Iterator[Sample]:
        """A dozen and a half series."""
        told = self._ask()
        age_s = max(0.0, (self._now_ms() - told.oldest_ms) / 1000) if told.frames else 0.0
        yield gauge("tocsin_agent_spool_frames", told.frames)
        yield gauge("tocsin_agent_spool_held_frames", told.held_frames)
        yield gauge("tocsin_agent_spool_bytes", told.size_bytes)
        yield gauge("tocsin_agent_spool_oldest_seconds", age_s)
        yield counter("tocsin_agent_spool_dropped_frames_total", told.dropped_full, self._full)
        yield counter("tocsin_agent_spool_dropped_frames_total", told.dropped_old, self._old)
        yield counter("tocsin_agent_spool_damages_total", told.damages)
        yield counter("tocsin_agent_spool_disk_errors_total", told.disk_errors)
        yield counter("tocsin_agent_delivered_frames_total", told.delivered_frames)
        yield counter("tocsin_agent_quarantined_frames_total", told.quarantined_frames)
        yield counter("tocsin_agent_sent_bytes_total", told.sent_bytes)
        for outcome, pushes in told.pushes.items():
            yield counter("tocsin_agent_pushes_total", pushes, labelled(outcome=outcome))
