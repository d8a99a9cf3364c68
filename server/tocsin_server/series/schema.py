"""What a host's frames are made of: the ordered list of its series, sent once and referred to by id."""

from dataclasses import dataclass

from tocsin_protocol.vocabulary import SeriesKind

TARGET_LABELS = frozenset({"client", "instance", "job", "site"})
"""What the server knows better than the agent: an incoming label of that name is moved aside."""


@dataclass(frozen=True, slots=True)
class SeriesEntry:
    """One series of a schema; labels are sorted by name and do not hold the metric's name."""

    name: str
    kind: SeriesKind
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Schema:
    """The series of a frame, in the order of its columns. `host` is empty for the agent's own host."""

    id: int
    host: str
    series: tuple[SeriesEntry, ...]


def own_labels(entry: SeriesEntry) -> list[tuple[str, str]]:
    """The entry's labels with target labels moved to `exported_…`, as Prometheus does.

    A name that is taken already gets the prefix once more. `__name__` is not a label to be sent.
    """
    names = {name for name, _ in entry.labels}
    moved: list[tuple[str, str]] = []
    for name, value in entry.labels:
        if name == "__name__":
            continue
        free = name
        while free in TARGET_LABELS or (free != name and free in names):
            free = f"exported_{free}"
        names.add(free)
        moved.append((free, value))
    return moved
