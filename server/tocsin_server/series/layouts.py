"""What a frame's columns are: which series, as keys that all hosts share.

A *key* is a series without its target: the code of the metric's name in the upper half, the number of its set
of labels in the lower. A thousand hosts that send the same schema share one `Layout`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from tocsin_protocol.vocabulary import SeriesKind
from tocsin_server.series.arrays import Codes, Ints
from tocsin_server.series.labels import NAME
from tocsin_server.series.schema import TARGET_LABELS, Schema, SeriesEntry, own_labels
from tocsin_server.series.symbols import LabelSets, Symbols

_HALF = 32
_REMEMBERED = 1 << 17
"""Series whose key is known; then all are worked out anew, so that whoever makes up series fills no memory."""


def metrics_of(keys: Ints) -> Codes:
    """The codes of the keys' metrics."""
    return (keys >> _HALF).astype(np.int32)


def sets_of(keys: Ints) -> Codes:
    """The numbers of the keys' sets of labels."""
    return (keys & ((1 << _HALF) - 1)).astype(np.int32)


def keys_of(metrics: Codes, sets: Codes) -> Ints:
    """The reverse of both."""
    return metrics.astype(np.int64) << _HALF | sets


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Layout:
    """Distinct keys and the frame's column of each; `kinds` and `width` are the frame's."""

    keys: Ints
    columns: Codes
    kinds: NDArray[np.uint8]
    schema_id: int | None = None

    @property
    def width(self) -> int:
        return len(self.kinds)

    def is_like(self, other: "Layout") -> bool:
        """Whether both put the same series into the same columns."""
        return np.array_equal(self.keys, other.keys) and np.array_equal(self.columns, other.columns)


class Catalogue:
    """All keys that were ever seen, and the layouts that are in use."""

    def __init__(self) -> None:
        self.symbols = Symbols()
        self.sets = LabelSets(self.symbols)
        self._label_names: dict[int, set[str]] = {}
        self._layouts: WeakValueDictionary[int, Layout] = WeakValueDictionary()
        self._key_of: dict[SeriesEntry, int] = {}
        """Hosts of a kind send the same series, each in a schema of its own."""

    def of_schema(self, schema: Schema) -> Layout:
        """The layout of an agent's frames; its labels cannot say whose or where it is."""
        layout = self._layouts.get(schema.id)
        if layout is None:
            keys = [self._key_of.get(entry) or self._learn(entry) for entry in schema.series]
            kinds = np.array([entry.kind for entry in schema.series], np.uint8)
            layout = self._layouts[schema.id] = _layout(keys, kinds, schema_id=schema.id)
        return layout

    def of_gauges(self, names: Iterable[str]) -> Layout:
        """The layout of metrics without labels."""
        keys = [self._key(name, ()) for name in names]
        return _layout(keys, np.full(len(keys), SeriesKind.GAUGE, np.uint8))

    def of_rows(self, name: str, rows: Sequence[Mapping[str, str]]) -> Layout:
        """The layout of one metric's rows, under the labels as they are."""
        keys = [self._key(name, ((label, row[label]) for label in row if label != NAME)) for row in rows]
        return _layout(keys, np.full(len(keys), SeriesKind.UNTYPED, np.uint8))

    def of_series(self, labels: Sequence[Mapping[str, str]]) -> Layout:
        """The layout of a host's series, under all their labels: those of its target are no part of a key."""
        others = TARGET_LABELS | {NAME}
        keys = [
            self._key(each[NAME], ((label, each[label]) for label in each if label not in others))
            for each in labels
        ]
        return _layout(keys, np.full(len(keys), SeriesKind.UNTYPED, np.uint8))

    def __len__(self) -> int:
        """How many words and sets there are."""
        return len(self.symbols) + len(self.sets)

    def label_names(self, metrics: Iterable[int]) -> list[str]:
        """The names of all labels that these metrics have ever had, targets' aside."""
        return sorted({name for metric in metrics for name in self._label_names.get(metric, ())})

    def forget(self, metrics: Codes, sets: Codes) -> tuple[Codes, Codes]:
        """Begin anew with these metrics and sets; gives the new numbers by the old, 0 for what is forgotten.

        Old symbols stay good for the `Labels` that were made of them. Layouts in use are good for their frames,
        but their keys are not: they have to be made again before they are adopted again.
        """
        symbols, label_sets, label_names = self.symbols, self.sets, self._label_names
        self.symbols = Symbols()
        self.sets = LabelSets(self.symbols)
        self._layouts.clear()
        self._key_of = {}
        self._label_names = {}
        new_metrics = np.zeros(len(symbols), np.int32)
        for metric in metrics.tolist():
            new_metrics[metric] = self.symbols.code(symbols.word(metric))
            self._label_names[int(new_metrics[metric])] = label_names[metric]
        new_sets = np.zeros(len(label_sets), np.int32)
        for number in sets.tolist():
            new_sets[number] = self.sets.number(label_sets.labels(number))
        return new_metrics, new_sets

    def _learn(self, entry: SeriesEntry) -> int:
        if len(self._key_of) >= _REMEMBERED:
            self._key_of.clear()
        key = self._key_of[entry] = self._key(entry.name, own_labels(entry))
        return key

    def _key(self, name: str, labels: Iterable[tuple[str, str]]) -> int:
        metric = self.symbols.code(name)
        pairs = [(label, value) for label, value in labels if value]
        self._label_names.setdefault(metric, set()).update(label for label, _ in pairs)
        return metric << _HALF | self.sets.number(pairs)


def _layout(keys: Sequence[int], kinds: NDArray[np.uint8], *, schema_id: int | None = None) -> Layout:
    """Of two columns with the same key the first counts, as in Prometheus."""
    distinct, columns = np.unique(np.array(keys, np.int64), return_index=True)
    return Layout(distinct, columns.astype(np.int32), kinds, schema_id)
