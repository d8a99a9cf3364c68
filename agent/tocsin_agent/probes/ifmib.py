"""A device's interfaces, in the words of snmp_exporter's `if_mib`: which objects, and whose a value is.

Tables are read column by column, and the number of a row (ifIndex) may pass to another interface whenever the
device starts again or a card is plugged in. So a value belongs to the name that its row had *before and after*
the columns were read; a row whose name has changed meanwhile is left out of this poll, never mixed. The name
is ifName, or ifDescr for what has no ifName.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from tocsin_agent.probes.failure import Failed
from tocsin_agent.readings import Labels, Sample, counter, gauge, labelled
from tocsin_protocol.vocabulary import SeriesKind
from tocsin_protocol.wire import MAX_SERIES_PER_SCHEMA

SYS_UP_TIME = "1.3.6.1.2.1.1.3.0"
IF_NUMBER = "1.3.6.1.2.1.2.1.0"
_IF_TABLE = "1.3.6.1.2.1.2.2.1"
_IF_X_TABLE = "1.3.6.1.2.1.31.1.1.1"
IF_DESCR = f"{_IF_TABLE}.2"
IF_NAME = f"{_IF_X_TABLE}.1"
IF_ALIAS = f"{_IF_X_TABLE}.18"

MOST_INTERFACES = 2000
_SCALARS = (("sysUpTime", SYS_UP_TIME), ("ifNumber", IF_NUMBER))
_MOST_SERIES = MAX_SERIES_PER_SCHEMA - 100
_MOST_NAME_BYTES = 400 << 10
"""Of series and of their names, what one device's frame can carry, less what its other probes give."""
_BYTES_OF_A_NAME = 60
"""A series' own name and those of its labels, about."""
_MOST_TEXT = 128
"""Characters of a label; longer texts from a device are cut."""
_COUNTED_IN_A_FLOAT = (1 << 53) - 1
"""A 64-bit counter starts again above this, as snmp_exporter's does: a float would skip numbers there."""


class Column(NamedTuple):
    """One column of ifTable or ifXTable; `narrow` stands in for it on interfaces without 64-bit counters."""

    name: str
    oid: str
    kind: SeriesKind
    narrow: "Column | None" = None


def _gauge(name: str, oid: str) -> Column:
    return Column(name, oid, SeriesKind.GAUGE)


def _counter(name: str, oid: str, narrow: Column | None = None) -> Column:
    return Column(name, oid, SeriesKind.COUNTER, narrow)


def _wide(direction: str, what: str, oid: str, narrow_oid: str) -> Column:
    return _counter(f"ifHC{direction}{what}", oid, _counter(f"if{direction}{what}", narrow_oid))


COLUMNS: Sequence[Column] = (
    _gauge("ifOperStatus", f"{_IF_TABLE}.8"),
    _gauge("ifAdminStatus", f"{_IF_TABLE}.7"),
    _wide("In", "Octets", f"{_IF_X_TABLE}.6", f"{_IF_TABLE}.10"),
    _wide("Out", "Octets", f"{_IF_X_TABLE}.10", f"{_IF_TABLE}.16"),
    _gauge("ifHighSpeed", f"{_IF_X_TABLE}.15"),
    _counter("ifInErrors", f"{_IF_TABLE}.14"),
    _counter("ifOutErrors", f"{_IF_TABLE}.20"),
    _counter("ifInDiscards", f"{_IF_TABLE}.13"),
    _counter("ifOutDiscards", f"{_IF_TABLE}.19"),
    _wide("In", "UcastPkts", f"{_IF_X_TABLE}.7", f"{_IF_TABLE}.11"),
    _wide("Out", "UcastPkts", f"{_IF_X_TABLE}.11", f"{_IF_TABLE}.17"),
    _gauge("ifSpeed", f"{_IF_TABLE}.5"),
    _gauge("ifLastChange", f"{_IF_TABLE}.9"),
    _wide("In", "MulticastPkts", f"{_IF_X_TABLE}.8", f"{_IF_X_TABLE}.2"),
    _wide("Out", "MulticastPkts", f"{_IF_X_TABLE}.12", f"{_IF_X_TABLE}.4"),
    _wide("In", "BroadcastPkts", f"{_IF_X_TABLE}.9", f"{_IF_X_TABLE}.3"),
    _wide("Out", "BroadcastPkts", f"{_IF_X_TABLE}.13", f"{_IF_X_TABLE}.5"),
    _gauge("ifMtu", f"{_IF_TABLE}.4"),
    _gauge("ifType", f"{_IF_TABLE}.3"),
    _counter("ifInUnknownProtos", f"{_IF_TABLE}.15"),
)
"""What an alert needs most comes first: of a device with too many interfaces the last columns are not read."""


