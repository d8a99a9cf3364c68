"""How Go's fmt writes values, so that an annotation reads the same here as in Prometheus.

A value of a template is a string, a float (what PromQL gives) or a map of labels. Floats follow `%v`: the
fewest digits that give the number back, with an exponent from a million on.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

Value = str | float | Mapping[str, str]

MAX_WIDTH = 100
"""A width or a precision beyond it is refused: a slip of the finger must not ask for gigabytes of blanks."""

_VERBS = "vsqdfeg"
_DIRECTIVE = re.compile(
    r"%(?P<flags>[-+ 0]*)(?P<width>\d*)(?P<precision>(?:\.\d*)?)(?P<verb>.?)", re.DOTALL | re.ASCII
)


class BadFormat(ValueError):
    """A format or a value that cannot be written; the message says which and why."""


def written(value: Value) -> str:
    """What `%v` makes of a value."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{name}:{value[name]}" for name in sorted(value)) + "]"
    return _shortest(value) if math.isfinite(value) else not_finite(value)


def _shortest(value: float) -> str:
    number = Decimal(repr(value)).normalize()
    sign, digits, shift = number.as_tuple()
    exponent = len(digits) - 1 + int(shift)
    if -4 <= exponent < 6:
        return f"{number:f}"
    first, *others = map(str, digits)
    point = "." if others else ""
    return f"{'-' * sign}{first}{point}{''.join(others)}e{exponent:+03d}"


def not_finite(value: float) -> str:
    """`NaN`, `+Inf` or `-Inf`."""
    if math.isnan(value):
        return "NaN"
    return "+Inf" if value > 0 else "-Inf"


def check_format(form: str, arguments: int) -> None:
    """Raises `BadFormat` for a directive that is not offered, and where arguments do not match them."""
    wanted = 0
    for directive in _DIRECTIVE.finditer(form):
        if directive["verb"] == "%":
            continue
        if not directive["verb"] or directive["verb"] not in _VERBS:
            raise BadFormat(f"printf does not offer {directive[0]!r}; its verbs are {', '.join(_VERBS)} and %")
        if any(_is_wide(number) for number in (directive["width"], directive["precision"][1:])):
            raise BadFormat(f"{directive[0]!r} is wider than {MAX_WIDTH}")
        wanted += 1
    if wanted != arguments:
        raise BadFormat(f"printf {form!r} wants {wanted} arguments, got {arguments}")


def _is_wide(digits: str) -> bool:
    """Looked at as text first: int() refuses very long ones."""
    return len(digits) > len(str(MAX_WIDTH)) or int(digits or 0) > MAX_WIDTH


def sprintf(form: str, values: Sequence[Value]) -> str:
    """Go's `fmt.Sprintf` for a format that `check_format` has passed."""
    waiting: Iterator[Value] = iter(values)

    def write(directive: re.Match[str]) -> str:
        return "%" if directive["verb"] == "%" else _directed(directive, next(waiting))

    return _DIRECTIVE.sub(write, form)


def _directed(directive: re.Match[str], value: Value) -> str:
    verb, width = directive["verb"], int(directive["width"] or 0)
    if isinstance(value, float) and math.isfinite(value) and verb in "fe":
        return directive[0] % value
    text = _text(verb, directive["precision"], value)
    return text.ljust(width) if "-" in directive["flags"] else text.rjust(width)


def _text(verb: str, precision: str, value: Value) -> str:
    """The value without padding. A verb that does not suit it is told inside the text, as Go does."""
    if isinstance(value, str) and verb in "vsq":
        shown = value[: int(precision[1:] or 0)] if precision else value
        return json.dumps(shown, ensure_ascii=False) if verb == "q" else shown
    if isinstance(value, float) and verb in "vgfe":
        return f"%{precision}g" % value if precision and math.isfinite(value) else written(value)
    if isinstance(value, Mapping) and verb in "vs":
        return written(value)
    kind = (
        "string" if isinstance(value, str) else "float64" if isinstance(value, float) else "map[string]string"
    )
    return f"%!{verb}({kind}={written(value)})"
