"""A template's text cut into plain text and the tokens of its actions, as Go's text/template cuts it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

_OPEN = re.compile(r"\{\{(?P<trim>-(?=\s))?(?P<comment>\s*/\*.*?\*/(?P<close>\s+-\}\}|\s*\}\}))?", re.DOTALL)
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<close>(?<=\s)-\}\}|\}\})
      | (?P<path>\$?[A-Za-z_]*(?:\.\w+)+ | \$\w+ | \.)
      | (?P<word>[A-Za-z_]\w*)
      | (?P<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)
      | (?P<sign>[|()])
    )""",
    re.VERBOSE | re.ASCII,
)
_BLANKS = " \t\r\n"


class BadTemplate(ValueError):
    """A template that cannot be loaded; the message says what is wrong in it."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its kind (path, word, string, sign) and its text."""

    kind: str
    text: str


def cut(template: str) -> Iterator[str | list[Token]]:
    """Text and actions in turn. Comments are gone, and trim markers have done their work.

    Raises `BadTemplate` where an action has no end or holds what no template can hold.
    """
    position, trim_left = 0, False
    while opened := _OPEN.search(template, position):
        yield _trimmed(template[position : opened.start()], left=trim_left, right=opened["trim"] is not None)
        if opened["comment"] is None:
            tokens, position = _action(template, opened.end())
            trim_left = tokens.pop().text.startswith("-")
            yield tokens
        else:
            position, trim_left = opened.end(), "-" in opened["close"]
    yield _trimmed(template[position:], left=trim_left, right=False)


def unquoted(token: str) -> str:
    """The string that a literal stands for; of Go's escapes those that JSON has too."""
    if token.startswith("`"):
        return token[1:-1].replace("\r", "")
    try:
        literal = str(json.loads(token, strict=False))
        literal.encode()  # half a letter (\ud800) is no text, and no database takes it
    except ValueError as error:
        raise BadTemplate(f"{token} is not a string that can be read") from error
    return literal


def _trimmed(text: str, *, left: bool, right: bool) -> str:
    text = text.lstrip(_BLANKS) if left else text
    return text.rstrip(_BLANKS) if right else text


def _action(template: str, position: int) -> tuple[list[Token], int]:
    tokens: list[Token] = []
    while not tokens or tokens[-1].kind != "close":
        found = _TOKEN.match(template, position)
        if found is None or found.lastgroup is None:
            near = template[position:].strip()[:20]
            raise BadTemplate(f"an action cannot hold {near!r}" if near else "an action has no end '}}'")
        tokens.append(Token(found.lastgroup, found[found.lastgroup]))
        position = found.end()
    return tokens, position
