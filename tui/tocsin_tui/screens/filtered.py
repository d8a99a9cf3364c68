"""A page whose list is narrowed by what is typed at its lower edge, as it is typed."""

from textual.widget import Widget
from textual.widgets import Input

from tocsin_tui.screens.page import Page


class FilteredPage(Page):
    """A page with a field `#filter`; subclasses say what is narrowed, and what Enter opens."""

    def wanted(self) -> str:
        """What the list is narrowed by now."""
        raise NotImplementedError

    def narrow(self, text: str) -> None:
        """Narrow the list by this."""
        raise NotImplementedError

    def listing(self) -> Widget:
        """What the keys are for once the field is left."""
        raise NotImplementedError

    def choose(self) -> None:
        """Open what the cursor is on."""

    def typing(self, text: str) -> None:
        """This stands in the field now."""

    def be_empty(self, is_empty: bool) -> None:  # noqa: FBT001 - as `set_class` takes it
        """Say so in place of the list. One that was hidden has lost the focus: it is given the keys again."""
        self.set_class(is_empty, "-empty")
        if not is_empty and self.focused is None:
            self.call_after_refresh(self.listing().focus)

    def action_choose(self) -> None:
        self.choose()

    def action_filter(self) -> None:
        self.add_class("-filtering")
        field = self.query_one("#filter", Input)
        field.value = self.wanted()
        self.set_focus(field)  # at once: the next key may be here already
        self.typing(field.value)
        self.refresh_page()

    def action_unfilter(self) -> None:
        self.query_one("#filter", Input).value = ""
        self.narrow("")
        self._leave_filter()

    def action_back(self) -> None:
        if self.has_class("-filtering"):
            self.action_unfilter()
        else:
            super().action_back()

    def on_input_changed(self, message: Input.Changed) -> None:
        if self.has_class("-filtering"):
            self.narrow(message.value)
            self.typing(message.value)
            self.refresh_page()

    def on_input_submitted(self) -> None:
        if self.has_class("-filtering"):
            self._leave_filter()
        else:  # a second Enter that came close behind the first
            self.choose()

    def _leave_filter(self) -> None:
        self.remove_class("-filtering")
        self.set_focus(self.listing())
        self.refresh_page()
