"""Who is visited now: every device at its own phase and interval, the slow ones in a lane of their own.

Pure: instants come in as arguments, and nothing is done here. What it rests on:

1. A device whose last visit failed and took its time (`patience_s` or more) is *slow*. It waits in the slow
   lane, which takes `slow` of them at once. All others go in the well lane.
2. A visit in the well lane that outlasts `patience_s` counts as a slow one from then on. So a device that dies
   holds one of the `well` places for that long, once: it delays nobody by an interval.
3. A device that is due while it waits or is being visited is skipped and counted. A visit that has lasted for
   an interval has not honoured its deadline; it is *stuck*, and takes no place of a lane any more.
4. No more than `all` visits are under way, whatever happens: each is a thread.
"""

import heapq
from collections import deque
from enum import Enum, auto
from typing import Generic, NamedTuple, TypeVar

from tocsin_agent.schedule import Schedule

Subject = TypeVar("Subject")


class Lanes(NamedTuple):
    """How many visits may be under way at once, and how long one may take before it counts as slow.

    With the usual interval and timeout (30 s, 5 s), 1,500 devices may die at once and 280 stay dead for ever,
    and each of them is still visited every time.
    """

    well: int = 64
    slow: int = 48
    all: int = 256
    patience_s: float = 0.5


class _Stage(Enum):
    IDLE = auto()
    WAITING = auto()
    FRESH = auto()
    SLOW = auto()
    STUCK = auto()


class Turn(Generic[Subject]):
    """One device's place in the rota; `skipped` counts the rounds that it has missed."""

    def __init__(self, subject: Subject, schedule: Schedule) -> None:
        self.subject = subject
        self.schedule = schedule
        self.skipped = 0
        self.is_slow = False
        self.is_retired = False
        self.began_s = 0.0
        self.stage = _Stage.IDLE


class Rota(Generic[Subject]):
    """Says who is due (`due`), is told who has ended (`ended`); used by one thread."""

    def __init__(self, lanes: Lanes | None = None) -> None:
        self._lanes = lanes or Lanes()
        self._coming: list[tuple[float, int, Turn[Subject]]] = []
        self._well: deque[Turn[Subject]] = deque()
        self._slow: deque[Turn[Subject]] = deque()
        self._fresh: deque[tuple[float, Turn[Subject]]] = deque()
        self._under_way = dict.fromkeys((_Stage.FRESH, _Stage.SLOW, _Stage.STUCK), 0)
        self._order = 0

    @property
    def visits(self) -> int:
        """How many are under way."""
        return sum(self._under_way.values())

    def declare(self, subject: Subject, schedule: Schedule) -> Turn[Subject]:
        """From now on it is due when its schedule says so."""
        turn = Turn(subject, schedule)
        self._await(turn)
        return turn

    def retire(self, turn: Turn[Subject]) -> None:
        """It is not visited any more; a visit that is under way still has to end."""
        turn.is_retired = True

    def due(self, now_s: float) -> list[Turn[Subject]]:
        """Those whose visits begin now."""
        self._call(now_s)
        self._outlast(now_s)
        starting: list[Turn[Subject]] = []
        while self._well and self._has_room(_Stage.FRESH, self._lanes.well):
            self._begin(self._well.popleft(), _Stage.FRESH, now_s, starting)
        while self._slow and self._has_room(_Stage.SLOW, self._lanes.slow):
            self._begin(self._slow.popleft(), _Stage.SLOW, now_s, starting)
        return starting

    def ended(self, turn: Turn[Subject], *, has_failed: bool, now_s: float) -> None:
        """Its visit is over."""
        self._under_way[turn.stage] -= 1
        turn.stage = _Stage.IDLE
        turn.is_slow = has_failed and now_s - turn.began_s >= self._lanes.patience_s

    def wait_s(self, now_s: float) -> float | None:
        """Until `due` may say more, unless a visit ends before; None where nothing is declared."""
        while self._coming and self._coming[0][2].is_retired:
            heapq.heappop(self._coming)
        instants = [self._coming[0][0]] if self._coming else []
        if self._well and self._fresh:
            instants.append(self._fresh[0][0] + self._lanes.patience_s)
        return max(0.0, min(instants) - now_s) if instants else None

    def _call(self, now_s: float) -> None:
        """All that are due go to their lane's end, or miss this round."""
        while self._coming and self._coming[0][0] <= now_s:
            _, _, turn = heapq.heappop(self._coming)
            if turn.is_retired:
                continue
            if turn.stage is _Stage.IDLE:
                turn.stage = _Stage.WAITING
                (self._slow if turn.is_slow else self._well).append(turn)
            else:
                self._skip(turn, now_s)
            turn.schedule.advance(now_s)
            self._await(turn)

    def _skip(self, turn: Turn[Subject], now_s: float) -> None:
        turn.skipped += 1
        if turn.stage is not _Stage.WAITING and now_s - turn.began_s >= turn.schedule.interval_s:
            self._move(turn, _Stage.STUCK)

    def _outlast(self, now_s: float) -> None:
        """Who has been visited for longer than a well device would be, holds no place of those."""
        while self._fresh and self._fresh[0][0] + self._lanes.patience_s <= now_s:
            began_s, turn = self._fresh.popleft()
            if turn.stage is _Stage.FRESH and turn.began_s == began_s:
                self._move(turn, _Stage.SLOW)

    def _has_room(self, stage: _Stage, places: int) -> bool:
        return self._under_way[stage] < places and self.visits < self._lanes.all

    def _begin(self, turn: Turn[Subject], stage: _Stage, now_s: float, starting: list[Turn[Subject]]) -> None:
        if turn.is_retired:
            return
        turn.stage, turn.began_s = stage, now_s
        self._under_way[stage] += 1
        if stage is _Stage.FRESH:
            self._fresh.append((now_s, turn))
        starting.append(turn)

    def _move(self, turn: Turn[Subject], stage: _Stage) -> None:
        self._under_way[turn.stage] -= 1
        self._under_way[stage] += 1
        turn.stage = stage

    def _await(self, turn: Turn[Subject]) -> None:
        # The number keeps the heap from comparing turns.
        self._order += 1
        heapq.heappush(self._coming, (turn.schedule.due_s, self._order, turn))
