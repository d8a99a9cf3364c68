"""Another ticket: one that it is linked to, or merged into, or has nothing to do with any more."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import ClassVar

from textual.widgets import Input

from tocsin_protocol.tickets import TicketRow, TicketTie
from tocsin_tui.format import Line, dim, shortened, strong, tie_word
from tocsin_tui.others import Others
from tocsin_tui.screens.form import Form
from tocsin_tui.session import Session
from tocsin_tui.ties import kind_of, removable, tie_of
from tocsin_tui.widgets.paint import Painter

LISTED = 5
"""How many one can choose from are shown; one line more says how many others there are."""


class OtherScreen(Form):
    """A form with a field `OTHER` that names another ticket of the client."""

    LISTS: ClassVar[bool] = True
    OTHER: ClassVar[str]

    def __init__(
        self, session: Session, painter: Painter, row: TicketRow, *, title: str, draft: str, is_open: bool
    ) -> None:
        about = (strong(title), dim(f": {row.title}"))
        super().__init__(session, painter, title=about, draft=f"{draft} {row.id}")
        self.row = row
        self._others = Others(session, row, is_open=is_open)

    def proposed(self, name: str) -> str:  # noqa: ARG002 - nothing is likely
        return ""

    def other(self) -> tuple[int, str]:
        """The ticket that is named; raises `ValueError` for none or several."""
        return self._others.other(self.typed(self.OTHER))

    def changed(self) -> None:
        # What was typed before is no longer waited for, nor begun: so a function, and no coroutine.
        self.run_worker(self._ask, group="ask", exclusive=True)  # type: ignore[arg-type]

    def listed(self) -> Sequence[Line]:
        which = self._others.meant(self.typed(self.OTHER))
        lines = [_in_a_line(each.state.value.replace("_", " "), each) for each in which.rows]
        problem = self._others.found.problem
        aside = [shortened(dim(f"the server could not be asked: {problem}"))] if problem else []
        return [*aside, *_few(lines, LISTED - len(aside))]

    async def _ask(self) -> None:
        await self._others.ask(self.typed(self.OTHER))
        self.tell()


class LinkScreen(OtherScreen):
    """What the other ticket is to this one."""

    FIELDS: ClassVar[Mapping[str, str]] = {"kind": "it is", "other": "ticket"}
    FIRST: ClassVar[str] = "kind"
    OTHER: ClassVar[str] = "other"

    def __init__(self, session: Session, painter: Painter, row: TicketRow) -> None:
        super().__init__(session, painter, row, title=f"Link #{row.id} to another", draft="link", is_open=False)

    def proposed(self, name: str) -> str:
        return "relates" if name == "kind" else ""

    def told(self) -> str:
        number, title = self.other()
        return f"{tie_word(kind_of(self.typed('kind')))} #{number} {title} · enter sends"

    def sent(self) -> Awaitable[bool]:
        row = self.session.latest(self.row)
        return self.session.acts.link(row, kind=kind_of(self.typed("kind")), other=self.other()[0])


class MergeScreen(OtherScreen):
    """Into which ticket it goes."""

    FIELDS: ClassVar[Mapping[str, str]] = {"into": "into"}
    FIRST: ClassVar[str] = "into"
    OTHER: ClassVar[str] = "into"

    def __init__(self, session: Session, painter: Painter, row: TicketRow) -> None:
        super().__init__(
            session, painter, row, title=f"Merge #{row.id} into another", draft="merge", is_open=True
        )

    def told(self) -> str:
        number, title = self.other()
        return f"into #{number} {title} · enter sends"

    def sent(self) -> Awaitable[bool]:
        return self.session.acts.merge(self.session.latest(self.row), into=self.other()[0])


class UnlinkScreen(Form):
    """Which tie is taken away, of those that it has by now; where there is one, it is proposed."""

    FIELDS: ClassVar[Mapping[str, str]] = {"tie": "which"}
    FIRST: ClassVar[str] = "tie"
    LISTS: ClassVar[bool] = True

    def __init__(self, session: Session, painter: Painter, row: TicketRow) -> None:
        title = (strong(f"What #{row.id} has no more to do with"), dim(f": {row.title}"))
        super().__init__(session, painter, title=title, draft=f"unlink {row.id}")
        self._row = row

    def on_mount(self) -> None:
        self.run_worker(self._read(), group="read", exclusive=True)

    def proposed(self, name: str) -> str:  # noqa: ARG002 - there is one field
        match self._ties():
            case [only]:
                return f"{tie_word(only.tie)} #{only.ticket}"
            case _:
                return ""

    def told(self) -> str:
        tie = self._tie()
        return f"take away: {tie_word(tie.tie)} #{tie.ticket} {tie.title}? · enter does it"

    def sent(self) -> Awaitable[bool]:
        return self.session.acts.untie(self.session.latest(self._row), self._tie())

    def listed(self) -> Sequence[Line]:
        return _few([_in_a_line(tie_word(tie.tie), tie) for tie in self._ties()], LISTED)

    def _tie(self) -> TicketTie:
        if self._row.id not in self.session.dossiers.tickets:
            raise ValueError("reading what it has to do with others…")
        if not self._ties():
            raise ValueError(f"#{self._row.id} has no tie that can be taken away")
        return tie_of(self.typed("tie"), self._ties())

    def _ties(self) -> list[TicketTie]:
        detail = self.session.dossiers.tickets.get(self._row.id)
        return [] if detail is None else removable(detail)

    async def _read(self) -> None:
        """Those that are known may be of a while ago."""
        was = self.proposed("tie")
        await self.session.dossiers.read_ticket(self._row.id)
        if self.typed("tie") in {"", was}:
            self.query_one("#tie", Input).value = self.proposed("tie")
        self.tell()


def _in_a_line(what: str, other: TicketRow | TicketTie) -> Line:
    number = other.id if isinstance(other, TicketRow) else other.ticket
    return shortened(dim(f"{what:<13} "), strong(f"#{number} "), other.title)


def _few(lines: Sequence[Line], most: int) -> list[Line]:
    left = len(lines) - most
    return [*lines[:most], *([shortened(dim(f"and {left} more"))] if left > 0 else [])]
