"""Functions that turn each value of a vector into another one, alone."""

from collections.abc import Callable

import numpy as np

from tocsin_server.promql.operators import Operand
from tocsin_server.series.arrays import Bools, Floats


def rounded(values: Floats, to: Operand = 1.0) -> Floats:
    """To the nearest multiple, halves up; multiplied by the inverse, as Prometheus does for exactness."""
    inverse = 1.0 / np.float64(to) if isinstance(to, float) else 1.0 / to
    return np.asarray(np.floor(values * inverse + 0.5) / inverse)


def clamped(values: Floats, low: Operand, high: Operand) -> Floats:
    """Within the limits; NaN where one of them is."""
    return np.asarray(np.maximum(np.minimum(values, high), low))


def is_possible(low: Operand, high: Operand) -> Bools:
    """Where the limits of a clamp leave anything."""
    return np.logical_not(np.greater(low, high))


ELEMENTWISE: dict[str, Callable[..., Floats]] = {
    "abs": np.abs,
    "acos": np.arccos,
    "acosh": np.arccosh,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atanh": np.arctanh,
    "ceil": np.ceil,
    "clamp": clamped,
    "clamp_max": np.minimum,
    "clamp_min": np.maximum,
    "cos": np.cos,
    "cosh": np.cosh,
    "deg": lambda values: values * (180 / np.pi),
    "exp": np.exp,
    "floor": np.floor,
    "ln": np.log,
    "log10": np.log10,
    "log2": np.log2,
    "rad": lambda values: values * (np.pi / 180),
    "round": rounded,
    "sgn": np.sign,
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "tan": np.tan,
    "tanh": np.tanh,
}
"""Values and then the scalars of the call, each a number or one a row."""
