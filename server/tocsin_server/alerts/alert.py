"""One alert of one rule, and a change of it: plain values that travel from the rule to the database."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from tocsin_protocol.vocabulary import AlertState, SuppressionKind
from tocsin_server.alerts.state import UNBORN, Life

ALERT_NAME = "alertname"
REASON = "tocsin_reason"
"""The annotation in which a transition says what the condition alone does not tell."""

Key = tuple[int, str]
"""What an alert is known by within its rule: client and fingerprint."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason why nobody is woken by an alert.

    `name` is the silence's id, or the window's, the rule's, the dead parent's name. Words
    are one line, in parts as people have written them.
    """

    kind: SuppressionKind
    name: str
    words: str


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of one rule as it stands."""

    rule_key: str
    expression: str
    client_id: int
    host_id: int | None
    labels: Mapping[str, str]
    """Its identity, Prometheus's: the row's labels under the rule's, with `alertname`."""
    fingerprint: str
    row: Mapping[str, str]
    """The labels of the expression's own row, `__name__` among them: what templates see."""
    life: Life = UNBORN
    value: float = math.nan
    """The expression's last value while it was true, as of the last change."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """As they read at the last change."""
    id: int | None = None
    """Its row in the database, once it has one."""
    suppressed: tuple[Reason, ...] = ()
    """Why its delivery is withheld; nothing where it is not."""
    suppressed_ms: int | None = None

    @property
    def key(self) -> Key:
        return self.client_id, self.fingerprint


@dataclass(frozen=True, slots=True)
class Change:
    """An alert that is to stand otherwise. `is_transition` says that its state changes, and not only a date."""

    old: AlertState
    alert: Alert
    at_ms: int
    sample_ms: int | None = None
    """When the newest sample of its host was read there."""
    withheld: tuple[Reason, ...] = ()
    """Why the desk is not to open a ticket for it."""
    words: str = ""
    """What the transition says beside the condition, where the alert itself does not."""
    redelivers: bool = False
    """It tells how the alert stands, now that its delivery is no longer withheld."""

    @property
    def is_transition(self) -> bool:
        return self.old is not self.alert.life.state

    @property
    def is_told(self) -> bool:
        """Whether the desk is to hear of it."""
        return self.is_transition or self.redelivers
