"""What is due next of tickets, for the queue: which of their promises has the first deadline.

To reckon a ticket's clocks takes a fifth of a millisecond, and a page has hundreds of tickets. A deadline moves
only with an entry of the timeline, which is another version of the ticket, so it is kept until then.
"""

from collections.abc import Collection, Iterable, Mapping
from functools import partial

from sqlmodel import Session

from tocsin_server.desk.promised import Due, Promised, Terms, as_the_client_sees, promised
from tocsin_server.sla.clock import Clock, clocks

MOST_KEPT = 20_000
NOTHING = Due()


def dues_outside(session: Session, ids: Collection[int], terms: Terms) -> dict[int, Due]:
    """What is due of what the client was promised; few ask, so nothing is kept."""
    found = promised(session, ids, terms, reckon=partial(clocks, has_thresholds=False))
    return {ticket_id: first_due(as_the_client_sees(each).clocks) for ticket_id, each in found.items()}


def dues(session: Session, versions: Mapping[int, int], terms: Terms) -> dict[int, Due]:
    """What is due of open tickets, given their versions; of those that are not kept, in one question."""
    if not terms.contracts:
        return {}
    had = {ticket_id: terms.kept.get(ticket_id, (0, NOTHING)) for ticket_id in versions}
    known = {ticket_id: due for ticket_id, (version, due) in had.items() if version == versions[ticket_id]}
    missing = versions.keys() - known.keys()
    found = promised(session, missing, terms, reckon=partial(clocks, has_thresholds=False))
    fresh = {ticket_id: first_due(found.get(ticket_id, Promised()).clocks) for ticket_id in missing}
    if len(terms.kept) > MOST_KEPT:
        terms.kept.clear()
    terms.kept.update({ticket_id: (versions[ticket_id], due) for ticket_id, due in fresh.items()})
    return known | fresh


def first_due(read: Iterable[Clock]) -> Due:
    """The first deadline of those that nothing has ended; the same whenever the clocks are read."""
    going = [clock for clock in read if clock.ended_ms is None]
    known = [clock.deadline_ms for clock in going if clock.deadline_ms is not None]
    return Due(min(known, default=None), bool(going))
