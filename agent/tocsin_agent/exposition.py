"""Readings in Prometheus's text format 0.0.4, as node_exporter would print them."""

import math
from collections.abc import Iterable, Mapping
from itertools import groupby

from tocsin_agent.collectors import HELP
from tocsin_agent.readings import Labels, Sample
from tocsin_protocol.vocabulary import SeriesKind

_TYPE_WORDS = {SeriesKind.UNTYPED: "untyped", SeriesKind.GAUGE: "gauge", SeriesKind.COUNTER: "counter"}


def render(samples: Iterable[Sample], help_texts: Mapping[str, str] = HELP) -> str:
    """The samples as families sorted by name, each with its type and, where there is one, its help."""
    by_series = sorted(samples, key=lambda sample: (sample.name, sample.labels))
    lines: list[str] = []
    for name, family in groupby(by_series, key=lambda sample: sample.name):
        members = list(family)
        if help_text := help_texts.get(name):
            lines.append(f"# HELP {name} {escape_help(help_text)}")
        lines.append(f"# TYPE {name} {_TYPE_WORDS[members[0].kind]}")
        lines += (f"{name}{_braced(sample.labels)} {format_value(sample.value)}" for sample in members)
    return "".join(f"{line}\n" for line in lines)


def escape_help(text: str) -> str:
    """A help text on one line."""
    return text.replace("\\", r"\\").replace("\n", r"\n")


def escape_label(value: str) -> str:
    """A label's value between quotes."""
    return escape_help(value).replace('"', r"\"")


def format_value(value: float) -> str:
    """Go's shortest form: an exponent from 1e+06 up and below 1e-04; `NaN`, `+Inf`, `-Inf`."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    shortest = repr(float(value))
    if "e" in shortest:
        return shortest
    magnitude = shortest.lstrip("-")
    whole, _, fraction = magnitude.partition(".")
    if len(whole) <= 6:
        return shortest.removesuffix(".0")
    digits = (whole + fraction).rstrip("0")
    mantissa = f"{digits[0]}.{digits[1:]}".rstrip(".")
    return f"{'-' if value < 0 else ''}{mantissa}e+{len(whole) - 1:02d}"


def _braced(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{escape_label(value)}"' for name, value in labels) + "}"
