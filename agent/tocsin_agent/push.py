"""The push: what is in the spool goes to the server, the newest first, until the server has it.

One step sends one batch and decides from the answer what comes next; what each status means stands in
`tocsin_protocol.wire`, and here in `course_of`. A batch holds the fresh frame and as much of the backlog as
the line carries in about a second, so the backlog never delays what is fresh. Between batches of a backlog
there is a pause, so that a thousand agents coming back are no flood.
"""

import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, Protocol

import msgpack

from tocsin_agent.chance import doubled, uniform
from tocsin_agent.connection import Answer
from tocsin_agent.errands import Errand, Errands
from tocsin_agent.errors import NoDelivery, Refused, Unreachable
from tocsin_agent.frames import Frame
from tocsin_agent.greeting import Session, authentication, converse, refused, unpacked
from tocsin_agent.quarantine import Quarantine
from tocsin_agent.report import say
from tocsin_agent.spool import Spool, keys_of
from tocsin_protocol import wire

MOST_BATCH_BYTES = 900_000
"""Before compression, so that what cannot be compressed is within the contract's megabyte too."""
FIRST_BATCH_FRAMES = 32
FIRST_BACKOFF_S, LONGEST_BACKOFF_S = 1.0, 30.0
"""Three missed pushes make a host silent: an agent is back sooner after its server is."""
REVOKED_WAIT_S = 3600.0
QUICK_S, SLOW_S = 0.5, 2.0
RENEW_S = 30.0
_REFUSALS_UNTIL_DOUBT = 3
_SMALL_BYTES = 8 << 10
_MOST_DIGEST_CHARACTERS = 256


class Course(Enum):
    """What to do after an answer."""

    FORGET = auto()
    RETRY = auto()
    HELLO = auto()
    TELL_SCHEMAS = auto()
    REVOKED = auto()
    SPLIT = auto()


_COURSES = {
    200: Course.FORGET,
    400: Course.SPLIT,
    401: Course.HELLO,
    403: Course.REVOKED,
    409: Course.TELL_SCHEMAS,
    413: Course.SPLIT,
    422: Course.SPLIT,
}


def course_of(status: int) -> Course:
    """What a status asks for; whatever is not in the contract is kept and retried."""
    return _COURSES.get(status, Course.RETRY)


class Line(Protocol):
    """How a push reaches the server."""

    def post(self, path: str, body: bytes, headers: dict[str, str], /) -> Answer:
        """The server's answer; raises `NoDelivery`."""


class Clock(NamedTuple):
    """Time and chance, so that a test can move and load them."""

    monotonic: Callable[[], float] = time.monotonic
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    uniform: Callable[[float, float], float] = uniform


class PushCounts:
    """What has become of this run's pushes."""

    def __init__(self) -> None:
        self.delivered_frames = 0
        self.quarantined_frames = 0
        self.sent_bytes = 0
        self.pushes = {"accepted": 0, "refused": 0, "unanswered": 0}
        self.accepted_ms = 0
        """When the last was accepted, by this host's clock."""


