"""What both databases have in common: how many read at once, how long is waited, what of an error is told."""

from sqlalchemy.exc import DBAPIError

READERS = 4
BUSY_MS = 10_000
"""How long a transaction waits for another program's lock."""


def first_line(error: DBAPIError) -> str:
    """What the database said, without the rest, which may show rows."""
    return " ".join(str(error.orig).split("\n", 1)[0].split())
