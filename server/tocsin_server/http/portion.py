"""The head as somebody sees it who sees some of the clients only: the others' series are not there."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from tocsin_server.http.needs import Head
from tocsin_server.series.arrays import Ints
from tocsin_server.series.matchers import Matcher
from tocsin_server.series.source import Instant, Window
from tocsin_server.series.symbols import Symbols


class Portion:
    """A `Source` for one evaluation; whoever uses it holds the head's lock."""

    def __init__(self, head: Head, clients: Collection[int]) -> None:
        self._head = head
        self._seen = np.array(sorted(clients), np.int64)
        self._selections: dict[tuple[str | None, tuple[Matcher, ...]], Any] = {}

    @property
    def symbols(self) -> Symbols:
        return self._head.symbols

    @property
    def clients(self) -> Ints:
        """Those of the head's that are seen, ascending."""
        return np.intersect1d(self._head.clients, self._seen)

    def select(self, name: str | None, matchers: Sequence[Matcher]) -> Any:  # noqa: ANN401 - the head's own
        """See `Source`."""
        key = (name, tuple(matchers))
        if key not in self._selections:
            whole = self._head.select(name, matchers)
            mine = np.isin(whole.labels.clients, self._seen)
            self._selections[key] = whole if mine.all() else whole.take(np.flatnonzero(mine))
        return self._selections[key]

    def instant(self, selection: Any, at_ms: int) -> Instant:  # noqa: ANN401
        """See `Source`."""
        return self._head.instant(selection, at_ms)

    def window(self, selection: Any, start_ms: int, end_ms: int) -> Window:  # noqa: ANN401
        """See `Source`."""
        return self._head.window(selection, start_ms, end_ms)
