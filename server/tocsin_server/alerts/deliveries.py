"""What the desk hears of a round, and what is withheld from it; the alerts carry why.

    changes of the rules + what holds around ─▶ weigh ─▶ changes with their reasons, and those of reasons alone

An alert whose delivery is withheld is judged and written as ever. When nothing withholds it any longer, it is
delivered as it then stands, if it still fires. What ends by itself together with its cause (a dead parent, an
alert that inhibits) gets some grace first, or the return of a switch would ring for everything behind it.

One that flaps is told of once, unless something else withholds it. From then on it is withheld whichever way it
goes, and delivered as it stands when it has ceased to.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import structlog

from tocsin_protocol.vocabulary import AlertState, SuppressionKind
from tocsin_server.alerts.alert import Alert, Change, Key, Reason
from tocsin_server.alerts.flapping import QUIET, Flaps, advance, is_change
from tocsin_server.alerts.inhibition import Firing
from tocsin_server.alerts.maintenance import Place
from tocsin_server.alerts.state import ACTIVE, ALARMING
from tocsin_server.alerts.suppression import Circumstances, Subject, reasons

_log = structlog.get_logger()

GRACE_MS = 120_000
"""How long an alert may take to end once its dead parent, or what inhibited it, is back."""

_ENDS_WITH_ITS_CAUSE = frozenset({SuppressionKind.PARENT_DOWN, SuppressionKind.INHIBITED})

Identity = tuple[str, Key]
"""Rule, client and fingerprint: two rules may give the same labels."""


class Surroundings(Protocol):
    """What holds around the alerts."""

    def circumstances(self, now_ms: int, firing: Firing, flaps: Mapping[Key, Flaps]) -> Circumstances:
        """What holds now, given these alerts."""
        ...

    def place_of(self, alert: Alert) -> Place:
        """Where it is, by the estate."""
        ...


class _Plain:
    """A country without silences, maintenance, inhibition and parents."""

    def circumstances(self, now_ms: int, firing: Firing, flaps: Mapping[Key, Flaps]) -> Circumstances:  # noqa: ARG002
        return Circumstances(now_ms, flaps=flaps)

    def place_of(self, alert: Alert) -> Place:  # noqa: ARG002
        return Place()


PLAIN: Surroundings = _Plain()


class Deliveries:
    """Remembers of each alert how it has changed of late, and which resolved ones still flap."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._flaps: dict[Key, Flaps] = {}
        self._weighed: dict[Key, Flaps] = {}
        """As they are once the changes of this round are written."""
        self._calm: dict[Identity, Alert] = {}
        """Alerts that have ended and flap: when they cease to, the desk is to hear that they have ended."""
        self._lifted_ms: dict[Identity, int] = {}
        """Since when nothing withholds an alert that has grace."""
        self._is_blind = False

    def restore(self, flaps: Mapping[Key, Flaps], calm: Iterable[Alert]) -> None:
        """Take up what was at the last end."""
        self._flaps = dict(flaps)
        self._calm = {_identity(alert): alert for alert in calm}

    def weigh(self, changes: Sequence[Change], active: Iterable[Alert], now_ms: int) -> list[Change]:
        """The changes with what withholds them, and changes of what withholds; `active` as before the round."""
        proposed = {_identity(change.alert): change for change in changes}
        standing = [alert for alert in active if _identity(alert) not in proposed]
        calm = [alert for mark, alert in self._calm.items() if mark not in proposed]
        flaps = self._weighed = self._flaps_after(changes, now_ms)
        firing = _firing([*standing, *(change.alert for change in changes)])
        around = self._around(now_ms, firing, flaps)
        told = [self._with_reasons(change, around) for change in changes]
        return [*told, *self._of_reasons([*standing, *calm], around)]

    def settled(self, changes: Sequence[Change]) -> None:
        """What was weighed last is written."""
        self._flaps = {key: flaps for key, flaps in self._weighed.items() if not flaps.is_forgotten}
        for change in changes:
            mark = _identity(change.alert)
            if not change.alert.suppressed:
                self._lifted_ms.pop(mark, None)
            if change.alert.suppressed and change.alert.life.state not in ACTIVE:
                self._calm[mark] = change.alert
            else:
                self._calm.pop(mark, None)

    def _around(self, now_ms: int, firing: Firing, flaps: Mapping[Key, Flaps]) -> Circumstances:
        """What holds now. Where that cannot be told, nothing is withheld: rather in vain than not at all."""
        try:
            around = self._surroundings.circumstances(now_ms, firing, flaps)
        except Exception:  # noqa: BLE001 - whatever it is, alerts ring
            if not self._is_blind:
                _log.exception("what withholds deliveries cannot be told, so nothing does", action="blind")
            self._is_blind = True
            return Circumstances(now_ms, flaps=flaps)
        self._is_blind = False
        return around

    def _flaps_after(self, changes: Sequence[Change], now_ms: int) -> dict[Key, Flaps]:
        flaps = {key: advance(each, now_ms) for key, each in self._flaps.items()}
        for change in changes:
            if is_change(change.old, change.alert.life.state):
                key = change.alert.key
                flaps[key] = advance(flaps.get(key, QUIET), now_ms, changed=True)
        return flaps

    def _with_reasons(self, change: Change, around: Circumstances) -> Change:
        """A change of a rule's with what withholds it. That an alert begins to flap is told, once."""
        before = self._calm.get(_identity(change.alert), change.alert)
        alert = replace(change.alert, suppressed=before.suppressed, suppressed_ms=before.suppressed_ms)
        found = self._reasons(alert, around)
        is_alarming = alert.life.state in ALARMING
        if not found and (self._has_grace(alert, around.now_ms) if is_alarming else _flaps(before.suppressed)):
            found = before.suppressed  # what has flapped to its end is told of once it has ceased to
        is_news = _only_flaps(found) and not _is_told(before.suppressed, is_alarming=is_alarming)
        is_lifted = is_alarming and bool(before.suppressed) and (is_news or not found)
        return replace(
            change,
            alert=_suppressed(alert, found, around.now_ms),
            withheld=() if is_news else found,
            words=found[0].words if is_news else change.words,
            redelivers=is_lifted,
        )

    def _of_reasons(self, alerts: Iterable[Alert], around: Circumstances) -> Iterator[Change]:
        """Alerts that stand as they stood, and whose reasons are others now."""
        for alert in alerts:
            found = self._reasons(alert, around)
            if found == alert.suppressed or (not found and self._is_held(alert, around.now_ms)):
                continue
            is_news = _only_flaps(found) and not _is_told(
                alert.suppressed, is_alarming=alert.life.state in ALARMING
            )
            yield Change(
                alert.life.state,
                _suppressed(alert, found, around.now_ms),
                around.now_ms,
                redelivers=is_news or not found,
                words=found[0].words if is_news else "" if found else _lifted(alert.suppressed),
            )

    def _reasons(self, alert: Alert, around: Circumstances) -> tuple[Reason, ...]:
        if around.is_calm:
            return ()
        place = self._surroundings.place_of(alert)
        found = reasons(Subject(alert.key, alert.labels, place, alert.host_id), around)
        if found:
            self._lifted_ms.pop(_identity(alert), None)
        return found if alert.life.state in ALARMING else tuple(filter(_is_flapping, found))

    def _is_held(self, alert: Alert, now_ms: int) -> bool:
        """Whether what no longer withholds it does so for some time yet."""
        if alert.life.state is AlertState.PENDING:
            return True  # which way it goes is not known yet
        return self._has_grace(alert, now_ms)

    def _has_grace(self, alert: Alert, now_ms: int) -> bool:
        if all(each.kind not in _ENDS_WITH_ITS_CAUSE for each in alert.suppressed):
            return False
        return now_ms - self._lifted_ms.setdefault(_identity(alert), now_ms) < GRACE_MS


