"""The prober: visits devices as the rota says, each visit in a thread, and spools a frame of each.

One thread, `tocsin-probe`, decides, makes the frames and speaks to the log; threads called `visit` only wait
for devices. So a device that hangs holds a thread and nothing else.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from queue import Empty, SimpleQueue
from typing import NamedTuple

from tocsin_agent.frames import Framer
from tocsin_agent.probes.book import Book, Device
from tocsin_agent.probes.rota import Lanes, Rota, Turn
from tocsin_agent.probes.visit import Outcome, Problem, Visitor
from tocsin_agent.push import Clock
from tocsin_agent.report import say
from tocsin_agent.schedule import Schedule
from tocsin_agent.spool import Spool
from tocsin_agent.standing import Probed
from tocsin_agent.watch import SYNC_AFTER_S

GATHER_S = 0.2
"""So long frames are gathered until the push is woken for them."""
APART_S = 0.25
"""Between the visits of devices that are declared together; less where they would not fit into an interval."""
_IDLE_S = 3600.0
_AFTER_AN_ERROR_S = 1.0

Spawn = Callable[[Callable[[], None]], None]


def spawn_thread(work: Callable[[], None]) -> None:
    """A daemon: a device that never answers does not keep the agent from ending."""
    threading.Thread(target=work, name="visit", daemon=True).start()


class Watched:
    """A declared device: who visits it, its frames, and what was wrong with it last."""

    def __init__(self, device: Device, visitor: Visitor, framer: Framer) -> None:
        self.device = device
        self.visitor = visitor
        self.framer = framer
        self.problems: Mapping[str, Problem] = {}


class Visited(NamedTuple):
    """A visit has ended; without an outcome where it has failed in a way that nobody has thought of."""

    turn: Turn[Watched]
    outcome: Outcome | None


class Prober:
    """Probes what stands in the book that it took last; `take` and `wake` are called by any thread."""

    def __init__(
        self,
        *,
        epoch: int,
        numbers: Iterator[int],
        spool: Spool,
        wake_push: Callable[[], None],
        make_visitor: Callable[[Device], Visitor],
        clock: Clock | None = None,
        lanes: Lanes | None = None,
        spawn: Spawn = spawn_thread,
    ) -> None:
        self._epoch = epoch
        self._numbers = numbers
        self._spool = spool
        self._wake_push = wake_push
        self._make_visitor = make_visitor
        self._clock = clock or Clock()
        self._spawn = spawn
        self._rota: Rota[Watched] = Rota(lanes)
        self._turns: dict[str, Turn[Watched]] = {}
        self._inbox: SimpleQueue[Visited | Book | None] = SimpleQueue()
        self._wake_s: float | None = None
        self._sync_s: float | None = None
        self._is_short = False

    def take(self, book: Book) -> None:
        """From now on these devices are probed and no others."""
        self._inbox.put(book)

    def wake(self) -> None:
        """It is time to end."""
        self._inbox.put(None)

    def devices(self) -> list[Probed]:
        """What is probed, and what was wrong with it last; for any thread."""
        watched = [turn.subject for turn in list(self._turns.values())]
        return [Probed(one.device.name, one.device.every_s, _in_words(one.problems)) for one in watched]

    def run(self, stopping: threading.Event) -> None:
        """Step until `stopping` is set and `wake` was called."""
        wait_s = 0.0
        while not stopping.is_set():
            try:
                self.hear(wait_s)
                wait_s = self.step()
            except Exception as error:  # noqa: BLE001 - outermost loop: whatever one device meets, the others go on
                say(f"a round of probes has failed with {type(error).__name__}: {error}")
                wait_s = _AFTER_AN_ERROR_S

    def hear(self, wait_s: float) -> None:
        """Wait for news, and act on it."""
        try:
            news = self._inbox.get(timeout=wait_s) if wait_s > 0 else self._inbox.get_nowait()
        except Empty:
            return
        if isinstance(news, Book):
            self._declare(news)
        elif news is not None:
            self._record(news)

    def step(self) -> float:
        """Do what is due; the seconds until there is more."""
        now_s = self._clock.monotonic()
        for turn in self._rota.due(now_s):
            self._begin(turn)
        if self._wake_s is not None and now_s >= self._wake_s:
            self._wake_s = None
            self._wake_push()
        if self._sync_s is not None and now_s >= self._sync_s:
            self._sync_s = None
            self._spool.sync()
        now_s = self._clock.monotonic()
        rota_s = self._rota.wait_s(now_s)
        waits = [instant - now_s for instant in (self._wake_s, self._sync_s) if instant is not None]
        return max(0.0, min([_IDLE_S if rota_s is None else rota_s, *waits]))

    def _declare(self, book: Book) -> None:
        """Devices that are declared as before keep their phase, their methods and their schema."""
        now_s = self._clock.monotonic()
        before = dict(self._turns)
        turns: dict[str, Turn[Watched]] = {}
        new: list[Device] = []
        for device in book.devices:
            name = device.name.casefold()
            if name in before and before[name].subject.device == device:
                turns[name] = before.pop(name)
            else:
                new.append(device)
        for turn in before.values():
            self._rota.retire(turn)
        for place, device in enumerate(new):
            start_s = now_s + place * min(APART_S, device.every_s / len(new))
            schedule = Schedule(device.every_s, phase=0.0, start_s=start_s)
            turns[device.name.casefold()] = self._rota.declare(self._watched(device), schedule)
        self._turns = turns
        say(f"{len(self._turns)} devices are probed from here ({len(new)} new or changed)")

    def _watched(self, device: Device) -> Watched:
        framer = Framer(self._epoch, host=device.name, numbers=self._numbers)
        return Watched(device, self._make_visitor(device), framer)

    def _begin(self, turn: Turn[Watched]) -> None:
        visitor, time_ms, skipped = turn.subject.visitor, self._clock.now_ms(), turn.skipped

        def work() -> None:
            outcome = None
            try:
                outcome = visitor.visit(time_ms=time_ms, skipped=skipped)
            finally:
                self._inbox.put(Visited(turn, outcome))

        try:
            self._spawn(work)
            self._is_short = False
        except RuntimeError as error:
            # The host has no thread left to give: perhaps next time.
            turn.skipped += 1
            self._inbox.put(Visited(turn, None))
            if not self._is_short:
                say(f"{turn.subject.device.name} and perhaps others cannot be probed now: {error}")
            self._is_short = True

    def _record(self, visited: Visited) -> None:
        turn, outcome = visited
        has_failed = outcome is None or bool(outcome.problems)
        self._rota.ended(turn, has_failed=has_failed, now_s=self._clock.monotonic())
        if outcome is None or turn.is_retired:
            return
        watched = turn.subject
        frame = watched.framer.frame(outcome.samples, time_ms=outcome.time_ms)
        self._spool.append(frame, watched.framer.schema)
        now_s = self._clock.monotonic()
        self._wake_s = self._wake_s or now_s + GATHER_S
        self._sync_s = self._sync_s or now_s + SYNC_AFTER_S
        self._tell_problems(watched, outcome.problems)

    def _tell_problems(self, watched: Watched, problems: Mapping[str, Problem]) -> None:
        """Each failure once, when it comes and when it goes; another reason is another failure."""
        device = watched.device.name
        for probe, problem in problems.items():
            told = watched.problems.get(probe)
            if told is None or told.reason != problem.reason:
                say(f"{device} {probe}: {problem.reason}: {problem.words}")
        for probe in watched.problems:
            if probe not in problems:
                say(f"{device} {probe}: works again")
        watched.problems = problems


def _in_words(problems: Mapping[str, Problem]) -> str:
    return "; ".join(f"{probe}: {problem.reason}: {problem.words}" for probe, problem in problems.items())
