"""A list of which no event tells the rows: it is read anew while somebody looks at it.

An event says that the rows may have changed: then they are read again soon, else every so often, and never
oftener than the hosts are.
"""

import math
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Generic, TypeVar

from tocsin_protocol.alerts import Alert
from tocsin_protocol.silences import Silence
from tocsin_tui import filters
from tocsin_tui.filters import Filter
from tocsin_tui.state import Key, Listing

if TYPE_CHECKING:
    from tocsin_tui.session import Session

REST_S = 5.0
"""How long it is left alone once it has been asked for."""
OLD_S = 10.0
"""The age at which it is read again though nothing was heard."""

R = TypeVar("R", Alert, Silence)


class Board(Generic[R]):
    """Such a list of a session. Subclasses say what is asked for, and what a filter can ask of a row."""

    KEYS: frozenset[str]

    def __init__(
        self, session: "Session", monotonic: Callable[[], float], sort_key: Callable[[R], Key]
    ) -> None:
        self.listing: Listing[R] = Listing(sort_key)
        self.wanted = Filter()
        self.page: list[R] | None = None
        """What was read last; the list holds some of what has gone since as well."""
        self.problem = ""
        """Why it could not be read the last time."""
        self._session = session
        self._monotonic = monotonic
        self._asked_s = -math.inf
        self._is_reading = False
        self._has_news = False

    async def ask(self) -> list[R]:
        """What the server says."""
        raise NotImplementedError

    def fields(self, row: R) -> dict[str, str]:
        """What a filter can ask of a row, by key."""
        raise NotImplementedError

    def values(self, key: str) -> Collection[str]:
        """What a key of the filter has among the rows; none where that is more than a word."""
        if key in filters.FREE:
            return ()
        return sorted({self.fields(row)[key] for row in self.listing.rows.values()} - {""})

    def belongs(self, row: R) -> bool:  # noqa: ARG002 - for those that leave some out
        """Whether a row is one of those that are looked at, whatever the filter says."""
        return True

    def narrow(self, text: str) -> None:
        """Show only rows that match what was typed."""
        self.wanted = filters.parse_filter(text, keys=self.KEYS, me=self._session.login)
        self.show()

    def show(self) -> None:
        """Ask again which rows are to be seen."""
        wanted = self.wanted
        self.listing.show(lambda row: self.belongs(row) and (not wanted or wanted.admits(self.fields(row))))

    def know(self, row: R) -> None:
        """Take a row as an act has left it."""
        self.listing.merge(row, self._monotonic())

    def settle(self, *, is_idle: bool) -> bool:
        """Let rows take their places; whether any has moved."""
        return self.listing.settle(self._monotonic(), is_idle=is_idle)

    def hear(self) -> None:
        """Something has happened that may have changed it."""
        self._has_news = True

    def are_due(self) -> bool:
        """Whether it is time to read it again."""
        if self._is_reading:
            return False
        if self.page is None and not self.problem:
            return True  # never asked, or the screen was left before the answer
        return self._monotonic() - self._asked_s >= (REST_S if self._has_news else OLD_S)

    async def read(self) -> None:
        """Read it; what goes wrong is said, and what was known stays."""
        self._asked_s, self._is_reading, self._has_news = self._monotonic(), True, False
        try:
            page = await self._session.answer(self.ask())
        finally:
            self._is_reading = False
        notice = self._session.notice
        self.problem = notice.text if page is None and notice else ""
        if page is not None:
            self.page = page
            self.listing.replace(page, self._monotonic())
