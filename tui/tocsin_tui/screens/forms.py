"""What is asked about one ticket, each in a form, a field or a question; loaded when the first is opened.

What is typed counts for the ticket as it is known when that is sent.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from tocsin_protocol.acts import NewTicket
from tocsin_protocol.tickets import TicketRow
from tocsin_tui.format import dim, line, strong
from tocsin_tui.presence import Look
from tocsin_tui.screens.composer import Composer
from tocsin_tui.screens.handover import HandoverScreen
from tocsin_tui.screens.question import Question
from tocsin_tui.screens.ties import LinkScreen, MergeScreen, UnlinkScreen
from tocsin_tui.screens.waiting import WaitScreen
from tocsin_tui.screens.weight import WeightScreen
from tocsin_tui.session import Session
from tocsin_tui.widgets.paint import Painter

TITLE_LENGTH = 60

Act = Callable[[TicketRow, str], Awaitable[bool]]


class Forms:
    """Each takes the ticket that it is about."""

    def __init__(self, session: Session, painter: Painter) -> None:
        self._session = session
        self._painter = painter

    def priority(self, row: TicketRow) -> WeightScreen:
        return WeightScreen(self._session, self._painter, row)

    def handover(self, row: TicketRow) -> HandoverScreen:
        return HandoverScreen(self._session, self._painter, row)

    def link(self, row: TicketRow) -> LinkScreen:
        return LinkScreen(self._session, self._painter, row)

    def merge(self, row: TicketRow) -> MergeScreen:
        return MergeScreen(self._session, self._painter, row)

    def unlink(self, row: TicketRow) -> UnlinkScreen:
        return UnlinkScreen(self._session, self._painter, row)

    def wait(self, row: TicketRow) -> WaitScreen:
        def wait(**how: Any) -> Awaitable[bool]:  # noqa: ANN401 - as the form gives it
            return self._session.acts.wait(self._session.latest(row), **how)

        title = (strong(f"#{row.id} is to wait"), dim(f": {row.title}"))
        return WaitScreen(self._session, self._painter, title=title, draft=f"wait {row.id}", wait=wait)

    def close(self, row: TicketRow) -> Question:
        return Question(
            self._session,
            self._painter,
            title=f"Close #{row.id} for good?",
            about=line(dim(_short(row.title))),
            act=lambda: self._session.acts.close(self._session.latest(row)),
        )

    def note(self, row: TicketRow) -> Composer:
        title = f"Note on #{row.id} {_short(row.title)}"
        return self._words(title, Look(row.id, "note"), row, self._session.acts.comment)

    def reply(self, row: TicketRow) -> Composer:
        title = f"Reply to who asked: they will read it · #{row.id} {_short(row.title)}"
        return self._words(title, Look(row.id, "reply"), row, self._session.acts.reply)

    def acknowledge(self, row: TicketRow) -> Composer:
        title = f"Acknowledge #{row.id} {_short(row.title)}: a note, if any"
        return self._sentence(title, f"acknowledge {row.id}", row, self._session.acts.acknowledge)

    def resolve(self, row: TicketRow) -> Composer:
        title = f"Resolve #{row.id} {_short(row.title)}: what was it?"
        return self._sentence(title, f"resolve {row.id}", row, self._session.acts.resolve)

    def resolve_all(self, row: TicketRow) -> Composer:
        title = f"Resolve all below and #{row.id} {_short(row.title)}: what was it?"
        return self._sentence(title, f"resolve {row.id}", row, self._session.acts.resolve_all)

    def new(self, row: TicketRow) -> Composer:
        """A ticket for the same client and host."""

        async def send(title: str) -> bool:
            question = NewTicket(client=row.client, title=title, host_id=row.host_id)
            return await self._session.acts.open_ticket(question) is not None

        place = f"{row.client}, {row.host}" if row.host else row.client
        title = f"New ticket for {place}: its title"
        return Composer(
            self._session, self._painter, title=title, draft=f"new {place}", send=send, is_long=False
        )

    def _words(self, title: str, writes: Look, row: TicketRow, act: Act) -> Composer:
        """A text that others are told of while it is written."""
        return Composer(
            self._session,
            self._painter,
            title=title,
            draft=f"{writes.writing} {row.id}",
            send=self._sender(row, act),
            is_long=True,
            writes=writes,
        )

    def _sentence(self, title: str, draft: str, row: TicketRow, act: Act) -> Composer:
        """A line that may be left empty."""
        return Composer(
            self._session,
            self._painter,
            title=title,
            draft=draft,
            send=self._sender(row, act),
            is_long=False,
            may_be_empty=True,
        )

    def _sender(self, row: TicketRow, act: Act) -> Callable[[str], Awaitable[bool]]:
        return lambda text: act(self._session.latest(row), text)


def _short(title: str) -> str:
    return title if len(title) <= TITLE_LENGTH else title[:TITLE_LENGTH] + "…"
