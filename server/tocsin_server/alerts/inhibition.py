"""Inhibition: an alert that says more withholds those that follow from it. Alertmanager's, within one client.

    inhibit_rules:
    - name: a host that is down
      source_matchers: ['alertname="HostDown"']
      target_matchers: ['severity=~"warning|info"']
      equal: [instance]

A target is inhibited while a source of its client fires whose `equal` labels have the same values; a label that
is missing on both is equal. What matches both sides is not inhibited by alerts that do so too, itself among
them.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import yaml

from tocsin_server.alerts.alert import Key
from tocsin_server.alerts.matchertext import MAX_NAME, limited, parse_matchers
from tocsin_server.series.matchers import Matchers, MatchKind, matches_all
from tocsin_server.yaml_nodes import BadYaml, Fields, line_of, scalar

MAX_EQUAL = 32

_FIELDS = ("name", "source_matchers", "target_matchers", "equal")

Labels = Mapping[str, str]
Firing = Mapping[Key, Labels]
"""The alerts that fire, those that have become unknown among them, by client and fingerprint."""

_Group = tuple[int, tuple[str, ...]]
"""Client, and the values of the labels that have to be equal."""


@dataclass(frozen=True, slots=True)
class InhibitionRule:
    """Alerts like the source withhold alerts like the target that are equal in these labels."""

    name: str
    source: Matchers
    target: Matchers
    equal: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Inhibition:
    """Why an alert is inhibited: by which rule, and one alert that does it."""

    rule: str
    source: Key
    labels: Labels
    """The source's."""


@dataclass(slots=True)
class _Sources:
    """The first source of a group that matches its side only, and the first that matches both."""

    one_sided: Key | None = None
    two_sided: Key | None = None


def inhibited(rules: Iterable[InhibitionRule], firing: Firing) -> dict[Key, Inhibition]:
    """The alerts that are inhibited, each by the first rule that does it.

    Time is that of looking at the alerts that match an equality of a rule, not at pairs of them.
    """
    rules = tuple(rules)
    scene = _Scene(rules, firing)
    found: dict[Key, Inhibition] = {}
    for rule in rules:
        pairs = list(_pairs(rule, scene, found))
        found |= {target: Inhibition(rule.name, source, firing[source]) for target, source in pairs}
    return found


def read_inhibition_rule(node: yaml.Node) -> InhibitionRule:
    """One rule of a file; raises `BadYaml`."""
    fields = Fields(node, _FIELDS, what="an inhibition rule")
    return InhibitionRule(
        name=fields.wanted("name").text,
        source=_wanted_matchers(fields, "source_matchers"),
        target=_wanted_matchers(fields, "target_matchers"),
        equal=_equal(fields),
    )


def read_matchers(fields: Fields, name: str) -> Matchers:
    """The matchers of a list of texts, each of which may hold several; raises `BadYaml`."""
    nodes = fields.items(name)
    try:
        return limited(chain.from_iterable(_parsed(node, name) for node in nodes))
    except ValueError as error:
        if isinstance(error, BadYaml):
            raise
        raise BadYaml(fields.line, f"{name!r}: {error}") from error


class _Scene:
    """The alerts, and in their order on shelves: one for each label and value that a rule wants of them."""

    def __init__(self, rules: Sequence[InhibitionRule], firing: Firing) -> None:
        self.firing = firing
        self._groups: dict[tuple[str, ...], dict[Key, _Group]] = {}
        wanted = set(
            chain.from_iterable(_equalities(side) for rule in rules for side in (rule.source, rule.target))
        )
        names = sorted({name for name, _ in wanted})
        self._shelves: dict[tuple[str, str], list[Key]] = {equality: [] for equality in wanted}
        for key, labels in firing.items():
            for name in names:
                shelf = self._shelves.get((name, labels.get(name, "")))
                if shelf is not None:
                    shelf.append(key)

    def candidates(self, matchers: Matchers) -> Collection[Key]:
        """The alerts among which are all that pass: the shortest shelf, or all there are."""
        shelves: list[Collection[Key]] = [self._shelves[equality] for equality in _equalities(matchers)]
        return min(shelves, key=len, default=self.firing)

    def groups(self, names: tuple[str, ...]) -> Mapping[Key, _Group]:
        """The group of each alert where these labels have to be equal; rules often ask for the same."""
        if names not in self._groups:
            self._groups[names] = {
                key: (key[0], tuple([labels.get(name, "") for name in names]))
                for key, labels in self.firing.items()
            }
        return self._groups[names]


def _pairs(rule: InhibitionRule, scene: _Scene, found: Collection[Key]) -> Iterator[tuple[Key, Key]]:
    """Each target that is not found yet, with a source that inhibits it."""
    by_group = _sources(rule, scene)
    if not by_group:
        return
    groups = scene.groups(rule.equal)
    for key in scene.candidates(rule.target):
        sources, labels = by_group.get(groups[key]), scene.firing[key]
        if sources is None or key in found or not matches_all(rule.target, labels):
            continue
        source = _inhibiting(sources, is_two_sided=matches_all(rule.source, labels))
        if source is not None:
            yield key, source


def _sources(rule: InhibitionRule, scene: _Scene) -> dict[_Group, _Sources]:
    found: dict[_Group, _Sources] = {}
    for key in scene.candidates(rule.source):
        labels = scene.firing[key]
        if not matches_all(rule.source, labels):
            continue
        sources = found.setdefault(scene.groups(rule.equal)[key], _Sources())
        if matches_all(rule.target, labels):
            sources.two_sided = sources.two_sided or key
        else:
            sources.one_sided = sources.one_sided or key
    return found


def _inhibiting(sources: _Sources, *, is_two_sided: bool) -> Key | None:
    return sources.one_sided if is_two_sided else sources.one_sided or sources.two_sided


def _equalities(matchers: Matchers) -> Iterator[tuple[str, str]]:
    return ((each.name, each.value) for each in matchers if each.kind is MatchKind.EQUAL)


def _wanted_matchers(fields: Fields, name: str) -> Matchers:
    matchers = read_matchers(fields, name)
    if not matchers:
        raise BadYaml(fields.line, f"an inhibition rule needs {name!r}")
    return matchers


def _parsed(node: yaml.Node, name: str) -> Matchers:
    text = scalar(node, f"an entry of {name!r}")
    try:
        return parse_matchers(text)
    except ValueError as error:
        raise BadYaml(line_of(node), f"{name!r}: {error}") from error


def _equal(fields: Fields) -> tuple[str, ...]:
    nodes = fields.items("equal")
    if len(nodes) > MAX_EQUAL:
        raise BadYaml(fields.line, f"'equal' lists {len(nodes)} labels, which is more than {MAX_EQUAL}")
    names = {scalar(node, "an entry of 'equal'"): line_of(node) for node in nodes}
    for name, line in names.items():
        if not 0 < len(name) <= MAX_NAME:
            raise BadYaml(line, f"'equal': {name[:60]!r} is not a label's name")
    return tuple(names)
