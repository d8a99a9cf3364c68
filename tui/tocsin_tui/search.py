"""What the server finds of the words that narrow the queue: in comments, and among tickets of long ago.

The rows that are here are narrowed at once, by what they show. What is found is seen beside them, as long as
the words are those that were looked for.
"""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from tocsin_tui.errors import ConsoleError
from tocsin_tui.state import LinkState, View

if TYPE_CHECKING:
    from tocsin_tui.session import Session

TYPING_S = 0.2
"""How long no key is typed before the server is asked."""


class Search:
    """The search of a session."""

    def __init__(self, session: "Session") -> None:
        self._session = session
        self.found: frozenset[int] = frozenset()
        """The tickets in which the server has found the filter's words."""

    def forget(self) -> None:
        """Other words are looked for, or elsewhere."""
        self.found = frozenset()

    async def ask(self) -> None:
        """Look for the filter's words. Who types on cancels this, and asks again."""
        session = self._session
        wanted, view = session.ticket_filter, session.view
        if not any(len(word) > 1 for word in wanted.words) or session.link.state is not LinkState.LIVE:
            return
        await asyncio.sleep(TYPING_S)
        with suppress(ConsoleError):  # what is here is narrowed all the same; the stream notices a dead line
            state = "solved" if view is View.SOLVED else "open"
            page = await session.client.search(" ".join(wanted.words), state=state)
            for row in page.tickets:
                session.know(row)
            if (session.ticket_filter, session.view) == (wanted, view):
                self.found = frozenset(row.id for row in page.tickets)
                session.show_tickets()
