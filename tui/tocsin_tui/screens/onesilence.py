"""One silence in full, as it stands now."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from tocsin_protocol.silences import Silence
from tocsin_tui.screens.silenceverbs import SilencePage
from tocsin_tui.session import Session
from tocsin_tui.sheets import silence
from tocsin_tui.widgets.lines import Reader
from tocsin_tui.widgets.paint import Painter


class OneSilenceScreen(SilencePage):
    """All that its row has no room for."""

    HERE = "Silences"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,escape,h,left,backspace", "back", "back", key_display="q", id="go.back", tooltip="Back"),
    ]

    def __init__(self, session: Session, painter: Painter, of: Silence) -> None:
        super().__init__(session, painter)
        self._known = of

    def body(self) -> Iterable[Widget]:
        yield Reader(self.painter, id="told")

    def on_mount(self) -> None:
        self.query_one(Reader).focus()

    def silence_in_hand(self) -> Silence:
        """As it was known last: one that is over may be in the list no more."""
        self._known = self.session.silences.listing.rows.get(self._known.id, self._known)
        return self._known

    def crumb(self) -> str:
        return f"› {self._known.id}"

    def show(self) -> None:
        self.query_one(Reader).show(silence.lines(self.silence_in_hand(), now=self.session.now()))
