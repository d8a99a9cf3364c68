"""Guessing gets slower with every guess, whoever guesses, and shuts nobody out for good.

Failures are counted on three ladders: of a login from an address, of an address for all logins, and of a
login from all addresses. After so many that are free each failure doubles the wait, up to the ladder's longest.
A login that nobody has is counted like any other. The third ladder does not hold for an address from which the
login has signed in of late, so a stranger who guesses at Alice's door cannot keep her out of where she works.

An attempt is counted before the password is looked at, and taken back when it was right: of many that come at
once no more than are free are looked at. It is all in the database, so a restart changes nothing.
"""

import ipaddress
from typing import NamedTuple

from sqlmodel import Session, col, delete, select, update

from tocsin_server.access.store import TryRow
from tocsin_server.errors import Overloaded

MINUTE_MS = 60_000
KNOWN_MS = 30 * 24 * 60 * MINUTE_MS
"""How long an address is one from which somebody has signed in."""
MAX_KEPT = 20_000
_DOUBLINGS = 20
"""More change nothing: every ladder is at its longest."""


class Ladder(NamedTuple):
    """How many failures are free, the longest wait, and after which time without one all is forgotten."""

    free: int
    longest_ms: int
    forgotten_ms: int

    def pause_ms(self, failures: int) -> int:
        """How long to wait after the last of so many."""
        if failures < self.free:
            return 0
        return min(1000 << min(failures - self.free, _DOUBLINGS), self.longest_ms)


PAIR = Ladder(free=5, longest_ms=15 * MINUTE_MS, forgotten_ms=60 * MINUTE_MS)
SOURCE = Ladder(free=30, longest_ms=5 * MINUTE_MS, forgotten_ms=60 * MINUTE_MS)
LOGIN = Ladder(free=20, longest_ms=MINUTE_MS, forgotten_ms=60 * MINUTE_MS)


class Tally(NamedTuple):
    """The failures on one rung, and when the last one was."""

    failures: int = 0
    failed_ms: int = 0

    def wait_ms(self, ladder: Ladder, now_ms: int) -> int:
        """How long is still to be waited: never longer than the pause, wherever the clock was set to."""
        pause_ms = ladder.pause_ms(self.failures)
        return max(0, min(pause_ms, self.failed_ms + pause_ms - now_ms))

    def and_one(self, ladder: Ladder, now_ms: int) -> "Tally":
        """With one more; the first again after a long time without."""
        is_new = now_ms - self.failed_ms >= ladder.forgotten_ms
        return Tally(1 if is_new else self.failures + 1, now_ms)


Place = tuple[str, str]
"""The mark of a login and an address; empty for all of them."""


class Charge(NamedTuple):
    """An attempt that is counted: where, when, and what stood there before."""

    pair: Place
    at_ms: int
    before: dict[Place, Tally]
    wait_ms: int
    """How long the next one has to wait, if this one fails."""


def source_of(address: str) -> str:
    """An address as it is counted: of IPv6 the network of 64 bits, which is one customer's."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address or "unknown"
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))


def charge(session: Session, mark: str, source: str, now_ms: int) -> Charge:
    """Count an attempt; raises `Overloaded` where it comes too early, and then it is not counted."""
    before = refuse_haste(session, mark, source, now_ms)
    after = {place: tally.and_one(_ladder(place), now_ms) for place, tally in before.items()}
    for place, tally in after.items():
        _keep(session, place, tally, now_ms + _ladder(place).forgotten_ms)
    session.flush()
    _sweep(session, now_ms)
    return Charge((mark, source), now_ms, before, _wait_ms(after, now_ms))


def refuse_haste(session: Session, mark: str, source: str, now_ms: int) -> dict[Place, Tally]:
    """What stands there; raises `Overloaded` where an attempt would come too early. Counts nothing."""
    pair = (mark, source)
    rows = {place: session.get(TryRow, place) for place in (pair, ("", source), (mark, ""))}
    if _is_known(rows[pair], now_ms):
        del rows[mark, ""]
    found = {place: _tally(row) for place, row in rows.items()}
    wait_ms = _wait_ms(found, now_ms)
    if wait_ms > 0:
        raise Overloaded(
            "too many failed sign-ins",
            remedy=f"wait {-(-wait_ms // 1000)} s",
            retry_after_s=-(-wait_ms // 1000),
        )
    return found


def take_back(session: Session, charged: Charge) -> None:
    """It was no failure."""
    for place, before in charged.before.items():
        row = session.get(TryRow, place)
        if row is not None:
            row.failures = max(0, row.failures - 1)
            row.failed_ms = before.failed_ms if row.failed_ms == charged.at_ms else row.failed_ms
            session.add(row)


def succeeded(session: Session, charged: Charge, now_ms: int) -> None:
    """The right one: failures of this login from this address are forgotten, and the address is known."""
    take_back(session, charged)
    row = session.get(TryRow, charged.pair)
    if row is None:
        row = TryRow(login=charged.pair[0], source=charged.pair[1], failures=0, failed_ms=0, until_ms=0)
    row.failures, row.succeeded_ms, row.until_ms = 0, now_ms, now_ms + KNOWN_MS
    session.add(row)


def forget(session: Session, mark: str) -> None:
    """Whatever was counted of a login; the addresses from which it has signed in stay known."""
    session.exec(update(TryRow).where(col(TryRow.login) == mark).values(failures=0))


def _ladder(place: Place) -> Ladder:
    mark, source = place
    return PAIR if mark and source else LOGIN if mark else SOURCE


def _wait_ms(tallies: dict[Place, Tally], now_ms: int) -> int:
    return max(tally.wait_ms(_ladder(place), now_ms) for place, tally in tallies.items())


def _is_known(row: TryRow | None, now_ms: int) -> bool:
    return row is not None and row.succeeded_ms is not None and now_ms - row.succeeded_ms < KNOWN_MS


def _tally(row: TryRow | None) -> Tally:
    return Tally() if row is None else Tally(row.failures, row.failed_ms)


def _keep(session: Session, place: Place, tally: Tally, until_ms: int) -> None:
    row = session.get(TryRow, place)
    if row is None:
        row = TryRow(login=place[0], source=place[1], failures=0, failed_ms=0, until_ms=0)
    row.failures, row.failed_ms = tally
    row.until_ms = max(until_ms, row.until_ms if row.succeeded_ms is not None else 0)
    session.add(row)


def _sweep(session: Session, now_ms: int) -> None:
    """Remove what means nothing any longer; and were there too much all the same, what soonest would not."""
    most = select(TryRow.until_ms).order_by(col(TryRow.until_ms).desc()).offset(MAX_KEPT).limit(1)
    oldest_ms = session.exec(most).first()
    gone_ms = now_ms if oldest_ms is None else max(now_ms, oldest_ms)
    session.exec(delete(TryRow).where(col(TryRow.until_ms) <= gone_ms))
