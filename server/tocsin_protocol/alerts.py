"""Alerts as the server tells of them."""

from datetime import datetime

import msgspec

from tocsin_protocol.messages import Message
from tocsin_protocol.vocabulary import AlertState, Severity, SuppressionKind


class Suppression(Message, frozen=True, kw_only=True):
    """Why an alert opens no ticket: the silence, window, rule or dead parent by name, and in words."""

    kind: SuppressionKind
    name: str
    words: str


class Alert(Message, frozen=True, kw_only=True):
    """One alert with what a technician needs to judge it."""

    id: int
    state: AlertState
    alertname: str
    severity: Severity | None
    client: str
    host: str | None
    host_id: int | None
    ticket_id: int | None
    rule_file: str
    rule_group: str
    expression: str
    labels: dict[str, str]
    annotations: dict[str, str]
    value: float | None
    """The expression's last value while it was true."""
    active_at: datetime | None
    fired_at: datetime | None
    resolved_at: datetime | None
    suppressed: list[Suppression] = msgspec.field(default_factory=list)
    """Why its delivery is withheld; nothing where it is not."""
    suppressed_at: datetime | None = None
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    late: bool = False
    """It was over before the server heard of it: found in what its agent sent afterwards. Nobody was told."""


class AlertPage(Message, frozen=True, kw_only=True):
    alerts: list[Alert]
