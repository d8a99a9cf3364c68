"""Write what hindsight has found, where nothing is known better; the desk is not to hear of it.

What is known of an alert stands in its transitions. An episode that touches a stretch in which the alert was
pending, firing or unknown, or another late one, is left out; so the same gap may be judged again. The alert's
row tells of the episode where there was none, or where it ended before; one that is active stays as it is.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlmodel import Session

from tocsin_protocol.vocabulary import AlertState
from tocsin_server.alerts.episode import Episode, Stretch, is_known, stretches
from tocsin_server.alerts.settle import Identity, identity, write_rows, write_transitions
from tocsin_server.alerts.state import ACTIVE
from tocsin_server.alerts.store import ALERTS, TRANSITIONS


class _Known(NamedTuple):
    """An alert's row, and when the alert was there."""

    id: int
    state: AlertState
    changed_ms: int
    stretches: list[Stretch]


def write_episodes(session: Session, episodes: Sequence[Episode], now_ms: int) -> list[Episode]:
    """Write those of which nothing is known, oldest first; which they were."""
    known = _known(session, {identity(episode.alert) for episode in episodes})
    news = list(_news(sorted(episodes, key=lambda episode: episode.from_ms), known))
    ids = {mark: alert.id for mark, alert in known.items()}
    ids |= write_rows(session, [one.changes[-1] for one in news if _is_latest(one, known)], late=True)
    told = [change for episode in news for change in episode.changes]
    write_transitions(session, told, ids, late=True, consumed_ms=now_ms)
    return news


def _news(episodes: Sequence[Episode], known: dict[Identity, _Known]) -> Iterator[Episode]:
    taken: defaultdict[Identity, list[Stretch]] = defaultdict(list)
    for episode in episodes:
        mark = identity(episode.alert)
        before = known[mark].stretches if mark in known else []
        if not is_known(episode, [*before, *taken[mark]]):
            taken[mark].append((episode.from_ms, episode.to_ms))
            yield episode


def _is_latest(episode: Episode, known: dict[Identity, _Known]) -> bool:
    """Whether the alert's row is to tell of it."""
    alert = known.get(identity(episode.alert))
    return alert is None or (alert.state not in ACTIVE and alert.changed_ms < episode.to_ms)


def _known(session: Session, marks: set[Identity]) -> dict[Identity, _Known]:
    prints = {fingerprint for _, _, fingerprint in marks}
    clients = {client_id for client_id, _, _ in marks}
    asked = select(
        ALERTS.c.id,
        ALERTS.c.client_id,
        ALERTS.c.rule_key,
        ALERTS.c.fingerprint,
        ALERTS.c.state,
        ALERTS.c.changed_ms,
    ).where(ALERTS.c.client_id.in_(clients), ALERTS.c.fingerprint.in_(prints))
    rows = {(row.client_id, row.rule_key, row.fingerprint): row for row in session.execute(asked)}
    there = _stretches(session, [row.id for mark, row in rows.items() if mark in marks])
    return {
        mark: _Known(row.id, row.state, row.changed_ms, there[row.id])
        for mark, row in rows.items()
        if mark in marks
    }


def _stretches(session: Session, alert_ids: Sequence[int]) -> defaultdict[int, list[Stretch]]:
    """By alert; what live evaluation saw and what was found late are each in an order of their own."""
    moves: defaultdict[tuple[int, bool], list[tuple[int, AlertState]]] = defaultdict(list)
    asked = (
        select(TRANSITIONS.c.alert_id, TRANSITIONS.c.late, TRANSITIONS.c.at_ms, TRANSITIONS.c.new)
        .where(TRANSITIONS.c.alert_id.in_(alert_ids))
        .order_by(TRANSITIONS.c.id)
    )
    for row in session.execute(asked):
        moves[row.alert_id, row.late].append((row.at_ms, row.new))
    there: defaultdict[int, list[Stretch]] = defaultdict(list)
    for (alert_id, _), made in moves.items():
        there[alert_id] += stretches(made)
    return there
