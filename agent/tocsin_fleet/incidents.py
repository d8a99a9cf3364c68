"""What goes wrong, when and where: a script that is the same for the same seed, hosts and beginnings.

A script is played in rounds of an hour, each with other hosts. When a fleet is started again its script begins
anew; what former ones have added to counters stays.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from tocsin_fleet.chance import word_of
from tocsin_protocol.vocabulary import HostKind

ROUND_S = 3600.0
HOSTS_PER_CAST = 60
"""For so many hosts every scene is played once a round."""
EMPTYING_S = 20.0
KILL_EVERY_S, FIRST_KILL_S = 390.0, 20.0
"""A service that flaps: how long it lives, and how long after the beginning it is killed first."""


class Kind(StrEnum):
    """What can go wrong."""

    FILL = "fill"
    """The file system of the data fills, and is emptied at the end."""
    STORM = "storm"
    """More work than the processors can do."""
    SILENCE = "silence"
    """The host cannot reach its server; at the end it delivers what it has kept."""
    FLAP = "flap"
    """A service takes more and more memory, is killed for it, and starts again."""
    LEAK = "leak"
    """Memory is taken and not given back until somebody restarts what takes it."""


class Incident(NamedTuple):
    """One trouble of one host (its number in the roster), in Unix seconds; `ramp_s` is how long it grows."""

    kind: Kind
    host: int
    start_s: float
    end_s: float
    ramp_s: float = 1.0

    def level(self, at_s: float) -> float:
        """How far it has come: 0 before and after, 1 at its height."""
        if not self.start_s <= at_s < self.end_s + EMPTYING_S:
            return 0.0
        grown = min((min(at_s, self.end_s) - self.start_s) / self.ramp_s, 1.0)
        return grown * min((self.end_s + EMPTYING_S - at_s) / EMPTYING_S, 1.0)

    def seconds(self, since_s: float, until_s: float, *, at_height: bool = False) -> float:
        """How long it has lasted between two instants; only at its height, if that is asked."""
        start_s = self.start_s + (self.ramp_s if at_height else 0.0)
        return max(0.0, min(self.end_s, until_s) - max(start_s, since_s))

    def kills(self, since_s: float, until_s: float) -> int:
        """How often the service that flaps was killed between two instants."""
        return max(0, self._kills(min(until_s, self.end_s)) - self._kills(since_s))

    def grown(self, at_s: float) -> float:
        """How far the service that flaps is on its way to be killed, 0 to 1; 0 where there is none."""
        if not self.start_s <= at_s < self.end_s:
            return 0.0
        return (at_s - self.start_s - FIRST_KILL_S) / KILL_EVERY_S % 1.0

    def _kills(self, at_s: float) -> int:
        return max(0, int((at_s - self.start_s - FIRST_KILL_S) // KILL_EVERY_S) + 1)


class Member(NamedTuple):
    """Who can be hit."""

    host: int
    client: str
    name: str
    kind: HostKind


class _Scene(NamedTuple):
    kind: Kind
    after_s: float
    lasts_s: float
    ramp_s: float = 1.0
    whose: HostKind = HostKind.SERVER


_SCENES = (
    _Scene(Kind.FILL, 15, 720, ramp_s=30),
    _Scene(Kind.FLAP, 20, 2700),
    _Scene(Kind.SILENCE, 45, 240),
    _Scene(Kind.FILL, 60, 1500, ramp_s=45),
    _Scene(Kind.LEAK, 70, 1500, ramp_s=90),
    _Scene(Kind.STORM, 80, 1800),
    _Scene(Kind.FILL, 90, 2100, ramp_s=2400),
    _Scene(Kind.FILL, 120, 1800, ramp_s=60, whose=HostKind.DESKTOP),
    _Scene(Kind.SILENCE, 1500, 420),
    _Scene(Kind.STORM, 2000, 1200),
)
"""One round; the seventh fills so slowly that its rule has to foresee it."""


class Script:
    """The incidents of a fleet, by host."""

    def __init__(self, incidents: Iterable[Incident]) -> None:
        self._by_host: defaultdict[int, list[Incident]] = defaultdict(list)
        for incident in incidents:
            self._by_host[incident.host].append(incident)

    def of(self, host: int) -> Sequence[Incident]:
        """What has happened, happens and will happen to a host."""
        return self._by_host.get(host, ())

    @property
    def hosts(self) -> Mapping[int, Sequence[Incident]]:
        """Everybody to whom something happens."""
        return self._by_host

    def is_silent(self, host: int, at_s: float) -> bool:
        """Whether a host cannot reach its server."""
        return any(
            incident.kind is Kind.SILENCE and incident.start_s <= at_s < incident.end_s
            for incident in self.of(host)
        )


def scripted(
    members: Sequence[Member], *, seed: int, begun_s: Sequence[float], until_s: float
) -> Iterator[Incident]:
    """The incidents of these hosts until an instant; `begun_s` are the starts of the fleet, in their order.

    No scene is played over the next start: what was going on then has ended.
    """
    for start_s, next_s in zip(begun_s, [*begun_s[1:], until_s], strict=True):
        rounds = max(0, int((next_s - start_s) // ROUND_S) + 1)
        for number in range(rounds):
            for incident in _round(members, word_of(seed, number), start_s + number * ROUND_S):
                if incident.start_s < next_s:
                    yield incident._replace(end_s=min(incident.end_s, max(next_s, incident.start_s)))


def _round(members: Sequence[Member], word: int, start_s: float) -> Iterator[Incident]:
    casts = {kind: cast(members, kind, word) for kind in (HostKind.SERVER, HostKind.DESKTOP)}
    repeats = max(1, len(members) // HOSTS_PER_CAST)
    taken: defaultdict[HostKind, int] = defaultdict(int)
    for _ in range(repeats):
        for scene in _SCENES:
            players = casts[scene.whose]
            if players:
                host = players[taken[scene.whose] % len(players)].host
                taken[scene.whose] += 1
                begins_s = start_s + scene.after_s
                yield Incident(scene.kind, host, begins_s, begins_s + scene.lasts_s, scene.ramp_s)


def cast(members: Sequence[Member], kind: HostKind, word: int) -> list[Member]:
    """The hosts of a kind in the order in which they are hit: by chance, one client after the other."""
    by_client: defaultdict[str, list[Member]] = defaultdict(list)
    for member in sorted(members, key=lambda member: word_of(word, member.client, member.name)):
        if member.kind is kind:
            by_client[member.client].append(member)
    ranked = [(rank, member) for of_client in by_client.values() for rank, member in enumerate(of_client)]
    return [member for _, member in sorted(ranked, key=lambda pair: pair[0])]
