"""What can go wrong with history: it is damaged, or too much of it is asked for."""

from tocsin_server.errors import TocsinError, TooLarge


class Damaged(TocsinError):
    """Bytes that are no chunk, or a file that is no day: nothing of it is believed."""

    kind = "damaged"


class Newer(Damaged):
    """A file of another version of this server: sound, and to be left as it is."""


class TooManySamples(TooLarge):
    """The answer would be larger than one question may have."""
