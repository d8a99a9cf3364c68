"""One recording rule: what its expression yields becomes series of a name, client by client."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tocsin_server.alerts.ground import Ground, Yield
from tocsin_server.alerts.rules import RecordingRule
from tocsin_server.promql import evaluate
from tocsin_server.series.arrays import Ints
from tocsin_server.series.labels import NAME, Labels


@dataclass(frozen=True, slots=True)
class _Layout:
    """What depends on labels alone: worked out once for as long as the evaluator gives the same ones."""

    of: Labels
    rows: Mapping[int, Ints]
    labels: Mapping[int, list[dict[str, str]]]
    failures: Mapping[int, str]


class Recorder:
    """A rule at work. `limit` is how many rows it may have for one client; 0 is any number."""

    def __init__(self, rule: RecordingRule, yields: Yield, *, limit: int = 0) -> None:
        self.rule = rule
        self._yields = yields
        self._limit = limit
        self._layout: _Layout | None = None

    def record(self, ground: Ground, *, at_ms: int) -> Mapping[int, str]:
        """Evaluate and record; the clients for which it failed, whose series are left as they are."""
        vector = evaluate(self.rule.expression, ground, at_ms)
        layout = self._laid_out(vector.labels)
        failures = {**layout.failures, **vector.failures}
        portions = {
            client: (layout.labels[client], vector.values[rows])
            for client, rows in layout.rows.items()
            if client not in failures
        }
        self._yields.record(ground, portions, at_ms, spared=failures)
        return failures

    def _laid_out(self, labels: Labels) -> _Layout:
        if self._layout is None or self._layout.of is not labels:
            clients = np.unique(labels.clients).tolist()
            rows = {client: np.flatnonzero(labels.clients == client) for client in clients}
            own = {
                client: [self._labels(labels.row(row)) for row in rows[client].tolist()] for client in clients
            }
            refusals = {client: self._refusal(listed) for client, listed in own.items()}
            self._layout = _Layout(labels, rows, own, {client: why for client, why in refusals.items() if why})
        return self._layout

    def _labels(self, row: Mapping[str, str]) -> dict[str, str]:
        labels = {**row, **self.rule.labels}
        return {name: value for name, value in labels.items() if value and name != NAME}

    def _refusal(self, listed: list[dict[str, str]]) -> str:
        if self._limit and len(listed) > self._limit:
            return f"{len(listed)} results are more than the group's limit of {self._limit}"
        if len({frozenset(labels.items()) for labels in listed}) < len(listed):
            return "two results have the same labels once the rule's labels are applied"
        return ""
