"""Another ticket: one that it is linked to, or that it is merged into."""

from collections.abc import Awaitable, Mapping
from typing import ClassVar

from tocsin_protocol.tickets import TicketRow
from tocsin_tui.format import dim, strong
from tocsin_tui.screens.form import Form
from tocsin_tui.session import Session
from tocsin_tui.ties import kind_of, other_of
from tocsin_tui.widgets.paint import Painter


class LinkScreen(Form):
    """What the other ticket is to this one."""

    FIELDS: ClassVar[Mapping[str, str]] = {"kind": "it is", "other": "ticket"}
    FIRST: ClassVar[str] = "kind"

    def __init__(self, session: Session, painter: Painter, row: TicketRow) -> None:
        title = (strong(f"Link #{row.id} to another"), dim(f": {row.title}"))
        super().__init__(session, painter, title=title, draft=f"link {row.id}")
        self._row = row

    def proposed(self, name: str) -> str:
        return "relates" if name == "kind" else ""

    def told(self) -> str:
        number, title = self._other()
        return f"{kind_of(self.typed('kind')).value.replace('_', ' ')} #{number} {title} · enter sends"

    def sent(self) -> Awaitable[bool]:
        row = self.session.latest(self._row)
        return self.session.acts.link(row, kind=kind_of(self.typed("kind")), other=self._other()[0])

    def _other(self) -> tuple[int, str]:
        return other_of(self.typed("other"), self.session.tickets.rows.values(), self._row)


class MergeScreen(Form):
    """Into which ticket it goes."""

    FIELDS: ClassVar[Mapping[str, str]] = {"into": "into"}
    FIRST: ClassVar[str] = "into"

    def __init__(self, session: Session, painter: Painter, row: TicketRow) -> None:
        title = (strong(f"Merge #{row.id} into another"), dim(f": {row.title}"))
        super().__init__(session, painter, title=title, draft=f"merge {row.id}")
        self._row = row

    def proposed(self, name: str) -> str:  # noqa: ARG002 - nothing is likely
        return ""

    def told(self) -> str:
        number, title = self._other()
        return f"into #{number} {title} · enter sends"

    def sent(self) -> Awaitable[bool]:
        row = self.session.latest(self._row)
        return self.session.acts.merge(row, into=self._other()[0])

    def _other(self) -> tuple[int, str]:
        return other_of(self.typed("into"), self.session.tickets.rows.values(), self._row)
