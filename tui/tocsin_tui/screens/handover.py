"""To whom a ticket is given: a team, a person, a supplier."""

from collections.abc import Awaitable, Mapping
from typing import ClassVar

from tocsin_protocol.teams import Assign
from tocsin_protocol.tickets import TicketRow
from tocsin_tui.format import dim, strong
from tocsin_tui.handover import handover, told
from tocsin_tui.screens.form import Form
from tocsin_tui.session import Session
from tocsin_tui.widgets.paint import Painter


class HandoverScreen(Form):
    """The form for one ticket."""

    FIELDS: ClassVar[Mapping[str, str]] = {
        "team": "team",
        "person": "person",
        "supplier": "supplier",
        "why": "why",
    }
    FIRST: ClassVar[str] = "team"

    def __init__(self, session: Session, painter: Painter, row: TicketRow) -> None:
        title = (strong(f"Give #{row.id} to"), dim(f": {row.title}"))
        super().__init__(session, painter, title=title, draft=f"give {row.id}")
        self._row = row

    def proposed(self, name: str) -> str:
        return self._row.team if name == "team" else ""

    def told(self) -> str:
        return f"{told(self._wish())} · enter sends"

    def sent(self) -> Awaitable[bool]:
        row = self.session.latest(self._row)
        return self.session.acts.assign(row, self._wish())

    def _wish(self) -> Assign:
        return handover(*map(self.typed, self.FIELDS), has=self._row.team)
