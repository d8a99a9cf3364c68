"""When a certificate ends: the one date of an X.509 certificate, read from its DER (RFC 5280).

With verification off, which is how an expired certificate is looked at, the standard library hands out bytes
only. Nothing else of a certificate is read here, and nothing is trusted because of it.

    Certificate ::= SEQUENCE { tbsCertificate SEQUENCE {
        [0] version OPTIONAL, serialNumber INTEGER, signature SEQUENCE, issuer SEQUENCE,
        validity SEQUENCE { notBefore Time, notAfter Time }, … } … }
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

_INTEGER, _UTC_TIME, _GENERALIZED_TIME, _SEQUENCE, _VERSION = 0x02, 0x17, 0x18, 0x30, 0xA0
# RFC 5280, 4.1.2.5: with seconds, in UTC; nothing else is DER.
_TIMES = {_UTC_TIME: re.compile(rb"\d{12}Z"), _GENERALIZED_TIME: re.compile(rb"\d{14}Z")}
# Of a certificate; a longer one is none. Three bytes of length are more than that.
_MOST_BYTES = 1 << 20


class NotDer(ValueError):
    """The bytes are no certificate."""


class _Reader:
    """Goes through the elements of one constructed value, in order."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._position = 0

    def is_next(self, tag: int) -> bool:
        return self._content[self._position : self._position + 1] == bytes((tag,))

    def take(self, *tags: int) -> tuple[int, bytes]:
        """The next element, which must have one of the tags."""
        tag = self._byte()
        if tag not in tags:
            raise NotDer(
                f"there is tag {tag:#04x} where {', '.join(f'{known:#04x}' for known in tags)} must be"
            )
        end = self._length() + self._position
        if end > len(self._content):
            raise NotDer("an element is cut off")
        content, self._position = self._content[self._position : end], end
        return tag, content

    def inside(self, tag: int) -> "_Reader":
        return _Reader(self.take(tag)[1])

    def _byte(self) -> int:
        if self._position >= len(self._content):
            raise NotDer("an element is missing")
        self._position += 1
        return self._content[self._position - 1]

    def _length(self) -> int:
        first = self._byte()
        if first < 0x80:
            return first
        if not 0x81 <= first <= 0x83:
            raise NotDer("a length is indefinite or too long")
        length = int.from_bytes(bytes(self._byte() for _ in range(first - 0x80)), "big")
        # DER has one form for each length, the shortest.
        if length < 0x80 or length < 1 << 8 * (first - 0x81):
            raise NotDer("a length is not in its shortest form")
        return length


def not_after(der: bytes) -> float:
    """The last second in which the certificate is valid, in seconds since 1970; raises `NotDer`."""
    if len(der) > _MOST_BYTES:
        raise NotDer("no certificate is as long as that")
    body = _Reader(der).inside(_SEQUENCE).inside(_SEQUENCE)
    if body.is_next(_VERSION):
        body.take(_VERSION)
    body.take(_INTEGER)
    body.take(_SEQUENCE)
    body.take(_SEQUENCE)
    validity = body.inside(_SEQUENCE)
    validity.take(*_TIMES)
    return _instant(*validity.take(*_TIMES))


def earliest_end(chain: Sequence[bytes]) -> float:
    """When the first of these certificates ends; raises `NotDer`, also where there is none."""
    if not chain:
        raise NotDer("there is no certificate")
    return min(not_after(der) for der in chain)


def _instant(tag: int, written: bytes) -> float:
    if _TIMES[tag].fullmatch(written) is None:
        raise NotDer("a time is not written as certificates write it")
    digits = written[:-1].decode("ascii")
    if tag == _UTC_TIME:
        digits = ("19" if digits[:2] >= "50" else "20") + digits
    numbers = [int(digits[:4]), *(int(digits[at : at + 2]) for at in range(4, 14, 2))]
    try:
        return datetime(*numbers, tzinfo=UTC).timestamp()  # type: ignore[arg-type, misc]
    except ValueError as error:
        raise NotDer("a time is none of the calendar") from error
