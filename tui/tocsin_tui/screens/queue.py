"""The queue: what is to be done, the most urgent first, with the ticket under the cursor beside it."""

from collections.abc import Collection, Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from tocsin_protocol.tickets import TicketRow
from tocsin_tui.filters import TICKET_KEYS
from tocsin_tui.format import EMPTY, RULE, Line, Span, Tone, dim, line
from tocsin_tui.plot import plot
from tocsin_tui.screens.marked import MarkedPage
from tocsin_tui.screens.narrowed import NarrowedPage
from tocsin_tui.session import Session
from tocsin_tui.sheets import ticket
from tocsin_tui.state import LinkState, View
from tocsin_tui.widgets.field import Field
from tocsin_tui.widgets.lines import Lines
from tocsin_tui.widgets.paint import Painter
from tocsin_tui.widgets.table import Column, VirtualTable

COLUMNS = (
    Column("", 2),
    Column("", 1),
    Column("ID", 5, right=True),
    Column("AGE", 5, right=True),
    Column("CLIENT", 7),
    Column("HOST", 11),
    Column("SUBJECT", 0),
    Column("OWNER", 6),
)
CHART_LINES = 10
FILTER_TIP = "Find: words, comments too, client:acme"
VIEW_TIP = "Another view: open, mine, unowned, solved"


class QueueScreen(NarrowedPage, MarkedPage):
    """The first screen."""

    HERE = "Queue"
    KEYS = TICKET_KEYS

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", key_display="/", id="list.filter", tooltip=FILTER_TIP),
        Binding("right_square_bracket", "view(1)", "view", key_display="]", id="list.view", tooltip=VIEW_TIP),
        Binding("left_square_bracket", "view(-1)", show=False, id="list.view_back", tooltip="The view before"),
        Binding("q", "app.quit", "quit", id="go.quit", tooltip="Leave the console"),
    ]

    def __init__(self, session: Session, painter: Painter) -> None:
        super().__init__(session, painter)
        self.table: VirtualTable[TicketRow] = VirtualTable(
            session.tickets, COLUMNS, self._cells, painter, is_marked=session.marks.__contains__, id="table"
        )

    def body(self) -> Iterable[Widget]:
        yield Lines(self.painter, id="narrowed")
        yield Horizontal(
            Vertical(
                Lines(self.painter, id="heading"),
                self.table,
                Lines(self.painter, id="empty"),
                Lines(self.painter, id="foot"),
                id="list",
            ),
            Lines(self.painter, id="preview"),
            id="body",
        )
        yield Field(
            id="filter",
            placeholder="words  client:acme  priority:1  due:4h  owner:me  -host:atlas",
            select_on_focus=False,
        )

    def on_mount(self) -> None:
        self.table.focus()

    def in_hand(self) -> TicketRow | None:
        return self.session.tickets.current

    def crumb(self) -> str:
        return "" if self.session.view is View.OPEN else self.session.view.value

    def note(self) -> str:
        return f"view {self.session.view.value} " if self.is_roomy else ""

    def show(self) -> None:
        session = self.session
        self.table.sync()
        is_empty = not session.tickets.order
        self.be_empty(is_empty)
        self.query_one("#heading", Lines).show([self.table.heading()])
        self.query_one("#empty", Lines).show(self._nothing() if is_empty else ())
        self.query_one("#foot", Lines).show([self._foot()])
        self._show_preview()

    def action_view(self, by: int) -> None:
        views = list(View)
        view = views[(views.index(self.session.view) + by) % len(views)]
        self.session.look(view)
        if view is View.SOLVED:
            self.run_worker(self.session.read_solved(), group="solved", exclusive=True)
        self._search()
        self.refresh_page()

    def marks_changed(self) -> None:
        self.table.refresh()
        self.refresh_page()

    def key_escape(self) -> None:
        if self.has_class("-filtering") or self.wanted():
            self.action_unfilter()

    def on_virtual_table_moved(self) -> None:
        self._show_preview()
        self.query_one("#foot", Lines).show([self._foot()])

    def wanted(self) -> str:
        return self.session.ticket_filter.text

    def narrow(self, text: str) -> None:
        self.session.filter_tickets(text)
        self._search()

    def known(self, key: str) -> Collection[str]:
        from tocsin_tui import completion  # noqa: PLC0415 - not needed for the first frame

        return completion.of_tickets(key, self.session.tickets.rows.values())

    def _search(self) -> None:
        """What was typed before is no longer waited for, nor begun: so a function, and no coroutine."""
        self.run_worker(self.session.search.ask, group="search", exclusive=True)  # type: ignore[arg-type]

    def listing(self) -> Widget:
        return self.table

    def on_virtual_table_chosen(self) -> None:
        self.choose()

    def choose(self) -> None:
        row = self.in_hand()
        if row is None:
            return
        from tocsin_tui.screens.ticket import TicketScreen  # noqa: PLC0415 - not needed for the first frame

        self.app.push_screen(TicketScreen(self.session, self.painter, row.id))

    def _cells(self, row: TicketRow, is_ghost: bool) -> tuple[Span, ...]:  # noqa: FBT001 - as the table calls it
        session = self.session
        cells = ticket.cells(row, me=session.login, now=session.now(), is_ghost=is_ghost)
        if row.id in session.underway:
            text, tone = cells[-1]
            return (*cells[:-1], (f"⧗{text}", tone))
        return cells

    def _foot(self) -> Line:
        session = self.session
        waiting = session.tickets.waiting()
        new = [f"+{waiting.above} new above ▲"] if waiting.above else []
        new += [f"+{waiting.below} new below ▼"] if waiting.below else []
        total = session.counts.open if session.counts else len(session.tickets.rows)
        shown = len(session.tickets)
        is_part = session.view is not View.SOLVED and shown != total
        count = f" {shown} of {total} open" if is_part else f" {shown} {session.view.value}"
        marked = len(session.marks.rows())
        marks = [(f" · {marked} marked, u unmarks", Tone.KEY)] if marked else []
        return line(
            dim(count if session.has_snapshot else ""), *marks, *[(f" · {part}", Tone.FRESH) for part in new]
        )

    def _nothing(self) -> list[Line]:
        session = self.session
        if session.has_snapshot:
            total = session.counts.open if session.counts else 0
            return ticket.nothing_here(session.view.value, session.ticket_filter.text, total)
        if session.link.state is LinkState.CONNECTING:
            return [line(dim("reading the queue…"))]
        return [
            line(("The server cannot be reached; nothing is known yet.", Tone.BAD)),
            EMPTY,
            line(dim("R tries now · it tries by itself as well")),
        ]

    def _show_preview(self) -> None:
        session, row = self.session, self.session.tickets.current
        preview = self.query_one("#preview", Lines)
        if row is None:
            preview.show(())
            return
        detail = session.dossiers.tickets.get(row.id)
        now, me = session.now(), session.login
        if not self.is_roomy:
            preview.show([RULE, *ticket.digest(row, detail, me=me, now=now)])
        else:
            chart = self._chart(row.id, preview.size.width)
            preview.show(ticket.preview(row, detail, chart, me=me, now=now))
        session.dossiers.want(row)

    def _chart(self, ticket_id: int, width: int) -> list[Line]:
        detail = self.session.dossiers.tickets.get(ticket_id)
        chart = self.session.dossiers.charts.get(detail.alerts[0].id) if detail and detail.alerts else None
        if chart is None or width < 20:
            return []
        drawn = plot(chart, width=width, height=CHART_LINES, now=self.session.now(), is_titled=False)
        return [EMPTY, *drawn]
