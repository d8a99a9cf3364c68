"""A host comes: the one who holds an invitation and a new key becomes an agent, once.

Guessing is slowed: an address whose enrolments keep failing is sent away for a while.
"""

import asyncio
import ipaddress
from collections import OrderedDict, deque
from typing import Annotated

import msgspec
from msgspec import Meta
from sqlmodel import Session

from tocsin_protocol import wire
from tocsin_server.access.audit import Act, Actor, Deed, Party
from tocsin_server.access.auditlog import record
from tocsin_server.clock import Clock
from tocsin_server.errors import Forbidden, Overloaded, Unauthenticated
from tocsin_server.estate.enrolment import Enrolled, enrol
from tocsin_server.estate.estate import Estate
from tocsin_server.ingest.signed import SignedAnswer, Signer, decode_said, is_signed, sign_answer
from tocsin_server.storage.engine import Storage

FAILURES_ALLOWED = 10
FAILURES_WITHIN_S = 60.0
MAX_ADDRESSES = 10_000

_Word = Annotated[str, Meta(max_length=wire.MAX_LABEL_VALUE_BYTES)]


class _Enrolment(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    v: Annotated[int, Meta(ge=wire.VERSION, le=wire.VERSION)]
    token: _Word
    key: Annotated[bytes, Meta(min_length=32, max_length=32)]
    name: Annotated[str, Meta(min_length=1, max_length=wire.MAX_NAME_BYTES)]
    os: _Word
    version: _Word


class Failures:
    """How often each address has failed lately; bounded, the longest quiet forgotten first."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self, address: str) -> None:
        """Raise `Overloaded` while this address has failed too often."""
        failed = self._failed.get(_neighbourhood(address))
        if failed is None or len(failed) < FAILURES_ALLOWED:
            return
        wait_s = failed[0] + FAILURES_WITHIN_S - self._clock.monotonic()
        if wait_s > 0:
            raise Overloaded("too many failed enrolments from this address", retry_after_s=wait_s)

    def add(self, address: str) -> None:
        """An enrolment from there has failed."""
        key = _neighbourhood(address)
        self._failed.setdefault(key, deque(maxlen=FAILURES_ALLOWED)).append(self._clock.monotonic())
        self._failed.move_to_end(key)
        if len(self._failed) > MAX_ADDRESSES:
            self._failed.popitem(last=False)


class Enrolments:
    """Answers enrolments."""

    def __init__(
        self, *, storage: Storage, estate: Estate, identity: Signer, clock: Clock, interval_s: int
    ) -> None:
        self._storage = storage
        self._estate = estate
        self._identity = identity
        self._clock = clock
        self._interval_s = interval_s
        self._failures = Failures(clock=clock)
        self._looking = asyncio.Lock()
        self._wanted = self._seen = 0
        """How many have wanted a look at the tables, and how many of them have had one."""

    async def enrol(self, body: bytes, *, signature: str, address: str) -> SignedAnswer:
        """Make a host and its agent; raises a `Refused` kind, or `Overloaded` for an address that guesses."""
        self._failures.check(address)
        said = decode_said(body, _Enrolment)
        try:
            enrolled = await self._enrolled(said, body, signature, address)
        except (Forbidden, Unauthenticated):
            self._failures.add(address)
            raise
        await self._look()
        answer = {
            "agent": enrolled.agent_id,
            "host": enrolled.host.name,
            "client": enrolled.client_slug,
            "site": enrolled.site_slug,
            "interval_s": self._interval_s,
        }
        return sign_answer(answer, domain=wire.ENROL_ANSWER_DOMAIN, request=body, signer=self._identity)

    async def _look(self) -> None:
        """Have the estate know what is durable: a hello may come before its next look at the tables.

        Whoever comes while others look shares the next look, or a thousand hosts would look a thousand times at
        a thousand.
        """
        self._wanted += 1
        mine = self._wanted
        async with self._looking:
            if self._seen < mine:
                together = self._wanted
                await asyncio.to_thread(self._estate.admit)
                self._seen = together

    async def _enrolled(self, said: _Enrolment, body: bytes, signature: str, address: str) -> Enrolled:
        if not is_signed(body, domain=wire.ENROL_DOMAIN, signature=signature, public_key=said.key):
            raise Unauthenticated("the enrolment is not signed with the key it brings")
        now_ms = self._clock.now_ms()

        def act(session: Session) -> Enrolled:
            enrolled = enrol(
                session,
                secret=said.token,
                public_key=said.key,
                name=said.name,
                os=said.os,
                version=said.version,
                now_ms=now_ms,
            )
            record(session, _deed(enrolled, said.key, address, now_ms))
            return enrolled

        return await self._storage.write_soon(act)


def _deed(enrolled: Enrolled, public_key: bytes, address: str, now_ms: int) -> Deed:
    host = enrolled.host
    return Deed(
        Act.AGENT_ENROLLED,
        enrolled.agent_id,
        by=Actor(Party.AGENT, enrolled.agent_id, address),
        at_ms=now_ms,
        client_id=host.client_id,
        details={"host": host.name, "host_id": host.id, "site": enrolled.site_slug, "key": public_key.hex()},
    )


def _neighbourhood(address: str) -> str:
    """The address, or the network of an IPv6 one: a single host has 2⁶⁴ of those."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return address if parsed.version == 4 else str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
