"""What all that the server and its consoles say to each other has in common."""

import msgspec


class Message(msgspec.Struct, frozen=True):
    """The root of everything here: frozen, unknown fields ignored."""


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The root of what a client sends: a misspelt field is an error, not silence."""
