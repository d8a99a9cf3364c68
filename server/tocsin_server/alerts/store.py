"""The tables of alerts and of their transitions.

An alert's row and the transition that tells of its change are written in one transaction. A transition is
consumed once by the desk, which is idempotent: `consumed_ms` is set in the transaction of the ticket.
"""

from sqlalchemy import JSON, Column, UniqueConstraint
from sqlmodel import Field, SQLModel

from tocsin_protocol.vocabulary import AlertState
from tocsin_server.storage.columns import Millis, RowId, partial_index, word


class AlertRow(SQLModel, table=True):
    """One alert: one rule, one client, one set of labels. `active` again after `resolved` reuses the row."""

    __tablename__ = "alert"
    __table_args__ = (UniqueConstraint("client_id", "rule_key", "fingerprint"),)
    id: int | None = Field(default=None, primary_key=True, sa_type=RowId)
    client_id: int = Field(foreign_key="client.id", index=True, sa_type=RowId)
    host_id: int | None = Field(default=None, foreign_key="host.id", index=True, sa_type=RowId)
    rule_key: str
    """`file/group/alertname`: where the rule stands."""
    fingerprint: str
    """Prometheus's: FNV-1a 64 over the sorted labels, as 16 hexadecimal digits."""
    alertname: str
    severity: str = ""
    expression: str
    labels: dict[str, str] = Field(sa_column=Column(JSON, nullable=False))
    row_labels: dict[str, str] = Field(sa_column=Column(JSON, nullable=False))
    """The labels that the expression itself gave, before the rule's: the condition is asked again by them."""
    annotations: dict[str, str] = Field(sa_column=Column(JSON, nullable=False))
    state: AlertState = Field(sa_type=word(AlertState), index=True)
    value: float | None = None
    active_ms: int | None = Field(default=None, sa_type=Millis)
    fired_ms: int | None = Field(default=None, sa_type=Millis)
    keep_firing_since_ms: int | None = Field(default=None, sa_type=Millis)
    resolved_ms: int | None = Field(default=None, sa_type=Millis)
    changed_ms: int = Field(sa_type=Millis)
    suppressed: list[dict[str, str]] = Field(
        default_factory=list, sa_column=Column(JSON, nullable=False, server_default="[]")
    )
    """Why its delivery is withheld: kind, name and words of each reason."""
    suppressed_ms: int | None = Field(default=None, sa_type=Millis)
    acknowledged_ms: int | None = Field(default=None, sa_type=Millis)
    """Since when somebody knows of it; until it clears."""
    acknowledged_by: str | None = None
    late: bool = False
    """It was found in data that came late, when it had ended already; nobody was told."""


class Transition(SQLModel, table=True):
    """One change of one alert, for the desk to consume."""

    __tablename__ = "transition"
    __table_args__ = (partial_index("transition_waiting", "id", where="consumed_ms IS NULL"),)
    id: int | None = Field(default=None, primary_key=True, sa_type=RowId)
    client_id: int = Field(foreign_key="client.id", sa_type=RowId)
    alert_id: int = Field(foreign_key="alert.id", index=True, sa_type=RowId)
    at_ms: int = Field(sa_type=Millis)
    """The moment of the evaluation that saw it."""
    old: AlertState = Field(sa_type=word(AlertState))
    new: AlertState = Field(sa_type=word(AlertState))
    value: float | None = None
    sample_ms: int | None = Field(default=None, sa_type=Millis)
    """When the newest sample that the decision rests on was read on the host."""
    annotations: dict[str, str] = Field(sa_column=Column(JSON, nullable=False))
    consumed_ms: int | None = Field(default=None, sa_type=Millis)
    withheld: list[dict[str, str]] = Field(
        default_factory=list, sa_column=Column(JSON, nullable=False, server_default="[]")
    )
    """Why no ticket was to come of it; empty where one was."""
    redelivers: bool = False
    """It tells how the alert stands now that nothing withholds it any longer."""
    late: bool = False
    """It was found in data that came late; consumed from the first, for the desk is not to hear of it."""


class SilenceRow(SQLModel, table=True):
    """A silence. It is never removed: what it has withheld stays explained."""

    __tablename__ = "silence"
    id: int | None = Field(default=None, primary_key=True, sa_type=RowId)
    client_id: int | None = Field(default=None, foreign_key="client.id", index=True, sa_type=RowId)
    """Whose alerts; nothing for all clients'."""
    matchers: str
    """As Alertmanager writes them."""
    starts_ms: int = Field(sa_type=Millis)
    ends_ms: int = Field(sa_type=Millis, index=True)
    author: str
    comment: str = ""


ALERTS = AlertRow.metadata.tables["alert"]
TRANSITIONS = Transition.metadata.tables["transition"]
SILENCES = SilenceRow.metadata.tables["silence"]
