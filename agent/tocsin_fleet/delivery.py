"""How one simulated host delivers its frames: what it keeps, what it sends next, and what an answer means.

Decisions only; `rounds.py` carries them out. What each status means stands in `tocsin_protocol.wire`.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

from tocsin_fleet.agent import Agent
from tocsin_protocol import wire

FIRST_BACKOFF_S, LONGEST_BACKOFF_S = 1.0, 30.0
REVOKED_WAIT_S = 3600.0
BATCH_FRAMES = 32
KEPT_FRAMES = wire.SPOOL_HOURS * 3600 // wire.DEFAULT_INTERVAL_S


class Frame(NamedTuple):
    """A frame that is to be delivered; `matrix` is made when it is needed where it is empty."""

    seq: int
    time_ms: int
    matrix: bytes = b""


class Course(Enum):
    """What to do after an answer."""

    DELIVERED = auto()
    HELLO = auto()
    TELL_SCHEMA = auto()
    RETRY = auto()
    REVOKED = auto()
    GIVE_UP = auto()


_COURSES = {
    200: Course.DELIVERED,
    400: Course.GIVE_UP,
    401: Course.HELLO,
    403: Course.REVOKED,
    409: Course.TELL_SCHEMA,
    413: Course.GIVE_UP,
    422: Course.GIVE_UP,
}


def course_of(status: int) -> Course:
    """What a status asks for; whatever is not in the contract is kept and retried."""
    return _COURSES.get(status, Course.RETRY)


def retry_after_s(headers_said: str) -> float:
    """What `Retry-After` asks; a date instead of seconds counts as nothing."""
    return min(float(headers_said), 3600.0) if headers_said.isascii() and headers_said.isdecimal() else 0.0


@dataclass
class Delivery:
    """What one host has still to deliver. Times are those of a monotonic clock, in seconds."""

    agent: Agent
    schema_id: int
    waiting: deque[Frame] = field(default_factory=lambda: deque(maxlen=KEPT_FRAMES))
    is_underway: bool = False
    not_before_s: float = 0.0
    session_ends_s: float = 0.0
    _failures: int = 0

    def keep(self, frame: Frame) -> None:
        """Put it behind the others, without its numbers: they can be told again."""
        self.waiting.append(Frame(frame.seq, frame.time_ms))

    def batch(self) -> list[Frame]:
        """What is sent next, the newest first; it is no longer waiting."""
        return [self.waiting.pop() for _ in range(min(BATCH_FRAMES, len(self.waiting)))]

    def put_back(self, batch: list[Frame]) -> None:
        """It was not delivered."""
        for frame in reversed(batch):
            self.keep(frame)

    def needs_hello(self, now_s: float) -> bool:
        """Whether there is no session, or not for long."""
        return not self.agent.session or now_s >= self.session_ends_s

    def delivered(self) -> None:
        """The server takes frames."""
        self._failures = 0

    def back_off(self, now_s: float, chance: float, asked_s: float = 0.0) -> None:
        """Full jitter under a doubling ceiling, on top of what the server asked for."""
        ceiling_s = min(FIRST_BACKOFF_S * 2.0 ** min(self._failures, 16), LONGEST_BACKOFF_S)
        self._failures += 1
        self.not_before_s = now_s + asked_s + chance * ceiling_s

    def revoke(self, now_s: float) -> None:
        """The server knows it no more: it is asked again in an hour."""
        self.agent.session = b""
        self.not_before_s = now_s + REVOKED_WAIT_S
