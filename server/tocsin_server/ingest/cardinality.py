"""How many different series a host may send in an hour: one that makes up new ones all the time is refused.

Such a host (a label with a process id, a request, a time) fills memory and history with series of which each
has one sample. Counted are those of the schemas that it tells. What is remembered of a host is the first of
them, which most never change, and hashes of what others had beside it.
"""

from collections import Counter
from collections.abc import Iterable

import structlog

from tocsin_server.clock import Clock
from tocsin_server.errors import Unprocessable
from tocsin_server.estate.estate import HostFacts
from tocsin_server.health import Health
from tocsin_server.series.schema import Schema, SeriesEntry

HOUR_S = 3600.0
TELL_EVERY_S = 60.0
REFUSES_S = 300.0
"""How long after a refusal a host counts as one whose series are refused: longer than any interval."""

_log = structlog.get_logger()


class TooManySeries(Unprocessable):
    """The host has sent too many different series in this hour."""

    kind = "too-many-series"


class Hour:
    """The series that one host has told since an hour began, by a monotonic clock in seconds."""

    def __init__(self, began_s: float) -> None:
        self.began_s = began_s
        self._first: Schema | None = None
        self._beside: set[int] = set()
        self._grown: Counter[str] = Counter()

    def take(self, schema: Schema, *, most: int) -> str:
        """Take its series in; where they would be too many take none, and say which metric grows most."""
        if self._first is None or schema.id == self._first.id:
            return self._begin(schema, most)
        # Made anew for each schema that is told: they are few, and hosts are many.
        first = {hash(entry) for entry in self._first.series}
        told = {hash(entry): entry.name for entry in schema.series}
        fresh = {key: name for key, name in told.items() if key not in first and key not in self._beside}
        grown = self._grown + Counter(fresh.values())
        if len(first) + len(self._beside) + len(fresh) > most:
            return _largest(grown)
        self._beside.update(fresh)
        self._grown = grown
        return ""

    def _begin(self, schema: Schema, most: int) -> str:
        if len(schema.series) > most:
            return _largest(_names(schema.series))
        self._first = schema
        return ""


class Cardinality:
    """Follows each host. The event loop's, but for `is_refused`, which any thread may ask."""

    def __init__(self, *, most: int, clock: Clock, health: Health) -> None:
        """`most` is how many series a host may send in an hour."""
        self._most = most
        self._clock = clock
        self._health = health
        self._hours: dict[int, Hour] = {}
        self._refused_s: dict[int, float] = {}
        self._told_s: dict[int, float] = {}

    def admit(self, host: HostFacts, schema: Schema) -> None:
        """A host has told a schema; raises `TooManySeries`."""
        now_s = self._clock.monotonic()
        hour = self._hours.get(host.id)
        if hour is None or now_s - hour.began_s >= HOUR_S:
            hour = self._hours[host.id] = Hour(now_s)
        metric = hour.take(schema, most=self._most)
        if metric:
            self._refused_s[host.id] = now_s
            self._health.series_refused.labels(host.client).inc(len(schema.series))
            raise self._refusal(host, metric, now_s)

    def is_refused(self, host_id: int) -> bool:
        """Whether series of this host have been refused of late."""
        refused_s = self._refused_s.get(host_id)
        return refused_s is not None and self._clock.monotonic() - refused_s <= REFUSES_S

    def _refusal(self, host: HostFacts, metric: str, now_s: float) -> TooManySeries:
        said = f"{host.name} has sent more than {self._most} different series in an hour: {metric} grows most"
        if now_s - self._told_s.get(host.id, -TELL_EVERY_S) >= TELL_EVERY_S:
            self._told_s[host.id] = now_s
            _log.warning(
                f"{host.client}'s {said}",
                action="too_many_series",
                client=host.client,
                host=host.name,
                metric=metric,
            )
        return TooManySeries(
            said,
            remedy="take out the label whose values never end, or exclude the collector in agent.toml",
        )


def _names(series: Iterable[SeriesEntry]) -> Counter[str]:
    return Counter(entry.name for entry in series)


def _largest(counts: Counter[str]) -> str:
    return max(counts, key=lambda name: (counts[name], name))
