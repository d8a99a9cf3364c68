"""A contract as a document of JSON: the same structure as its file, and the same text underneath.

In a file every scalar is text, so in a document `95` and `"95"` are the same, and what is given out is text. A
document is read as a file is: so it is refused for the same reasons in the same words. It has no lines, so
what is wrong is told by its pointer (RFC 6901).
"""

import io
from collections.abc import Sequence
from typing import TypeAlias

import yaml
from yaml.emitter import Emitter
from yaml.representer import SafeRepresenter
from yaml.resolver import BaseResolver
from yaml.serializer import Serializer

from tocsin_server.errors import Unprocessable
from tocsin_server.yaml_nodes import composed, is_null

Document: TypeAlias = "str | dict[str, Document] | list[Document] | None"
MOST_DEEP = 16
"""How deep lists and maps may lie in each other; a contract needs half of it."""
_NULL_WORDS = ("", "~", "null", "Null", "NULL")
_WIDTH = 1 << 16
_STR, _SEQ, _MAP = (f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map"))


class _Plain(Emitter, Serializer, SafeRepresenter, BaseResolver):
    """Writes scalars without quotes wherever these say nothing: no word is a number or a yes here."""

    def __init__(self, stream: io.StringIO) -> None:
        Emitter.__init__(self, stream, width=_WIDTH, allow_unicode=True)
        Serializer.__init__(self)
        SafeRepresenter.__init__(self, default_flow_style=False, sort_keys=False)
        BaseResolver.__init__(self)

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _text(dumper: _Plain, text: str) -> yaml.Node:
    return dumper.represent_scalar(_STR, text, style="'" if text in _NULL_WORDS else None)


def _nothing(dumper: _Plain, _none: None) -> yaml.Node:
    return dumper.represent_scalar(_STR, "null")


_Plain.add_representer(str, _text)
_Plain.add_representer(type(None), _nothing)


def text_of(document: object) -> str:
    """The document as a contract's file; raises `Unprocessable` where it is none of JSON's, or too deep."""
    written = io.StringIO()
    dumper = _Plain(written)
    dumper.open()
    dumper.represent(_worded(document, 0))
    dumper.close()
    return written.getvalue()


def document_of(text: str) -> Document:
    """A contract's file as a document; the text has been read as a contract before, so it is whole."""
    node = composed(text)
    return None if node is None else _value(node)


def nodes_of(document: object) -> tuple[yaml.Node, Sequence[str]]:
    """The document as the nodes of a file, each on a line of its own, and what of it each line is, from line 1.

    Raises `Unprocessable` as `text_of` does.
    """
    pointers: list[str] = []
    return _node(_worded(document, 0), "", pointers), pointers


def _worded(value: object, depth: int) -> object:
    """The same with every scalar as text."""
    if depth > MOST_DEEP:
        raise Unprocessable("the document is nested too deeply", remedy="write it as docs/desk.md shows")
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case dict():
            return {str(name): _worded(each, depth + 1) for name, each in value.items()}
        case list():
            return [_worded(each, depth + 1) for each in value]
    raise Unprocessable("the document is no JSON", remedy="write it as docs/desk.md shows")


def _value(node: yaml.Node) -> Document:
    if isinstance(node, yaml.MappingNode):
        return {str(name.value): _value(each) for name, each in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_value(each) for each in node.value]
    return None if is_null(node) else str(node.value)


def _node(value: object, pointer: str, pointers: list[str]) -> yaml.Node:
    pointers.append(pointer)
    mark = yaml.Mark("", 0, len(pointers) - 1, 0, None, 0)
    match value:
        case dict():
            pairs = [
                (yaml.ScalarNode(_STR, name, mark, mark), _node(each, f"{pointer}/{_escaped(name)}", pointers))
                for name, each in value.items()
            ]
            return yaml.MappingNode(_MAP, pairs, mark, mark)
        case list():
            items = [_node(each, f"{pointer}/{number}", pointers) for number, each in enumerate(value)]
            return yaml.SequenceNode(_SEQ, items, mark, mark)
        case None:
            return yaml.ScalarNode(_STR, "null", mark, mark)
    return yaml.ScalarNode(_STR, value, mark, mark, style="'")


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
