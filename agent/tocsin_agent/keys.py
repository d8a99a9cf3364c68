"""The keys of this agent: the one it signs with, those before it, and a new one that the server may not know.

    identity.json   the key in use, and the former ones: some secret may still be sealed to them
    key.next        a new key, durable before the server is told of it

    made → told, signed by both → acknowledged → in use; then key.next goes

After a crash at any step a hello shows which key the server knows: the one in use, the new one, or, where the
server was set back to a backup, the one before. From there it goes on. Used by the thread that pushes.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress

from tocsin_agent.errors import NoDelivery, Refused
from tocsin_agent.greeting import Post, Session, converse
from tocsin_agent.identity import FILE, Identity, make_durable, public_key, save, signature
from tocsin_agent.nextkey import drop_next, load_next, make_next
from tocsin_agent.report import say
from tocsin_protocol import wire

DAY_MS = 86_400_000
RETRY_S, REFUSED_S = 60.0, 3600.0
_MAY_PASS = frozenset({401, 408, 429})

Greet = Callable[[Identity], Session]


class Keys:
    """`days` is how old a key may become; 0 for ever."""

    def __init__(
        self,
        identity: Identity,
        state: str,
        *,
        days: int,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.identity = identity
        self._state = state
        self._days = days
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._next: bytes | None = None
        self._known = identity.seed
        """The one that the server has known at the last hello."""
        self._not_before_s = 0.0
        with suppress(OSError):  # it is said when the server could be told
            self._look()

    @property
    def seeds(self) -> tuple[bytes, ...]:
        """Every key that a secret may be sealed to, the likeliest first; for any thread."""
        waiting = () if self._next is None else (self._next,)
        return (self.identity.seed, *waiting, *self.identity.former_seeds)

    @property
    def made_ms(self) -> int:
        """When the key in use was made, as far as is known."""
        return self.identity.key_ms or _written_ms(self._state)

    @property
    def waits(self) -> bool:
        """Whether there is a new key of which the server has not acknowledged anything."""
        return self._next is not None

    def hello(self, greet: Greet) -> Session:
        """A session, begun with the first key that the server knows; raises `NoDelivery`."""
        refusal: Refused | None = None
        for seed in candidates(self.identity, self._next):
            try:
                session = greet(self.identity._replace(seed=seed))
            except Refused as error:
                if error.status != 403 or error.kind == wire.CLONED:
                    raise
                refusal = refusal or error
            else:
                self._known = seed
                return session
        raise refusal or AssertionError("an agent has a key")

    def follow(self, session: Session, post: Post) -> None:
        """The server takes frames: tell it of a key that it does not know, or make one if it is time."""
        now_s = self._monotonic()
        if now_s < self._not_before_s:
            return
        try:
            self._settle(session, post)
        except NoDelivery as error:
            may_pass = not isinstance(error, Refused) or error.status in _MAY_PASS or error.status >= 500
            self._not_before_s = now_s + (RETRY_S if may_pass else REFUSED_S)
            say(f"the server has not taken this agent's new key ({error}); the one before goes on")
        except OSError as error:
            self._not_before_s = now_s + REFUSED_S
            say(f"a new key cannot be kept in {self._state} ({error.strerror}); the one before goes on")

    def _settle(self, session: Session, post: Post) -> None:
        self._look()
        if self._next is None and is_due(self.made_ms, self._now_ms(), self._days):
            make_next(self._state, self.identity.agent)
            self._look()
        new = self._next or self.identity.seed
        if new != self._known:
            self._tell(new, session, post)
        self._use(new)

    def _look(self) -> None:
        """Somebody may have typed `rotate-key`."""
        if self._next is None:
            self._next = load_next(self._state, self.identity.agent)

    def _tell(self, new: bytes, session: Session, post: Post) -> None:
        # Whoever has made it may have been killed before its name was durable; the server would know a key that
        # a power cut takes from us.
        make_durable(self._state)
        message = wire.new_key_message(session.id, public_key(new))
        said = {
            "v": wire.VERSION,
            "key": public_key(new),
            "by_old": signature(self._known, message),
            "by_new": signature(new, message),
            "now_ms": self._now_ms(),
        }
        converse(
            post, session, wire.KEY_PATH, said, domain=wire.KEY_DOMAIN, answer_domain=wire.KEY_ANSWER_DOMAIN
        )
        self._known = new

    def _use(self, seed: bytes) -> None:
        """The server knows this key: sign with it from the next hello on, and let none wait."""
        if seed != self.identity.seed:
            identity = renewed(self.identity, seed, now_ms=self._now_ms())
            save(identity, self._state)
            self.identity = identity
            say("this agent has a new key, which the server has taken")
        if seed == self._next:
            drop_next(self._state)
            self._next = None


def candidates(identity: Identity, waiting: bytes | None) -> tuple[bytes, ...]:
    """The keys that the server may know, the likeliest first: in use, new, the one before."""
    new = () if waiting is None else (waiting,)
    return tuple(dict.fromkeys((identity.seed, *new, *identity.former_seeds[:1])))


def renewed(identity: Identity, seed: bytes, *, now_ms: int) -> Identity:
    """The identity with another key in use; the one before is the first of the former."""
    former = tuple(each for each in (identity.seed, *identity.former_seeds) if each != seed)
    return identity._replace(seed=seed, former_seeds=former, key_ms=now_ms)


def is_due(made_ms: int, now_ms: int, days: int) -> bool:
    """Whether a key that was made then has had its time."""
    return days > 0 and now_ms - made_ms >= days * DAY_MS


def _written_ms(state: str) -> int:
    """What an earlier version has written says nothing of its key but when it was written."""
    try:
        return os.stat(f"{state}/{FILE}").st_mtime_ns // 1_000_000
    except OSError:
        return time.time_ns() // 1_000_000
