"""Marked tickets: one act on those that are seen, and what was refused stays marked."""

from tests.tui import scene
from tests.tui.fake import FakeServer
from tests.tui.test_session import following, row_of, until

from tocsin_protocol.acts import MAX_BULK
from tocsin_protocol.problems import Problem
from tocsin_protocol.vocabulary import TicketEventKind, TicketState
from tocsin_tui.format import Tone
from tocsin_tui.marks import Refusal


async def test_what_is_refused_stays_marked_and_says_why(server: FakeServer) -> None:
    async with following(server) as session:
        for number in (4812, 4811, 4809):  # bob has 4809
            session.marks.toggle(number)
        rows = session.marks.rows()

        assert await session.marks.act("take", rows)

        assert [row.id for row in rows] == [4812, 4809, 4811]
        assert session.marks.refused == [Refusal(4809, "bob has it")]
        assert [row.id for row in session.marks.rows()] == [4809]
        assert session.notice.text == "took 2 of 3 tickets, 1 refused and still marked"
        assert session.notice.tone is Tone.WARN
        await until(lambda: row_of(session).owner == "alice")
        assert server.asked.count("POST /tickets/bulk") == 1


async def test_what_has_changed_since_it_was_seen_is_refused_but_words_are_welcome(server: FakeServer) -> None:
    async with following(server) as session:
        rows = [row_of(session)]
        changed = scene.a_ticket(version=9)
        server.details[4812] = scene.detail(changed)  # and nobody has heard of it

        assert await session.marks.act("comment", rows, text="one cause")
        assert session.marks.refused == []
        assert server.details[4812].events[-1].text == "one cause"
        session.tickets.rows[4812] = rows[0]
        assert await session.marks.act("resolve", rows, text="mended")

        assert session.marks.refused == [Refusal(4812, "ticket 4812 has changed since: read it again")]


async def test_what_is_not_seen_is_not_acted_on(server: FakeServer) -> None:
    async with following(server) as session:
        for number in (4812, 4811):
            session.marks.toggle(number)
        session.filter_tickets("#4811")
        assert [row.id for row in session.marks.rows()] == [4811]
        session.filter_tickets("")

        server.happen(scene.a_ticket(version=2, state=TicketState.SOLVED), TicketEventKind.SOLVED)
        await until(lambda: row_of(session).state is TicketState.SOLVED)

        assert [row.id for row in session.marks.rows()] == [4811]
        session.marks.toggle(4811)
        assert session.marks.rows() == []


async def test_too_many_are_not_asked_for_and_a_line_that_is_down_leaves_the_marks(server: FakeServer) -> None:
    async with following(server) as session:
        session.marks.toggle(4812)
        rows = session.marks.rows()

        assert not await session.marks.act("take", rows * (MAX_BULK + 1))
        assert "mark 200 at most" in session.notice.text
        server.refusals["/bulk"] = Problem(title="no", status=503, detail="the disk is full")
        assert not await session.marks.act("take", rows)

        assert session.notice.text == "the disk is full"
        assert session.marks.rows() == rows
