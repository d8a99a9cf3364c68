"""A device that an agent probes, in words: how each of its probes fares, and its interfaces.

All of it is read off the device's last readings. Rates need two samples of a counter, and the server hands out
the last one only: so `Rates` remembers the one before, and shows nothing until the device is polled again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import starmap

from tocsin_protocol.hosts import HostRow, Reading
from tocsin_tui.format import Line, Span, Tone, bits, clip, dim, line, number, strong

PROBED_JOBS = frozenset({"snmp", "blackbox"})
SOON_D, VERY_SOON_D = 14, 3
"""Days before the end of a certificate, as the shipped rules have them."""

_OCTETS = {"ifHCInOctets": "in", "ifInOctets": "in", "ifHCOutOctets": "out", "ifOutOctets": "out"}
_TICKS = 1 << 32
"""sysUpTime begins anew there, after 497 days."""
_UP, _DOWN = 1, 2
_STATES: dict[int, Span] = {
    1: ("up", Tone.GOOD),
    2: ("down", Tone.BAD),
    3: ("testing", Tone.WARN),
    4: ("unknown", Tone.UNKNOWN),
    5: ("dormant", Tone.DIM),
    6: ("not there", Tone.DIM),
    7: ("lower down", Tone.BAD),
}
"""RFC 2863, ifOperStatus."""
_OFF: Span = ("admin down", Tone.DIM)
_NAME, _STATE, _SPEED, _RATE = 16, 10, 10, 11
_MOST_PROBE_NAME = 14


def is_probed(row: HostRow) -> bool:
    """Whether it has no agent of its own, and so none of a host's vitals."""
    return row.job in PROBED_JOBS


def uptime(readings: Iterable[Reading]) -> timedelta | None:
    """Since when an SNMP agent has been running."""
    ticks = next((each.value for each in readings if each.name == "sysUpTime"), None)
    return timedelta(seconds=ticks / 100) if ticks is not None and 0 <= ticks < _TICKS else None


def probe_lines(readings: Iterable[Reading], *, now: datetime) -> list[Line]:
    """A line for each probe, those that fail first."""
    probes: dict[str, dict[str, float]] = {}
    reasons: dict[str, str] = {}
    for reading in readings:
        name = reading.labels.get("probe")
        if name is None or reading.value is None:
            continue
        if reading.name == "tocsin_probe_failure":
            reasons[name] = reading.labels.get("reason", "")
        elif reading.labels.get("phase", "rtt") == "rtt":
            probes.setdefault(name, {})[reading.name] = reading.value
    fates = {name: known for name, known in probes.items() if "probe_success" in known}
    width = max((min(len(name), _MOST_PROBE_NAME) for name in fates), default=0)
    ordered = sorted(fates.items(), key=lambda fate: (fate[1]["probe_success"], fate[0]))
    return [
        _probe_line(f"{clip(name, width)}:".ljust(width + 2), known, reasons.get(name), now=now)
        for name, known in ordered
    ]


def _probe_line(name: str, known: dict[str, float], reason: str | None, *, now: datetime) -> Line:
    told = list(_told(known, now))
    spaced: list[Span] = [part for each in told for part in (dim(" · "), each)]
    if known["probe_success"]:
        return line(("✓ ", Tone.GOOD), strong(name), *(spaced[1:] or [("answers", Tone.GOOD)]), hang=4)
    return line(("! ", Tone.WARN), strong(name), (reason or "fails", Tone.WARN), *spaced, hang=4)


