"""A ticket is to wait: for what, until when at most, and a note."""

from collections.abc import Awaitable, Mapping
from typing import ClassVar

from tocsin_protocol.api import TicketRow
from tocsin_tui.format import clock, dim, strong
from tocsin_tui.screens.form import Form
from tocsin_tui.session import Session
from tocsin_tui.waiting import reason_of, until_of
from tocsin_tui.widgets.paint import Painter


class WaitScreen(Form):
    """The form for one ticket."""

    FIELDS: ClassVar[Mapping[str, str]] = {"reason": "for", "length": "at most", "note": "note"}
    FIRST: ClassVar[str] = "reason"

    def __init__(self, session: Session, painter: Painter, row: TicketRow) -> None:
        title = (strong(f"#{row.id} is to wait"), dim(f": {row.title}"))
        super().__init__(session, painter, title=title, draft=f"wait {row.id}")
        self._row = row
        self._reasons = session.server.waits_for if session.server else []

    def proposed(self, name: str) -> str:
        return next(iter(self._reasons), "") if name == "reason" else ""

    def told(self) -> str:
        now = self.session.now()
        reason = reason_of(self.typed("reason"), self._reasons)
        until = until_of(self.typed("length"), now)
        limit = "until somebody goes on with it" if until is None else f"until {clock(until, now)} at most"
        return f"for {reason}, {limit} · enter sends"

    def sent(self) -> Awaitable[bool]:
        row = self.session.tickets.rows.get(self._row.id, self._row)
        reason = reason_of(self.typed("reason"), self._reasons)
        until = until_of(self.typed("length"), self.session.now())
        return self.session.acts.wait(row, reason=reason, until=until, text=self.typed("note").strip())
