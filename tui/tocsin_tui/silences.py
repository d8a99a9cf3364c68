"""The silences that hold or will, with those that are over where one asks for them.

No event tells of a silence: that of rules says that they may have changed.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tocsin_protocol.api import MAX_PAGE
from tocsin_protocol.silences import Silence
from tocsin_protocol.vocabulary import SilenceState
from tocsin_tui import filters
from tocsin_tui.board import Board
from tocsin_tui.state import nearness

if TYPE_CHECKING:
    from tocsin_tui.session import Session


class Silences(Board[Silence]):
    """The silences of a session."""

    KEYS = filters.SILENCE_KEYS

    def __init__(self, session: "Session", monotonic: Callable[[], float]) -> None:
        super().__init__(session, monotonic, nearness)
        self.with_expired = False
        self.show()

    @property
    def are_cut(self) -> bool:
        """Whether there may be more; the server cuts the list only where expired ones are in it."""
        return self.with_expired and len(self.page or ()) >= MAX_PAGE

    async def ask(self) -> list[Silence]:
        while True:
            with_expired = self.with_expired
            page = await self._session.client.silences(which="all" if with_expired else "active")
            if with_expired is self.with_expired:
                return page.silences  # else others are looked at meanwhile

    def fields(self, row: Silence) -> dict[str, str]:
        return filters.silence_fields(row)

    def belongs(self, row: Silence) -> bool:
        return self.with_expired or row.state is not SilenceState.EXPIRED

    def toggle(self) -> None:
        """Look at the expired ones as well, or no more; they are not here before they are read."""
        self.with_expired = not self.with_expired
        self.show()

    async def reveal(self) -> None:
        """Read them and show them at once, though hands are moving: they are waited for."""
        await self.read()
        self.show()
