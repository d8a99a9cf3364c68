"""The agents' `ASK_PATH`: somebody at a host asks for something, and gets the number of a ticket.

Whose host it is follows from the session: nothing that is said in the question can name another. With the
question the ticket keeps how the host is at that moment, as the consoles see it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Annotated

import msgspec
from msgspec import Meta

from tocsin_protocol import wire
from tocsin_server.clock import Clock, moment
from tocsin_server.decisions.folder import Tables
from tocsin_server.desk.evidence import rfc3339
from tocsin_server.desk.requests import open_request, request_of
from tocsin_server.errors import Overloaded
from tocsin_server.http.needs import Head, Notices, Presence
from tocsin_server.http.vitals import UNKNOWN, VitalSigns
from tocsin_server.ingest.doorkeeper import Doorkeeper, KeyedAnswer
from tocsin_server.ingest.signed import decode_said
from tocsin_server.storage.engine import Storage

ALLOWED = 30
WITHIN_S = 3600.0
MAX_AGENTS = 10_000

Readings = Mapping[str, str | float | None]


class _Asked(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    v: Annotated[int, Meta(ge=wire.VERSION, le=wire.VERSION)]
    key: Annotated[bytes, Meta(min_length=16, max_length=16)]
    who: str
    text: str
    now_ms: int


class Allowance:
    """How many questions each agent has asked of late; one that is brought again counts once.

    Bounded: the agent that was silent longest is forgotten first. Only the event loop touches it.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._asked: OrderedDict[str, OrderedDict[bytes, float]] = OrderedDict()

    def take(self, agent_id: str, key: bytes) -> None:
        """Count a question; raises `Overloaded` where it is one too many."""
        now_s = self._clock.monotonic()
        asked = self._of_late(agent_id, now_s)
        if key in asked:
            return
        if len(asked) >= ALLOWED:
            raise Overloaded(
                f"this host has asked {ALLOWED} times within an hour",
                remedy="wait, or call your service desk",
                retry_after_s=next(iter(asked.values())) + WITHIN_S - now_s,
            )
        asked[key] = now_s

    def _of_late(self, agent_id: str, now_s: float) -> OrderedDict[bytes, float]:
        asked = self._asked.setdefault(agent_id, OrderedDict())
        self._asked.move_to_end(agent_id)
        if len(self._asked) > MAX_AGENTS:
            self._asked.popitem(last=False)
        while asked and next(iter(asked.values())) <= now_s - WITHIN_S:
            asked.popitem(last=False)
        return asked


class HostReadings:
    """How one host is, in a few numbers whose names say their units."""

    def __init__(self, *, vitals: VitalSigns, head: Head, presence: Presence, clock: Clock) -> None:
        self._vitals = vitals
        self._head = head
        self._presence = presence
        self._clock = clock

    def of(self, host_id: int) -> Readings:
        """As of now; nothing where a reading is not known. Blocks, so it is not for the event loop."""
        vitals = self._vitals.of_all().get(host_id, UNKNOWN)
        with self._head.lock:
            sample_ms = self._head.newest_ms(host_id)
        return {
            "cpu_ratio": vitals.cpu_ratio,
            "memory_ratio": vitals.memory_ratio,
            "filesystem_ratio": vitals.filesystem_ratio,
            "filesystem_mountpoint": vitals.filesystem_mountpoint,
            "load1": vitals.load1,
            "uptime_s": self._uptime_s(vitals.boot_at),
            "seen_at": _at(self._presence.last_seen_ms(host_id)),
            "sample_at": _at(sample_ms),
        }

    def _uptime_s(self, boot_at: datetime | None) -> float | None:
        if boot_at is None:
            return None
        return max(0.0, round((moment(self._clock.now_ms()) - boot_at).total_seconds()))


class Requests:
    """Answers questions of hosts."""

    def __init__(
        self,
        *,
        doorkeeper: Doorkeeper,
        storage: Storage,
        readings: HostReadings,
        notices: Notices,
        tables: Callable[[], Tables],
        clock: Clock,
    ) -> None:
        self._doorkeeper = doorkeeper
        self._storage = storage
        self._readings = readings
        self._notices = notices
        self._tables = tables
        self._clock = clock
        self._allowance = Allowance(clock=clock)

    async def answer(self, body: bytes, *, session_id: str, mac: str) -> KeyedAnswer:
        """The ticket's number; raises a `Refused` kind or `Unavailable`."""
        caller = self._doorkeeper.authenticated(body, domain=wire.ASK_DOMAIN, session_id=session_id, mac=mac)
        said = decode_said(body, _Asked)
        request = request_of(
            agent_id=caller.agent.id, host_id=caller.host.id, key=said.key, who=said.who, text=said.text
        )
        self._allowance.take(caller.agent.id, said.key)
        readings = await asyncio.to_thread(self._readings.of, caller.host.id)
        act = partial(
            open_request,
            request=request,
            readings=readings,
            now_ms=self._clock.now_ms(),
            tables=self._tables(),
        )
        ticket, happening = await self._storage.write_soon(act)
        if happening is not None:
            self._notices.tickets([happening])
        return caller.answer({"ticket": ticket}, domain=wire.ASK_ANSWER_DOMAIN, request=body)


def _at(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)
