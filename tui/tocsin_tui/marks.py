"""Tickets that are marked in the queue, and one act on all of them.

A mark counts while its ticket is on the screen: what has left the view, or was filtered away, nobody acts on
unseen. After an act those are marked still that were refused.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

from tocsin_protocol.acts import MAX_BULK, BulkAct, BulkTicket
from tocsin_protocol.problems import Problem
from tocsin_protocol.tickets import TicketRow
from tocsin_tui.format import Tone

if TYPE_CHECKING:
    from tocsin_tui.session import Session

Verb = Literal["take", "release", "wait", "resume", "comment", "acknowledge", "resolve", "close"]

_DONE = {
    "take": "took",
    "release": "released",
    "wait": "let wait",
    "resume": "went on with",
    "comment": "wrote on",
    "acknowledge": "acknowledged",
    "resolve": "solved",
    "close": "closed",
}


class Refusal(NamedTuple):
    """What was not done to a ticket, and why."""

    ticket_id: int
    why: str


class Marks:
    """The marks of a session."""

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._ids: set[int] = set()
        self.refused: list[Refusal] = []
        """Of the last act, until somebody has seen it."""

    def __contains__(self, ticket_id: int) -> bool:
        return ticket_id in self._ids

    def toggle(self, ticket_id: int) -> None:
        """Mark a ticket, or take its mark away; whether it is of use is for `rows` to say."""
        self._ids ^= {ticket_id}

    def clear(self) -> None:
        """Take all marks away."""
        self._ids.clear()

    def rows(self) -> list[TicketRow]:
        """The marked tickets that are on the screen, in its order."""
        return self._session.tickets.standing(self._ids)

    async def act(
        self,
        verb: Verb,
        rows: Sequence[TicketRow],
        *,
        text: str = "",
        public: bool = False,
        reason: str = "",
        until: datetime | None = None,
    ) -> bool:
        """Do it to each of these; whether there was an answer. `refused` has what was not done."""
        if len(rows) > MAX_BULK:
            self._session.say(f"{len(rows)} tickets are too many at once: mark {MAX_BULK} at most", Tone.WARN)
            return False
        tickets = [_named(verb, self._session.latest(row)) for row in rows]
        question = BulkAct(act=verb, tickets=tickets, text=text, public=public, reason=reason, until=until)
        answer = await self._session.answer(self._session.client.bulk(question))
        if answer is None:
            return False
        problems = [(result.id, result.problem) for result in answer.results if result.problem is not None]
        self.refused = [Refusal(id_, _said(problem)) for id_, problem in problems]
        self._ids = {id_ for id_, _ in problems}
        done = len(answer.results) - len(problems)
        left = f", {len(problems)} refused and still marked" if problems else ""
        said = f"{_DONE[verb]} {done} of {len(answer.results)} tickets{left}"
        self._session.say(said, Tone.WARN if problems else Tone.GOOD)
        return True


def _named(verb: Verb, row: TicketRow) -> BulkTicket:
    """Words are welcome whatever has changed; everything else is meant for the ticket as it was seen."""
    return BulkTicket(id=row.id, version=None if verb == "comment" else row.version)


def _said(problem: Problem) -> str:
    said = problem.detail or problem.title
    return f"{said}: {problem.remedy}" if problem.remedy else said
