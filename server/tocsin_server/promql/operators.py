"""Arithmetic and comparison of numbers as Go does them, over whole arrays; used for constants too."""

from collections.abc import Callable

import numpy as np

from tocsin_server.series.arrays import Bools, Floats

Operand = float | Floats

ARITHMETIC: dict[str, Callable[[Operand, Operand], Floats]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "^": np.power,
    "atan2": np.arctan2,
}

COMPARISON: dict[str, Callable[[Operand, Operand], Bools]] = {
    "==": np.equal,
    "!=": np.not_equal,
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
}

TURNED = {"==": "==", "!=": "!=", ">": "<", "<": ">", ">=": "<=", "<=": ">="}
"""The comparison that says the same with its sides exchanged."""


def calculate(operator: str, left: Operand, right: Operand) -> Operand:
    """The value of an operator between numbers; a comparison gives 1 or 0."""
    if operator in ARITHMETIC:
        return ARITHMETIC[operator](left, right)
    return COMPARISON[operator](left, right).astype(np.float64)
