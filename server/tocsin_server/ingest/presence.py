"""Which hosts are there, by their pushes alone and by the server's own clock.

A server that has just started has heard nobody yet: its own start counts as having heard everybody, so its
downtime is never taken for theirs. A device is heard by the frames that its prober has taken of it, and may
have an interval of its own. Written by the event loop, read by any thread: each entry is one tuple that is
swapped whole.
"""

from collections.abc import Mapping

from tocsin_protocol.wire import MISSED_PUSHES_UNTIL_SILENT

GRACE_MS = 2000
"""For a push that is on its way: a busy network and a group commit take a moment."""


def patience_ms(interval_s: float) -> int:
    """How long after its last push a host that pushes this often has missed three."""
    return round(MISSED_PUSHES_UNTIL_SILENT * interval_s * 1000)


class Presence:
    """When each host was heard last."""

    def __init__(self, *, interval_s: float, started_ms: int) -> None:
        self._patience_ms = patience_ms(interval_s)
        self._own_patience_ms: Mapping[int, int] = {}
        self._started_ms = started_ms
        self._released_ms: dict[int, int] = {}
        self._heard: dict[int, tuple[int, int | None]] = {}

    def expect(self, intervals_s: Mapping[int, float]) -> None:
        """The hosts that have an interval of their own, all of them."""
        self._own_patience_ms = {host_id: patience_ms(apart_s) for host_id, apart_s in intervals_s.items()}

    def remember(self, last_heard_ms: Mapping[int, int]) -> None:
        """What the journal knows from before this start."""
        for host_id, at_ms in last_heard_ms.items():
            # What is yet to come was written by a clock that has been set back since.
            self._heard.setdefault(host_id, (min(at_ms, self._started_ms), None))

    def heard(self, host_id: int, *, at_ms: int, skew_ms: int) -> None:
        """A push has come; `skew_ms` is how far the agent's clock is ahead of ours."""
        self._heard[host_id] = (at_ms, skew_ms)

    def probed(self, host_id: int, *, at_ms: int, now_ms: int) -> None:
        """A frame of a device has come that was taken at `at_ms` by our clock.

        Not when it came: a backlog says nothing of now. Only where our own clock was set back is it older
        than what is known.
        """
        known = self._heard.get(host_id)
        if known is None or not at_ms < known[0] <= now_ms:
            self._heard[host_id] = (at_ms, None)

    def release(self, host_id: int, *, at_ms: int) -> None:
        """It was not listened to until now: as our own start, that is not its silence."""
        self._released_ms[host_id] = at_ms

    def clock_was_set(self, by_ms: int, *, since_ms: int, now_ms: int) -> None:
        """Our own clock was set, at a moment that it now calls `since_ms`; nobody is silent for that.

        Who was heard after that moment was heard by the new time already.
        """
        self._started_ms += by_ms
        self._released_ms = {host_id: at_ms + by_ms for host_id, at_ms in self._released_ms.items()}
        for host_id, known in list(self._heard.items()):
            at_ms, skew_ms = known
            if not since_ms <= at_ms <= now_ms:
                self._heard[host_id] = (min(at_ms + by_ms, now_ms), skew_ms)

    def is_up(self, host_id: int, now_ms: int) -> bool:
        """Whether fewer than three pushes in a row are missing."""
        at_ms, _ = self._heard.get(host_id, (self._started_ms, None))
        since_ms = max(at_ms, self._started_ms, self._released_ms.get(host_id, 0))
        return now_ms - since_ms <= self._silent_after_ms(host_id)

    def is_fresh(self, host_id: int, now_ms: int) -> bool:
        """Whether it has been heard of late; unlike for `is_up`, our own start proves nothing."""
        seen_ms = self.last_seen_ms(host_id)
        return seen_ms is not None and now_ms - seen_ms <= self._patience_of(host_id)

    def is_known(self, host_id: int, now_ms: int) -> bool:
        """Whether it can be told if a host is up: just after our start only of one that was heard just now."""
        silent_after_ms = self._silent_after_ms(host_id)
        if now_ms - self._started_ms > silent_after_ms:
            return True
        return host_id in self._heard and now_ms - self._heard[host_id][0] <= silent_after_ms

    def was_heard(self, host_id: int) -> bool:
        """Whether it ever pushed, as far as is known."""
        return host_id in self._heard

    def last_seen_ms(self, host_id: int) -> int | None:
        """When it pushed last."""
        entry = self._heard.get(host_id)
        return entry[0] if entry else None

    def skew_s(self, host_id: int) -> float | None:
        """How far its clock is ahead of ours, network included; only for a host heard since the start."""
        entry = self._heard.get(host_id)
        return None if entry is None or entry[1] is None else entry[1] / 1000

    def _silent_after_ms(self, host_id: int) -> int:
        return self._patience_of(host_id) + GRACE_MS

    def _patience_of(self, host_id: int) -> int:
        return self._own_patience_ms.get(host_id, self._patience_ms)
