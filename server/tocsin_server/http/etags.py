"""Entity tags (RFC 9110): a ticket's is its version, `"v7"`, and what a request says of them.

The tag tells whether anything has happened to the ticket. What its clocks and its alerts' values read at the
moment of asking goes on without a version, and is not in it.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from litestar import Response

from tocsin_server.errors import Refused, Unprocessable

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_GAP = re.compile(r"[ \t,]*")
_VERSION = re.compile(r"v([1-9][0-9]{0,17})")


@dataclass(frozen=True, slots=True)
class Tag:
    """One entity tag as it was written."""

    opaque: str
    is_weak: bool = False


@dataclass(frozen=True, slots=True)
class Tags:
    """What a condition names: some tags, or whatever there is (`*`)."""

    tags: tuple[Tag, ...] = ()
    any: bool = False

    def match(self, opaque: str) -> bool:
        """The weak comparison, which `If-None-Match` asks for."""
        return self.any or any(tag.opaque == opaque for tag in self.tags)

    def versions(self) -> frozenset[int]:
        """The versions that the strong tags name: a weak one never matches where something is changed."""
        found = (_VERSION.fullmatch(tag.opaque) for tag in self.tags if not tag.is_weak)
        return frozenset(int(version[1]) for version in found if version)


def opaque_of(version: int) -> str:
    """A ticket's tag without its quotes."""
    return f"v{version}"


def etag(version: int) -> str:
    """A ticket's tag as a header."""
    return f'"{opaque_of(version)}"'


def read_tags(name: str, lines: Sequence[str]) -> Tags | None:
    """What the lines of a header say, nothing where there are none; raises `Refused` where that is no list."""
    if not lines:
        return None
    text = ",".join(lines)
    if text.strip(" \t") == "*":
        return Tags(any=True)
    tags = tuple(_tags(name, text))
    if not tags:
        raise _misspelt(name, text)
    return Tags(tags)


def wanted_version(condition: Tags | None, version: int | None) -> Collection[int] | None:
    """The versions on which an act may be done: those of `If-Match`, and the one that its body names.

    Nothing where neither says so; raises `Unprocessable` where they contradict each other.
    """
    if condition is None or condition.any:
        return None if version is None else {version}
    versions = condition.versions()
    if version is None:
        return versions
    if version not in versions:
        raise Unprocessable(
            f"the body is about version {version}, and If-Match about another",
            remedy="say it once, or the same in both",
        )
    return {version}


def unchanged(headers: dict[str, str]) -> Response[Any]:
    """The answer to who knows it already."""
    return Response(None, status_code=304, headers=headers)


def _tags(name: str, text: str) -> list[Tag]:
    tags, at = [], _skipped(text, 0)
    while at < len(text):
        found = _TAG.match(text, at)
        if found is None:
            raise _misspelt(name, text)
        tags.append(Tag(found[2], is_weak=found[1] is not None))
        at = _skipped(text, found.end())
        if at < len(text) and "," not in text[found.end() : at]:
            raise _misspelt(name, text)
    return tags


def _skipped(text: str, at: int) -> int:
    gap = _GAP.match(text, at)
    return at if gap is None else gap.end()


def _misspelt(name: str, text: str) -> Refused:
    return Refused(f"{name} {text[:100]!r} is no list of entity tags", remedy='write it as "v7", or as *')
