"""What each agent is to probe, as it stands in `config/probes`, for the agent that asks and for no other.

An agent learns from the answers to its pushes that there is another version: they carry the digest. Secrets
are sealed to the agent's own key, so nothing that is held here is worth stealing.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

from tocsin_protocol import wire
from tocsin_server.errors import Unavailable
from tocsin_server.estate.devices import Device, packed
from tocsin_server.estate.estate import Estate
from tocsin_server.ingest.doorkeeper import Doorkeeper, KeyedAnswer
from tocsin_server.ingest.signed import decode_said

_DIGEST_BYTES = 16
_NOTHING = msgspec.msgpack.encode([])


class _Asked(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    v: Annotated[int, Meta(ge=wire.VERSION, le=wire.VERSION)]
    now_ms: int


@dataclass(frozen=True, slots=True)
class _Book:
    """One agent's devices, packed, and what tells them from others."""

    devices: bytes
    digest: str


class Handout:
    """Answers `PROBES_PATH`. Filled by a job, read by the event loop: the books are swapped whole."""

    def __init__(self, *, doorkeeper: Doorkeeper, estate: Estate) -> None:
        self._doorkeeper = doorkeeper
        self._estate = estate
        self._books: Mapping[int, _Book] = {}

    def take(self, devices: Mapping[int, Sequence[Device]]) -> None:
        """Host → what its agent is to probe from now on. What is not spoken of stays as it was."""
        self._books = {**self._books, **{host_id: _bound(packed(found)) for host_id, found in devices.items()}}

    def digest(self, host_id: int) -> str | None:
        """What tells the agent of this host if it is up to date; nothing where it has nothing to probe."""
        book = self._books.get(host_id)
        return None if book is None else book.digest

    async def answer(self, body: bytes, *, session_id: str, mac: str) -> KeyedAnswer:
        """The devices of the agent that asks; raises a `Refused` kind or `Unavailable`."""
        caller = self._doorkeeper.authenticated(body, domain=wire.PROBES_DOMAIN, session_id=session_id, mac=mac)
        decode_said(body, _Asked)
        book = self._book(caller.host.id)
        said = {"digest": book.digest, "devices": msgspec.Raw(book.devices)}
        return caller.answer(said, domain=wire.PROBES_ANSWER_DOMAIN, request=body)

    def _book(self, host_id: int) -> _Book:
        book = self._books.get(host_id)
        if book is None and self._estate.has_devices(host_id):
            # The agent may still hold them: "nothing" would make it stop.
            raise Unavailable(
                "what this agent is to probe cannot be read now",
                remedy="tocsin-server doctor says what is wrong in config/probes",
                retry_after_s=60,
            )
        return book or _bound(_NOTHING)


def _bound(devices: bytes) -> _Book:
    return _Book(devices, hashlib.sha256(devices).digest()[:_DIGEST_BYTES].hex())
