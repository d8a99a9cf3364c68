"""Who of a team is given a ticket that is routed to it: whoever of those on duty has the least to do. Pure.

What somebody has to do is the sum over their open tickets, each weighed by its priority. Of those with as much,
the one is chosen to whom a ticket was given by itself longest ago; then by login.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tocsin_server.clock import moment
from tocsin_server.desk.standing import Technician

WEIGHTS: Mapping[int, int] = {1: 8, 2: 4, 3: 2, 4: 1}
"""Of an open ticket by its priority: one that is twice as urgent keeps one twice as busy."""
MOST_TOLD = 8
"""How many of a team a reason names."""


class Bearer(NamedTuple):
    """Somebody of a team, with what they have to do."""

    who: Technician
    open: int = 0
    load: int = 0
    most_open: int | None = None
    away_until_ms: int | None = None
    given_ms: int | None = None

    def hindrance(self, now_ms: int) -> str:
        """Why they cannot be given one more; empty where they can."""
        if self.away_until_ms is not None and self.away_until_ms > now_ms:
            return f"is away until {moment(self.away_until_ms):%Y-%m-%d %H:%M}Z"
        if self.most_open is not None and self.open >= self.most_open:
            return f"has {self.open} open of at most {self.most_open}"
        return ""

    def with_one_more(self, priority: int, now_ms: int) -> "Bearer":
        """As they are once they have another ticket."""
        return self._replace(open=self.open + 1, load=self.load + WEIGHTS[priority], given_ms=now_ms)


class Choice(NamedTuple):
    """Who is given it, if anybody, and why."""

    bearer: Bearer | None
    why: str


def least_loaded(team: str, bearers: Sequence[Bearer], now_ms: int) -> Choice:
    """Who of a team is given the next ticket."""
    able = sorted((each for each in bearers if not each.hindrance(now_ms)), key=_order)
    if not able:
        said = [f"{each.who.login} {each.hindrance(now_ms)}" for each in bearers]
        return Choice(None, f"nobody of {team} can be given it: {_listed(said) or 'nobody is in it'}")
    first, *others = able
    said = [f"{each.who.login} {each.load}" for each in others]
    beside = f" (others: {_listed(said)})" if said else ""
    return Choice(first, f"{first.who.login} of {team} has the least open load: {first.load}{beside}")


def _order(of: Bearer) -> tuple[int, int, str]:
    return of.load, -1 if of.given_ms is None else of.given_ms, of.who.login


def _listed(said: Sequence[str]) -> str:
    more = [f"and {len(said) - MOST_TOLD} more"] if len(said) > MOST_TOLD else []
    return ", ".join([*said[:MOST_TOLD], *more])
