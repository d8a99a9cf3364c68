"""Fields in which every key acts in its turn."""

from textual.events import Key
from textual.widget import Widget
from textual.widgets import Input, TextArea


async def act_in_turn(field: Widget, key: Key) -> None:
    """Do at once what a key of the field's own commands.

    Textual lets it go the way through the screen first, while letters are taken in on the spot: of keys that
    come together, as over a slow line, a backspace would take away the letter behind it.
    """
    for binding in field._bindings.key_to_bindings.get(key.key, ()):  # noqa: SLF001 - what Textual has for it
        if await field.app.run_action(binding.action, field):
            key.stop()
            key.prevent_default()
            return


class Field(Input):
    """A line."""

    async def _on_key(self, event: Key) -> None:
        await act_in_turn(self, event)


class TextField(TextArea):
    """Several lines."""

    async def _on_key(self, event: Key) -> None:
        await act_in_turn(self, event)
