"""Flapping: an alert that begins and ends so often that each time tells nothing new. Nagios's weighing.

The last hour is cut into twenty slots of three minutes. A slot counts when the alert began or ended in it, the
newest half as much again as the oldest (1.2 to 0.8). At 30 % of all an alert begins to flap, below 25 % it
ceases.

Nagios's slot is a check result, which comes every few minutes. Here a condition is judged every second: with a
slot a judgement nothing would flap that does not within twenty seconds, and with a slot a change everything
would, since a history of changes alone knows no quiet. So a slot is a stretch of time, the same however often
is judged: what changes every few minutes flaps within the hour, what changes once an hour does not, and neither
does a single burst, for one slot counts once.
"""

from dataclasses import dataclass, replace

from tocsin_protocol.vocabulary import AlertState
from tocsin_server.alerts.state import ALARMING

SLOTS = 20
SLOT_MS = 180_000

_ALL = (1 << SLOTS) - 1
_OLDEST = 38
"""A slot weighs 38 + its place: 57 / 38 is 1.2 / 0.8, and everything stays a whole number."""
_TOTAL = sum(range(_OLDEST, _OLDEST + SLOTS))


@dataclass(frozen=True, slots=True)
class Flaps:
    """The history of one alert. Bit 0 of `changed` is the slot `slot`, bit 1 the one before, and so on."""

    slot: int = 0
    changed: int = 0
    is_flapping: bool = False

    @property
    def percent(self) -> float:
        """How much of the history is changes, as weighed; 0 to 100."""
        return 100 * _weight(self.changed) / _TOTAL

    @property
    def is_forgotten(self) -> bool:
        """Whether nothing is left of it that would be missed."""
        return not self.changed


QUIET = Flaps()


def is_change(old: AlertState, new: AlertState) -> bool:
    """Whether a transition counts: the alert begins or ends. That it is pending or unknown tells neither."""
    return (old in ALARMING) is not (new in ALARMING)


def advance(flaps: Flaps, now_ms: int, *, changed: bool = False) -> Flaps:
    """The history as of now; `changed` when the alert has just begun or ended.

    It may be asked as often or as seldom as one likes, as long as it is at each change. A clock that goes back
    stays in the slot that it was in.
    """
    passed = max(now_ms // SLOT_MS - flaps.slot, 0)
    if not passed and not (changed and not flaps.changed & 1):
        return flaps
    aged = _ceased(Flaps(flaps.slot + passed, _shifted(flaps.changed, passed), flaps.is_flapping))
    return _begun(replace(aged, changed=aged.changed | 1)) if changed else aged


def _shifted(changed: int, slots: int) -> int:
    return changed << slots & _ALL if slots < SLOTS else 0


def _ceased(flaps: Flaps) -> Flaps:
    return replace(flaps, is_flapping=flaps.is_flapping and 4 * _weight(flaps.changed) >= _TOTAL)


def _begun(flaps: Flaps) -> Flaps:
    return replace(flaps, is_flapping=flaps.is_flapping or 10 * _weight(flaps.changed) >= 3 * _TOTAL)


def _weight(changed: int) -> int:
    newest = _OLDEST + SLOTS - 1
    return sum(newest - age for age in range(SLOTS) if changed >> age & 1)
