"""The alerts that are going on: the worst page of them, read anew while somebody looks.

No event tells of an alert. One of a ticket, or of what judges and withholds, says that they may have changed:
then they are read again, else every so often, and never oftener than the hosts are.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from tocsin_protocol.api import MAX_PAGE, Alert
from tocsin_tui import filters
from tocsin_tui.filters import Filter
from tocsin_tui.state import Listing, gravity

if TYPE_CHECKING:
    from tocsin_tui.session import Session

REST_S = 5.0
"""How long they are left alone once they have been asked for."""
OLD_S = 10.0
"""The age at which they are read again though nothing was heard."""


class Alerts:
    """The alerts of a session."""

    def __init__(self, session: "Session", monotonic: Callable[[], float]) -> None:
        self.listing: Listing[Alert] = Listing(gravity)
        self.wanted = Filter()
        self.page: list[Alert] | None = None
        """What was read last; the list holds some of what has gone since as well."""
        self.problem = ""
        """Why they could not be read the last time."""
        self._session = session
        self._monotonic = monotonic
        self._asked_s = -math.inf
        self._is_reading = False
        self._has_news = False

    @property
    def are_cut(self) -> bool:
        """Whether there may be more than the page holds."""
        return len(self.page or ()) >= MAX_PAGE

    def narrow(self, text: str) -> None:
        """Show only alerts that match what was typed."""
        wanted = filters.parse_filter(text, keys=filters.ALERT_KEYS, me=self._session.login)
        self.wanted = wanted
        self.listing.show(lambda alert: not wanted or wanted.admits(filters.alert_fields(alert)))

    def settle(self, *, is_idle: bool) -> bool:
        """Let rows take their places; whether any has moved."""
        return self.listing.settle(self._monotonic(), is_idle=is_idle)

    def hear(self) -> None:
        """Something has happened that may have changed them."""
        self._has_news = True

    def are_due(self) -> bool:
        """Whether it is time to read them again."""
        if self._is_reading:
            return False
        if self.page is None and not self.problem:
            return True  # never asked, or the screen was left before the answer
        return self._monotonic() - self._asked_s >= (REST_S if self._has_news else OLD_S)

    async def read(self) -> None:
        """Read them; what goes wrong is said, and what was known stays."""
        self._asked_s, self._is_reading, self._has_news = self._monotonic(), True, False
        try:
            page = await self._session.answer(self._session.client.alerts())
        finally:
            self._is_reading = False
        notice = self._session.notice
        self.problem = notice.text if page is None and notice else ""
        if page is not None:
            self.page = page.alerts
            self.listing.replace(page.alerts, self._monotonic())
