"""Jobs that may hang for ever, such as asking a dead NFS mount its size: they are left behind, not waited for.

A daemon thread does the jobs of a round one after the other, so a round costs one hand-over. A job
that overruns keeps its thread; a new thread takes the jobs behind it, and the overrunning job is not asked
again until its thread has come back. A thread in uninterruptible sleep cannot be killed, only abandoned.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from queue import SimpleQueue
from typing import Generic, TypeVar

Result = TypeVar("Result")


class _Round(Generic[Result]):
    """One thread's way through the jobs; the lock decides whether a job was in time.

    Its end is told by letting go of another lock: an event would wake whoever waits while this thread still
    holds the interpreter.
    """

    def __init__(self, jobs: Sequence[tuple[str, Callable[[], Result]]]) -> None:
        self.results: dict[str, Result] = {}
        self._under_way = threading.Lock()
        self._under_way.acquire()
        self._jobs = jobs
        self._lock = threading.Lock()
        self._position = 0
        self._job_began_s = time.monotonic()
        self._is_abandoned = False

    def work(self) -> bool:
        """Do the jobs; false when this thread was given up meanwhile and must end."""
        try:
            for position, (key, job) in enumerate(self._jobs):
                if not self._begin(position):
                    return False
                self.results[key] = job()
            return self._begin(len(self._jobs))
        finally:
            self._under_way.release()

    def _begin(self, position: int) -> bool:
        with self._lock:
            self._position = position
            self._job_began_s = time.monotonic()
            return not self._is_abandoned

    def has_ended(self) -> bool:
        """Of one that was given up: whether its thread has come back."""
        return not self._under_way.locked()

    def wait(self, deadline_s: float) -> int:
        """The position of the job that overran, or the number of jobs when all were in time."""
        remaining_s = deadline_s
        while not self._under_way.acquire(timeout=remaining_s):
            with self._lock:
                remaining_s = self._job_began_s + deadline_s - time.monotonic()
                if remaining_s <= 0:
                    self._is_abandoned = True
                    return self._position
        return len(self._jobs)


class Abandonable(Generic[Result]):
    """Runs rounds of jobs, each job within `deadline_s`; at most `most_stuck` threads are ever left behind.

    A job must not raise: what may go wrong is part of its result. Rounds are run by one caller at a time.
    """

    def __init__(self, name: str, *, deadline_s: float, most_stuck: int = 32) -> None:
        self._name = name
        self._deadline_s = deadline_s
        self._most_stuck = most_stuck
        self._stuck: dict[str, _Round[Result]] = {}
        self._inbox: SimpleQueue[_Round[Result]] | None = None

    def run(self, jobs: Mapping[str, Callable[[], Result]]) -> dict[str, Result]:
        """The result of each job that came back in time; overdue ones and those still stuck are absent."""
        self._stuck = {key: stuck for key, stuck in self._stuck.items() if not stuck.has_ended()}
        waiting = [(key, job) for key, job in jobs.items() if key not in self._stuck]
        results: dict[str, Result] = {}
        while waiting and len(self._stuck) < self._most_stuck:
            this_round = _Round(waiting)
            try:
                self._hand_over(this_round)
            except RuntimeError:
                # The host has no thread left to give: nothing can be asked now, perhaps next time.
                break
            overran = this_round.wait(self._deadline_s)
            results |= {key: this_round.results[key] for key, _ in waiting[:overran]}
            if overran < len(waiting):
                self._stuck[waiting[overran][0]] = this_round
                self._inbox = None
            waiting = waiting[overran + 1 :]
        return results

    def _hand_over(self, this_round: _Round[Result]) -> None:
        if self._inbox is None:
            inbox: SimpleQueue[_Round[Result]] = SimpleQueue()
            threading.Thread(target=_serve, args=(inbox,), name=self._name, daemon=True).start()
            self._inbox = inbox
        self._inbox.put(this_round)


def _serve(inbox: SimpleQueue[_Round[Result]]) -> None:
    while inbox.get().work():
        pass
