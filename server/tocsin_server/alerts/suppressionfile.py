"""Files that say when and why deliveries are withheld, read strictly and all or nothing.

    time_intervals:        [{name: nights, time_intervals: [{times: […]}]}]
    maintenance_windows:   […]         `maintenance.py`
    inhibit_rules:         […]         `inhibition.py`
    host_parents:          [{name: rack 7, client: acme, hosts: [atlas, borea], parents: [switch-a, switch-b]}]

A window may name an interval of any of the files that are read together. Every mistake is reported with file,
line, key and reason; then nothing of the files comes into force.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import yaml

from tocsin_server.alerts.inhibition import InhibitionRule, read_inhibition_rule
from tocsin_server.alerts.intervals import Intervals, read_intervals
from tocsin_server.alerts.maintenance import Window, read_window
from tocsin_server.alerts.topology import MOST_CAUSES as MOST_PARENTS
from tocsin_server.yaml_files import FileErrors, read_text, yaml_files
from tocsin_server.yaml_nodes import BadYaml, Fields, composed, line_of, scalar

INTERVALS, WINDOWS, RULES = "time_intervals", "maintenance_windows", "inhibit_rules"
PARENTS = "host_parents"

_SECTIONS = (INTERVALS, WINDOWS, RULES, PARENTS)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SuppressionFileError:
    """One thing that is wrong in a file. `line` counts from 1; `key` is `section/name`, empty above them."""

    file: str
    line: int
    key: str
    reason: str

    def __str__(self) -> str:
        key = f", {self.key}" if self.key else ""
        return f"{self.file}:{self.line}{key}: {self.reason}"


class SuppressionFileErrors(FileErrors[SuppressionFileError]):
    """Files that were refused, with everything that is wrong in them."""


@dataclass(frozen=True, slots=True)
class HostParents:
    """Hosts of a client that are reached through any of these others."""

    name: str
    client: str
    hosts: tuple[str, ...]
    parents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Suppressions:
    """What files say, all of it checked. Names are unique in their section over all files."""

    intervals: Mapping[str, Intervals] = field(default_factory=dict)
    windows: tuple[Window, ...] = ()
    rules: tuple[InhibitionRule, ...] = ()
    parents: tuple[HostParents, ...] = ()


def read_suppressions(texts: Mapping[str, str]) -> Suppressions:
    """The texts of files by their names, read together; raises `SuppressionFileErrors`."""
    reading = _Reading()
    for file, text in texts.items():
        reading.open(file, text)
    intervals = reading.section(INTERVALS, _read_named_intervals)
    windows = reading.section(WINDOWS, lambda node: read_window(node, intervals))
    rules = reading.section(RULES, read_inhibition_rule)
    parents = reading.section(PARENTS, _read_host_parents)
    if reading.errors:
        raise SuppressionFileErrors(reading.errors)
    return Suppressions(intervals, tuple(windows.values()), tuple(rules.values()), tuple(parents.values()))


def load_suppressions(paths: Sequence[Path] | Path) -> Suppressions:
    """Files, or a folder of them, read together; raises `SuppressionFileErrors`, and `OSError` for a folder.

    The files of a folder are told by their names alone.
    """
    texts, unread = {}, []
    for file in yaml_files(paths):
        name = file.name if isinstance(paths, Path) else str(file)
        try:
            texts[name] = read_text(file)
        except BadYaml as error:
            unread.append(SuppressionFileError(name, error.line, "", error.reason))
    try:
        said = read_suppressions(texts)
    except SuppressionFileErrors as refused:
        raise SuppressionFileErrors([*unread, *refused.errors]) from refused
    if unread:
        raise SuppressionFileErrors(unread)
    return said


class _Reading:
    """Files being read: collects errors and goes on with the next entry."""

    def __init__(self) -> None:
        self.errors: list[SuppressionFileError] = []
        self._entries: dict[str, list[tuple[str, yaml.Node]]] = {section: [] for section in _SECTIONS}

    def open(self, file: str, text: str) -> None:
        """Note the entries of one file."""
        try:
            self._note(file, text)
        except BadYaml as error:
            self._refuse(file, error)

    def section(self, section: str, read: Callable[[yaml.Node], T]) -> dict[str, T]:
        """What the entries of a section say, by their names, in the order of the files."""
        found: dict[str, T] = {}
        for file, name, node in self._named(section):
            try:
                value = read(node)
            except BadYaml as error:
                self._refuse(file, error, f"{section}/{name}")
                continue
            if name in found:
                self._refuse(file, BadYaml(line_of(node), f"{name!r} stands twice"), f"{section}/{name}")
            found[name] = value
        return found

    def _note(self, file: str, text: str) -> None:
        document = composed(text)
        if document is None:
            return
        fields = Fields(document, _SECTIONS, what="a file of suppressions")
        found = {section: [(file, node) for node in fields.items(section)] for section in _SECTIONS}
        for section, entries in found.items():
            self._entries[section] += entries

    def _named(self, section: str) -> Iterator[tuple[str, str, yaml.Node]]:
        return ((file, _name_of(node), node) for file, node in self._entries[section])

    def _refuse(self, file: str, error: BadYaml, key: str = "") -> None:
        self.errors.append(SuppressionFileError(file, error.line, key, error.reason))


def _read_named_intervals(node: yaml.Node) -> Intervals:
    fields = Fields(node, ("name", "time_intervals"), what="a named time interval")
    fields.wanted("name")
    intervals = read_intervals(fields, "time_intervals")
    if not intervals:
        raise BadYaml(fields.line, "a named time interval needs 'time_intervals'")
    return intervals


def _read_host_parents(node: yaml.Node) -> HostParents:
    fields = Fields(node, ("name", "client", "hosts", "parents"), what="an entry of 'host_parents'")
    hosts, parents = (_names(fields, name) for name in ("hosts", "parents"))
    if len(parents) > MOST_PARENTS:
        raise BadYaml(fields.line, f"{len(parents)} parents are more than {MOST_PARENTS}")
    return HostParents(fields.wanted("name").text, fields.wanted("client").text, hosts, parents)


def _names(fields: Fields, field: str) -> tuple[str, ...]:
    names = tuple(scalar(node, f"an entry of {field!r}") for node in fields.items(field))
    if not names:
        raise BadYaml(fields.line, f"an entry of 'host_parents' needs {field!r}")
    return names


def _name_of(node: yaml.Node) -> str:
    """The name of an entry, whatever else may be wrong with it; empty where it has none."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    names = (value.value for key, value in pairs if key.value == "name" and isinstance(value, yaml.ScalarNode))
    return next(names, "")
