"""What this console shows, told to the server while it is shown, and who else looks at a ticket."""

from contextlib import suppress
from typing import TYPE_CHECKING, Literal, NamedTuple

from tocsin_protocol.lookers import Looker
from tocsin_tui.errors import ConsoleError
from tocsin_tui.state import LinkState

if TYPE_CHECKING:
    from tocsin_tui.session import Session

BEAT_S = 10.0
"""The server forgets a console that has not said it for three times as long."""


class Look(NamedTuple):
    """A ticket on the screen, and what is being written on it: `note`, `reply` or nothing."""

    ticket_id: int
    writing: Literal["", "note", "reply"] = ""


class Presence:
    """Where this console is, and where others are."""

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._lookers: dict[int, list[Looker]] = {}
        self._told: Look | None = None
        self._told_s = 0.0

    def others(self, ticket_id: int) -> list[Looker]:
        """Who else looks at a ticket, by login."""
        return [each for each in self._lookers.get(ticket_id, ()) if each.login != self._session.login]

    def hear(self, ticket_id: int, lookers: list[Looker]) -> None:
        """Take who looks at a ticket now."""
        if lookers:
            self._lookers[ticket_id] = lookers
        else:
            self._lookers.pop(ticket_id, None)

    def forget(self) -> None:
        """What was known may be long past: the server tells anew."""
        self._lookers.clear()
        self._told = None

    async def tell(self, look: Look | None, now_s: float) -> None:
        """Say what is shown, where that has changed or was said some time ago."""
        is_known = look == self._told and (look is None or now_s - self._told_s < BEAT_S)
        if is_known or self._session.link.state is not LinkState.LIVE:
            return
        before, self._told, self._told_s = self._told, look, now_s
        with suppress(ConsoleError):  # a line that is down is told elsewhere, and the next time comes soon
            if before is not None and (look is None or look.ticket_id != before.ticket_id):
                await self._session.client.looking(before.ticket_id, gone=True)
            if look is not None:
                answer = await self._session.client.looking(look.ticket_id, writing=look.writing)
                self.hear(look.ticket_id, answer.lookers)
