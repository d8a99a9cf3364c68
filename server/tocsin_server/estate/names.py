"""What may be called what: slugs are typed and stand in URLs and labels, names are read by people."""

import re
import unicodedata

from tocsin_server.errors import Unprocessable

MAX_NAME = 253
"""As long as the longest name in DNS."""
MAX_MAIL = 254
"""As long as the longest address that a mail server has to take."""
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
# What looks like an encoded word (RFC 2047) is no address to any mail program.
_MAIL = re.compile(rf"(?=.{{1,64}}@)(?!.*=\?){_ATOM}(\.{_ATOM})*@[A-Za-z0-9-]{{1,63}}(\.[A-Za-z0-9-]{{1,63}})*")
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def checked_slug(word: str, *, of: str) -> str:
    """The word, if it can be the slug of a client or a site."""
    if _SLUG.fullmatch(word) is None:
        raise Unprocessable(
            f"{word!r} cannot be the slug of a {of}",
            remedy="use 1 to 63 lower-case letters, digits and hyphens, beginning with a letter or digit",
        )
    return word


def checked_mail(text: str) -> str:
    """The text, if mail can be sent to it: one plain address, without a name or quotes."""
    if len(text) > MAX_MAIL or _MAIL.fullmatch(text) is None:
        raise Unprocessable(f"{text[:80]!r} is no mail address", remedy="write one, such as desk@example.net")
    return text


def cleaned_name(text: str, *, of: str) -> str:
    """The text as one line without control characters, for a name that people will read."""
    name = _printable(text)
    if not name or len(name) > MAX_NAME:
        raise Unprocessable(
            f"{text[:80]!r} cannot be the name of a {of}", remedy=f"use 1 to {MAX_NAME} printable characters"
        )
    return name


def cleaned_remark(text: str) -> str:
    """The text as one line of bounded length; it may be empty, as the name of an operating system may."""
    return _printable(text)[:MAX_NAME]


def _printable(text: str) -> str:
    """Less whatever moves a cursor, turns the direction of writing or is no character (categories C and Z)."""
    kept = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in text)
    return " ".join(kept.split())
