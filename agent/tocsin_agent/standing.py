"""How this agent stands, for whoever sits at its host: what is known, what is collected, and what is not."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from tocsin_agent.collectors import Collection
from tocsin_agent.identity import Identity
from tocsin_agent.keys import Keys
from tocsin_agent.push import Pusher
from tocsin_agent.quarantine import Quarantine
from tocsin_agent.spool import Spool
from tocsin_agent.version import VERSION

NOT_COLLECTED = (
    "what is in files, and their names",
    "keys that are struck, and the clipboard",
    "the screen, and the titles of windows",
    "names and command lines of programs: processes are only counted, by state",
    "web pages, mails and messages, and whom this host talks to",
    "who is logged in",
)
"""True of every collector. What a person asks goes to the server as it is said, with the login."""
COLLECTED = (
    "numbers, with the names of this host, its system, its processor, its disks and mount points,"
    " and its network interfaces with their hardware addresses"
)


class Probed(NamedTuple):
    """A device that this agent looks at for its site; `trouble` is empty while it answers."""

    name: str
    every_s: float
    trouble: str


class Standing:
    """Asks the parts of the agent; `devices` is asked for what is probed."""

    def __init__(
        self,
        identity: Identity,
        *,
        keys: Keys,
        started_ms: int,
        pusher: Pusher,
        spool: Spool,
        quarantine: Quarantine,
        collection: Collection,
        devices: Callable[[], Sequence[Probed]],
    ) -> None:
        self._identity = identity
        self._keys = keys
        self._started_ms = started_ms
        self._pusher = pusher
        self._spool = spool
        self._quarantine = quarantine
        self._collection = collection
        self._devices = devices

    def told(self) -> Mapping[str, object]:
        """As JSON has it; moments are milliseconds since 1970."""
        identity, problems = self._identity, self._collection.problems
        return {
            "host": identity.host,
            "client": identity.client,
            "site": identity.site,
            "server": identity.url,
            "version": VERSION,
            "started_ms": self._started_ms,
            "key_made_ms": self._keys.made_ms,
            "key_waits": self._keys.waits,
            "accepted_ms": self._pusher.counts.accepted_ms or None,
            "spool_frames": self._spool.counts().frames,
            "quarantine_frames": self._quarantine.count(),
            "trouble": self._pusher.trouble,
            "interval_s": self._pusher.interval_s,
            "collectors": [
                {"name": name, "series": series, "problem": problems.get(name, "")}
                for name, series in self._collection.series.items()
            ],
            "devices": [device._asdict() for device in self._devices()],
            "collected": COLLECTED,
            "not_collected": NOT_COLLECTED,
        }
