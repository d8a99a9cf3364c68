"""The alerts that are going on: the worst page of them.

No event tells of an alert. One of a ticket, or of what judges and withholds, says that they may have changed.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tocsin_protocol.alerts import Alert
from tocsin_protocol.api import MAX_PAGE
from tocsin_tui import filters
from tocsin_tui.board import Board
from tocsin_tui.state import gravity

if TYPE_CHECKING:
    from tocsin_tui.session import Session


class Alerts(Board[Alert]):
    """The alerts of a session."""

    KEYS = filters.ALERT_KEYS

    def __init__(self, session: "Session", monotonic: Callable[[], float]) -> None:
        super().__init__(session, monotonic, gravity)

    @property
    def are_cut(self) -> bool:
        """Whether there may be more than the page holds."""
        return len(self.page or ()) >= MAX_PAGE

    async def ask(self) -> list[Alert]:
        return (await self._session.client.alerts()).alerts

    def fields(self, row: Alert) -> dict[str, str]:
        return filters.alert_fields(row)
