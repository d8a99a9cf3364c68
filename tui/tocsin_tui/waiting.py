"""What a ticket waits for, and until when, as a technician types it. Pure."""

from collections.abc import Sequence
from datetime import datetime

from tocsin_tui.silence import length_of


def reason_of(text: str, reasons: Sequence[str]) -> str:
    """The reason that is meant: its beginning is enough. Raises `ValueError` for one of none or of several."""
    typed = text.strip().lower()
    meant = [reason for reason in reasons if reason.startswith(typed)] if typed else []
    if typed in meant or len(meant) == 1:
        return typed if typed in meant else meant[0]
    raise ValueError(f"{text.strip() or 'nothing'} is none of {', '.join(meant or reasons)}")


def until_of(text: str, now: datetime) -> datetime | None:
    """The end after so long, such as `4h` or `2d`, or none. Raises `ValueError` for anything else."""
    return now + length_of(text) if text.strip() else None