class Pusher:
    """Delivers what is in the spool; `step` is called by one thread, `wake` by any.

    `interval_s` is what the server asked for last, `probes_digest` what it said last of the devices that this
    agent is to probe; empty for none. `on_accepted` is called after each push that was, with the session.
    """

    def __init__(
        self,
        line: Line,
        hello: Callable[[], Session],
        spool: Spool,
        quarantine: Quarantine,
        *,
        interval_s: float,
        clock: Clock | None = None,
        on_accepted: Callable[[Session], None] = lambda _: None,
    ) -> None:
        self.interval_s = interval_s
        self.probes_digest = ""
        self.counts = PushCounts()
        self._line = line
        self._hello = hello
        self._spool = spool
        self._quarantine = quarantine
        self._clock = clock or Clock()
        self._on_accepted = on_accepted
        self._session: Session | None = None
        self._session_ends_s = 0.0
        self._not_before_s = 0.0
        self._failures = 0
        self._refusals = 0
        self._most_frames = FIRST_BATCH_FRAMES
        self._last_course = Course.FORGET
        self._trouble = ""
        self._errands = Errands(monotonic=self._clock.monotonic)
        # An event would wake this thread while the one that rings still holds the interpreter.
        self._bell: SimpleQueue[None] = SimpleQueue()

    @property
    def trouble(self) -> str:
        """What keeps the server from taking frames; empty while it takes them."""
        return self._trouble

    def run(self, stopping: threading.Event) -> None:
        """Step until `stopping` is set and `wake` was called."""
        while not stopping.is_set():
            try:
                wait_s = self.step()
            except Exception as error:  # noqa: BLE001 - outermost loop: whatever one push meets, the next is tried
                wait_s = self._back_off(f"a push has failed with {type(error).__name__}: {error}")
            self._doze(wait_s)

    def wake(self) -> None:
        """There is a fresh frame, or it is time to end."""
        self._bell.put(None)

    def _doze(self, wait_s: float | None) -> None:
        """Until the bell has rung, however often, or the time is over: a server may have set one below zero."""
        try:
            self._bell.get(timeout=wait_s if wait_s is None else max(0.0, wait_s))
            while True:
                self._bell.get_nowait()
        except Empty:
            return

    def bring(self, errand: Errand) -> None:
        """A question for the server; any thread may bring one."""
        self._errands.bring(errand)
        self.wake()

    def step(self) -> float | None:
        """Do what is due; the seconds until there is more to do, or None when a frame must come first."""
        waits_s = [wait_s for wait_s in (self._errands.run(self._ask), self._push()) if wait_s is not None]
        return min(waits_s, default=None)

    def _ask(self, said: Mapping[str, object]) -> Mapping[str, Any]:
        """A question's answer; where the server has forgotten the session, in another one."""
        try:
            return self._converse(said)
        except Refused as error:
            if course_of(error.status) is not Course.HELLO:
                raise
            self._session = None
            return self._converse(said)

    def _converse(self, said: Mapping[str, object]) -> Mapping[str, Any]:
        return unpacked(
            converse(
                self._line.post,
                self._live_session(),
                wire.ASK_PATH,
                said,
                domain=wire.ASK_DOMAIN,
                answer_domain=wire.ASK_ANSWER_DOMAIN,
            )
        )

    def _push(self) -> float | None:
        remaining_s = self._not_before_s - self._clock.monotonic()
        if remaining_s > 0:
            return remaining_s
        batch = self._spool.batch(
            most_frames=self._most_frames, most_bytes=MOST_BATCH_BYTES, now_ms=self._clock.now_ms()
        )
        if not batch:
            return None
        try:
            return self._deliver(batch)
        except Refused as error:
            # Only a hello raises this: there is no frame to blame.
            self.counts.pushes["refused"] += 1
            if course_of(error.status) is Course.REVOKED:
                return self._shut_out(error)
            return self._back_off(f"the server refuses a session: {error}", error.retry_after_s)
        except NoDelivery as error:
            self.counts.pushes["unanswered"] += 1
            self._most_frames = max(self._most_frames // 2, 1)
            return self._back_off(str(error))
        finally:
            self._spool.settle(())

    def _deliver(self, batch: Sequence[Frame]) -> float | None:
        session = self._live_session()
        schemas = self._schemas_for(batch, session)
        readable = [
            frame for frame in batch if frame.schema_id in session.schemas or frame.schema_id in schemas
        ]
        if not readable:
            return 0.0
        body = pack_push(readable, list(schemas.values()), now_ms=self._clock.now_ms())
        if len(body) > wire.MAX_BODY_BYTES:
            return self._split(readable, "it is larger than a push may be")
        began_s = self._clock.monotonic()
        answer = self._line.post(wire.PUSH_PATH, body, authentication(session, body, domain=wire.PUSH_DOMAIN))
        self.counts.sent_bytes += len(body)
        course = course_of(answer.status)
        repeated, self._last_course = course is self._last_course, course
        if course is Course.FORGET:
            self._take_answer(answer)
            session.schemas.update(schemas)
            wait_s = self._delivered(readable, self._clock.monotonic() - began_s)
            self._on_accepted(session)
            return wait_s
        self.counts.pushes["refused"] += 1
        if course is Course.SPLIT:
            return self._split(readable, str(refused(answer)))
        if course is Course.REVOKED:
            return self._shut_out(refused(answer))
        if course is Course.HELLO:
            self._session = None
        elif course is Course.TELL_SCHEMAS:
            session.schemas.clear()
        if course is Course.RETRY or repeated:
            words = refused(answer)
            return self._back_off(f"the server does not take the push: {words}", words.retry_after_s)
        return 0.0

    def _live_session(self) -> Session:
        now_s = self._clock.monotonic()
        if self._session is None or now_s >= self._session_ends_s - RENEW_S:
            self._session = self._hello()
            self._session_ends_s = now_s + self._session.expires_s
            self.interval_s = self._session.interval_s
        return self._session

    def _schemas_for(self, batch: Sequence[Frame], session: Session) -> dict[int, bytes]:
        """The schemas that this session has not been told; frames whose schema is gone are given up."""
        schemas: dict[int, bytes] = {}
        for of in {frame.schema_id for frame in batch} - session.schemas:
            packed = self._spool.schema(of)
            if packed is None:
                self._spool.lose(keys_of([frame for frame in batch if frame.schema_id == of]))
            else:
                schemas[of] = packed
        return schemas

    def _take_answer(self, answer: Answer) -> None:
        said = unpacked(answer.body)
        try:
            self.interval_s = float(said["interval_s"])
        except (KeyError, TypeError, ValueError) as error:
            raise Unreachable(f"the server's answer to a push cannot be understood: {error}") from error
        self.probes_digest = digest_of(said.get("probes"))

    def _delivered(self, batch: Sequence[Frame], took_s: float) -> float | None:
        self._spool.settle(keys_of(batch))
        self.counts.delivered_frames += len(batch)
        self.counts.pushes["accepted"] += 1
        self.counts.accepted_ms = self._clock.now_ms()
        self._failures = self._refusals = 0
        if self._trouble:
            self._trouble = ""
            say(f"the server takes frames again; {self._spool.counts().frames} are waiting")
        if took_s > SLOW_S:
            self._most_frames = max(self._most_frames // 2, 1)
        elif took_s < QUICK_S:
            self._most_frames = min(self._most_frames * 2, wire.MAX_FRAMES_PER_PUSH)
        if not self._spool.has_frames:
            return None
        # Some ten pushes an interval while there is a backlog, at other instants than other agents; a fresh
        # frame does not wait for it.
        return self._clock.uniform(0.5, 1.5) * self.interval_s / 10

    def _split(self, batch: Sequence[Frame], reason: str) -> float:
        """Halve until the one frame is found that is refused for what it is."""
        if len(batch) > 1:
            self._most_frames = len(batch) // 2
            return 0.0
        (frame,) = batch
        self._quarantine.put(frame, self._spool.schema(frame.schema_id) or b"", reason)
        self._spool.settle(keys_of(batch))
        self.counts.quarantined_frames += 1
        self._refusals += 1
        if self._refusals >= _REFUSALS_UNTIL_DOUBT:
            # When nothing at all is good enough, the fault is hardly in each frame: lose them slowly.
            return self._back_off(f"the server refuses frame after frame: {reason}")
        return 0.0

    def _shut_out(self, refusal: Refused) -> float:
        self._session = None
        if refusal.kind == wire.CLONED:
            self._complain(f"the server has put this agent in quarantine: {refusal}; frames are kept")
        else:
            self._complain(
                f"the server has revoked this agent ({refusal}): enrol again with --force, or retire it"
            )
        self._not_before_s = self._clock.monotonic() + REVOKED_WAIT_S
        return REVOKED_WAIT_S

    def _back_off(self, words: str, retry_after_s: float = 0.0) -> float:
        """Full jitter under a doubling ceiling, on top of what the server asked for."""
        self._complain(f"{words}; frames are kept and it is tried again")
        ceiling_s = doubled(FIRST_BACKOFF_S, self._failures, at_most=LONGEST_BACKOFF_S)
        self._failures += 1
        wait_s = retry_after_s + self._clock.uniform(0.0, ceiling_s)
        self._not_before_s = self._clock.monotonic() + wait_s
        return wait_s

    def _complain(self, words: str) -> None:
        if words != self._trouble:
            self._trouble = words
            say(words)


def digest_of(said: object) -> str:
    """A digest as the server has said it, as text; empty where it has said none that could be one."""
    digest = said.hex() if isinstance(said, bytes) else said
    return digest if isinstance(digest, str) and len(digest) <= _MOST_DIGEST_CHARACTERS else ""


def pack_push(batch: Sequence[Frame], schemas: Sequence[bytes], *, now_ms: int) -> bytes:
    """A push's body. The frames are packed already, so they are laid one behind the other."""
    packer = msgpack.Packer(autoreset=False)
    packer.pack_array_header(4)
    packer.pack(wire.VERSION)
    packer.pack(now_ms)
    packer.pack(list(schemas))
    packer.pack_array_header(len(batch))
    plain = b"".join((packer.bytes(), *(frame.packed for frame in batch)))
    # A single frame gains nothing from a window larger than itself, which zlib would clear and keep for it.
    window_bits, memory_level = (12, 5) if len(plain) < _SMALL_BYTES else (15, 8)
    deflate = zlib.compressobj(1, zlib.DEFLATED, window_bits, memory_level)
    return deflate.compress(plain) + deflate.flush()
