"""Numbers that a journal's folder remembers between starts. One that is lost costs work, never data."""

import os
from pathlib import Path

LATE_JUDGED = "late-judged"
"""The receipt, in milliseconds, up to which everything late has been judged."""
HOURS_WRITTEN = "hours-written"
"""The place in the journal before which everything is in history, too."""


def read_note(folder: Path, name: str, default: int) -> int:
    """What is remembered, if it can be read."""
    try:
        return int((folder / name).read_text())
    except (OSError, ValueError):
        return default


def write_note(folder: Path, name: str, number: int) -> None:
    """Remember it, wholly or not at all."""
    part = folder / f"{name}.part"
    part.write_text(str(number))
    os.replace(part, folder / name)  # noqa: PTH105 - pathlib's own says nothing of being atomic
