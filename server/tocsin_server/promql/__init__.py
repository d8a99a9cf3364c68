"""Prometheus's query language: parsed by promql-parser behind a guard, evaluated over whole vectors in numpy.

Semantics are Prometheus 3.x. The client is an integer partition beside the labels: it joins every grouping and
every match, so one evaluation serves all clients and none can see another. No I/O, no clock.
"""

from tocsin_server.promql.errors import BadExpression
from tocsin_server.promql.evaluate import Line, Row, Vector, evaluate, evaluate_range
from tocsin_server.promql.expression import Comparison, Expression, comparison
from tocsin_server.promql.parse import parse
from tocsin_server.promql.verdict import Inquiry, Verdict, verdict

__all__ = [
    "BadExpression",
    "Comparison",
    "Expression",
    "Inquiry",
    "Line",
    "Row",
    "Vector",
    "Verdict",
    "comparison",
    "evaluate",
    "evaluate_range",
    "parse",
    "verdict",
]
