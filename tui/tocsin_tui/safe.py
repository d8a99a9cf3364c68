"""Strings from outside, made harmless before anything else sees them.

A host name can carry an escape sequence that writes the clipboard, a bidirectional override that turns a
sentence around, or a kilometre of invisible characters. Whatever the server says passes here once, at the
client's boundary; behind it every string is plain text of bounded length. Markup is not this module's
business: nobody parses any from data.
"""

import re

MAX_LINE = 1_000
MAX_TEXT = 20_000

TEXT_FIELDS = frozenset({"text", "expression", "annotations"})
"""The fields of the API that may have several lines; `annotations` stands for all its values."""

# What a terminal acts on or what hides: C0, DEL, C1, surrogates, bidirectional controls, zero-width and other
# invisible characters, signs that format what follows, variation selectors and tags. Line breaks and tabs are
# handled before.
_HARMFUL = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000110bd\U000110cd"
    "\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_BREAKS = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")


def safe_text(text: str, *, limit: int = MAX_TEXT) -> str:
    """The visible characters of a text of several lines; newlines stay, the rest that moves a cursor goes."""
    if text.isascii() and text.isprintable() and len(text) <= limit:
        return text  # most strings are this, and these two tests run in C
    plain = _HARMFUL.sub("", _BREAKS.sub("\n", text[: limit * 2]).replace("\t", "    "))
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"


def safe_line(text: str, *, limit: int = MAX_LINE) -> str:
    """The same on one line: a break is a space."""
    if text.isascii() and text.isprintable() and len(text) <= limit:
        return text
    return safe_text(text, limit=limit).replace("\n", " ")


def safe_tree(tree: object, *, several_lines: bool = False) -> object:
    """A decoded JSON value with every string in it made harmless, the keys too."""
    if isinstance(tree, str):
        return safe_text(tree) if several_lines else safe_line(tree)
    if isinstance(tree, dict):
        return {
            safe_line(key): safe_tree(value, several_lines=several_lines or key in TEXT_FIELDS)
            for key, value in tree.items()
        }
    if isinstance(tree, list):
        return [safe_tree(item, several_lines=several_lines) for item in tree]
    return tree
