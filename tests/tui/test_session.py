"""What is known stays fresh; acts are shown at once and put right by the answer; nothing raises at a screen."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
from tests.tui import scene
from tests.tui.console import URL, Hands
from tests.tui.fake import FakeServer

from tocsin_protocol.acts import NewTicket
from tocsin_protocol.problems import Problem
from tocsin_protocol.silences import NewSilence
from tocsin_protocol.tickets import TicketRow
from tocsin_protocol.vocabulary import TicketEventKind, TicketState
from tocsin_tui.client import Client
from tocsin_tui.dossiers import DETAIL_S, chart_minutes
from tocsin_tui.session import Session
from tocsin_tui.state import LinkState, View


async def until(question: Callable[[], object]) -> None:
    """Let the other tasks run until the answer is true."""
    for _ in range(2000):
        if question():
            return
        await asyncio.sleep(0)
    raise AssertionError("waited in vain")


@asynccontextmanager
async def following(server: FakeServer, hands: Hands | None = None) -> AsyncIterator[Session]:
    """A session that has its snapshot and follows the stream."""
    session = Session(
        lambda: Client(URL, token=server.token, transport=server),
        wall=lambda: scene.NOW,
        monotonic=hands or Hands(),
    )
    task = asyncio.create_task(session.run())
    try:
        await until(lambda: server.streams and session.link.state is LinkState.LIVE)
        session.settle(is_idle=True)
        yield session
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await session.aclose()


@pytest.fixture(autouse=True)
def still_hands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin_tui.search.TYPING_S", 0)


@pytest.fixture
async def session(server: FakeServer) -> AsyncIterator[Session]:
    async with following(server) as session:
        yield session


def row_of(session: Session, id_: int = 4812) -> TicketRow:
    return session.tickets.rows[id_]


async def said(server: FakeServer, session: Session, text: str, *, number: int = 4812) -> None:
    """Somebody says something on a ticket, and the row does not show it."""
    await session.client.comment(number, text)
    await until(lambda: row_of(session, number).version == server.details[number].ticket.version)


async def test_what_the_server_finds_in_comments_is_shown_beside_what_the_rows_show(
    server: FakeServer, session: Session
) -> None:
    await said(server, session, "the zorkmid valve is stuck")
    session.filter_tickets("zorkmid")
    before = list(session.tickets.order)
    await session.search.ask()
    found = list(session.tickets.order)
    session.filter_tickets("zorkmid -client:acme")
    await session.search.ask()

    assert (before, found) == ([], [4812])
    assert server.searches == ["zorkmid", "zorkmid"]
    assert (4812 in session.tickets.order) is (row_of(session).client != "acme")


async def test_what_is_found_of_words_that_are_no_longer_there_is_not_shown(
    server: FakeServer, session: Session
) -> None:
    await said(server, session, "the zorkmid valve is stuck")
    session.filter_tickets("zorkmid")
    searching = asyncio.create_task(session.search.ask())
    await asyncio.sleep(0)
    session.filter_tickets("nothing like it")
    await searching

    assert list(session.tickets.order) == []


@pytest.mark.parametrize("text", ["", "z", "client:acme", "-disk", "p:1 x"])
async def test_without_a_word_to_look_for_the_server_is_left_alone(
    server: FakeServer, session: Session, text: str
) -> None:
    session.filter_tickets(text)
    await session.search.ask()

    assert server.searches == []


async def test_solved_tickets_that_are_not_here_are_found_in_their_view(
    server: FakeServer, session: Session
) -> None:
    session.look(View.SOLVED)
    title = next(
        detail.ticket.title for detail in server.details.values() if detail.ticket.state is TicketState.SOLVED
    )
    session.filter_tickets(title.casefold())
    await session.search.ask()

    assert {row.title for row in (session.tickets.rows[id_] for id_ in session.tickets.order)} == {title}


async def test_a_snapshot_of_many_pages_is_read_to_its_end(server: FakeServer) -> None:
    server.page = 4

    async with following(server) as session:
        assert len(session.tickets) == 13
        assert server.asked.count("GET /tickets") == 4


async def test_a_change_on_the_server_is_known_without_asking(session: Session, server: FakeServer) -> None:
    server.happen(scene.a_ticket(version=2, owner="bob"), TicketEventKind.TAKEN)

    await until(lambda: row_of(session).owner == "bob")

    assert session.counts.unowned == 7


async def test_an_older_version_that_comes_late_changes_nothing(session: Session, server: FakeServer) -> None:
    server.happen(scene.a_ticket(version=3, owner="bob"), TicketEventKind.TAKEN)
    server.happen(scene.a_ticket(version=2, owner="eve"), TicketEventKind.TAKEN)
    server.happen(scene.a_ticket(5001), TicketEventKind.OPENED)

    await until(lambda: 5001 in session.tickets.rows)

    assert row_of(session).owner == "bob"


async def test_a_new_ticket_of_priority_1_rings_and_others_do_not(session: Session, server: FakeServer) -> None:
    server.happen(scene.a_ticket(5001, priority=2), TicketEventKind.OPENED)
    server.happen(scene.a_ticket(5002), TicketEventKind.OPENED)

    await until(lambda: 5002 in session.tickets.rows)

    assert session.rings == 1


async def test_after_a_reset_everything_is_read_anew(session: Session, server: FakeServer) -> None:
    del server.details[4811]
    server.tell("reset")

    await until(lambda: len(session.tickets) == 12)


async def test_a_line_that_is_down_keeps_what_is_known_and_says_since_when(
    session: Session, server: FakeServer
) -> None:
    server.down = "connection refused"
    server.hang_up()
    await until(lambda: session.link.state is LinkState.STALE)
    session.hurry()
    await until(lambda: session.link.state is LinkState.OFFLINE)

    assert session.link.as_of == scene.NOW
    assert "connection refused" in session.link.reason
    assert session.link.retry_at > scene.NOW
    assert len(session.tickets) == 13


async def test_what_happened_while_the_line_was_down_comes_when_it_is_up(
    session: Session, server: FakeServer
) -> None:
    server.hang_up()
    await until(lambda: session.link.state is LinkState.STALE)
    server.happen(scene.a_ticket(version=2, owner="bob"), TicketEventKind.TAKEN)
    session.hurry()

    await until(lambda: row_of(session).owner == "bob")

    assert LinkState.LIVE is session.link.state
    assert server.asked.count("GET /tickets") == 1


async def test_a_session_that_has_ended_asks_to_sign_in_again(session: Session, server: FakeServer) -> None:
    server.token = "another"
    server.hang_up()
    await until(lambda: session.link.state is LinkState.STALE)
    session.hurry()

    await until(lambda: session.link.state is LinkState.SIGNED_OUT)

    assert "sign in again" in session.link.reason


async def test_a_ticket_that_is_taken_is_mine_at_once_and_for_good(
    session: Session, server: FakeServer
) -> None:
    server.is_free.clear()
    taking = asyncio.create_task(session.acts.take(row_of(session)))
    await until(lambda: 4812 in session.underway)
    at_once = row_of(session).owner
    server.is_free.set()

    assert await taking
    assert at_once == "alice"
    assert row_of(session).version == 2
    assert not session.underway
    assert session.notice.text == "took #4812"


async def test_of_two_who_take_it_the_slower_learns_who_was_faster(
    session: Session, server: FakeServer
) -> None:
    mine = row_of(session)
    theirs = msgspec.structs.replace(mine, owner="bob", version=2, state=TicketState.IN_PROGRESS)
    server.details[4812] = scene.detail(theirs)

    assert not await session.acts.take(mine)

    assert session.notice.text == "bob was faster: #4812 is theirs"
    assert row_of(session).owner == "bob"


async def test_a_ticket_that_has_changed_is_read_again_before_one_decides(
    session: Session, server: FakeServer
) -> None:
    changed = msgspec.structs.replace(row_of(session), version=2, priority=2)
    server.details[4812] = scene.detail(changed)

    assert not await session.acts.resolve(row_of(session), "done")

    assert "ticket 4812 has changed since" in session.notice.text
    assert row_of(session).priority == 2


async def test_an_act_while_the_line_is_down_is_taken_back_and_said(
    session: Session, server: FakeServer
) -> None:
    server.down = "no route to host"

    assert not await session.acts.take(row_of(session))

    assert row_of(session).owner is None
    assert "no route to host" in session.notice.text


async def test_what_may_not_be_done_is_said_in_the_servers_words(session: Session, server: FakeServer) -> None:
    server.refusals["/take"] = Problem(title="Forbidden", status=403, detail="a viewer may not take tickets")

    assert not await session.acts.take(row_of(session))

    assert session.notice.text == "a viewer may not take tickets"
    assert row_of(session).owner is None


async def test_a_comment_and_a_resolution_end_in_the_timeline(session: Session) -> None:
    assert await session.acts.comment(row_of(session), "on it")
    assert await session.acts.resolve(row_of(session), "freed 12 GiB")

    kinds = [event.kind for event in session.dossiers.tickets[4812].events]
    assert kinds == [TicketEventKind.OPENED, TicketEventKind.COMMENTED, TicketEventKind.SOLVED]


async def test_an_acknowledgement_may_have_a_note_and_its_alerts_say_who(session: Session) -> None:
    assert await session.acts.acknowledge(row_of(session), "it is the archive")

    detail = session.dossiers.tickets[4812]
    assert detail.events[-1].kind is TicketEventKind.ACKNOWLEDGED
    assert detail.events[-1].text == "it is the archive"
    assert [alert.acknowledged_by for alert in detail.alerts] == ["alice"]


async def test_what_is_acknowledged_already_is_said_in_the_servers_words(session: Session) -> None:
    await session.acts.acknowledge(row_of(session), "")

    assert not await session.acts.acknowledge(row_of(session), "")

    assert session.notice.text == "#4812: ticket 4812 has no alert that fires: there is nothing to do"


async def test_a_silence_is_for_the_client_and_says_until_when(session: Session, server: FakeServer) -> None:
    wish = NewSilence(matchers='{alertname="A"}', ends_at=scene.ago(-30), client="acme")

    assert await session.acts.silence(wish)

    assert session.notice.text == "silence 1 until 13:15"
    assert server.silences[0].client == "acme"


async def test_a_silence_that_cannot_be_is_said(session: Session) -> None:
    wish = NewSilence(matchers="nonsense", ends_at=scene.ago(-30), client="acme")

    assert not await session.acts.silence(wish)

    assert "is not a matcher" in session.notice.text


async def test_alerts_whose_reading_was_broken_off_are_due_at_once(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session.client, "alerts", asyncio.Event().wait)
    reading = asyncio.create_task(session.alerts.read())
    await asyncio.sleep(0)
    while_reading = session.alerts.are_due()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)

    assert not while_reading
    assert session.alerts.are_due()


async def test_how_a_tickets_alerts_stand_is_read_anew_while_one_looks(server: FakeServer) -> None:
    hands = Hands()
    async with following(server, hands) as session:
        session.dossiers.want(row_of(session))
        await session.dossiers.freshen()
        server.details[4812] = scene.hushed(server.details[4812])
        await session.dossiers.freshen()
        before = session.dossiers.tickets[4812]
        hands.rest(DETAIL_S + 1)
        await session.dossiers.freshen()

        assert not before.alerts[0].suppressed
        assert session.dossiers.tickets[4812].alerts[0].suppressed


async def test_a_solved_ticket_can_be_reopened_from_its_view(session: Session) -> None:
    session.look(View.SOLVED)
    await session.read_solved()
    session.settle(is_idle=True)

    assert await session.acts.reopen(row_of(session, 4795))

    assert TicketState.NEW is row_of(session, 4795).state
    assert list(session.tickets.order) == [4795, 4760]  # the ghost stays under the cursor


async def test_a_ticket_opened_by_hand_is_known(session: Session) -> None:
    detail = await session.acts.open_ticket(NewTicket(client="acme", title="second monitor"))

    assert row_of(session, detail.ticket.id).title == "second monitor"


async def test_the_ages_follow_the_servers_clock(server: FakeServer) -> None:
    server.status = msgspec.structs.replace(scene.STATUS, now=scene.ago(-3))

    async with following(server) as session:
        assert scene.ago(-3) == session.now()


@pytest.mark.parametrize(
    ("minutes", "shown"),
    [(0, 16), (40, 56), (120, 151), (100_000, 7 * 24 * 60)],
)
def test_a_chart_begins_before_the_breach(minutes: int, shown: int) -> None:
    assert shown == chart_minutes(scene.ago(minutes), scene.NOW)
