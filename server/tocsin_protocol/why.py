"""Why an alert stands as it does, as the server tells it: its changes, its rule, and the samples."""

from datetime import datetime

from tocsin_protocol.alerts import Alert, Suppression
from tocsin_protocol.messages import Message
from tocsin_protocol.tickets import TicketRow
from tocsin_protocol.vocabulary import AlertState


class JudgedRule(Message, frozen=True, kw_only=True):
    """The rule of an alert, and how it is judged now; the times are nothing where it is not in force."""

    file: str
    group: str
    expression: str
    """What it asked when the alert changed last."""
    in_force: bool
    now_asks: str | None = None
    """What the rule in force asks, where that is something else."""
    line: int | None = None
    for_s: float | None = None
    keep_firing_for_s: float | None = None
    interval_s: float | None = None
    """How often it is judged; nothing in every round."""


class AlertStep(Message, frozen=True, kw_only=True):
    """One change of an alert, or that its delivery is no longer withheld."""

    at: datetime
    old: AlertState
    new: AlertState
    value: str | None
    """As Prometheus writes it."""
    sample_at: datetime | None
    """When the newest sample of its host was read there."""
    words: str
    withheld: list[Suppression]
    """Why no ticket came of it."""
    redelivered: bool
    late: bool
    ticket_id: int | None
    """The ticket that has heard of it."""


class SeriesSample(Message, frozen=True, kw_only=True):
    at: datetime
    value: str
    """As Prometheus writes it."""


class AskedSeries(Message, frozen=True, kw_only=True):
    """The samples of one series; `total` of them, more than `samples` where those were thinned."""

    labels: dict[str, str]
    """`__name__` among them."""
    samples: list[SeriesSample]
    total: int


class AskedSelector(Message, frozen=True, kw_only=True):
    """One selector of an expression, with the series that an alert can rest on."""

    selector: str
    series: list[AskedSeries]
    total: int
    """How many series there are; more than `series` where those were cut."""


class ConditionAt(Message, frozen=True, kw_only=True):
    """What an expression says of an alert at a moment."""

    at: datetime
    holds: bool | None
    """Nothing where its data is not there to say so."""
    value: str | None
    """As Prometheus writes it; nothing where the condition does not hold."""


class Why(Message, frozen=True, kw_only=True):
    """Why an alert stands as it does."""

    alert: Alert
    rule: JudgedRule
    steps: list[AlertStep]
    """The oldest first."""
    steps_left_out: int
    """How many older ones there are."""
    start: datetime
    end: datetime
    """The time that the samples are from."""
    condition: list[ConditionAt]
    selectors: list[AskedSelector]
    missing: list[str]
    """What is not told of the samples, and why."""


class TicketWhy(Message, frozen=True, kw_only=True):
    """Why of each of a ticket's alerts, the worst first."""

    ticket: TicketRow
    whys: list[Why]
    left_out: int
    """How many alerts more it has."""
