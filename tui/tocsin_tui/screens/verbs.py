"""What can be done with a ticket, on every screen where there is one under the cursor."""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from textual.binding import Binding, BindingType

from tocsin_protocol.acts import NewTicket
from tocsin_protocol.alerts import Alert
from tocsin_protocol.tickets import TicketRow
from tocsin_protocol.vocabulary import OPEN_TICKET_STATES, TicketState
from tocsin_tui.format import Tone, dim, line, strong
from tocsin_tui.presence import Look
from tocsin_tui.screens.page import Page
from tocsin_tui.silence import like
from tocsin_tui.state import ALARMING, acknowledged_by

TITLE_LENGTH = 60

Act = Callable[[TicketRow, str], Awaitable[bool]]


class TicketPage(Page):
    """A page with a ticket in hand."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "take", "take", id="ticket.take", tooltip="Take the ticket"),
        Binding("n", "note", "note", id="ticket.note", tooltip="Write a note for technicians"),
        Binding("N", "reply", "reply", show=False, id="ticket.reply", tooltip="Write a reply to who asked"),
        Binding("a", "acknowledge", "ack", id="ticket.acknowledge", tooltip="Acknowledge its alerts"),
        Binding("d", "resolve", "done", id="ticket.resolve", tooltip="Resolve it, with what was done"),
        Binding(
            "w",
            "wait",
            "wait",
            show=False,
            id="ticket.wait",
            tooltip="Let it wait for something, or go on with it",
        ),
        Binding(
            "p", "prioritise", "priority", show=False, id="ticket.prioritise", tooltip="Say how urgent it is"
        ),
        Binding(
            "A",
            "assign",
            "give",
            show=False,
            id="ticket.assign",
            tooltip="Give it to a team, a person or a supplier",
        ),
        Binding(
            "D",
            "resolve_all",
            "all done",
            show=False,
            id="ticket.resolve_all",
            tooltip="Resolve it and its children",
        ),
        Binding("L", "link", "link", show=False, id="ticket.link", tooltip="Link it to another ticket"),
        Binding("M", "merge", "merge", show=False, id="ticket.merge", tooltip="Merge it, or undo that"),
        Binding("C", "release", "release", show=False, id="ticket.release", tooltip="Give the ticket back"),
        Binding("o", "reopen", "reopen", show=False, id="ticket.reopen", tooltip="Open a solved ticket again"),
        Binding("X", "close", "close", show=False, id="ticket.close", tooltip="Close a solved ticket for good"),
        Binding(
            "t", "new", "new", show=False, id="ticket.new", tooltip="Open a new ticket for this client and host"
        ),
        Binding(
            "S", "silence", "silence", show=False, id="ticket.silence", tooltip="Silence alerts like its alert"
        ),
        Binding("H", "host", "host", show=False, id="ticket.host", tooltip="The ticket's host"),
        Binding("y", "copy", "copy", show=False, id="ticket.copy", tooltip="Copy number and title"),
    ]

    def in_hand(self) -> TicketRow | None:
        """The ticket that the keys are for."""
        raise NotImplementedError

    def alert_in_hand(self) -> Alert | None:
        """The alert that is silenced: the worst of the ticket."""
        row = self.in_hand()
        detail = self.session.details.get(row.id) if row else None
        return detail.alerts[0] if detail and detail.alerts else None

    def action_take(self) -> None:
        row = self._in_hand()
        if row is None:
            return
        if row.owner == self.session.login and row.state is not TicketState.NEW:
            self._say(f"#{row.id} is yours already")
        elif row.state not in OPEN_TICKET_STATES:
            self._say(f"#{row.id} is {row.state.value}: o opens it again")
        elif row.owner not in {None, self.session.login}:
            self._say(f"{row.owner} has #{row.id}: it can be taken once they release it")
        else:
            self.run_worker(self.session.acts.take(row))
            self.refresh_page()

    def action_release(self) -> None:
        row = self._in_hand()
        if row is None:
            return
        if row.owner is None:
            self._say(f"#{row.id} has no owner")
            return
        self.run_worker(self.session.acts.release(row))
        self.refresh_page()

    def action_wait(self) -> None:
        row = self._in_hand()
        if row is None:
            return
        if row.state is TicketState.PENDING:
            self.run_worker(self.session.acts.resume(row))
        elif row.state in OPEN_TICKET_STATES:
            from tocsin_tui.screens.waiting import WaitScreen  # noqa: PLC0415 - not needed for the first frame

            title = (strong(f"#{row.id} is to wait"), dim(f": {row.title}"))

            def wait(**how: Any) -> Awaitable[bool]:  # noqa: ANN401 - as the form gives it
                return self.session.acts.wait(self.session.tickets.rows.get(row.id, row), **how)

            self.app.push_screen(
                WaitScreen(self.session, self.painter, title=title, draft=f"wait {row.id}", wait=wait)
            )
        else:
            self._say(f"#{row.id} is {row.state.value}: nothing is to be done about it")

    def action_prioritise(self) -> None:
        row = self._in_hand()
        if row is None:
            return
        if row.state not in OPEN_TICKET_STATES:
            self._say(f"#{row.id} is {row.state.value}: nothing is to be done about it")
            return
        from tocsin_tui.screens.weight import WeightScreen  # noqa: PLC0415 - not needed for the first frame

        self.app.push_screen(WeightScreen(self.session, self.painter, row))

    def action_assign(self) -> None:
        row = self._in_hand()
        if row is None:
            return
        if row.state not in OPEN_TICKET_STATES:
            self._say(f"#{row.id} is {row.state.value}: nothing is to be done about it")
            return
        from tocsin_tui.screens.handover import HandoverScreen  # noqa: PLC0415 - not needed for the first frame

        self.app.push_screen(HandoverScreen(self.session, self.painter, row))

    def action_link(self) -> None:
        row = self._in_hand()
        if row is None:
            return
        if row.state is TicketState.CLOSED:
            self._say(f"#{row.id} is closed: link the other one to it")
            return
        from tocsin_tui.screens.ties import LinkScreen  # noqa: PLC0415 - not needed for the first frame

        self.app.push_screen(LinkScreen(self.session, self.painter, row))

    def action_merge(self) -> None:
        row = self._in_hand()
        if row is None:
            return
        if row.merged_into is not None:
            self.run_worker(self.session.acts.unmerge(row))
            return
        if row.state is TicketState.CLOSED:
            self._say(f"#{row.id} is closed already")
            return
        from tocsin_tui.screens.ties import MergeScreen  # noqa: PLC0415 - not needed for the first frame

        self.app.push_screen(MergeScreen(self.session, self.painter, row))

    def action_close(self) -> None:
        row = self._in_hand()
        if row is None:
            return
        if row.state is not TicketState.SOLVED:
            is_open = row.state in OPEN_TICKET_STATES
            self._say(f"#{row.id} is not solved: d resolves it" if is_open else f"#{row.id} is closed already")
            return
        from tocsin_tui.screens.question import Question  # noqa: PLC0415 - not needed for the first frame

        self.app.push_screen(
            Question(
                self.session,
                self.painter,
                title=f"Close #{row.id} for good?",
                about=line(dim(_short(row.title))),
                act=lambda: self.session.acts.close(self.session.tickets.rows.get(row.id, row)),
            )
        )

    def action_note(self) -> None:
        row = self._in_hand()
        if row is not None:
            title = f"Note on #{row.id} {_short(row.title)}"
            look = Look(row.id, "note")
            self._ask(title, f"note {row.id}", row, self.session.acts.comment, is_long=True, writes=look)

    def action_reply(self) -> None:
        row = self._in_hand()
        if row is not None:
            title = f"Reply to who asked: they will read it · #{row.id} {_short(row.title)}"
            look = Look(row.id, "reply")
            self._ask(title, f"reply {row.id}", row, self.session.acts.reply, is_long=True, writes=look)

    def action_acknowledge(self) -> None:
        row = self._in_hand()
        if row is None:
            return
        if row.alert_state not in ALARMING:
            self._say(f"#{row.id} has no alert that fires")
            return
        detail = self.session.details.get(row.id)
        if detail is not None and (who := acknowledged_by(detail.alerts)):
            self._say(f"{who} has acknowledged #{row.id}")
            return
        title = f"Acknowledge #{row.id} {_short(row.title)}: a note, if any"
        self._ask(title, f"acknowledge {row.id}", row, self.session.acts.acknowledge, is_long=False)

    def action_silence(self) -> None:
        alert = self.alert_in_hand()
        if alert is None:
            self._say("there is no alert here to silence")
            return
        from tocsin_tui.screens.silence import SilenceScreen  # noqa: PLC0415 - not needed for the first frame

        self.app.push_screen(SilenceScreen(self.session, self.painter, like(alert)))

    def action_resolve(self) -> None:
        self._resolve("Resolve", self.session.acts.resolve)

    def action_resolve_all(self) -> None:
        self._resolve("Resolve all below and", self.session.acts.resolve_all)

    def _resolve(self, verb: str, act: Act) -> None:
        row = self._in_hand()
        if row is None:
            return
        if row.state not in OPEN_TICKET_STATES:
            self._say(f"#{row.id} is {row.state.value} already")
            return
        title = f"{verb} #{row.id} {_short(row.title)}: what was it?"
        self._ask(title, f"resolve {row.id}", row, act, is_long=False)

    def action_reopen(self) -> None:
        row = self._in_hand()
        if row is None:
            return
        if row.state in OPEN_TICKET_STATES:
            self._say(f"#{row.id} is open")
            return
        self.run_worker(self.session.acts.reopen(row))

    def action_new(self) -> None:
        row = self._in_hand()
        if row is None:
            return
        from tocsin_tui.screens.composer import Composer  # noqa: PLC0415 - not needed for the first frame

        async def send(title: str) -> bool:
            question = NewTicket(client=row.client, title=title, host_id=row.host_id)
            return await self.session.acts.open_ticket(question) is not None

        place = f"{row.client}, {row.host}" if row.host else row.client
        title = f"New ticket for {place}: its title"
        self.app.push_screen(
            Composer(self.session, self.painter, title=title, draft=f"new {place}", send=send, is_long=False)
        )

    def action_host(self) -> None:
        row = self._in_hand()
        if row is None:
            return
        self.open_host(row.host_id, f"#{row.id} is about no host")

    def open_host(self, host_id: int | None, otherwise: str) -> None:
        """Go to a host, or say that there is none."""
        if host_id is None:
            self._say(otherwise)
            return
        from tocsin_tui.screens.host import HostScreen  # noqa: PLC0415 - not needed for the first frame

        self.app.push_screen(HostScreen(self.session, self.painter, host_id))

    def action_copy(self) -> None:
        row = self._in_hand()
        if row is not None:
            self.app.copy_to_clipboard(f"#{row.id} {row.title}")
            self._say(f"copied #{row.id}")

    def _in_hand(self) -> TicketRow | None:
        row = self.in_hand()
        if row is None:
            self._say("there is no ticket here")
        return row

    def _ask(
        self, title: str, draft: str, row: TicketRow, act: Act, *, is_long: bool, writes: Look | None = None
    ) -> None:
        from tocsin_tui.screens.composer import Composer  # noqa: PLC0415 - not needed for the first frame

        async def send(text: str) -> bool:
            current = self.session.tickets.rows.get(row.id, row)
            return await act(current, text)

        self.app.push_screen(
            Composer(
                self.session,
                self.painter,
                title=title,
                draft=draft,
                send=send,
                is_long=is_long,
                may_be_empty=not is_long,
                writes=writes,
            )
        )

    def _say(self, text: str) -> None:
        self.session.say(text, Tone.WARN)
        self.refresh_page()


def _short(title: str) -> str:
    return title if len(title) <= TITLE_LENGTH else title[:TITLE_LENGTH] + "…"
