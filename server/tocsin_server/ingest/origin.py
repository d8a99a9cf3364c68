"""Where a session comes from, as its hello says: evidence for people, and by itself no proof of anything."""

from collections.abc import Sequence
from dataclasses import dataclass

from tocsin_server.clock import moment

MOST_TOLD = 4
_LAST_NS = 253_402_300_799 * 10**9
"""The end of the year 9999: what a date can say."""


@dataclass(frozen=True, slots=True)
class Origin:
    """One run of an agent and its place. What an older agent does not say is empty."""

    epoch: int = 0
    """Nanoseconds since 1970 at the start of the run, by its host's clock."""
    run: bytes = b""
    """Random, made anew at each start."""
    machine: bytes = b""
    """A digest of the host's machine id: a copied disk has the same."""
    boot: bytes = b""
    """A digest of the kernel's boot id: no two boots have the same."""
    name: str = ""
    """What the host calls itself."""
    address: str = ""
    """Where the hello came from; several hosts may share one."""

    @property
    def words(self) -> str:
        """Which host it is, as far as it can be told."""
        named = repr(self.name) if self.name else "a host"
        place = f"{named} at {self.address}" if self.address else named
        if not 0 < self.epoch < _LAST_NS:
            return place
        return f"{place} since {moment(self.epoch // 1_000_000):%Y-%m-%d %H:%M:%S} UTC"


NOWHERE = Origin()
"""Nothing is known of it."""


def told(origins: Sequence[Origin]) -> str:
    """Who they are, and whether they are one machine; of many only the last."""
    return f"{' and '.join(origin.words for origin in origins[-MOST_TOLD:])} ({_likeness(origins)})"


def _likeness(origins: Sequence[Origin]) -> str:
    boots, machines = ({each(origin) for origin in origins} for each in (_boot, _machine))
    if b"" in boots | machines:
        return "they do not say which machines they are"
    if len(boots) == 1:
        return "one machine: two agents run there, or its memory was copied too"
    if len(machines) == 1:
        return "two boots with one machine id: a disk or a template was copied"
    return "two machines"


def _boot(origin: Origin) -> bytes:
    return origin.boot


def _machine(origin: Origin) -> bytes:
    return origin.machine
