"""What a list shows and where its cursor is: pure, without a clock, a network or a screen.

The cursor is the id of a row, never its place. Three rules keep a list calm under a technician's hand:

1. Contents change at once, places do not: reordering waits until the hands have been still for `IDLE_S`.
2. What is new meanwhile is counted ("+2 new above"), not inserted.
3. A row that leaves stays as a ghost in its place until the cursor moves; where nobody moves, for `GHOST_S`.

`Listing` keeps all rows sorted under their sort keys, so that one change among 100,000 rows costs two
bisections.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from tocsin_protocol.alerts import Alert
from tocsin_protocol.hosts import HostRow
from tocsin_protocol.silences import Silence
from tocsin_protocol.tickets import TicketRow
from tocsin_protocol.vocabulary import OPEN_TICKET_STATES, AlertState, HostState, Severity, SilenceState

IDLE_S = 2.0
GHOST_S = 60.0

R = TypeVar("R", TicketRow, HostRow, Alert, Silence)
Key = tuple[float, float, str, int]
"""A sort key; its last part is the row's id, so that no two are alike."""


class View(StrEnum):
    """Which tickets the queue shows."""

    OPEN = "open"
    MINE = "mine"
    UNOWNED = "unowned"
    SOLVED = "solved"


class LinkState(StrEnum):
    """How current what is on the screen is."""

    CONNECTING = "connecting"
    LIVE = "live"
    STALE = "stale"
    """The stream has just ended; it is being opened again."""
    OFFLINE = "offline"
    """The server cannot be reached; the next try is at `retry_at`."""
    SIGNED_OUT = "signed out"


@dataclass(frozen=True, slots=True)
class Link:
    """The line to the server. `as_of` is when what is known was known to be true."""

    state: LinkState = LinkState.CONNECTING
    as_of: datetime | None = None
    retry_at: datetime | None = None
    reason: str = ""


def backoff_s(attempt: int, chance: float) -> float:
    """How long to wait before an attempt: doubling to half a minute, by chance in the upper half of it."""
    ceiling = min(30.0, 2.0 ** min(attempt, 6))
    return ceiling * (0.5 + chance / 2)


def is_in_view(row: TicketRow, view: View, me: str) -> bool:
    """Whether a ticket belongs into a view of the technician `me`."""
    is_open = row.state in OPEN_TICKET_STATES
    match view:
        case View.OPEN:
            return is_open
        case View.MINE:
            return is_open and row.owner == me
        case View.UNOWNED:
            return is_open and row.owner is None
        case View.SOLVED:
            return not is_open


def urgency(row: TicketRow) -> Key:
    """Open tickets: the most urgent first, then who has waited longest."""
    return (row.priority, row.opened_at.timestamp(), "", row.id)


def recency(row: TicketRow) -> Key:
    """Solved tickets: the latest first."""
    return (-(row.solved_at or row.updated_at).timestamp(), 0, "", row.id)


_TROUBLE = {HostState.SILENT: 0, HostState.AWAITED: 2, HostState.UP: 3, HostState.RETIRED: 4}


def trouble(row: HostRow) -> Key:
    """Hosts: silent ones, those with tickets by priority, then by client and name."""
    rank = 1 if row.open_tickets and row.state is HostState.UP else _TROUBLE[row.state]
    return (rank, row.worst_priority or 9, f"{row.client}\0{row.name}", row.id)


ALARMING = frozenset({AlertState.FIRING, AlertState.UNKNOWN})
"""The states of an alert that somebody can acknowledge."""
_ALARM = {
    AlertState.FIRING: 0,
    AlertState.UNKNOWN: 1,
    AlertState.PENDING: 2,
    AlertState.RESOLVED: 3,
    AlertState.INACTIVE: 4,
}
_SEVERITY = {Severity.CRITICAL: 0, Severity.WARNING: 1, None: 2, Severity.INFO: 3}


def gravity(alert: Alert) -> Key:
    """Alerts: by state and severity, of those alike the ones that ring, then the latest."""
    rank = _ALARM[alert.state] * 10 + _SEVERITY[alert.severity] * 2 + is_quiet(alert)
    began = alert.fired_at or alert.active_at
    return (rank, -began.timestamp() if began else 0, "", alert.id)


_HOLD = {SilenceState.ACTIVE: 0, SilenceState.PENDING: 1, SilenceState.EXPIRED: 2}


def nearness(silence: Silence) -> Key:
    """Silences: what ends next, what begins next, and of those that are over the latest first."""
    ends, starts = silence.ends_at.timestamp(), silence.starts_at.timestamp()
    at = {SilenceState.ACTIVE: ends, SilenceState.PENDING: starts, SilenceState.EXPIRED: -ends}
    return (_HOLD[silence.state], at[silence.state], "", silence.id)


def is_quiet(alert: Alert) -> bool:
    """Whether nobody is told of it."""
    return bool(alert.suppressed) or alert.acknowledged_by is not None


def acknowledged_by(alerts: Iterable[Alert]) -> str | None:
    """Who knows of all that fires; nobody while something is still to be known of."""
    alarming = [alert.acknowledged_by for alert in alerts if alert.state in ALARMING]
    return alarming[0] if alarming and all(alarming) else None


