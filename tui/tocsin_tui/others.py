"""The tickets that may be meant while another one is being named: what is here, and what the server finds.

What is here is looked through at once. The server is asked once no key is typed, for it knows what was said on
a ticket, and those of long ago; and for a number that is not here, whose ticket it is.
"""

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING

from tocsin_protocol.tickets import TicketRow
from tocsin_tui.errors import ConsoleError, Refused
from tocsin_tui.search import TYPING_S
from tocsin_tui.state import LinkState
from tocsin_tui.ties import Beside, Found, Meant, beside, meant, number_of, numbered, the_one

if TYPE_CHECKING:
    from tocsin_tui.session import Session

MOST = 20
"""How many of a search are looked at: who looks for more types another word."""


class Others:
    """Beside one ticket: others of its client, with `is_open` only such as are open."""

    def __init__(self, session: "Session", row: TicketRow, *, is_open: bool = False) -> None:
        self._session = session
        self._row = row
        self._is_open = is_open
        self.found = Found()

    @cached_property
    def _here(self) -> list[Beside]:
        """As they are when the first key is typed; what comes later the server finds."""
        return beside(self._session.tickets.rows.values(), self._row, is_open=self._is_open)

    def other(self, text: str) -> tuple[int, str]:
        """The ticket that is meant, and its title where known. Raises `ValueError` for none or several."""
        number = number_of(text)
        if number is not None:
            known = self._session.tickets.rows.get(number)
            return numbered(number, known, self._row, self.found, text=text)
        is_live = self._session.link.state is LinkState.LIVE
        return the_one(text, self.meant(text), self._row, self.found, is_live=is_live)

    def meant(self, text: str) -> Meant:
        """Those that may be meant by words; none by a number, which means one."""
        here = [] if number_of(text) is not None else self._here
        return meant(text, here, self._row, self.found, is_open=self._is_open)

    async def ask(self, text: str) -> None:
        """Ask the server for what is typed. Who types on cancels this, and asks again."""
        session, number = self._session, number_of(text)
        if not text.split() or session.link.state is not LinkState.LIVE or number in session.tickets.rows:
            return
        await asyncio.sleep(TYPING_S)
        try:
            rows, is_cut = await (self._search(text) if number is None else self._look_up(number))
        except Refused as error:
            self.found = Found(text, refusal=str(error))
        except ConsoleError as error:
            self.found = Found(text, problem=str(error))
        else:
            self.found = Found(text, rows, is_cut)
            for row in rows:
                session.know(row)

    async def _search(self, text: str) -> tuple[list[TicketRow], bool]:
        state = "open" if self._is_open else "all"
        page = await self._session.client.search(text, state=state, client=self._row.client, most=MOST)
        return page.tickets, page.next is not None

    async def _look_up(self, number: int) -> tuple[list[TicketRow], bool]:
        return [(await self._session.client.ticket(number)).ticket], False
