"""Text as it enters the desk: from people, and from rules that quote what hosts say."""

import re

from tocsin_protocol.api import MAX_TEXT
from tocsin_server.errors import TooLarge, Unprocessable

MAX_TITLE = 200

# All control characters but newline and tab, and halves of surrogate pairs, which no database can hold.
_UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def cleaned(text: str) -> str:
    """The text with newlines of one kind, without control characters, and nothing blank around it."""
    return _UNWANTED.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def shortened(text: str, most: int = MAX_TEXT) -> str:
    """Cleaned, and cut where it is longer: for what a rule says, which cannot be asked to say less."""
    clean = cleaned(text)
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def title_line(text: str) -> str:
    """One line of bounded length."""
    return shortened(" ".join(cleaned(text).split()), MAX_TITLE)


def given_text(text: str, *, what: str, most: int = MAX_TEXT) -> str:
    """What a person has written; raises `TooLarge` where it is too long, before any of it is looked at."""
    if len(text) > most:
        raise TooLarge(f"{what} has {len(text)} characters", remedy=f"say it in at most {most}")
    return cleaned(text)


def required_text(text: str, *, what: str, most: int = MAX_TEXT) -> str:
    """As `given_text`; raises `Unprocessable` where nothing is left of it."""
    clean = given_text(text, what=what, most=most)
    if not clean:
        raise Unprocessable(f"{what} is empty", remedy="write something")
    return clean
