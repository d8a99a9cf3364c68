"""Follows what the server has declared: when its digest is another one, the book is fetched and taken.

The question belongs to a session and so does the answer: what does not carry the session's MAC is not
believed. While nothing can be fetched the last good book goes on. It also lies in the state folder, so that a
site is probed after a restart while its server is away; its secrets are sealed there as they are on the wire.
"""

import os
from collections.abc import Callable

import msgpack

from tocsin_agent.chance import doubled
from tocsin_agent.errors import NoDelivery
from tocsin_agent.greeting import Session, converse
from tocsin_agent.probes.book import Book, Misread, read_book
from tocsin_agent.push import Clock, Line
from tocsin_agent.report import say
from tocsin_protocol import wire

REST_S = 2.0
"""Between two questions, whatever the digests do."""
FIRST_BACKOFF_S, LONGEST_BACKOFF_S = 5.0, 300.0


class Shelf:
    """The last good book of the agent with this id, in a file that only its owner can read."""

    def __init__(self, path: str, agent: str) -> None:
        self._path = path
        self._agent = agent

    def take(self) -> bytes | None:
        """The book as it was fetched; None where there is none of this agent."""
        try:
            with open(self._path, "rb") as file:
                agent, body = msgpack.unpackb(file.read())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            say(f"{self._path} cannot be read ({error}): devices are probed when the server has been asked")
            return None
        return body if agent == self._agent and isinstance(body, bytes) else None

    def put(self, body: bytes) -> None:
        """Keep it; a crash leaves the old one or the new one, a full disk the old one."""
        draft = f"{self._path}.new"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
                file.write(msgpack.packb((self._agent, body)))
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, self._path)
        except OSError as error:
            say(f"{self._path} cannot be written ({error.strerror}): it is fetched again after a restart")

    def clear(self) -> None:
        """There is nothing to probe any more."""
        try:
            os.unlink(self._path)
        except FileNotFoundError:
            return
        except OSError as error:
            say(f"{self._path} cannot be removed ({error.strerror}): remove it")


class Follower:
    """Holds the digest of the book in use; `use` takes each book. Used by the thread that pushes."""

    def __init__(self, line: Line, shelf: Shelf, use: Callable[[Book], None], *, clock: Clock) -> None:
        self._line = line
        self._shelf = shelf
        self._use = use
        self._clock = clock
        self._held = ""
        self._not_before_s = 0.0
        self._failures = 0
        self._trouble = ""

    def recall(self) -> None:
        """Begin with the book of the run before, where there is one."""
        body = self._shelf.take()
        if body is None:
            return
        try:
            book = read_book(body)
        except Misread as error:
            say(f"the kept book of devices is damaged ({error}): it is fetched again")
            return
        self._held = book.digest
        self._use(book)

    def follow(self, session: Session, digest: str) -> None:
        """The server has said this digest: fetch the book unless it is the one in use."""
        now_s = self._clock.monotonic()
        if digest == self._held or now_s < self._not_before_s:
            return
        try:
            body = self._fetched(session)
            book = read_book(body)
        except (NoDelivery, Misread) as error:
            self._back_off(str(error))
            return
        self._not_before_s = now_s + REST_S
        self._failures, self._trouble = 0, ""
        # Without devices there may be no digest at all, which must not be asked about for ever.
        self._held = book.digest if book.devices else digest
        if book.devices:
            self._shelf.put(body)
        else:
            self._shelf.clear()
        self._use(book)

    def _fetched(self, session: Session) -> bytes:
        return converse(
            self._line.post,
            session,
            wire.PROBES_PATH,
            {"v": wire.VERSION, "now_ms": self._clock.now_ms()},
            domain=wire.PROBES_DOMAIN,
            answer_domain=wire.PROBES_ANSWER_DOMAIN,
        )

    def _back_off(self, words: str) -> None:
        ceiling_s = doubled(FIRST_BACKOFF_S, self._failures, at_most=LONGEST_BACKOFF_S)
        self._failures += 1
        self._not_before_s = self._clock.monotonic() + self._clock.uniform(ceiling_s / 2, ceiling_s)
        if words != self._trouble:
            self._trouble = words
            say(f"what is to be probed cannot be fetched ({words}); what was declared before goes on")
