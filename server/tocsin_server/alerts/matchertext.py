r"""Matchers as people write them, in Alertmanager's grammar: `{alertname="DiskFull", instance=~"db-.+"}`.

Braces and quotes may be left out, a comma may stand at the end, and a name in quotes may be any UTF-8. What is
in quotes has Go's escapes (`\n`, `\x41`, `\u00e9`). Texts come from people and programs of others, so each has
a greatest length, is read in linear time, and its expressions are RE2's.
"""

import json
import re
from collections.abc import Iterable

from tocsin_server.promql import BadExpression
from tocsin_server.promql.guard import check_pattern
from tocsin_server.series.matchers import Matcher, Matchers, MatchKind, anchored

MAX_TEXT = 8192
"""Characters of a list of matchers."""
MAX_MATCHERS = 64
MAX_NAME = 256
MAX_VALUE = 4096

_SPACE = f"\t\n\v\f\r \x85\xa0\u1680{''.join(map(chr, range(0x2000, 0x200B)))}\u2028\u2029\u202f\u205f\u3000"
"""What is white to Go; Python would have the separators of files and records too."""
_GAP = f"[{_SPACE}]*"
_WORD = rf"""(?:"(?:[^"\\\n]|\\.)*"|[^{_SPACE}{{}}!=~,\\"'`]+)"""
_ITEM = re.compile(rf"(?P<name>{_WORD}){_GAP}(?P<kind>=~|!~|!=|=){_GAP}(?P<value>{_WORD}){_GAP}(?:,{_GAP}|\Z)")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_ESCAPE = re.compile(
    rb'\\(?:(?P<letter>[abfnrtv\\"])|x(?P<hex>[0-9a-fA-F]{2})|(?P<octal>[0-7]{3})'
    rb"|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8})|)"
)
_LETTERS = dict(zip(b'abfnrtv\\"', b'\a\b\f\n\r\t\v\\"', strict=True))


def parse_matchers(text: str) -> Matchers:
    """The matchers, none for an empty list; raises `ValueError` with what is wrong."""
    if len(text) > MAX_TEXT:
        raise ValueError(f"matchers of {len(text)} characters are longer than {MAX_TEXT}")
    body = _without_braces(text.strip(_SPACE))
    found: list[Matcher] = []
    position = 0
    while position < len(body):
        item = _ITEM.match(body, position)
        if item is None:
            raise ValueError(f'{_excerpt(body[position:])} is not a matcher such as alertname="DiskFull"')
        found.append(matcher(_unquoted(item["name"]), MatchKind(item["kind"]), _unquoted(item["value"])))
        position = item.end()
    return limited(found)


def matcher(name: str, kind: MatchKind, value: str) -> Matcher:
    """One matcher, checked; raises `ValueError` for a name or value that none can have."""
    if not name:
        raise ValueError("a matcher needs the name of a label")
    for what, text, most in (("name", name, MAX_NAME), ("value", value, MAX_VALUE)):
        _check_text(what, text, most)
    if kind in (MatchKind.REGEX, MatchKind.NOT_REGEX):
        _check_pattern(value)
    return Matcher(name, kind, value)


def limited(found: Iterable[Matcher]) -> Matchers:
    """As many as may stand together; raises `ValueError` for more."""
    matchers = tuple(found)
    if len(matchers) > MAX_MATCHERS:
        raise ValueError(f"{len(matchers)} matchers are more than {MAX_MATCHERS}")
    return matchers


def spelled(matchers: Iterable[Matcher]) -> str:
    """The text that `parse_matchers` reads back."""
    return (
        "{" + ",".join(f"{_name(each.name)}{each.kind.value}{_quoted(each.value)}" for each in matchers) + "}"
    )


def narrows(matchers: Iterable[Matcher]) -> bool:
    """Whether one of them wants a label to be there: the others alone would pass nearly everything."""
    return any(not each.matches("") for each in matchers)


def _without_braces(text: str) -> str:
    if not text.startswith("{"):
        return text
    if len(text) < 2 or not text.endswith("}"):
        raise ValueError(f"{_excerpt(text)} has no closing brace")
    return text[1:-1].strip(_SPACE)


def _check_text(what: str, text: str, most: int) -> None:
    if len(text) > most:
        raise ValueError(f"a matcher's {what} of {len(text)} characters is longer than {most}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"a matcher's {what} is not UTF-8: {_excerpt(text)}") from error


def _check_pattern(pattern: str) -> None:
    """RE2 matches in linear time, but can take minutes to compile what repeats by counts: that is measured."""
    try:
        check_pattern(pattern)
    except BadExpression as error:
        raise ValueError(str(error)) from error
    anchored(pattern)


def _unquoted(word: str) -> str:
    if not word.startswith('"'):
        return word
    try:
        return _ESCAPE.sub(_meant, word[1:-1].encode()).decode()
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{_excerpt(word)} has an escape that is none, or is not UTF-8") from error


def _meant(escape: re.Match[bytes]) -> bytes:
    """The bytes of one escape; raises `ValueError` for a backslash before anything else."""
    if escape["letter"]:
        return bytes([_LETTERS[escape["letter"][0]]])
    if escape["hex"]:
        return bytes([int(escape["hex"], 16)])
    if escape["octal"]:
        return bytes([int(escape["octal"], 8)])
    return chr(int(escape["short"] or escape["long"] or b"", 16)).encode()


def _name(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else _quoted(name)


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)  # JSON's escapes are all Go's too


def _excerpt(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
