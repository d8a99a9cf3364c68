"""What the daemon knows of probes: one object, loaded when the first device is declared.

The push tells it each digest (`follow`), on the push's own thread; the prober's thread begins with the first
book that has a device.
"""

import threading
from collections.abc import Callable, Iterator

from tocsin_agent.greeting import Session
from tocsin_agent.keys import Keys
from tocsin_agent.probes.book import Book, Device
from tocsin_agent.probes.follow import Follower, Shelf
from tocsin_agent.probes.prober import Prober
from tocsin_agent.probes.secrets import secret_opener
from tocsin_agent.probes.visit import Visitor
from tocsin_agent.push import Clock, Line
from tocsin_agent.spool import Spool
from tocsin_agent.standing import Probed


class Site:
    """The devices of one run; `path` is where their book is kept, `line` the push's own connection."""

    def __init__(
        self,
        keys: Keys,
        path: str,
        line: Line,
        *,
        epoch: int,
        numbers: Iterator[int],
        spool: Spool,
        wake_push: Callable[[], None],
        stopping: threading.Event,
    ) -> None:
        open_secret = secret_opener(lambda: keys.seeds)

        def visitor(device: Device) -> Visitor:
            return Visitor(device, open_secret)

        self._prober = Prober(
            epoch=epoch, numbers=numbers, spool=spool, wake_push=wake_push, make_visitor=visitor
        )
        self._follower = Follower(line, Shelf(path, keys.identity.agent), self._use, clock=Clock())
        self._stopping = stopping
        self._thread: threading.Thread | None = None

    def recall(self) -> None:
        """Go on with what the run before was told."""
        self._follower.recall()

    def follow(self, session: Session, digest: str) -> None:
        """The server has said which book is in force."""
        self._follower.follow(session, digest)

    def devices(self) -> list[Probed]:
        """What is probed from here; for any thread."""
        return self._prober.devices()

    def stop(self) -> None:
        """The stopping event is set: let the thread see it."""
        self._prober.wake()

    def _use(self, book: Book) -> None:
        self._prober.take(book)
        if self._thread is None and book.devices:
            self._thread = threading.Thread(
                target=self._prober.run, args=(self._stopping,), name="tocsin-probe", daemon=True
            )
            self._thread.start()