def _told(known: dict[str, float], now: datetime) -> Iterable[Span]:
    """What a probe has found, in the order in which one asks."""
    if status := known.get("probe_http_status_code"):
        yield (f"status {status:.0f}", Tone.PLAIN)
    if "tocsin_ssh_exit_status" in known:
        yield (f"exit status {number(known['tocsin_ssh_exit_status'])}", Tone.PLAIN)
    if "tocsin_ssh_value" in known:
        yield (f"value {number(known['tocsin_ssh_value'])}", Tone.PLAIN)
    if round_trip := known.get("probe_icmp_duration_seconds"):
        yield (f"round trip {round_trip * 1000:.3g} ms", Tone.PLAIN)
    elif "probe_duration_seconds" in known:
        yield (f"{known['probe_duration_seconds']:.3g} s", Tone.PLAIN)
    if ends := known.get("probe_ssl_earliest_cert_expiry"):
        yield _certificate(int((ends - now.timestamp()) // 86400))


def _certificate(days: int) -> Span:
    if days < 0:
        return ("certificate has expired", Tone.BAD)
    tone = Tone.BAD if days < VERY_SOON_D else Tone.WARN if days < SOON_D else Tone.PLAIN
    return (f"certificate expires in {days} d", tone)


@dataclass(slots=True)
class Interface:
    """One interface; what is not known is missing."""

    name: str
    index: int = 0
    alias: str = ""
    known: dict[str, float] = field(default_factory=dict)

    @property
    def state(self) -> Span:
        """Up, down, or switched off. That a port is down which nobody has described is no worry."""
        if not self.is_on:
            return _OFF
        word, tone = _STATES.get(int(self.known.get("ifOperStatus", 0)), ("–", Tone.DIM))
        return (word, Tone.DIM if tone is Tone.BAD and not self.alias else tone)

    @property
    def is_on(self) -> bool:
        """Whether it is meant to be in use."""
        return self.known.get("ifAdminStatus") != _DOWN

    @property
    def speed(self) -> float | None:
        """Bits per second."""
        if high := self.known.get("ifHighSpeed"):
            return high * 1e6
        return self.known.get("ifSpeed") or None


def interfaces(readings: Iterable[Reading]) -> list[Interface]:
    """The interfaces in the device's own order."""
    found: dict[str, Interface] = {}
    for reading in readings:
        name = reading.labels.get("ifName") or reading.labels.get("ifDescr")
        if not name or reading.value is None or not reading.name.startswith("if"):
            continue
        interface = found.setdefault(name, Interface(name))
        index = reading.labels.get("ifIndex", "")
        interface.index = int(index) if index.isdecimal() and len(index) < 12 else interface.index
        interface.alias = reading.labels.get("ifAlias", interface.alias)
        interface.known[reading.name] = reading.value
    return sorted(found.values(), key=lambda each: (each.index, each.name))


class Rates:
    """What goes through each interface in bits per second, from one poll to the next."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], Reading] = {}
        self._rates: dict[tuple[str, str], float] = {}

    def follow(self, readings: Iterable[Reading]) -> None:
        """Take the readings as they are now."""
        for reading in readings:
            way = _OCTETS.get(reading.name)
            name = reading.labels.get("ifName") or reading.labels.get("ifDescr")
            if way is not None and name:
                self._take((name, way), reading)

    def of(self, name: str, way: str) -> float | None:
        """The rate of one interface `in` or `out`; nothing while it is not known."""
        return self._rates.get((name, way))

    def _take(self, key: tuple[str, str], now: Reading) -> None:
        before = self._last.get(key)
        if before is not None and now.at <= before.at:
            return
        self._last[key] = now
        self._rates.pop(key, None)
        if before is None or before.value is None or now.value is None or now.value < before.value:
            return  # its first sample, or the counter began anew
        self._rates[key] = (now.value - before.value) * 8 / (now.at - before.at).total_seconds()


def interface_lines(found: Sequence[Interface], rates: Rates) -> list[Line]:
    """A table of the interfaces; nothing where there are none."""
    if not found:
        return []
    on = [each.known.get("ifOperStatus") for each in found if each.is_on]
    up, down = on.count(_UP), on.count(_DOWN)
    titles = f"{'':{_NAME}} {'':{_STATE}} {'speed':>{_SPEED}} {'in':>{_RATE}} {'out':>{_RATE}}"
    return [
        line(strong(f"{len(found)} interfaces"), dim(f"   {up} up, {down} down")),
        Line((dim(titles),), wraps=False),
        *starmap(_interface_line, ((each, rates) for each in found)),
    ]


def _interface_line(each: Interface, rates: Rates) -> Line:
    state, tone = each.state
    spans: list[Span] = [
        (f"{clip(each.name, _NAME):{_NAME}} ", Tone.STRONG),
        (f"{state:{_STATE}} ", tone),
        dim(f"{bits(each.speed, per=''):>{_SPEED}} "),
        *((f"{bits(rates.of(each.name, way), per='/s'):>{_RATE}} ", Tone.PLAIN) for way in ("in", "out")),
        (each.alias, Tone.PLAIN),
    ]
    return Line(tuple(spans), wraps=False)
