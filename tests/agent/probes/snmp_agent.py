"""A device of the tests' that speaks SNMP v2c over loopback UDP, in BER written by hand: well or badly.

`Device.objects` is what it has: encoded values by OID. A test that wants something else gives a `behaviour`,
which makes the datagrams of each answer.
"""

import socket
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Self

Oid = tuple[int, ...]

IF_TABLE = (1, 3, 6, 1, 2, 1, 2, 2, 1)
IF_X_TABLE = (1, 3, 6, 1, 2, 1, 31, 1, 1, 1)
UP_TIME = (1, 3, 6, 1, 2, 1, 1, 3, 0)
IF_NUMBER = (1, 3, 6, 1, 2, 1, 2, 1, 0)
IF_DESCR, IF_NAME, IF_ALIAS = (*IF_TABLE, 2), (*IF_X_TABLE, 1), (*IF_X_TABLE, 18)

NARROW, WIDE = (10, 11, 13, 14, 15, 16, 17, 19, 20), (6, 7, 8, 9, 10, 11, 12, 13)
WIDE_COLUMNS = tuple((*IF_X_TABLE, column) for column in WIDE)

GET_BULK, RESPONSE = 0xA5, 0xA2
END_OF_VIEW, NO_SUCH_INSTANCE = b"\x82\x00", b"\x81\x00"


class Request(NamedTuple):
    """What has been asked; `repetitions` is 0 for a GET."""

    id: int
    repetitions: int
    oids: tuple[Oid, ...]
    community: bytes


Behaviour = Callable[["Device", Request], Iterable[bytes]]


class Device:
    """Answers on a loopback port until the context is left."""

    def __init__(self, objects: dict[Oid, bytes], *, behaviour: Behaviour | None = None) -> None:
        self.objects = objects
        self.requests: list[Request] = []
        self.behaviour = behaviour or Device.well
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self.peer = ("", 0)
        self.has_ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.has_ended.set()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(10)
        self.socket.close()

    def well(self, request: Request) -> Iterator[bytes]:
        """The answer of a device without faults."""
        yield response(request, self.varbinds(request))

    def varbinds(self, request: Request) -> list[tuple[Oid, bytes]]:
        if not request.repetitions:
            return [(oid, self.objects.get(oid, NO_SUCH_INSTANCE)) for oid in request.oids]
        known = sorted(self.objects)
        start = bisect_right(known, request.oids[0])
        found = [(oid, self.objects[oid]) for oid in known[start : start + request.repetitions]]
        return found or [(request.oids[0], END_OF_VIEW)]

    def _serve(self) -> None:
        while True:
            datagram, self.peer = self.socket.recvfrom(65536)
            if self.has_ended.is_set():
                return
            # What is said in v3 is not understood here; there, only what is no SNMP is answered.
            request = parsed(datagram) if _version(datagram) == 1 else Request(0, 0, (), b"")
            self.requests.append(request)
            for answer in self.behaviour(self, request):
                self.socket.sendto(answer, self.peer)


def interfaces(names: dict[int, str], *, without: Iterable[Oid] = ()) -> dict[Oid, bytes]:
    """A device with these interfaces by index, less the columns `without`.

    The last digit of a name is in all its numbers: `eth3` has counted 3,006 octets, 3,014 errors, and so on.
    """
    objects = {UP_TIME: ticks(4711), IF_NUMBER: integer(len(names))}
    for index, name in names.items():
        columns = {
            IF_NAME: octets(name.encode()),
            IF_DESCR: octets(f"Port {name}".encode()),
            IF_ALIAS: octets(b"to " + name.encode()),
            **_numbers(int(name[-1]) * 1000),
        }
        objects |= {(*column, index): value for column, value in columns.items() if column not in without}
    return objects


def _numbers(serial: int) -> dict[Oid, bytes]:
    return {
        (*IF_TABLE, 3): integer(serial + 3),
        (*IF_TABLE, 4): integer(serial + 4),
        (*IF_TABLE, 5): gauge32(serial + 5),
        (*IF_TABLE, 7): integer(serial + 7),
        (*IF_TABLE, 8): integer(serial + 8),
        (*IF_TABLE, 9): ticks(serial + 9),
        **{(*IF_TABLE, column): counter32(serial + column) for column in NARROW},
        **{(*IF_X_TABLE, column): counter64(serial + 100 + column) for column in WIDE},
        (*IF_X_TABLE, 15): gauge32(serial + 115),
    }


def response(request: Request, varbinds: Iterable[tuple[Oid, bytes]], **changed: int) -> bytes:
    """The datagram that answers; `request_id` and `status` can be changed."""
    listed = b"".join(tlv(0x30, tlv(6, oid_content(oid)) + value) for oid, value in varbinds)
    numbers = integer(changed.get("request_id", request.id)) + integer(changed.get("status", 0)) + integer(0)
    pdu = tlv(RESPONSE, numbers + tlv(0x30, listed))
    return tlv(0x30, integer(1) + octets(request.community) + pdu)


def tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content


def number(tag: int, value: int) -> bytes:
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, signed=True))


def integer(value: int) -> bytes:
    return number(0x02, value)


def counter32(value: int) -> bytes:
    return number(0x41, value)


def gauge32(value: int) -> bytes:
    return number(0x42, value)


def ticks(value: int) -> bytes:
    return number(0x43, value)


def counter64(value: int) -> bytes:
    return number(0x46, value)


def octets(value: bytes) -> bytes:
    return tlv(0x04, value)


def oid_content(oid: Oid) -> bytes:
    content = bytearray((oid[0] * 40 + oid[1],))
    for part in oid[2:]:
        groups = [part & 0x7F]
        while part := part >> 7:
            groups.append(part & 0x7F | 0x80)
        content += bytes(reversed(groups))
    return bytes(content)


def _version(datagram: bytes) -> int:
    return content_of(content_of(datagram)[0])[0][0]


def parsed(datagram: bytes) -> Request:
    message, _ = content_of(datagram)
    _version, rest = content_of(message)
    community, rest = content_of(rest)
    is_bulk = rest[0] == GET_BULK
    pdu, _ = content_of(rest)
    request_id, pdu = content_of(pdu)
    _, pdu = content_of(pdu)
    repetitions, pdu = content_of(pdu)
    listed, _ = content_of(pdu)
    oids = []
    while listed:
        varbind, listed = content_of(listed)
        oids.append(oid_of(content_of(varbind)[0]))
    return Request(
        int.from_bytes(request_id, signed=True),
        int.from_bytes(repetitions) if is_bulk else 0,
        tuple(oids),
        community,
    )


def content_of(data: bytes) -> tuple[bytes, bytes]:
    """The content of the first value, and what follows it."""
    size, begin = data[1], 2
    if size & 0x80:
        begin += size & 0x7F
        size = int.from_bytes(data[2:begin])
    return data[begin : begin + size], data[begin + size :]


def oid_of(content: bytes) -> Oid:
    parts, part = [content[0] // 40, content[0] % 40], 0
    for byte in content[1:]:
        part = part << 7 | byte & 0x7F
        if not byte & 0x80:
            parts.append(part)
            part = 0
    return tuple(parts)
