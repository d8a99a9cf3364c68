"""How a unit test writes series: `up{job="node"}`, and values such as `0 1 _ stale 1+2x5`."""

import json
import re
from collections.abc import Iterator

from tocsin_protocol.wire import STALE_NAN
from tocsin_server.series.labels import NAME

MAX_VALUES = 1_000_000
"""A slip of the finger must not ask for gigabytes."""

_NAME = re.compile(r"\s*([A-Za-z_:][A-Za-z0-9_:]*)?\s*", re.ASCII)
_QUOTED = r""""(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`"""
_LABEL = re.compile(
    rf"\s*(?:(?P<name>[A-Za-z_]\w*)\s*=\s*)?(?P<value>{_QUOTED})\s*(?P<end>,\s*\}}|,|\}})", re.ASCII
)
_NUMBER = r"(?:\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|[iI]nf|[nN]a[nN])"
_ITEM = re.compile(
    rf"(?P<gap>_)(?:x(?P<gaps>\d+))?"
    rf"|(?P<stale>stale)"
    rf"|(?P<first>[-+]?{_NUMBER})(?:(?P<step>[-+]{_NUMBER})?x(?P<times>\d+))?",
    re.ASCII,
)


def parse_series(text: str) -> dict[str, str]:
    """The labels of a series, `__name__` among them; raises `ValueError`."""
    found = _NAME.match(text)
    labels = {NAME: found[1]} if found and found[1] else {}
    position = found.end() if found else 0
    if position == len(text) and labels:
        return labels
    if text[position : position + 1] != "{":
        raise ValueError(f'{text!r} is not a series such as up{{job="node"}}')
    position += 1
    if text[position:].strip() == "}":
        return labels
    while label := _LABEL.match(text, position):
        labels[label["name"] or NAME] = _unquoted(label["value"])
        position = label.end()
        if label["end"] != ",":
            break
    if not text[:position].endswith("}") or text[position:].strip():
        raise ValueError(f'{text!r} is not a series such as up{{job="node"}}')
    return {name: value for name, value in labels.items() if value}


def _unquoted(quoted: str) -> str:
    if quoted.startswith("`"):
        return quoted[1:-1]
    if quoted.startswith("'"):
        quoted = '"' + quoted[1:-1].replace("\\'", "'").replace('"', '\\"') + '"'
    value = str(json.loads(quoted, strict=False))
    value.encode()  # half a letter (\ud800) is no text
    return value


class NativeHistogram(ValueError):
    """Values that tocsin does not have; the rest of the file is good without them."""


def parse_values(text: str) -> list[float | None]:
    """The values from the first moment on, None for a gap; raises `ValueError`."""
    values: list[float | None] = []
    for item in text.split():
        values += _expanded(item)
        if len(values) > MAX_VALUES:
            raise ValueError(f"more than {MAX_VALUES} values")
    return values


def _expanded(item: str) -> Iterator[float | None]:
    found = _ITEM.fullmatch(item)
    if item.startswith("{{"):
        raise NativeHistogram("native histograms are not offered")
    if found is None:
        raise ValueError(f"{item!r} is not a value such as 1, _, stale, 1x3 or 1+2x3")
    if found["gap"]:
        yield from [None] * _count(found["gaps"] or "1")
    elif found["stale"]:
        yield STALE_NAN
    else:
        # Prometheus adds step by step, so the same roundings come out.
        value, step = float(found["first"]), float(found["step"] or 0)
        for _ in range(_count(found["times"] or "0") + 1):
            yield value
            value += step


def _count(text: str) -> int:
    return min(int(text), MAX_VALUES + 1)