def _identity(alert: Alert) -> Identity:
    return alert.rule_key, alert.key


def _firing(alerts: Iterable[Alert]) -> Firing:
    return {alert.key: alert.labels for alert in alerts if alert.life.state in ALARMING}


def _flaps(found: Iterable[Reason]) -> bool:
    return any(map(_is_flapping, found))


def _is_told(before: Sequence[Reason], *, is_alarming: bool) -> bool:
    """Whether the desk knows that it flaps; of one that has ended there is nothing to know."""
    return _only_flaps(before) if is_alarming else _flaps(before)


def _only_flaps(found: Sequence[Reason]) -> bool:
    """Whether that it flaps is all that withholds it."""
    return bool(found) and all(map(_is_flapping, found))


def _is_flapping(reason: Reason) -> bool:
    return reason.kind is SuppressionKind.FLAPPING


def _suppressed(alert: Alert, found: tuple[Reason, ...], now_ms: int) -> Alert:
    since_ms = (alert.suppressed_ms or now_ms) if found else None
    return replace(alert, suppressed=found, suppressed_ms=since_ms)


def _lifted(before: Sequence[Reason]) -> str:
    """What the desk is told when an alert is delivered after all."""
    if _only_flaps(before):
        return "it has ceased to flap"
    return f"no longer withheld ({'; '.join(each.words for each in before)})"
