"""Storms: where alerts would open more tickets than people can work, the others join one ticket of the client.

    the trouble has an open ticket, or is in a storm that is open      that one hears of it
    it asks for a ticket, and the table `storm` says `own`             it has a ticket of its own
    it says `storm`                                                    the client's storm takes it in: the open
                                                                       one, one solved of late, or a new one

A storm's ticket is not told of each alert but of each batch: one entry that counts. Pure.
"""

from bisect import bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from tocsin_protocol.vocabulary import TicketEventKind
from tocsin_server.desk.record import Record
from tocsin_server.desk.ruling import Ruling
from tocsin_server.desk.service import asks_anew
from tocsin_server.desk.standing import TOCSIN, Change, Entry, Standing, changed
from tocsin_server.desk.text import title_line
from tocsin_server.desk.ticket import open_again, ruled_by, worse

WINDOW_MS = 600_000
"""How long ago a ticket may have been opened to be counted among those of late."""
_MOST_RULES = 5
_MOST_RULES_IN_TITLE = 3


def storm_key(client_id: int) -> str:
    """The key of the client's storm: so it has one that is open, and no trouble has the same."""
    return f"storm/{client_id}"


class Opening(NamedTuple):
    """Tickets that alerts of a rule have opened for a client at a moment."""

    client_id: int
    rule: str
    at_ms: int
    tickets: int = 1


class Lately:
    """When alerts have opened tickets: for each client, each of its rules, and all."""

    def __init__(self, openings: Iterable[Opening] = ()) -> None:
        self._all: list[int] = []
        self._of_client: defaultdict[int, list[int]] = defaultdict(list)
        self._of_rule: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
        for opening in openings:
            self.add(opening)

    def add(self, opening: Opening) -> None:
        """Count them from now on."""
        for moments in self._moments(opening.client_id, opening.rule):
            for _ in range(opening.tickets):
                insort(moments, opening.at_ms)

    def counts(self, client_id: int, rule: str, at_ms: int) -> tuple[int, int, int]:
        """How many in the ten minutes before: for the client, for its rule, for all clients."""
        of_client, of_rule, of_all = (
            bisect_right(moments, at_ms) - bisect_right(moments, at_ms - WINDOW_MS)
            for moments in self._moments(client_id, rule)
        )
        return of_client, of_rule, of_all

    def _moments(self, client_id: int, rule: str) -> tuple[list[int], list[int], list[int]]:
        return self._of_client[client_id], self._of_rule[client_id, rule], self._all


@dataclass(slots=True)
class Extent:
    """How many alerts, of which hosts and rules."""

    alerts: int = 0
    hosts: set[int] = field(default_factory=set)
    rules: Counter[str] = field(default_factory=Counter)

    def add(self, host_id: int | None, rule: str, alerts: int = 1) -> None:
        """So many more of that host and rule."""
        self.alerts += alerts
        self.rules[rule] += alerts
        if host_id is not None:
            self.hosts.add(host_id)

    def __str__(self) -> str:
        """`12 alerts of 3 hosts`."""
        return _counted(self.alerts, "alert") + (
            f" of {_counted(len(self.hosts), 'host')}" if self.hosts else ""
        )

    @property
    def data(self) -> dict[str, Any]:
        """What an entry tells of it; of many rules the first."""
        rules = {rule: str(count) for rule, count in self.rules.most_common(_MOST_RULES)}
        return {"alerts": self.alerts, "hosts": len(self.hosts), "rules": rules}

    @property
    def title(self) -> str:
        """The title of a ticket that has grown to that."""
        rules = [rule for rule, _ in self.rules.most_common(_MOST_RULES_IN_TITLE)]
        more = ", …" if len(self.rules) > len(rules) else ""
        return title_line(f"Storm: {self}: {', '.join(rules)}{more}")


