"""A contract with a client: versions with their lines, and what is promised by name. Pure values.

client ─▶ contract ─▶ version (from, to, notice, renewal) ─▶ line (item, unit, price, quantity, sla, credit)
             └─▶ calendars, pause reasons, agreements (SLA, OLA, UC)
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum

from tocsin_server.clock import milliseconds, moment
from tocsin_server.errors import Unprocessable
from tocsin_server.sla.calendar import Calendar
from tocsin_server.sla.terms import Agreement, AgreementType, ClockKind, WaitsFor


class Renewal(StrEnum):
    """What happens at the end."""

    NONE = "none"
    """It ends."""
    EXPRESS = "express"
    """It goes on where both say so."""
    TACIT = "tacit"
    """It goes on unless one of them gives notice."""


class Period(StrEnum):
    """What a price is for."""

    ONCE = "once"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class Source(StrEnum):
    """Where a line's quantity comes from."""

    FIXED = "fixed"
    """A number in the contract."""
    INVENTORY = "inventory"
    """Hosts and devices of a kind."""
    TIME = "time"
    """Hours that were worked."""
    TICKETS = "tickets"
    """Tickets about the item."""
    METRIC = "metric"
    """What an expression gives."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """How much of a line is owed; `of` is the inventory's kind or the metric's expression."""

    source: Source
    count: Decimal | None = None
    of: str = ""


@dataclass(frozen=True, slots=True)
class Tier:
    """Below this share of clocks that were met, so much of what is at risk is credited; both per cent."""

    below: Decimal
    credit: Decimal


@dataclass(frozen=True, slots=True)
class CreditRule:
    """What a line's fee gives back where promises were not kept; shares are per cent of the fee."""

    target: ClockKind
    at_risk: Decimal
    cap: Decimal
    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A service item of the catalogue under contract. `sla` names an agreement, or nothing."""

    item: str
    unit: str
    price: Decimal
    per: Period
    quantity: Quantity
    sla: str = ""
    credit: CreditRule | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """The contract from one day to another, both within; without a last day it has no end."""

    from_day: date
    to_day: date | None
    notice_days: int
    renewal: Renewal
    renewal_months: int
    lines: tuple[Line, ...]

    def holds(self, day: date) -> bool:
        """Whether it is in force on a day."""
        return self.from_day <= day and (self.to_day is None or day <= self.to_day)


@dataclass(frozen=True, slots=True)
class Contract:
    """All of it. Days are days in `zone`; a version holds for tickets that are created in it."""

    id: str
    client: str
    title: str
    zone: tzinfo
    currency: str
    calendars: Mapping[str, Calendar]
    pause_reasons: Mapping[str, WaitsFor]
    agreements: Mapping[str, Agreement]
    versions: tuple[Version, ...]
    file: str = field(default="", compare=False)
    """Where it is read from."""

    def version_at(self, at_ms: int) -> Version | None:
        """What is in force on the day of that moment."""
        day = self._day(at_ms)
        return next((version for version in self.versions if version.holds(day)), None)

    def spans(self) -> Iterator[tuple[int, float]]:
        """From when on each version is in force, and until when."""
        for version in self.versions:
            end_day = version.to_day
            end = math.inf if end_day is None else self._midnight_ms(end_day + timedelta(days=1))
            yield self._midnight_ms(version.from_day), end

    def meets(self, other: "Contract") -> bool:
        """Whether both are in force at some moment."""
        return any(
            begin < other_end and other_begin < end
            for begin, end in self.spans()
            for other_begin, other_end in other.spans()
        )

    def sla_of(self, item: str, at_ms: int) -> Agreement:
        """What is promised of an item on that day; without an item of the only SLA. Raises `Unprocessable`."""
        day, version = self._day(at_ms), self.version_at(at_ms)
        if version is None:
            raise Unprocessable(f"contract {self.id!r} has no version for {day}", remedy="add one to its file")
        names = {line.sla for line in version.lines if line.sla and item in ("", line.item)}
        if len(names) == 1:
            return self.agreements[names.pop()]
        items = ", ".join(line.item for line in version.lines if line.sla) or "none"
        what = f"no item {item!r} with an SLA" if item else f"{len(names)} SLAs"
        raise Unprocessable(
            f"contract {self.id!r} has {what} on {day}", remedy=f"name one of its items: {items}"
        )

    def with_party(self, party: str) -> Agreement | None:
        """What a team or a supplier has promised; None where it has promised nothing."""
        return next(
            (
                each
                for each in self.agreements.values()
                if each.counterparty == party and each.type is not AgreementType.SLA
            ),
            None,
        )

    def _day(self, at_ms: int) -> date:
        return moment(at_ms).astimezone(self.zone).date()

    def _midnight_ms(self, day: date) -> int:
        return milliseconds(datetime.combine(day, time(), self.zone))
