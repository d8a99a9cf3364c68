"""What can be done with a silence, on both screens where there is one; the list is kept fresh meanwhile."""

from functools import partial
from typing import ClassVar

from textual.binding import Binding, BindingType

from tocsin_protocol.silences import Silence
from tocsin_protocol.vocabulary import SilenceState
from tocsin_tui.format import Tone, dim, line
from tocsin_tui.screens.page import Page
from tocsin_tui.silence import longer, state_at, whose
from tocsin_tui.state import LinkState

LOOK_S = 1.0
"""How often it is asked whether they are to be read again; the session says no more often than not."""


class SilencePage(Page):
    """A page with a silence in hand."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "extend", "extend", id="silence.extend", tooltip="Extend it, or silence the same again"),
        Binding("x", "end", "end", id="silence.end", tooltip="End it now"),
    ]

    def silence_in_hand(self) -> Silence | None:
        """The silence that the keys are for."""
        raise NotImplementedError

    def on_mount(self) -> None:
        # Textual calls that of every class in turn: where each called the next, this would look twice.
        self._look()
        self.set_interval(LOOK_S, self._look)

    def action_extend(self) -> None:
        silence = self._in_hand()
        if silence is None:
            return
        from tocsin_tui.screens.silence import SilenceScreen  # noqa: PLC0415 - not needed for the first frame

        self.app.push_screen(SilenceScreen(self.session, self.painter, longer(silence, self.session.now())))

    def action_end(self) -> None:
        silence = self._in_hand()
        if silence is None:
            return
        if state_at(silence, self.session.now()) is SilenceState.EXPIRED:
            self._say(f"silence {silence.id} is over already")
            return
        from tocsin_tui.screens.question import Question  # noqa: PLC0415 - not needed for the first frame

        self.app.push_screen(
            Question(
                self.session,
                self.painter,
                title=f"End silence {silence.id} of {whose(silence)}? What still fires rings then.",
                about=line(dim("alerts  "), silence.matchers),
                act=partial(self.session.acts.end_silence, silence),
            )
        )

    def action_reload(self) -> None:
        super().action_reload()
        if self.session.link.state is LinkState.LIVE:
            self._read()

    def _look(self) -> None:
        if self.session.link.state is LinkState.LIVE and self.is_looked_at and self.session.silences.are_due():
            self._read()

    def _read(self) -> None:
        self.run_worker(self.session.silences.read(), group="silences")

    def _in_hand(self) -> Silence | None:
        silence = self.silence_in_hand()
        if silence is None:
            self._say("there is no silence here")
        return silence

    def _say(self, text: str) -> None:
        self.session.say(text, Tone.WARN)
        self.refresh_page()
