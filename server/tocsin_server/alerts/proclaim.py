"""Prometheus's own series about alerts: `ALERTS` says which there are, `ALERTS_FOR_STATE` since when."""

import numpy as np

from tocsin_protocol.vocabulary import AlertState
from tocsin_server.alerts.alert import Alert
from tocsin_server.alerts.ground import Ground, Portion, Yield
from tocsin_server.alerts.watch import Watch

ALERTS = "ALERTS"
SINCE = "ALERTS_FOR_STATE"
PROCLAIMED = frozenset({ALERTS, SINCE})


class Proclaimer:
    """Records the alerts of a watch as series."""

    def __init__(self, watch: Watch, states: Yield, since: Yield) -> None:
        self._watch = watch
        self._states = states
        self._since = since

    def proclaim(self, ground: Ground, at_ms: int) -> None:
        """Record the alerts as they stand."""
        by_client: dict[int, list[Alert]] = {}
        for alert in self._watch.alerts.values():
            by_client.setdefault(alert.client_id, []).append(alert)
        self._states.record(ground, {client: _states(alerts) for client, alerts in by_client.items()}, at_ms)
        self._since.record(ground, {client: _since(alerts) for client, alerts in by_client.items()}, at_ms)


def _states(alerts: list[Alert]) -> Portion:
    return [{**alert.labels, "alertstate": _shown(alert)} for alert in alerts], np.ones(len(alerts))


def _since(alerts: list[Alert]) -> Portion:
    return [alert.labels for alert in alerts], np.array(
        [(alert.life.active_ms or 0) / 1000 for alert in alerts]
    )


def _shown(alert: Alert) -> str:
    """Prometheus knows no unknown: what cannot be judged goes on firing."""
    return (AlertState.PENDING if alert.life.state is AlertState.PENDING else AlertState.FIRING).value
