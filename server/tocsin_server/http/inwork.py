"""Which requests with an idempotency key are in work, so that a repeat that comes early does not queue up."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tocsin_server.errors import Conflict


class StillInWork(Conflict):
    """The first request of this key has no answer yet."""

    kind = "in-work"


@dataclass(frozen=True, slots=True)
class Mark:
    """What tells a request from all others."""

    person_id: int
    key: str
    fingerprint: str


@dataclass(slots=True)
class InWork:
    """The keys whose first request is not answered yet. Only the event loop touches it."""

    _keys: set[tuple[int, str]] = field(default_factory=set)

    @contextmanager
    def held(self, mark: Mark) -> Iterator[None]:
        """Hold a key; raises `StillInWork` where another request does."""
        key = (mark.person_id, mark.key)
        if key in self._keys:
            raise StillInWork(
                f"the request with the key {mark.key!r} is still in work", remedy="send it again in a moment"
            )
        self._keys.add(key)
        try:
            yield
        finally:
            self._keys.discard(key)
