"""Events for the consoles: published from any thread, kept in a ring, told to whoever listens.

A listener has no queue of its own, only a place in the ring: a slow one costs nothing, and one that has
fallen out of the ring is cut. It comes back with `Last-Event-ID` and is told to take a new snapshot.

An id is `RUN-NUMBER`; after a restart every earlier id is of another run, so nothing is missed unnoticed.
"""

import asyncio
import contextlib
import secrets
import threading
from collections import deque
from dataclasses import dataclass

import msgspec

from tocsin_protocol.messages import Message

RING = 1000
TOGETHER = 100
"""How many events are told in one piece, so that a backlog is sent in bounded pieces too."""


@dataclass(frozen=True, slots=True)
class Told:
    """Some events in the stream's own words, and the place behind them. `place` of None: too late, cut."""

    text: bytes
    place: int | None


class Broker:
    """The ring and those who wait for it to grow."""

    def __init__(self, *, ring: int = RING) -> None:
        self._run = secrets.token_hex(4)
        self._lock = threading.Lock()
        self._events: deque[bytes] = deque(maxlen=ring)
        self._count = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake_is_due = False
        self._grown = asyncio.Event()
        self.is_closed = False

    def publish(self, name: str, message: Message | None) -> None:
        """Tell an event; from any thread, and without waiting."""
        payload = b"{}" if message is None else msgspec.json.encode(message)
        with self._lock:
            self._count += 1
            self._events.append(self._event(name, payload))
            self._ask_to_wake()

    def close(self) -> None:
        """End all streams, at once and for good; from any thread."""
        with self._lock:
            self.is_closed = True
            self._ask_to_wake()

    def newest_id(self) -> str:
        """The id of the newest event; a page that is read after this was asked holds all up to it."""
        return self._id(self._count)

    def join(self, last_id: str | None) -> Told:
        """Where a new listener begins, and what it is to hear first."""
        with self._lock:
            self._loop = asyncio.get_running_loop()
            newest = self._count
            place = newest if last_id is None else self._place_of(last_id)
        if place is None:
            return Told(f"id: {self._id(newest)}\nevent: reset\ndata: {{}}\n\n".encode(), newest)
        return Told(b"", place)

    async def after(self, place: int) -> Told:
        """What comes after this place; waits until there is something or the streams are to end."""
        while True:
            grown = self._grown
            with self._lock:
                if place < self._count:
                    return self._told_from(place)
            if self.is_closed:
                return Told(b"", None)
            await grown.wait()

    def _told_from(self, place: int) -> Told:
        oldest = self._count - len(self._events)
        if place < oldest:
            return Told(b"", None)
        end = min(self._count, place + TOGETHER)
        return Told(b"".join(self._events[number - oldest] for number in range(place, end)), end)

    def _place_of(self, event_id: str) -> int | None:
        """The place behind an event that the ring still holds, or of the very newest."""
        run, _, number = event_id.partition("-")
        if run != self._run or not (number.isascii() and number.isdigit() and len(number) < 20):
            return None
        place = int(number)
        return place if self._count - len(self._events) <= place <= self._count else None

    def _event(self, name: str, payload: bytes) -> bytes:
        return b"id: %s\nevent: %s\ndata: %s\n\n" % (self._id(self._count).encode(), name.encode(), payload)

    def _id(self, number: int) -> str:
        return f"{self._run}-{number}"

    def _ask_to_wake(self) -> None:
        """Wake the listeners, in their own thread; a storm of events wakes them once."""
        if self._loop is None or self._wake_is_due:
            return
        with contextlib.suppress(RuntimeError):  # the loop has ended, and the listeners with it
            self._loop.call_soon_threadsafe(self._wake)
            self._wake_is_due = True

    def _wake(self) -> None:
        with self._lock:
            self._wake_is_due = False
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()
