"""One collection: every collector asked once, each within its deadline; none can spoil or stall the others.

How each fared is a reading too: `node_scrape_collector_success` and `…_duration_seconds` by collector.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from tocsin_agent.collectors.abandon import Abandonable
from tocsin_agent.readings import Sample, gauge, labelled
from tocsin_protocol.wire import MAX_SERIES_PER_SCHEMA

HELP = {
    "node_scrape_collector_duration_seconds": "How long this collector took.",
    "node_scrape_collector_success": "Whether this collector read all that it should.",
    "node_time_seconds": "Unix time of this host as it was read.",
}
_SAMPLES_ABOUT_A_COLLECTOR = 2


class Collector(Protocol):
    """Reads one subject. `collect` may raise: what it has yielded until then is kept, its success is 0."""

    @property
    def name(self) -> str:
        """The collector's name, as node_exporter calls it."""

    def collect(self) -> Iterable[Sample]:
        """The readings now."""


class _Outcome(NamedTuple):
    samples: list[Sample]
    problem: str | None
    duration_s: float


class Collection:
    """The collectors of one host, asked by one thread at a time.

    `problems` says, by collector, what went wrong in the last collection, and `series` how many each gave. All
    together stay within what one frame may carry: the collector that would burst it is left out whole, and
    counts as failed.
    """

    def __init__(
        self,
        collectors: Sequence[Collector],
        *,
        deadline_s: float = 3.0,
        most_series: int = MAX_SERIES_PER_SCHEMA,
    ) -> None:
        self.problems: Mapping[str, str] = {}
        self.series: Mapping[str, int] = {}
        self._jobs: dict[str, Callable[[], _Outcome]] = {
            collector.name: partial(_ask, collector) for collector in collectors
        }
        self._labels = {name: labelled(collector=name) for name in self._jobs}
        self._deadline_s = deadline_s
        self._most_series = most_series - _SAMPLES_ABOUT_A_COLLECTOR * len(self._jobs)
        self._readers: Abandonable[_Outcome] = Abandonable("collect", deadline_s=deadline_s)

    def collect(self, now_ms: int) -> list[Sample]:
        """All readings at `now_ms` (Unix time in milliseconds, the agent's clock)."""
        samples = [gauge("node_time_seconds", now_ms / 1000)]
        outcomes = self._readers.run(self._jobs)
        overdue = _Outcome([], f"did not answer within {self._deadline_s:g} s", self._deadline_s)
        problems, series = {}, {}
        about_collectors: list[Sample] = []
        for name, labels in self._labels.items():
            outcome = outcomes.get(name, overdue)
            problem = outcome.problem
            if len(samples) + len(outcome.samples) > self._most_series:
                problem = f"{len(outcome.samples)} series are more than a frame can carry, so none was sent"
                outcome.samples.clear()
            series[name] = len(outcome.samples)
            samples += outcome.samples
            if problem:
                problems[name] = problem
            about_collectors += (
                gauge("node_scrape_collector_duration_seconds", outcome.duration_s, labels),
                gauge("node_scrape_collector_success", float(not problem), labels),
            )
        self.problems, self.series = problems, series
        return samples + about_collectors


def _ask(collector: Collector) -> _Outcome:
    began_s = time.perf_counter()
    samples: list[Sample] = []
    problem = None
    try:
        samples.extend(collector.collect())
    except Exception as error:  # noqa: BLE001 - outermost loop: whatever one collector meets, the others go on
        problem = f"{type(error).__name__}: {error}"
    return _Outcome(samples, problem, time.perf_counter() - began_s)
