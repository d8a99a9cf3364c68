"""Events for the consoles: published from any thread, kept in a ring, told to whoever listens.

A listener has no queue of its own, only a place in the ring: a slow one costs nothing, and one that has
fallen out of the ring is cut. It comes back with `Last-Event-ID` and is told to take a new snapshot.

An event is of one client, or of none; who hears it is for `hearing.py` to say. An id is the place behind the
event, sealed with a key of this run and never the same twice: it counts nothing for who hears a part of the
events only, and after a restart no earlier id is good, so nothing is missed unnoticed.
"""

import asyncio
import contextlib
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox
from nacl.utils import random

from tocsin_protocol.events import HostChanged, LookersChanged, TicketChanged
from tocsin_protocol.messages import Message

RING = 1000
TOGETHER = 100
"""How many events are told in one piece, so that a backlog is sent in bounded pieces too."""


MAX_ID = 100


@dataclass(frozen=True, slots=True)
class Event:
    """What has been published."""

    id: str
    name: str
    message: Message | None
    client: str | None
    """Whose it is, by slug."""
    text: bytes
    """In the stream's own words, as who sees all clients is told of it."""


@dataclass(frozen=True, slots=True)
class Told:
    """Some events and the place behind them. `place` of None: too late, cut."""

    events: Sequence[Event]
    place: int | None
    before: bytes = b""
    """What is to be said first."""

    @property
    def text(self) -> bytes:
        """As who sees all clients is told of it."""
        return self.before + b"".join(event.text for event in self.events)


class Broker:
    """The ring and those who wait for it to grow."""

    def __init__(self, *, ring: int = RING) -> None:
        self._box = SecretBox(random(SecretBox.KEY_SIZE))
        self._lock = threading.Lock()
        self._events: deque[Event] = deque(maxlen=ring)
        self._count = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake_is_due = False
        self._grown = asyncio.Event()
        self.is_closed = False

    @property
    def count(self) -> int:
        """How many events there have been."""
        return self._count

    def publish(self, name: str, message: Message | None, *, client: str | None = None) -> None:
        """Tell an event; from any thread, and without waiting. `client` is whose, where no row says it."""
        with self._lock:
            self._count += 1
            event_id = self._id(self._count)
            text = spoken(event_id, name, message)
            self._events.append(Event(event_id, name, message, client_of(message) or client, text))
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
            return Told((), newest, spoken(self._id(newest), "reset", None))
        return Told((), place)

    async def after(self, place: int) -> Told:
        """What comes after this place; waits until there is something or the streams are to end."""
        while True:
            grown = self._grown
            with self._lock:
                if place < self._count:
                    return self._told_from(place)
            if self.is_closed:
                return Told((), None)
            await grown.wait()

    def _told_from(self, place: int) -> Told:
        oldest = self._count - len(self._events)
        if place < oldest:
            return Told((), None)
        end = min(self._count, place + TOGETHER)
        return Told([self._events[number - oldest] for number in range(place, end)], end)

    def _place_of(self, event_id: str) -> int | None:
        """The place behind an event that the ring still holds, or of the very newest."""
        if len(event_id) > MAX_ID:
            return None
        try:
            place = int.from_bytes(self._box.decrypt(urlsafe_b64decode(event_id)))
        except (ValueError, CryptoError):
            return None
        return place if self._count - len(self._events) <= place <= self._count else None

    def _id(self, place: int) -> str:
        return urlsafe_b64encode(self._box.encrypt(place.to_bytes(8))).decode()

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


def spoken(event_id: str, name: str, message: Message | None) -> bytes:
    """An event in the stream's own words."""
    payload = b"{}" if message is None else msgspec.json.encode(message)
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (event_id.encode(), name.encode(), payload)


def client_of(message: Message | None) -> str | None:
    """Whose row it tells of."""
    match message:
        case TicketChanged():
            return message.ticket.client
        case HostChanged():
            return message.host.client
        case LookersChanged():
            return message.client
        case _:
            return None
