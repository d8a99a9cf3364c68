"""The part of Go's text/template that Prometheus rules use; the rest is refused at load, by name.

    {{ $labels.instance }}  {{ $value | humanize }}  {{ printf "%.1f" $value }}
    {{ if $labels.pod }}…{{ else }}…{{ end }}  {{ with $labels.device }} on {{ . }}{{ end }}

A template is compiled once into functions. What fills it is data, never looked at as a template.
"""

import difflib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from tocsin_server.alerts import humanize
from tocsin_server.alerts.gofmt import BadFormat, Value, check_format, sprintf, written
from tocsin_server.alerts.template_tokens import BadTemplate, Token, cut, unquoted

__all__ = ["BadTemplate", "Facts", "Template", "TemplateFailed", "parse_template"]

_MAX_DEPTH = 30


class TemplateFailed(ValueError):
    """A template that could not be filled with what it was given."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What fills a template."""

    labels: Mapping[str, str]
    value: float
    external_labels: Mapping[str, str] = field(default_factory=dict)
    external_url: str = ""


@dataclass(frozen=True, slots=True)
class _Scope:
    facts: Facts
    dot: Value = ""
    """What the innermost `with` has found."""


_Ask = Callable[[_Scope], Value]
_Pieces = tuple[Callable[[_Scope], str], ...]


@dataclass(frozen=True, slots=True)
class Template:
    """A template that has been checked. `uses_value` says that its text changes with the value."""

    text: str
    uses_value: bool
    pieces: _Pieces

    def fill(self, facts: Facts) -> str:
        """The text for these facts; raises `TemplateFailed`."""
        try:
            return _joined(self.pieces, _Scope(facts))
        except BadFormat as error:
            raise TemplateFailed(str(error)) from error


def parse_template(text: str) -> Template:
    """Compile; raises `BadTemplate`."""
    parser = _Parser(cut(text))
    return Template(text, pieces=parser.whole(), uses_value=parser.uses_value)


_MAPS: Mapping[str, Callable[[Facts], Mapping[str, str]]] = {
    "labels": lambda facts: facts.labels,
    "externallabels": lambda facts: facts.external_labels,
}
_SINGLE: Mapping[str, Callable[[Facts], Value]] = {
    "value": lambda facts: facts.value,
    "externalurl": lambda facts: facts.external_url,
}
# `$labels` and `.Labels` are the same.
_NAMES = {
    "$labels": "labels",
    ".Labels": "labels",
    "$value": "value",
    ".Value": "value",
    "$externalLabels": "externallabels",
    ".ExternalLabels": "externallabels",
    "$externalURL": "externalurl",
    ".ExternalURL": "externalurl",
}
_FUNCTIONS: Mapping[str, Callable[[float], str]] = MappingProxyType(
    {
        "humanize": humanize.humanize,
        "humanize1024": humanize.humanize_1024,
        "humanizePercentage": humanize.humanize_percentage,
        "humanizeDuration": humanize.humanize_duration,
        "humanizeTimestamp": humanize.humanize_timestamp,
    }
)


