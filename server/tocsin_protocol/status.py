"""How the server itself stands."""

from datetime import datetime

import msgspec

from tocsin_protocol.messages import Message


class RuleProblem(Message, frozen=True, kw_only=True):
    """A rule file that was refused, or a rule that cannot be evaluated now."""

    file: str
    group: str = ""
    rule: str = ""
    reason: str


class ServerStatus(Message, frozen=True, kw_only=True):
    version: str
    now: datetime
    hosts: int
    hosts_silent: int
    series: int
    rules: int
    rule_problems: list[RuleProblem]
    evaluation_ms: float
    """How long the last round over all rules took."""
    waits_for: list[str] = msgspec.field(default_factory=list)
    """What a ticket can wait for."""
