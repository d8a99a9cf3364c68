"""What the routes ask of the rest of the house, named by whoever asks."""

import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence, Sized
from typing import Any, Protocol

from tocsin_protocol.status import RuleProblem
from tocsin_protocol.vocabulary import SeriesKind
from tocsin_server.desk.happening import Happening
from tocsin_server.series.arrays import Floats
from tocsin_server.series.schema import Schema
from tocsin_server.series.source import Source

Asgi = Callable[[Any, Any, Any], Awaitable[None]]


class Sample(Protocol):
    """The last sample of one series."""

    @property
    def name(self) -> str: ...
    @property
    def labels(self) -> dict[str, str]: ...
    @property
    def kind(self) -> SeriesKind: ...
    @property
    def value(self) -> float: ...
    @property
    def time_ms(self) -> int: ...


class Head(Source, Protocol):
    """The recent samples; whoever asks holds `lock`."""

    @property
    def lock(self) -> threading.RLock: ...
    @property
    def series_count(self) -> int: ...
    def latest(self, host_id: int, /) -> Sequence[Sample]: ...
    def newest_ms(self, host_id: int, /) -> int | None: ...


class Presence(Protocol):
    """Which hosts push."""

    def is_up(self, host_id: int, now_ms: int, /) -> bool: ...
    def was_heard(self, host_id: int, /) -> bool: ...
    def last_seen_ms(self, host_id: int, /) -> int | None: ...


class Judge(Protocol):
    """The rules in force and what they see."""

    @property
    def rules(self) -> Sized: ...
    @property
    def problems(self) -> Sequence[RuleProblem]: ...
    def live_value(self, alert_id: int, /) -> float | None: ...


class Frame(Protocol):
    """What a host has sent at some instants."""

    @property
    def schema(self) -> Schema: ...
    @property
    def times_ms(self) -> Sequence[int]: ...
    @property
    def matrix(self) -> Floats: ...


class Owed(Protocol):
    """What of the journal is not in history yet."""

    def since_ms(self, host_id: int, /) -> int | None: ...


class Journal(Protocol):
    """What hosts have sent of late."""

    @property
    def owed(self) -> Owed: ...
    def frames_of(self, host_id: int, start_ms: int, end_ms: int, /) -> Sequence[Frame]: ...


class Notices(Protocol):
    """Who tells the consoles of a change."""

    def tickets(self, happenings: Iterable[Happening], /) -> None: ...
