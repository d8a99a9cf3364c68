"""Acts on all tickets that are marked, each after a question that says on how many."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import ClassVar

from textual.binding import Binding, BindingType

from tocsin_protocol.tickets import TicketRow
from tocsin_protocol.vocabulary import TicketState
from tocsin_tui.format import dim, line, strong
from tocsin_tui.marks import Verb
from tocsin_tui.screens.verbs import TicketPage

SHOWN = 12
"""How many numbers a question names."""


class MarkedPage(TicketPage):
    """A page whose tickets can be marked: where some are, the keys of acts are for those."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "space", "mark", "mark", show=False, id="list.mark", tooltip="Mark the ticket, or not any more"
        ),
        Binding("u", "unmark", "unmark", show=False, id="list.unmark", tooltip="Take all marks away"),
    ]

    def action_mark(self) -> None:
        tickets = self.session.tickets
        if tickets.cursor is not None and tickets.cursor not in tickets.ghosts:
            self.session.marks.toggle(tickets.cursor)
            tickets.move(1)
            self.marks_changed()

    def action_unmark(self) -> None:
        self.session.marks.clear()
        self.marks_changed()

    def marks_changed(self) -> None:
        """Show which are marked now."""
        self.refresh_page()

    def action_take(self) -> None:
        if not self._confirm("take", "Take"):
            super().action_take()

    def action_release(self) -> None:
        if not self._confirm("release", "Give back"):
            super().action_release()

    def action_close(self) -> None:
        if not self._confirm("close", "Close for good:"):
            super().action_close()

    def action_wait(self) -> None:
        rows = self.session.marks.rows()
        if not rows:
            super().action_wait()
        elif all(row.state is TicketState.PENDING for row in rows):
            self._confirm("resume", "Go on with")
        else:
            self._ask_wait(rows)

    def action_note(self) -> None:
        if not self._ask_words("comment", "Note on", is_long=True):
            super().action_note()

    def action_reply(self) -> None:
        if not self._ask_words("comment", "Reply to who asked: they will read it ·", is_long=True, public=True):
            super().action_reply()

    def action_acknowledge(self) -> None:
        if not self._ask_words("acknowledge", "Acknowledge, with a note, if any:"):
            super().action_acknowledge()

    def action_resolve(self) -> None:
        if not self._ask_words("resolve", "Resolve, and say what it was:"):
            super().action_resolve()

    def _confirm(self, verb: Verb, word: str) -> bool:
        """Ask before it is done to all that are marked; whether any is."""
        rows = self.session.marks.rows()
        if not rows:
            return False
        from tocsin_tui.screens.question import Question  # noqa: PLC0415 - not needed for the first frame

        question = Question(
            self.session,
            self.painter,
            title=f"{word} {_counted(rows)}?",
            about=line(dim(_numbers(rows))),
            act=lambda: self.session.marks.act(verb, rows),
        )
        self.app.push_screen(question, self._tell_refused)
        return True

    def _ask_words(self, verb: Verb, word: str, *, is_long: bool = False, public: bool = False) -> bool:
        rows = self.session.marks.rows()
        if not rows:
            return False
        from tocsin_tui.screens.composer import Composer  # noqa: PLC0415 - not needed for the first frame

        async def send(text: str) -> bool:
            return await self.session.marks.act(verb, rows, text=text, public=public)

        composer = Composer(
            self.session,
            self.painter,
            title=f"{word} {_counted(rows)} {_numbers(rows)}",
            draft=f"{verb} marked {public}",
            send=send,
            is_long=is_long,
            may_be_empty=not is_long,
        )
        self.app.push_screen(composer, self._tell_refused)
        return True

    def _ask_wait(self, rows: Sequence[TicketRow]) -> None:
        from tocsin_tui.screens.waiting import WaitScreen  # noqa: PLC0415 - not needed for the first frame

        title = (strong(f"{_counted(rows)} are to wait"), dim(f": {_numbers(rows)}"))
        wait: Callable[..., Awaitable[bool]] = partial(self.session.marks.act, "wait", rows)
        form = WaitScreen(self.session, self.painter, title=title, draft="wait marked", wait=wait)
        self.app.push_screen(form, self._tell_refused)

    def _tell_refused(self, _: None) -> None:
        """Show what was refused of the act that has just been asked for."""
        refused, self.session.marks.refused = self.session.marks.refused, []
        self.marks_changed()
        if refused:
            from tocsin_tui.screens.refused import RefusedScreen  # noqa: PLC0415 - not needed for the first frame

            self.app.push_screen(RefusedScreen(self.painter, refused))


def _counted(rows: Sequence[TicketRow]) -> str:
    return "1 ticket" if len(rows) == 1 else f"{len(rows)} tickets"


def _numbers(rows: Sequence[TicketRow]) -> str:
    shown = " ".join(f"#{row.id}" for row in rows[:SHOWN])
    return f"{shown} and {len(rows) - SHOWN} more" if len(rows) > SHOWN else shown