@dataclass(slots=True)
class Surge:
    """What a batch tells the ticket of a storm; the ticket's standing goes along with it."""

    record: Record
    extent: Extent
    """All that is on the ticket by the storm."""
    via_id: int | None = None
    """The storm's own ticket, where that is merged into this one."""
    joined: Extent = field(default_factory=Extent)
    opens: TicketEventKind | None = None
    """`opened` or `reopened`, where it was not open before."""
    rows: dict[str, None] = field(default_factory=dict)
    """By which rows of the table alerts have joined."""
    again: int = 0
    unknown: int = 0
    cleared: int = 0
    first_ms: int = 0
    last_ms: int = 0
    was: Standing = field(init=False)
    """Its ticket before the batch."""

    def __post_init__(self) -> None:
        self.was = self.record.standing

    @property
    def is_served_anew(self) -> bool:
        """Whether it may be clocked as something else than before."""
        return self.opens is TicketEventKind.OPENED or asks_anew(self.was, self.record.standing)

    @property
    def is_told(self) -> bool:
        """Whether the batch had anything to say."""
        return self.last_ms > 0

    def ring(self, severity: str, ruling: Ruling, at_ms: int) -> None:
        """One of its alerts fires, for the first time or again."""
        now = worse(self.record.standing, severity, ruling)
        if not now.is_open:
            self.opens, now = TicketEventKind.REOPENED, open_again(now)
        self._stand(replace(now, recovered_ms=None, confirm=False), at_ms)

    def doubt(self, at_ms: int) -> None:
        """One of its alerts can no longer be judged."""
        self.unknown += 1
        self._stand(replace(self.record.standing, recovered_ms=None, confirm=False), at_ms)

    def clear(self, at_ms: int) -> None:
        """One of its alerts is over; whether it was the last is known once the batch is."""
        self.cleared += 1
        self._stand(replace(self.record.standing, recovered_ms=at_ms), at_ms)

    def told(self, ruling: Ruling, *, goes_on: bool) -> Change:
        """The one entry of the batch. `goes_on`: one of its alerts does; `ruling` is told where it is worse."""
        standing = self.record.standing
        now = replace(standing, recovered_ms=None) if goes_on else standing
        if self.opens is TicketEventKind.OPENED:
            return Change(now, self._entry(self.opens, self.first_ms, ruling.data()))
        told = ruling.data() if now.priority < self.was.priority else {}
        return changed(now, self._entry(self.kind, self.last_ms, told))

    @property
    def kind(self) -> TicketEventKind:
        """What weighs the most of all that has happened."""
        if self.opens is not None:
            return self.opens
        if self.joined.alerts:
            return TicketEventKind.ATTACHED
        if self.again:
            return TicketEventKind.ALERT_FIRED
        return TicketEventKind.ALERT_UNKNOWN if self.unknown else TicketEventKind.ALERT_RESOLVED

    def _entry(self, kind: TicketEventKind, at_ms: int, more: Mapping[str, Any]) -> Entry:
        data = {**more, **(self.joined.data if self.joined.alerts else {})}
        if self.rows:
            data["decided"] = [*more.get("decided", ()), *self.rows]
        return Entry(at_ms, kind, TOCSIN, "; ".join(self._words()), data)

    def _words(self) -> Iterable[str]:
        if self.opens is TicketEventKind.OPENED:
            yield f"{self.joined}, more than tickets are opened for"
        elif self.joined.alerts:
            yield f"{self.joined} more"
        for count, words in (
            (self.again, "fired again"),
            (self.unknown, "can no longer be judged"),
            (self.cleared, "cleared"),
        ):
            if count:
                yield f"{count} {words}"

    def _stand(self, standing: Standing, at_ms: int) -> None:
        self.record.standing = standing
        self._at(at_ms)

    def _at(self, at_ms: int) -> None:
        self.first_ms = min(self.first_ms or at_ms, at_ms)
        self.last_ms = max(self.last_ms, at_ms)


def new_standing(ruling: Ruling, severity: str, at_ms: int) -> Standing:
    """A storm's ticket as its first alert begins it."""
    return ruled_by(Standing(severity=severity, updated_ms=at_ms), ruling)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
