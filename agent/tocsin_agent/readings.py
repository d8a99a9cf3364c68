"""A reading: one number of this host at one instant, under the name that node_exporter gives it.

A sample is a series (name, kind, labels) and its value; the instant belongs to the whole collection. The
labels are sorted by name, so that equal series compare equal whoever made them.
"""

from typing import NamedTuple

from tocsin_protocol.vocabulary import SeriesKind
from tocsin_protocol.wire import MAX_LABEL_VALUE_BYTES

Labels = tuple[tuple[str, str], ...]


class Sample(NamedTuple):
    """One series' value now: base units (seconds, bytes), counters as the kernel counts them, never a rate."""

    name: str
    kind: SeriesKind
    labels: Labels
    value: float


def labelled(**labels: str) -> Labels:
    """The labels in their one order.

    An empty one is left out: to Prometheus it is the same as an absent one. One that is longer than the wire
    allows is cut, for it would cost the whole frame.
    """
    return tuple(sorted((name, _cut(value)) for name, value in labels.items() if value))


# Hundreds of samples are made each time, and `Sample(...)` goes through a second function in Python.
_UNTYPED, _GAUGE, _COUNTER = SeriesKind.UNTYPED, SeriesKind.GAUGE, SeriesKind.COUNTER
_new = tuple.__new__


def gauge(name: str, value: float, labels: Labels = ()) -> Sample:
    """A value that goes up and down."""
    return _new(Sample, (name, _GAUGE, labels, value))


def counter(name: str, value: float, labels: Labels = ()) -> Sample:
    """A value that only grows, until what counts it starts again."""
    return _new(Sample, (name, _COUNTER, labels, value))


def untyped(name: str, value: float, labels: Labels = ()) -> Sample:
    """A value whose nature the kernel does not say."""
    return _new(Sample, (name, _UNTYPED, labels, value))


def _cut(value: str) -> str:
    if len(value) * 4 <= MAX_LABEL_VALUE_BYTES:
        return value
    return value.encode()[:MAX_LABEL_VALUE_BYTES].decode("utf-8", "ignore")
