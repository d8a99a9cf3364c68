"""The past of one client's hosts, played to a head of its own: what rules asked then, they can ask again.

The head is the very one that live evaluation stands on, so a sample that is missing turns stale, and a window
reaches back, as they would have then. Only metrics that rules ask for are taken. `up` is 1 from a host's frame
until three in a row are missing, as it would have been had each frame come when it was made. Where only
roll-ups are left of a host's samples, it is up until a bucket is missing.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter

import numpy as np

from tocsin_server.estate.estate import HostFacts
from tocsin_server.ingest.gaps import silent_after_ms
from tocsin_server.ingest.inbox import HostFrame
from tocsin_server.series.arrays import Floats, Places
from tocsin_server.series.head import Head
from tocsin_server.series.history.rollups import BUCKET_MS
from tocsin_server.series.schema import Schema

_Instant = tuple[int, int, Schema, Floats]
"""When, whose, and one row of samples."""


class Past:
    """`head` stands where `go_to` has led it. `windows` are those of the rules."""

    def __init__(
        self,
        hosts: Sequence[HostFacts],
        windows: Mapping[str, int],
        *,
        interval_s: float,
        rolled_until_ms: Mapping[int, int] | None = None,
    ) -> None:
        """`rolled_until_ms` says by host until when its samples are the ends of buckets."""
        self.head = Head(interval_s=interval_s)
        self.head.require(windows)
        self._names = windows.keys()
        self._silent_after_ms = {host.id: silent_after_ms(host, interval_s) for host in hosts}
        self._enrolled_ms = {host.id: host.enrolled_ms for host in hosts}
        self._rolled_until_ms = rolled_until_ms or {}
        self._heard_ms: dict[int, int] = {}
        self._narrowed: dict[int, tuple[Schema, Places]] = {}
        self._ahead: list[_Instant] = []
        for host in hosts:
            target = {"instance": host.name, "job": host.job, "site": host.site}
            self.head.enlist(host.id, client_id=host.client_id, target=target)

    def take(self, frame: HostFrame, *, from_ms: int, to_ms: int) -> None:
        """Have a frame's instants within `(from, to]` ready; they may come in any order."""
        schema, columns = self._narrow(frame.schema)
        for row, at_ms in enumerate(frame.times_ms):
            if from_ms < at_ms <= to_ms:
                self._ahead.append((at_ms, frame.host_id, schema, frame.matrix[row, columns]))

    def arrange(self) -> None:
        """All that was taken is there: put it in order, the next at the end."""
        self._ahead.sort(key=itemgetter(0, 1), reverse=True)

    def go_to(self, at_ms: int) -> None:
        """Let everything up to this moment come in."""
        while self._ahead and self._ahead[-1][0] <= at_ms:
            time_ms, host_id, schema, values = self._ahead.pop()
            self._heard_ms[host_id] = time_ms
            if schema.series:
                self.head.apply(host_id, schema, [time_ms], values[np.newaxis])
        for host_id, patience_ms in self._silent_after_ms.items():
            heard_ms = self._heard_ms.get(host_id)
            since_ms = self._enrolled_ms[host_id] if heard_ms is None else heard_ms
            is_rolled = since_ms <= self._rolled_until_ms.get(host_id, 0)
            silent_after = max(patience_ms, BUCKET_MS) if is_rolled else patience_ms
            is_up = heard_ms is not None and at_ms - heard_ms <= silent_after
            # Of a host that is new nothing can be said before it is either heard or missed.
            if is_up or at_ms - since_ms > silent_after:
                self.head.beat(host_id, up=is_up, at_ms=at_ms)

    def _narrow(self, schema: Schema) -> tuple[Schema, Places]:
        """The series of a schema that anybody asks for, and their columns."""
        known = self._narrowed.get(schema.id)
        if known is None:
            is_asked = ["" in self._names or entry.name in self._names for entry in schema.series]
            columns = np.flatnonzero(is_asked)
            series = tuple(schema.series[column] for column in columns.tolist())
            known = self._narrowed[schema.id] = Schema(schema.id, schema.host, series), columns
        return known
