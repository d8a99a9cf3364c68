"""How urgent a ticket is: a priority and why, or impact and urgency."""

from collections.abc import Awaitable, Mapping
from typing import ClassVar

from tocsin_protocol.tickets import TicketRow
from tocsin_tui.format import dim, strong
from tocsin_tui.screens.form import Form
from tocsin_tui.session import Session
from tocsin_tui.weight import told, weight_of
from tocsin_tui.widgets.paint import Painter


class WeightScreen(Form):
    """The form for one ticket."""

    FIELDS: ClassVar[Mapping[str, str]] = {"weight": "urgency", "why": "why"}
    FIRST: ClassVar[str] = "weight"

    def __init__(self, session: Session, painter: Painter, row: TicketRow) -> None:
        title = (strong(f"#{row.id} has priority {row.priority}"), dim(f": {row.title}"))
        super().__init__(session, painter, title=title, draft=f"weight {row.id}")
        self._row = row

    def proposed(self, name: str) -> str:
        return f"{self._row.impact} {self._row.urgency}".strip() if name == "weight" else ""

    def told(self) -> str:
        return f"{told(weight_of(self.typed('weight'), self.typed('why')))} · enter sends"

    def sent(self) -> Awaitable[bool]:
        row = self.session.latest(self._row)
        return self.session.acts.prioritise(row, weight_of(self.typed("weight"), self.typed("why")))
