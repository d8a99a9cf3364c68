"""What a PromQL expression gives, as rows or as a line to draw, as the server tells it."""

from datetime import datetime

from tocsin_protocol.messages import Message

MAX_ROWS = 10_000
"""What one answer to a query may hold."""


class QueryRow(Message, frozen=True, kw_only=True):
    """One row of what an expression gives."""

    client: str
    host: str | None
    """Nothing where it is about several hosts, or none."""
    labels: dict[str, str]
    """`__name__` among them."""
    value: str
    """As Prometheus writes it: JSON has no `NaN` and no `+Inf`."""


class QueryAnswer(Message, frozen=True, kw_only=True):
    """What an expression gives at a moment."""

    at: datetime
    rows: list[QueryRow]
    total: int
    """How many rows there are; more than `rows` where those were cut."""
    failures: dict[str, str]
    """By client, why its part could not be evaluated."""


class QueryLine(Message, frozen=True, kw_only=True):
    """One row of what an expression gives over a time."""

    client: str
    host: str | None
    labels: dict[str, str]
    values: list[str | None]
    """At each step, as `QueryRow` has them; nothing where there is none."""


class RangeAnswer(Message, frozen=True, kw_only=True):
    """What an expression gives at `start`, and each step from there."""

    start: datetime
    step_s: float
    lines: list[QueryLine]
    total: int
    """How many lines there are; more than `lines` where those were cut."""


class Chart(Message, frozen=True, kw_only=True):
    """One line to draw: `values[i]` at `start + i × step_s`, nothing where there was no sample."""

    title: str
    """The expression that is drawn, or the vital's name."""
    unit: str
    start: datetime
    step_s: float
    values: list[float | None]
    threshold: float | None
    operator: str | None
    """How a value is compared with the threshold: `<`, `>`, `<=`, `>=`, `==`, `!=`."""
    marks: dict[str, datetime]
    """Moments worth a mark: `active`, `fired`, `resolved`."""
