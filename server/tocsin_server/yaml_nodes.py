"""YAML as Go reads it: every scalar is a string, every key is known, every line can be named.

`condition: true` is the string "true" here, and `for: 5m` needs no quotes. A key that is not known is an
error that names the one probably meant; a key that stands twice is an error too.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from tocsin_server.errors import suggestion

_LOADER: Any = getattr(
    yaml, "CBaseLoader", yaml.BaseLoader
)  # libyaml's is 10 times faster where it is built in
_NULLS = ("", "~", "null", "Null", "NULL")
MAX_BYTES = 8 << 20


class BadYaml(ValueError):
    """Something in a file that cannot be taken: the line (from 1) and why."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"{line}: {reason}")
        self.line = line
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Text:
    """A scalar with its line."""

    text: str
    line: int


class Fields:
    """A mapping whose keys are known."""

    def __init__(self, node: yaml.Node, known: Collection[str], *, what: str) -> None:
        self.line = line_of(node)
        self._what = what
        self._nodes = dict(_pairs(node, what))
        for name, value in self._nodes.items():
            if name not in known:
                raise BadYaml(line_of(value), f"{what} has no field {name!r}{suggestion(name, known)}")

    def has(self, name: str) -> bool:
        """Whether the field is there, be it null."""
        return name in self._nodes

    def node(self, name: str) -> yaml.Node | None:
        """The field, or None where it is absent or null."""
        node = self._nodes.get(name)
        return None if node is None or is_null(node) else node

    def text(self, name: str, default: str = "") -> Text:
        """A scalar field."""
        node = self._nodes.get(name)
        if node is None:
            return Text(default, self.line)
        return Text("" if is_null(node) else scalar(node, f"{name!r} of {self._what}"), line_of(node))

    def wanted(self, name: str) -> Text:
        """A scalar field that has to be there and not empty."""
        found = self.text(name)
        if not found.text:
            raise BadYaml(found.line, f"{self._what} needs {name!r}")
        return found

    def items(self, name: str) -> Sequence[yaml.Node]:
        """A field that is a list; absent or null is an empty one."""
        node = self.node(name)
        if node is None:
            return ()
        if not isinstance(node, yaml.SequenceNode):
            raise BadYaml(line_of(node), f"{name!r} of {self._what} has to be a list")
        return list(node.value)

    def texts(self, name: str) -> dict[str, Text]:
        """A field that maps strings to strings."""
        node = self.node(name)
        if node is None:
            return {}
        return {
            key: Text("" if is_null(value) else scalar(value, f"{key!r} in {name!r}"), line_of(value))
            for key, value in _pairs(node, f"{name!r} of {self._what}")
        }


def composed(text: str) -> yaml.Node | None:
    """The one document of a text; None where it is empty. Raises `BadYaml`."""
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadYaml(line, f"not YAML: {error.problem}") from error
    except (
        yaml.YAMLError,
        RecursionError,
    ) as error:  # libyaml has a limit of its own, Python's reader has none
        raise BadYaml(1, f"not YAML: {error}") from error
    return node


def line_of(node: yaml.Node) -> int:
    """Where it begins, from 1."""
    return int(node.start_mark.line) + 1


def is_null(node: yaml.Node) -> bool:
    """YAML's null: nothing, or one of its words without quotes."""
    return isinstance(node, yaml.ScalarNode) and node.style in {None, ""} and node.value in _NULLS


def scalar(node: yaml.Node, what: str) -> str:
    """The text of a scalar."""
    if not isinstance(node, yaml.ScalarNode):
        raise BadYaml(line_of(node), f"{what} has to be a single value")
    if "\0" in node.value:
        raise BadYaml(line_of(node), f"{what} holds a NUL, which no database takes")
    return str(node.value)


def _pairs(node: yaml.Node, what: str) -> Iterator[tuple[str, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        raise BadYaml(line_of(node), f"{what} has to be a map of fields")
    seen: set[str] = set()
    for key, value in node.value:
        name = scalar(key, "a field's name")
        if name in seen:
            raise BadYaml(line_of(key), f"{name!r} stands twice in {what}")
        seen.add(name)
        yield name, value
