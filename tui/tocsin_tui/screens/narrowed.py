"""A page whose filter asks its rows by key: what narrows it is always seen, and helped along as it is typed."""

from collections.abc import Collection
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input

from tocsin_tui.format import Line
from tocsin_tui.screens.filtered import FilteredPage
from tocsin_tui.sheets import chrome
from tocsin_tui.widgets.lines import Lines


class NarrowedPage(FilteredPage):
    """A page with a line `#narrowed` above its list, which names each part of the filter.

    While one types, the lowest line says how the word can go on, or that it means nothing here.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("backslash", "unfilter", show=False, id="list.unfilter", tooltip="Clear the filter"),
        Binding(
            "minus",
            "widen",
            show=False,
            key_display="-",
            id="list.widen",
            tooltip="Take a part of the filter away",
        ),
        Binding(
            "tab",
            "complete",
            show=False,
            priority=True,
            id="list.complete",
            tooltip="Complete a word of the filter",
        ),
    ]
    KEYS: frozenset[str]
    """The keys that a filter has here."""
    _helped: Line | None = None

    def known(self, key: str) -> Collection[str]:
        """The values that a key has here; none where it can have any."""
        raise NotImplementedError

    def refresh_page(self) -> None:
        parts = self.wanted().split()
        self.set_class(bool(parts), "-narrowed")
        self.query_one("#narrowed", Lines).show([chrome.narrowed(parts)])
        super().refresh_page()

    def typing(self, text: str) -> None:
        from tocsin_tui import completion  # noqa: PLC0415 - not needed for the first frame

        said = completion.hint(text, self.KEYS, self.known)
        self._helped = chrome.completing(*said)

    def in_place_of_keys(self) -> Line | None:
        return self._helped if self.has_class("-filtering") else None

    def action_complete(self) -> None:
        from tocsin_tui import completion  # noqa: PLC0415 - not needed for the first frame

        field = self.query_one("#filter", Input)
        words = completion.hint(field.value, self.KEYS, self.known).completions
        if words and self.has_class("-filtering"):
            field.value = completion.completed(field.value, words[0])
            field.action_end()

    def action_widen(self) -> None:
        """Take away the part that narrows; of several it is asked which."""
        parts = self.wanted().split()
        if len(parts) > 1:
            from tocsin_tui.screens.parts import PartsScreen  # noqa: PLC0415 - not needed for the first frame

            self.app.push_screen(PartsScreen(self.painter, parts), self._without)
        elif parts:
            self.action_unfilter()

    def _without(self, place: int | None) -> None:
        if place is not None:
            parts = self.wanted().split()
            self.narrow(" ".join([*parts[:place], *parts[place + 1 :]]))
            self.refresh_page()
