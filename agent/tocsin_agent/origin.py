"""Where this run is: what a hello says of it, so that a copy of this host is known from a restart of it.

The server gets digests that mean nothing to anybody else; what cannot be read is left empty.
"""

import os
from typing import NamedTuple

from tocsin_agent.collectors.kernel import Roots, read_once
from tocsin_protocol import wire


class Origin(NamedTuple):
    """One run of the agent on one boot of one machine."""

    run: bytes
    machine: bytes
    boot: bytes
    name: str


def origin_of(agent: str, roots: Roots | None = None) -> Origin:
    """A new run of this agent, here."""
    roots = roots or Roots()
    return Origin(
        run=os.urandom(wire.ORIGIN_BYTES),
        machine=_digest(agent, f"{roots.etc}/machine-id"),
        boot=_digest(agent, f"{roots.proc}/sys/kernel/random/boot_id"),
        name=os.uname().nodename[: wire.MAX_NAME_BYTES],
    )


def _digest(agent: str, path: str) -> bytes:
    try:
        word = read_once(path).strip()
    except OSError:
        return b""
    return wire.origin_digest(agent, word) if word else b""