class Device(Protocol):
    """What is asked of a device. Each answer is bounded in number and in time; each raises `Failed`."""

    def scalars(self, oids: Sequence[str]) -> Mapping[str, int]:
        """The whole numbers among these objects, by OID."""

    def texts(self, column: str, *, most: int, is_cut: bool) -> Mapping[int, bytes]:
        """A column of texts by row; rows beyond `most` are endless, or left off where `is_cut`."""

    def numbers(self, column: str, rows: Sequence[int]) -> Mapping[int, int]:
        """A column of numbers as far as the last of these rows, which rise; there may be other rows in it."""


class Names(NamedTuple):
    """What the rows are called, as the device writes it."""

    names: Mapping[int, bytes]
    descriptions: Mapping[int, bytes]

    def of(self, row: int) -> bytes:
        """What an interface is known by; empty where it has no name at all."""
        return self.names.get(row) or self.descriptions.get(row) or b""

    @property
    def are_complete(self) -> bool:
        """Whether ifName names every row."""
        return len(self.names) >= len(self.descriptions) and all(self.names.values())


def read(device: Device, *, most_interfaces: int) -> list[Sample]:
    """What a device has of if_mib, and how many of its interfaces are left out of this poll."""
    scalars = device.scalars((SYS_UP_TIME, IF_NUMBER))
    declared = scalars.get(IF_NUMBER, 0)
    table = Table(device, most_rows=most_interfaces, is_cut=declared > most_interfaces)
    if not scalars and not table.rows:
        raise Failed(
            "credential",
            "the device answers, but shows neither sysUpTime nor interfaces: its view must include both",
        )
    columns = list(table.columns())
    has_restarted = device.scalars((SYS_UP_TIME,)).get(SYS_UP_TIME, 0) < scalars.get(SYS_UP_TIME, 0)
    settled = {} if has_restarted else table.settled()
    samples = [gauge(name, scalars[oid]) for name, oid in _SCALARS if oid in scalars]
    there_are = declared if table.is_cut else len(table.rows)
    samples.append(gauge("tocsin_snmp_interfaces_left_out", there_are - len(settled)))
    for column, values in columns:
        samples += _samples(column, values, settled)
    return samples


class Table:
    """The interfaces of one poll: who they were when it began, and who still is when it ends."""

    def __init__(self, device: Device, *, most_rows: int, is_cut: bool) -> None:
        self.is_cut = is_cut
        self._device = device
        self._most_rows = most_rows
        self._before = Names(self._texts(IF_NAME), self._texts(IF_DESCR))
        self.rows = sorted(self._before.names.keys() | self._before.descriptions.keys())[:most_rows]
        aliases = self._texts(IF_ALIAS) if self.rows else {}
        self._labels = {row: self._labels_of(row, aliases.get(row, b"")) for row in self.rows}

    def columns(self) -> Iterator[tuple[Column, Mapping[int, int]]]:
        """The values by row, as many columns as a frame has room for."""
        for column in COLUMNS[: self._room()] if self.rows else ():
            values = self._device.numbers(column.oid, self.rows)
            yield column, values
            lacking = [row for row in self.rows if row not in values]
            if column.narrow and lacking:
                narrow = self._device.numbers(column.narrow.oid, lacking)
                yield column.narrow, {row: narrow[row] for row in lacking if row in narrow}

    def settled(self) -> Mapping[int, Labels]:
        """The labels of the rows that have had one name all the time."""
        names = self._texts(IF_NAME) if self._before.names else {}
        is_enough = self._before.are_complete and all(names.values())
        after = Names(names, {} if is_enough else self._texts(IF_DESCR))
        return {
            row: labels
            for row, labels in self._labels.items()
            if self._before.of(row) and self._before.of(row) == after.of(row)
        }

    def _texts(self, column: str) -> Mapping[int, bytes]:
        return self._device.texts(column, most=self._most_rows, is_cut=self.is_cut)

    def _labels_of(self, row: int, alias: bytes) -> Labels:
        return labelled(
            ifIndex=str(row),
            ifName=_text(self._before.names.get(row, b"")),
            ifDescr=_text(self._before.descriptions.get(row, b"")),
            ifAlias=_text(alias),
        )

    def _room(self) -> int:
        named = [sum(len(text.encode()) for _, text in labels) for labels in self._labels.values()]
        each_bytes = sum(named) + len(named) * _BYTES_OF_A_NAME
        return min(_MOST_SERIES // len(self.rows), _MOST_NAME_BYTES // each_bytes)


def _samples(column: Column, values: Mapping[int, int], settled: Mapping[int, Labels]) -> Iterator[Sample]:
    make = counter if column.kind is SeriesKind.COUNTER else gauge
    for row, value in values.items():
        if row in settled:
            yield make(column.name, value & _COUNTED_IN_A_FLOAT, settled[row])


def _text(raw: bytes) -> str:
    """What a device says, as a label: no control character, no half a letter, no end of it."""
    text = raw[: _MOST_TEXT * 4].decode("utf-8", "replace")
    return "".join(filter(str.isprintable, text)).strip()[:_MOST_TEXT]
