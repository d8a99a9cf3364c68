"""`label_replace` and `label_join`: a label made from others, once for each distinct value."""

import re

import numpy as np

from tocsin_server.promql.dense import where
from tocsin_server.promql.errors import BadExpression
from tocsin_server.promql.syntax import Call, Text
from tocsin_server.series.arrays import Bools
from tocsin_server.series.labels import Labels
from tocsin_server.series.matchers import anchored

_REFERENCE = re.compile(r"\$(?:(\$)|([0-9A-Za-z_]+)|\{([0-9A-Za-z_]+)\})")


def check_label_replace(call: Call) -> None:
    """Refuse at the door what could only fail at every evaluation."""
    words = [argument.value for argument in call.arguments[1:] if isinstance(argument, Text)]
    destination, _, _, pattern = words
    if not destination:
        raise BadExpression("label_replace: the name of the destination label is empty")
    try:
        anchored(pattern)
    except ValueError as error:
        raise BadExpression(f"label_replace: {error}") from error


def label_replace(labels: Labels, destination: str, replacement: str, source: str, pattern: str) -> Labels:
    """Where all of the source label matches, the destination becomes the replacement, groups filled in."""
    key = ("label_replace", destination, replacement, source, pattern)
    return labels.derive(key, lambda: _replaced(labels, destination, replacement, source, pattern))


def _replaced(labels: Labels, destination: str, replacement: str, source: str, pattern: str) -> Labels:
    distinct, place = np.unique(labels.column(source), return_inverse=True)
    words = [labels.symbols.word(code) for code in distinct.tolist()]
    made = [_made(word, replacement, pattern) for word in words]
    matched = np.array([word is not None for word in made], np.bool_)
    codes = np.array([labels.symbols.code(word or "") for word in made], np.int32)
    column = where(matched[place], codes[place], labels.column(destination))
    return labels.replaced({**labels.columns, destination: column})


def _made(word: str, replacement: str, pattern: str) -> str | None:
    found = anchored(pattern).fullmatch(word)
    if found is None:
        return None

    def filled(reference: re.Match[str]) -> str:
        dollar, bare, braced = reference.groups()
        if dollar:
            return "$"
        name = bare or braced
        try:
            return found.group(int(name) if name.isdigit() else name) or ""
        except (IndexError, KeyError):
            return ""  # a group that the expression does not have is empty

    return _REFERENCE.sub(filled, replacement)


def matching_rows(labels: Labels, source: str, pattern: str) -> Bools:
    """The rows whose source label matches."""
    distinct, place = np.unique(labels.column(source), return_inverse=True)
    word = labels.symbols.word
    found = [anchored(pattern).fullmatch(word(code)) is not None for code in distinct.tolist()]
    return np.array(found, np.bool_)[place]


def label_join(labels: Labels, destination: str, separator: str, *sources: str) -> Labels:
    """The destination becomes the source labels with the separator between them."""
    key = ("label_join", destination, separator, sources)
    return labels.derive(key, lambda: _joined(labels, destination, separator, sources))


def _joined(labels: Labels, destination: str, separator: str, sources: tuple[str, ...]) -> Labels:
    if not sources:
        return labels.replaced({**labels.columns, destination: np.zeros(len(labels), np.int32)})
    table = np.stack([labels.column(name) for name in sources], axis=1)
    distinct, place = np.unique(table, axis=0, return_inverse=True)
    word, code = labels.symbols.word, labels.symbols.code
    made = [code(separator.join(word(each) for each in row)) for row in distinct.tolist()]
    return labels.replaced({**labels.columns, destination: np.array(made, np.int32)[place.reshape(-1)]})
