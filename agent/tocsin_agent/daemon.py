"""`tocsin-agent run`: wires the watch and the push, and ends them when a signal asks.

main thread    waits for SIGTERM or SIGINT, which are blocked everywhere else
tocsin-watch   collects, spools, syncs; `collect` and `statvfs` are the threads it may leave behind
tocsin-push    talks to the server
tocsin-local   talks to people at this host
tocsin-probe   once devices are declared: probes them; a `visit` of a device may be left behind
"""

import ctypes
import gc
import os
import signal
import threading
import time
from itertools import count
from typing import TYPE_CHECKING

from tocsin_agent.chance import uniform
from tocsin_agent.collectors import Collection, default_collectors
from tocsin_agent.collectors.delivery import Delivery, DeliveryCollector
from tocsin_agent.config import AgentConfig
from tocsin_agent.connection import Connection
from tocsin_agent.errors import Unusable
from tocsin_agent.frames import Framer
from tocsin_agent.greeting import Session, say_hello
from tocsin_agent.identity import Identity, load
from tocsin_agent.keys import Keys
from tocsin_agent.origin import origin_of
from tocsin_agent.push import Pusher
from tocsin_agent.quarantine import Quarantine
from tocsin_agent.report import say
from tocsin_agent.schedule import Schedule
from tocsin_agent.spool import Spool
from tocsin_agent.standing import Standing
from tocsin_agent.state import StateLock, socket_of
from tocsin_agent.version import VERSION
from tocsin_agent.watch import Watch
from tocsin_agent.window import Window
from tocsin_protocol.wire import DEFAULT_INTERVAL_S

if TYPE_CHECKING:
    from tocsin_agent.probes.site import Site

SPOOL_FOLDER, QUARANTINE_FOLDER, PROBES_FILE = "spool", "quarantine", "probes.book"
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_LAST_WORD_S = 0.7
"""How long a push that is under way may still be answered when the agent is asked to end."""
_SETTLED_S = 12.0
"""By then everything has been loaded: collected twice, a session agreed, frames pushed."""
_M_ARENA_MAX = -8  # malloc.h


def run(state: str, config: AgentConfig) -> int:
    """Watch this host until a signal ends it; the process's exit status."""
    identity = load(state)
    with StateLock(state):
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        _keep_one_heap()
        agent = Agent(identity, state, config)
        say(f"tocsin-agent {VERSION} watches {identity.host} of {identity.client} for {identity.url}")
        agent.start()
        received = signal.sigtimedwait(_SIGNALS, _SETTLED_S)
        if received is None:
            _keep_what_lives()
        number = received.si_signo if received else signal.sigwait(_SIGNALS)
        say(f"{signal.Signals(number).name}: ending")
        agent.stop()
    return 0


class Agent:
    """One run: an epoch, its threads, and what they share."""

    def __init__(self, identity: Identity, state: str, config: AgentConfig) -> None:
        epoch = time.time_ns()
        origin = origin_of(identity.agent)
        connection = Connection(identity.url, fingerprint=identity.fingerprint)
        self._keys = Keys(identity, state, days=config.key_days)
        self._state = state
        self._epoch = epoch
        self._connection = connection
        self._numbers = count()
        self._site: Site | None = None
        quarantine = Quarantine(f"{state}/{QUARANTINE_FOLDER}")
        self._spool = Spool(f"{state}/{SPOOL_FOLDER}", epoch=epoch, limits=config.limits)
        self._pusher = Pusher(
            connection,
            lambda: self._keys.hello(
                lambda of: say_hello(connection, of, epoch=epoch, now_ms=_now_ms(), origin=origin)
            ),
            self._spool,
            quarantine,
            interval_s=DEFAULT_INTERVAL_S,
            on_accepted=self._follow,
        )
        collectors = [
            *default_collectors(version=VERSION, excludes=config.excludes),
            DeliveryCollector(self._delivery, now_ms=_now_ms),
        ]
        collection = Collection(collectors)
        self._watch = Watch(
            collection,
            Framer(epoch, numbers=self._numbers),
            self._spool,
            Schedule(DEFAULT_INTERVAL_S, phase=uniform(0, 1), start_s=time.monotonic()),
            interval_s=lambda: self._pusher.interval_s,
            wake=self._pusher.wake,
        )
        standing = Standing(
            identity,
            keys=self._keys,
            started_ms=epoch // 1_000_000,
            pusher=self._pusher,
            spool=self._spool,
            quarantine=quarantine,
            collection=collection,
            devices=lambda: () if self._site is None else self._site.devices(),
        )
        self._window = _window(config.socket or socket_of(state), standing, self._pusher)
        self._stopping = threading.Event()
        # Daemons: one that hangs in the kernel does not keep the process from ending.
        self._threads = [
            threading.Thread(target=self._watch.run, args=(self._stopping,), name="tocsin-watch", daemon=True),
            threading.Thread(target=self._pusher.run, args=(self._stopping,), name="tocsin-push", daemon=True),
        ]
        if self._window is not None:
            run = self._window.run
            self._threads.append(
                threading.Thread(target=run, args=(self._stopping,), name="tocsin-local", daemon=True)
            )

    def start(self) -> None:
        """The first frame is collected at once; what the last run was told to probe is probed."""
        if os.path.exists(f"{self._state}/{PROBES_FILE}"):
            self._site = self._open_site()
            self._site.recall()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End within two seconds, the spool whole."""
        self._stopping.set()
        self._pusher.wake()
        if self._window is not None:
            self._window.wake()
        if self._site is not None:
            self._site.stop()
        until_s = time.monotonic() + _LAST_WORD_S
        for thread in self._threads:
            thread.join(max(0.0, until_s - time.monotonic()))
        self._spool.close()

    def _follow(self, session: Session) -> None:
        """A push was accepted, and its answer has said which devices are in force."""
        self._keys.follow(session, self._connection.post)
        if self._site is None and self._pusher.probes_digest:
            self._site = self._open_site()
        if self._site is not None:
            self._site.follow(session, self._pusher.probes_digest)

    def _open_site(self) -> "Site":
        from tocsin_agent.probes.site import Site  # noqa: PLC0415 - most hosts have no device to probe

        return Site(
            self._keys,
            f"{self._state}/{PROBES_FILE}",
            self._connection,
            epoch=self._epoch,
            numbers=self._numbers,
            spool=self._spool,
            wake_push=self._pusher.wake,
            stopping=self._stopping,
        )

    def _delivery(self) -> Delivery:
        counts = self._pusher.counts
        return Delivery(
            *self._spool.counts(),
            delivered_frames=counts.delivered_frames,
            quarantined_frames=counts.quarantined_frames,
            sent_bytes=counts.sent_bytes,
            pushes=counts.pushes,
        )


def _window(path: str, standing: Standing, pusher: Pusher) -> Window | None:
    """A host is watched though nobody there can ask."""
    try:
        return Window(path, status=standing.told, bring=pusher.bring)
    except Unusable as error:
        say(f"nobody at this host can ask for help: {error}")
        return None


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _keep_one_heap() -> None:
    """For all threads together, where the C library is glibc: a few threads need no more."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


def _keep_what_lives() -> None:
    """Give back what only the start needed; what is left lives on, and gc need not look through it again."""
    gc.collect()
    gc.freeze()
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)