class _Parser:
    """Recursive descent: blocks over the items of a template, pipelines over the tokens of an action."""

    def __init__(self, items: Iterator[str | list[Token]]) -> None:
        self._items = items
        self._tokens: deque[Token] = deque()
        self._depth = 0
        self._withs = 0
        self.uses_value = False

    def whole(self) -> _Pieces:
        pieces, ender = self._block()
        if ender:
            raise BadTemplate(f"'{{{{ {ender} }}}}' stands where nothing is open")
        return pieces

    def _block(self) -> tuple[_Pieces, str]:
        """Pieces up to `end` or `else`, and which of them it was; empty at the end of the template."""
        pieces: list[Callable[[_Scope], str]] = []
        for item in self._items:
            if isinstance(item, str):
                pieces.append(_plain(item))
                continue
            self._tokens = deque(item)
            if self._at("end", "else"):
                return tuple(pieces), self._tokens.popleft().text
            pieces.append(self._piece())
        return tuple(pieces), ""

    def _piece(self) -> Callable[[_Scope], str]:
        if self._at("if", "with"):
            return self._conditional()
        shown = self._pipeline()
        self._ended()
        return lambda scope: written(shown(scope))

    def _conditional(self) -> Callable[[_Scope], str]:
        self._deeper()
        opener = self._tokens.popleft().text
        test = self._pipeline()
        self._ended()
        self._withs += opener == "with"
        then, ender = self._block()
        self._withs -= opener == "with"
        self._ended()
        otherwise: _Pieces = ()
        if ender == "else":
            otherwise, ender = self._block()
            self._ended()
        if ender != "end":
            raise BadTemplate(f"'{{{{ {opener} }}}}' has no end")
        self._depth -= 1

        def choose(scope: _Scope) -> str:
            tested = test(scope)
            if not tested:
                return _joined(otherwise, scope)
            return _joined(then, _Scope(scope.facts, tested) if opener == "with" else scope)

        return choose

    def _pipeline(self) -> _Ask:
        self._deeper()
        ask = self._command([])
        while self._at("|"):
            self._tokens.popleft()
            ask = self._command([ask])
        self._depth -= 1
        return ask

    def _command(self, piped: Sequence[_Ask]) -> _Ask:
        if self._tokens and self._tokens[0].kind == "word":
            return self._call(self._tokens.popleft().text, piped)
        if piped:
            raise BadTemplate("what stands behind a '|' has to be a function")
        return self._operand()

    def _call(self, name: str, piped: Sequence[_Ask]) -> _Ask:
        if name == "printf":
            return self._printf(piped)
        function = _FUNCTIONS.get(name)
        if function is None:
            raise BadTemplate(f"{name!r} is not offered{_suggestion(name)}")
        arguments = [*self._arguments(), *piped]
        if len(arguments) != 1:
            raise BadTemplate(f"{name} wants 1 argument, got {len(arguments)}")
        return lambda scope: function(humanize.number(arguments[0](scope)))

    def _printf(self, piped: Sequence[_Ask]) -> _Ask:
        if not self._tokens or self._tokens[0].kind != "string":
            raise BadTemplate("the first argument of printf has to be a string in quotes")
        form = unquoted(self._tokens.popleft().text)
        arguments = [*self._arguments(), *piped]
        try:
            check_format(form, len(arguments))
        except BadFormat as error:
            raise BadTemplate(str(error)) from error
        return lambda scope: sprintf(form, [argument(scope) for argument in arguments])

    def _arguments(self) -> Iterator[_Ask]:
        while self._tokens and not self._at("|", ")"):
            yield self._operand()

    def _operand(self) -> _Ask:
        if not self._tokens:
            raise BadTemplate("a value is missing in an action")
        token = self._tokens.popleft()
        if token.kind == "path":
            return self._path(token.text)
        if token.kind == "string":
            literal = unquoted(token.text)
            return lambda _scope: literal
        if token.text != "(":
            raise BadTemplate(f"{token.text!r} cannot stand where a value is wanted")
        inner = self._pipeline()
        if not self._at(")"):
            raise BadTemplate("a ')' is missing")
        self._tokens.popleft()
        return inner

    def _path(self, path: str) -> _Ask:
        if path == "." and self._withs:
            return lambda scope: scope.dot
        dot = "." if path.startswith(".") else ""
        head, *fields = path.removeprefix(".").split(".")
        name = _NAMES.get(dot + head)
        if name is None or (dot and self._withs):
            raise BadTemplate(f"{path!r} is not known; there are {', '.join(n for n in _NAMES if n[0] == '$')}")
        self.uses_value |= name == "value"
        return _fact(path, name, fields)

    def _at(self, *texts: str) -> bool:
        return bool(self._tokens) and self._tokens[0].kind != "string" and self._tokens[0].text in texts

    def _ended(self) -> None:
        if self._tokens:
            raise BadTemplate(f"{self._tokens[0].text!r} is not expected here")

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise BadTemplate(f"a template is nested deeper than {_MAX_DEPTH}")


def _plain(text: str) -> Callable[[_Scope], str]:
    return lambda _scope: text


def _joined(pieces: _Pieces, scope: _Scope) -> str:
    return "".join(piece(scope) for piece in pieces)


def _fact(path: str, name: str, fields: Sequence[str]) -> _Ask:
    if name in _SINGLE and not fields:
        single = _SINGLE[name]
        return lambda scope: single(scope.facts)
    if name in _SINGLE or len(fields) > 1:
        raise BadTemplate(f"{path!r} has no field {fields[-1]!r}")
    labels = _MAPS[name]
    if not fields:
        return lambda scope: labels(scope.facts)
    return lambda scope: labels(scope.facts).get(fields[0], "")


def _suggestion(name: str) -> str:
    known = ["printf", *_FUNCTIONS]
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}" if near else f"; there are if, with, else, end, {', '.join(known)}"
