"""What a technician does to tickets: shown at once where that is safe, and put right by the answer.

Every act says whether it has worked; if not, the session's notice says why in one line.
"""

from collections.abc import Awaitable
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from tocsin_protocol.acts import Link, Merge, NewTicket, Prioritisation, Unmerge
from tocsin_protocol.silences import NewSilence, Silence
from tocsin_protocol.teams import Assign
from tocsin_protocol.tickets import TicketDetail, TicketRow, TicketTie
from tocsin_protocol.vocabulary import LinkKind, TicketState
from tocsin_tui.errors import ConsoleError, Overtaken
from tocsin_tui.format import Tone, clock, tie_word
from tocsin_tui.handover import told
from tocsin_tui.ties import untied

if TYPE_CHECKING:
    from tocsin_tui.session import Session


class Acts:
    """The verbs of a session."""

    def __init__(self, session: "Session") -> None:
        self._session = session

    async def take(self, row: TicketRow) -> bool:
        """Make a ticket one's own; shown at once."""
        wish = msgspec.structs.replace(row, owner=self._session.login, state=TicketState.IN_PROGRESS)
        return await self._act(row, wish, self._session.client.take(row.id, row.version), f"took #{row.id}")

    async def release(self, row: TicketRow) -> bool:
        """Give a ticket back; shown at once."""
        wish = msgspec.structs.replace(row, owner=None)
        return await self._act(
            row, wish, self._session.client.release(row.id, row.version), f"released #{row.id}"
        )

    async def wait(self, row: TicketRow, *, reason: str, until: datetime | None, text: str) -> bool:
        """Let a ticket wait for something, at most until a time."""
        asked = self._session.client.wait(row.id, row.version, reason=reason, until=until, text=text)
        return await self._act(row, row, asked, f"#{row.id} waits for {reason}")

    async def resume(self, row: TicketRow) -> bool:
        """Go on with a ticket that has waited."""
        asked = self._session.client.resume(row.id, row.version)
        return await self._act(row, row, asked, f"#{row.id} goes on")

    async def close(self, row: TicketRow) -> bool:
        """Close a solved ticket for good."""
        asked = self._session.client.close_ticket(row.id, row.version)
        return await self._act(row, row, asked, f"closed #{row.id}")

    async def comment(self, row: TicketRow, text: str) -> bool:
        """Say something on a ticket, among technicians."""
        return await self._act(row, row, self._session.client.comment(row.id, text), f"noted on #{row.id}")

    async def reply(self, row: TicketRow, text: str) -> bool:
        """Say something to who asked."""
        asked = self._session.client.comment(row.id, text, public=True)
        return await self._act(row, row, asked, f"replied on #{row.id}")

    async def prioritise(self, row: TicketRow, wish: Prioritisation) -> bool:
        """Say how urgent a ticket is."""
        wish = msgspec.structs.replace(wish, version=row.version)
        asked = self._session.client.prioritise(row.id, wish)
        return await self._act(row, row, asked, f"prioritised #{row.id}")

    async def assign(self, row: TicketRow, wish: Assign) -> bool:
        """Give a ticket to a team, a person or a supplier."""
        wish = msgspec.structs.replace(wish, version=row.version)
        asked = self._session.client.assign(row.id, wish)
        return await self._act(row, row, asked, f"gave #{row.id} {told(wish)}")

    async def link(self, row: TicketRow, *, kind: LinkKind, other: int) -> bool:
        """Say what another ticket is to this one."""
        wish = Link(kind=kind, other=other, version=row.version, other_version=self._version_of(other))
        return await self._act(
            row, row, self._session.client.link(row.id, wish), f"linked #{row.id} to #{other}"
        )

    async def merge(self, row: TicketRow, *, into: int) -> bool:
        """Make a ticket part of another one."""
        wish = Merge(into=into, version=row.version, into_version=self._version_of(into))
        asked = self._session.client.merge(row.id, wish)
        return await self._act(row, row, asked, f"merged #{row.id} into #{into}")

    async def unmerge(self, row: TicketRow) -> bool:
        """Make it a ticket of its own again."""
        asked = self._session.client.unmerge(row.id, Unmerge(version=row.version))
        return await self._act(row, row, asked, f"#{row.id} is a ticket of its own again")

    async def untie(self, row: TicketRow, tie: TicketTie) -> bool:
        """Take away what another ticket is to this one; some of that is asked of the other."""
        at, kind, other = untied(row, tie)
        version, other_version = self._version_of(at), self._version_of(other)
        if kind is None:
            asked = self._session.client.unmerge(at, Unmerge(version=version, into_version=other_version))
        else:
            wish = Link(kind=kind, other=other, version=version, other_version=other_version)
            asked = self._session.client.unlink(at, wish)
        done = f"#{row.id} is no more: {tie_word(tie.tie)} #{tie.ticket}"
        is_done = await self._act(row, row, asked, done)
        if is_done and at != row.id:
            await self._session.dossiers.read_ticket(row.id)
        return is_done

    def _version_of(self, ticket_id: int) -> int | None:
        """The version that is seen of another ticket, where it is."""
        row = self._session.tickets.rows.get(ticket_id)
        return None if row is None else row.version

    async def acknowledge(self, row: TicketRow, text: str) -> bool:
        """Know of a ticket's alerts: they ring no more until they have cleared."""
        asked = self._session.client.acknowledge(row.id, text, row.version)
        return await self._act(row, row, asked, f"acknowledged #{row.id}")

    async def resolve(self, row: TicketRow, text: str) -> bool:
        """Solve a ticket."""
        asked = self._session.client.resolve(row.id, text, row.version)
        return await self._act(row, row, asked, f"solved #{row.id}")

    async def resolve_all(self, row: TicketRow, text: str) -> bool:
        """Solve a ticket and all that is open below it."""
        asked = self._session.client.resolve(row.id, text, row.version, children=True)
        return await self._act(row, row, asked, f"solved #{row.id} and what is below it")

    async def reopen(self, row: TicketRow) -> bool:
        """Open a solved ticket again."""
        return await self._act(
            row, row, self._session.client.reopen(row.id, row.version), f"reopened #{row.id}"
        )

    async def watch(self, row: TicketRow, *, on: bool) -> bool:
        """Hear of a ticket that is not one's own, or not any more."""
        done = f"watching #{row.id}" if on else f"watching #{row.id} no more"
        return await self._act(row, row, self._session.client.watch(row.id, on=on), done)

    async def silence(self, wish: NewSilence) -> bool:
        """Have nobody be told of such alerts for some time."""
        made = await self._session.answer(self._session.client.silence(wish))
        if made is None:
            return False
        self._session.alerts.hear()
        self._session.silences.hear()
        self._session.silences.know(made)
        self._session.say(f"silence {made.id} until {clock(made.ends_at, self._session.now())}", Tone.GOOD)
        return True

    async def end_silence(self, silence: Silence) -> bool:
        """End a silence now: what it withholds and still fires is delivered."""
        ended = await self._session.answer(self._session.client.expire(silence.id))
        if ended is None:
            return False
        self._session.alerts.hear()
        self._session.silences.hear()
        self._session.silences.know(ended)
        self._session.say(f"silence {ended.id} has ended", Tone.GOOD)
        return True

    async def open_ticket(self, ticket: NewTicket) -> TicketDetail | None:
        """Open a ticket by hand."""
        detail = await self._session.answer(self._session.client.open_ticket(ticket))
        if detail is not None:
            self._session.dossiers.keep(detail)
            self._session.say(f"opened #{detail.ticket.id}", Tone.GOOD)
        return detail

    async def _act(self, row: TicketRow, wish: TicketRow, asked: Awaitable[TicketDetail], done: str) -> bool:
        """Show the wish, ask, and show what is true."""
        self._session.underway.add(row.id)
        self._session.know(wish)
        try:
            self._session.dossiers.keep(await asked)
        except ConsoleError as error:
            if self._session.tickets.rows.get(row.id) is wish:  # else the stream knows better already
                self._session.put_back(row)
            if isinstance(error, Overtaken):
                await self._concede(row, str(error))
            else:
                self._session.complain(error)
            return False
        finally:
            self._session.underway.discard(row.id)
        self._session.say(done, Tone.GOOD)
        return True

    async def _concede(self, row: TicketRow, said: str) -> None:
        """Somebody was first: read the ticket again and say who."""
        detail = await self._session.dossiers.read_ticket(row.id)
        holder = detail.ticket.owner if detail else None
        if holder and holder not in {row.owner, self._session.login}:
            self._session.say(f"{holder} was faster: #{row.id} is theirs", Tone.WARN)
        else:
            self._session.say(f"#{row.id}: {said}", Tone.WARN)
