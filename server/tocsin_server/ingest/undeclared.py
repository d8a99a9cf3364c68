"""Frames of devices that their agent is not declared to probe: refused by name, and told to the operator.

Once a minute for each agent and name, and of a few names only: an agent may send what it likes.
"""

import structlog

from tocsin_server.clock import Clock
from tocsin_server.errors import Unprocessable
from tocsin_server.estate.estate import HostFacts

TELL_EVERY_S = 60.0
MOST_NAMES = 8
"""Of one agent, that are told in a minute."""
_MOST_SHOWN = 80

_log = structlog.get_logger()


class UndeclaredDevice(Unprocessable):
    """Not 403, which would tell the agent that it is revoked and silence its own host as well."""

    kind = "undeclared-device"


class Undeclared:
    """Makes the refusals. The event loop's."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told: dict[str, tuple[float, set[str]]] = {}

    def refusal(self, agent_id: str, own: HostFacts, name: str) -> UndeclaredDevice:
        """Why a frame of this device is refused; `own` is the host of the agent itself."""
        shown = repr(name[:_MOST_SHOWN])
        if self._is_news(agent_id, name):
            _log.warning(
                f"{own.client}'s host {own.name} sends readings of {shown}, which it is not declared to probe",
                action="undeclared_device",
                client=own.client,
                host=own.name,
                agent=agent_id,
                device=shown,
            )
        return UndeclaredDevice(
            f"{shown} is not a device that the agent of {own.name} is declared to probe",
            remedy="declare it in config/probes under this agent",
        )

    def _is_news(self, agent_id: str, name: str) -> bool:
        now_s = self._clock.monotonic()
        since_s, names = self._told.get(agent_id, (-TELL_EVERY_S, set()))
        if now_s - since_s >= TELL_EVERY_S:
            since_s, names = self._told[agent_id] = (now_s, set())
        if name in names or len(names) >= MOST_NAMES:
            return False
        names.add(name)
        return True
