"""Strings from outside, made harmless before anything else sees them.

A host name can carry an escape sequence that writes the clipboard, a bidirectional override that turns a
sentence around, or a kilometre of invisible characters. Whatever the server says passes here once, at the
client's boundary; behind it every string is plain text of bounded length. Markup is not this module's
business: nobody parses any from data.
"""

import re
from collections.abc import Callable, Mapping

MAX_LINE = 1_000
MAX_TEXT = 20_000

# What a terminal acts on or what hides: C0, DEL, C1, surrogates, bidirectional controls, zero-width and other
# invisible characters, signs that format what follows, variation selectors and tags. Line breaks and tabs are
# handled before.
_HARMFUL = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000110bd\U000110cd"
    "\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_UNSEEN = re.compile(f"{_HARMFUL.pattern}|[\n\u2028\u2029]")
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


def safe_matchers(text: str, *, limit: int = MAX_TEXT) -> str:
    """The matchers of a silence, each harmful character as the escape that means it.

    What is read back is the same silence: so it can be shown, changed and sent. In the server's own spelling
    such characters stand in quotes only, where `\\u200b` is understood.
    """
    if text.isascii() and text.isprintable() and len(text) <= limit:
        return text
    plain = _UNSEEN.sub(_escaped, text[:limit])
    return plain if len(plain) <= limit and len(text) <= limit else plain[: limit - 1] + "…"


FIELDS: Mapping[str, Callable[[str], str]] = {
    "annotations": safe_text,
    "comment": safe_text,
    "expression": safe_text,
    "matchers": safe_matchers,
    "reason": safe_text,
    "text": safe_text,
}
"""The fields of the API that are more than a line; `annotations` stands for all its values."""
_NAMED_BY_OTHERS = frozenset({"annotations", "labels"})
"""Fields whose keys are no fields of the API, whatever they are called."""


def safe_tree(
    tree: object,
    *,
    clean: Callable[[str], str] = safe_line,
    fields: Mapping[str, Callable[[str], str]] = FIELDS,
) -> object:
    """A decoded JSON value with every string in it made harmless, the keys too."""
    if isinstance(tree, str):
        return clean(tree)
    if isinstance(tree, dict):
        return {
            safe_line(key): safe_tree(
                value, clean=fields.get(key, clean), fields={} if key in _NAMED_BY_OTHERS else fields
            )
            for key, value in tree.items()
        }
    if isinstance(tree, list):
        return [safe_tree(item, clean=clean, fields=fields) for item in tree]
    return tree


def _escaped(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
