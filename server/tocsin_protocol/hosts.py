"""Hosts as the server tells of them: a row, and the last readings of one."""

from datetime import datetime

import msgspec

from tocsin_protocol.alerts import Alert
from tocsin_protocol.messages import Message
from tocsin_protocol.tickets import TicketRow
from tocsin_protocol.vocabulary import HostKind, HostState, SeriesKind


class Vitals(Message, frozen=True, kw_only=True):
    """A host's readings at a glance; nothing where they are not known. Ratios are 0 to 1."""

    cpu_ratio: float | None = None
    memory_ratio: float | None = None
    filesystem_ratio: float | None = None
    """The fullest filesystem's used share."""
    filesystem_mountpoint: str | None = None
    load1: float | None = None
    receive_bytes_per_s: float | None = None
    transmit_bytes_per_s: float | None = None
    boot_at: datetime | None = None


class HostRow(Message, frozen=True, kw_only=True):
    id: int
    name: str
    client: str
    site: str
    kind: HostKind
    job: str
    state: HostState
    last_seen: datetime | None
    os: str
    agent_version: str
    open_tickets: int
    worst_priority: int | None
    vitals: Vitals
    cloned: bool = False
    """Two hosts speak with its agent's key, and neither is heard until it is released."""


class HostPage(Message, frozen=True, kw_only=True):
    hosts: list[HostRow]


class Reading(Message, frozen=True, kw_only=True):
    """The last sample of one series of a host."""

    name: str
    labels: dict[str, str]
    kind: SeriesKind
    value: float | None
    """Nothing for a value that JSON cannot carry (NaN and the infinities)."""
    at: datetime


class HostDetail(Message, frozen=True, kw_only=True):
    host: HostRow
    readings: list[Reading]
    alerts: list[Alert]
    tickets: list[TicketRow]
    parents: list[str] = msgspec.field(default_factory=list)
    """The names of what it is reached through."""
    probed_by: str | None = None
    """The host whose agent probes it, where it has none of its own."""
