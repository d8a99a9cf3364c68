"""What can be done with a ticket, on every screen where there is one under the cursor."""

from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.screen import Screen

from tocsin_protocol.alerts import Alert
from tocsin_protocol.tickets import TicketRow
from tocsin_protocol.vocabulary import OPEN_TICKET_STATES, TicketState
from tocsin_tui.format import Tone
from tocsin_tui.screens.page import Page
from tocsin_tui.silence import like
from tocsin_tui.state import ALARMING, acknowledged_by

if TYPE_CHECKING:
    from tocsin_tui.screens.forms import Forms

Against = Callable[[TicketRow], str]
"""What is against something on a ticket, in words; empty where nothing is."""


def _nothing(_: TicketRow) -> str:
    return ""


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
        Binding(
            "U", "unlink", "unlink", show=False, id="ticket.unlink", tooltip="Take away a tie to another ticket"
        ),
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
        detail = self.session.dossiers.tickets.get(row.id) if row else None
        return detail.alerts[0] if detail and detail.alerts else None

    @cached_property
    def forms(self) -> "Forms":
        """What can be asked about the ticket in hand."""
        from tocsin_tui.screens.forms import Forms  # noqa: PLC0415 - not needed for the first frame

        return Forms(self.session, self.painter)

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
            self.act(self.session.acts.take(row))
            self.refresh_page()

    def action_release(self) -> None:
        row = self._in_hand(lambda row: "" if row.owner else f"#{row.id} has no owner")
        if row is not None:
            self.act(self.session.acts.release(row))
            self.refresh_page()

    def action_wait(self) -> None:
        row = self._in_hand(_nothing_to_do)
        if row is None:
            return
        if row.state is TicketState.PENDING:
            self.act(self.session.acts.resume(row))
        else:
            self.app.push_screen(self.forms.wait(row))

    def action_prioritise(self) -> None:
        self._ask(self.forms.priority, _nothing_to_do)

    def action_assign(self) -> None:
        self._ask(self.forms.handover, _nothing_to_do)

    def action_link(self) -> None:
        self._ask(self.forms.link, _no_more_links)

    def action_unlink(self) -> None:
        self._ask(self.forms.unlink)

    def action_merge(self) -> None:
        row = self._in_hand()
        if row is None:
            return
        if row.merged_into is not None:
            self.act(self.session.acts.unmerge(row))
        else:
            self._ask(self.forms.merge, _closed_already)

    def action_close(self) -> None:
        self._ask(self.forms.close, _not_to_be_closed)

    def action_note(self) -> None:
        self._ask(self.forms.note)

    def action_reply(self) -> None:
        self._ask(self.forms.reply)

    def action_acknowledge(self) -> None:
        self._ask(self.forms.acknowledge, self._nothing_to_know)

    def action_silence(self) -> None:
        alert = self.alert_in_hand()
        if alert is None:
            self._say("there is no alert here to silence")
            return
        from tocsin_tui.screens.silence import SilenceScreen  # noqa: PLC0415 - not needed for the first frame

        self.app.push_screen(SilenceScreen(self.session, self.painter, like(alert)))

    def action_resolve(self) -> None:
        self._ask(self.forms.resolve, _over_already)

    def action_resolve_all(self) -> None:
        self._ask(self.forms.resolve_all, _over_already)

    def action_reopen(self) -> None:
        row = self._in_hand(lambda row: f"#{row.id} is open" if row.state in OPEN_TICKET_STATES else "")
        if row is not None:
            self.act(self.session.acts.reopen(row))

    def action_new(self) -> None:
        self._ask(self.forms.new)

    def action_host(self) -> None:
        row = self._in_hand()
        if row is not None:
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

    def act(self, asked: Awaitable[bool]) -> None:
        """Do it, whether or not this page is left before the answer."""
        self.app.run_worker(asked, group="act")

    def _ask(self, form: Callable[[TicketRow], Screen[None]], against: Against = _nothing) -> None:
        """Open a form about the ticket in hand, or say what is against that."""
        row = self._in_hand(against)
        if row is not None:
            self.app.push_screen(form(row))

    def _in_hand(self, against: Against = _nothing) -> TicketRow | None:
        """The ticket that the keys are for; nothing where something is against it, which is said."""
        row = self.in_hand()
        said = "there is no ticket here" if row is None else against(row)
        if said:
            self._say(said)
            return None
        return row

    def _nothing_to_know(self, row: TicketRow) -> str:
        if row.alert_state not in ALARMING:
            return f"#{row.id} has no alert that fires"
        detail = self.session.dossiers.tickets.get(row.id)
        who = acknowledged_by(detail.alerts) if detail else None
        return f"{who} has acknowledged #{row.id}" if who else ""

    def _say(self, text: str) -> None:
        self.session.say(text, Tone.WARN)
        self.refresh_page()


def _nothing_to_do(row: TicketRow) -> str:
    is_open = row.state in OPEN_TICKET_STATES
    return "" if is_open else f"#{row.id} is {row.state.value}: nothing is to be done about it"


def _over_already(row: TicketRow) -> str:
    return "" if row.state in OPEN_TICKET_STATES else f"#{row.id} is {row.state.value} already"


def _closed_already(row: TicketRow) -> str:
    return f"#{row.id} is closed already" if row.state is TicketState.CLOSED else ""


def _no_more_links(row: TicketRow) -> str:
    return f"#{row.id} is closed: link the other one to it" if row.state is TicketState.CLOSED else ""


def _not_to_be_closed(row: TicketRow) -> str:
    is_open = row.state in OPEN_TICKET_STATES
    return f"#{row.id} is not solved: d resolves it" if is_open else _closed_already(row)