def is_newer(row: TicketRow, known: TicketRow) -> bool:
    """Whether a row may replace the known one: the later version wins, in whatever order they come."""
    return (row.version, row.updated_at) >= (known.version, known.updated_at)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Rows that will appear once the hands are still."""

    above: int = 0
    below: int = 0


class Listing(Generic[R]):
    """An ordered, filtered list of rows with a cursor that stays on its row."""

    def __init__(self, sort_key: Callable[[R], Key]) -> None:
        self.rows: dict[int, R] = {}
        self.order: Sequence[int] = []
        """The ids as they stand on the screen."""
        self.cursor: int | None = None
        self.ghosts: dict[int, float] = {}
        """Rows that have left but still stand, with the monotonic second at which each left."""
        self._sort_key: Callable[[R], Key] = sort_key
        self._admits: Callable[[R], bool] = lambda _: True
        self._keys: list[Key] = []
        self._key_of: dict[int, Key] = {}
        self._place: dict[int, int] = {}
        self._new: set[int] = set()
        self._gone: set[int] = set()
        self._is_settled = True

    def __len__(self) -> int:
        """How many rows belong here, shown or still waiting."""
        return len(self._keys)

    @property
    def place(self) -> int:
        """Where the cursor stands on the screen; 0 where there is none."""
        return 0 if self.cursor is None else self._place.get(self.cursor, 0)

    @property
    def current(self) -> R | None:
        """The row under the cursor."""
        return None if self.cursor is None else self.rows.get(self.cursor)

    def standing(self, ids: Iterable[int]) -> list[R]:
        """Those of these rows that stand on the screen and belong there, in its order."""
        seen = [id_ for id_ in ids if id_ in self._place and id_ not in self.ghosts]
        return [self.rows[id_] for id_ in sorted(seen, key=self._place.__getitem__)]

    def show(self, admits: Callable[[R], bool], sort_key: Callable[[R], Key] | None = None) -> None:
        """Ask another question: what passes is shown at once, the cursor stays if its row does."""
        self._admits = admits
        self._sort_key = sort_key or self._sort_key
        self._bury(list(self.ghosts))
        self._keys = sorted(self._sort_key(row) for row in self.rows.values() if admits(row))
        self._key_of = {key[-1]: key for key in self._keys}
        self._stand()

    def merge(self, row: R, now_s: float) -> None:
        """Take a row as it is now."""
        self.rows[row.id] = row
        self._gone.discard(row.id)
        before = self._key_of.get(row.id)
        after = self._sort_key(row) if self._admits(row) else None
        if before == after:
            return
        self._is_settled = False
        if before is not None:
            self._unsort(before)
        if after is not None:
            insort(self._keys, after)
            self._key_of[row.id] = after
            self.ghosts.pop(row.id, None)
            if row.id not in self._place:
                self._new.add(row.id)
        elif row.id in self._place:
            self.ghosts[row.id] = now_s

    def replace(self, rows: Iterable[R], now_s: float) -> None:
        """Take a whole snapshot: what is not in it has left, and nobody knows more about it."""
        fresh = {row.id: row for row in rows}
        for gone in self.rows.keys() - fresh.keys():
            self._forget(gone, now_s)
        for row in fresh.values():
            self.merge(row, now_s)

    def move(self, by: int) -> None:
        """Move the cursor by rows, stopping at either end."""
        self.move_to(self.place + by)

    def move_to(self, place: int) -> None:
        """Put the cursor on the row at a place; ghosts vanish once nobody stands on them."""
        if not self.order:
            return
        self.cursor = self.order[max(0, min(place, len(self.order) - 1))]
        left = [ghost for ghost in self.ghosts if ghost != self.cursor]
        if left:
            self._bury(left)
            buried = set(left)
            self.order = [id_ for id_ in self.order if id_ not in buried]
            self._place = {id_: at for at, id_ in enumerate(self.order)}

    def settle(self, now_s: float, *, is_idle: bool) -> bool:
        """Bring the places up to date where that disturbs nobody; whether anything has moved."""
        tired = [id_ for id_, left_s in self.ghosts.items() if id_ != self.cursor and now_s - left_s > GHOST_S]
        if not self.order and self._keys:
            self._stand()
            return True
        if not is_idle or (self._is_settled and not tired):
            return False
        self._bury(tired)
        self._stand()
        return True

    def waiting(self) -> Waiting:
        """How many rows are still to appear, above and below the cursor."""
        if self._is_settled or self.current is None:
            return Waiting()
        here = self._sort_key(self.current)
        above = sum(self._key_of[id_] < here for id_ in self._new)
        return Waiting(above=above, below=len(self._new) - above)

    def _forget(self, id_: int, now_s: float) -> None:
        key = self._key_of.get(id_)
        if key is not None:
            self._unsort(key)
            self._is_settled = False
        if id_ in self._place:
            self._gone.add(id_)
            self.ghosts.setdefault(id_, now_s)
        else:
            del self.rows[id_]

    def _unsort(self, key: Key) -> None:
        del self._keys[bisect_left(self._keys, key)]
        del self._key_of[key[-1]]
        self._new.discard(key[-1])

    def _bury(self, ghosts: Iterable[int]) -> None:
        """Let go of ghosts, and of the rows that only they have kept."""
        for ghost in ghosts:
            del self.ghosts[ghost]
            if ghost in self._gone:
                self._gone.discard(ghost)
                del self.rows[ghost]

    def _stand(self) -> None:
        """Give every row its place, ghosts where their order would have them."""
        keys: list[Key] = self._keys
        if self.ghosts:
            keys = sorted([*keys, *(self._sort_key(self.rows[ghost]) for ghost in self.ghosts)])
        place, cursor = self.place, self.cursor
        self.order = [key[-1] for key in keys]
        self._place = {id_: at for at, id_ in enumerate(self.order)}
        self._new.clear()
        self._is_settled = True
        if cursor not in self._place:
            self.cursor = self.order[min(place, len(self.order) - 1)] if self.order else None
