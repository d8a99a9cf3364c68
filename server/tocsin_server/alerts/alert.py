"""One alert of one rule, and a change of it: plain values that travel from the rule to the database."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from tocsin_protocol.vocabulary import AlertState
from tocsin_server.alerts.state import UNBORN, Life

ALERT_NAME = "alertname"
REASON = "tocsin_reason"
"""The annotation in which a transition says what the condition alone does not tell."""

Key = tuple[int, str]
"""What an alert is known by within its rule: client and fingerprint."""


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

    @property
    def is_transition(self) -> bool:
        return self.old is not self.alert.life.state
