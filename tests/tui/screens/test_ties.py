"""Keys link a ticket to another, merge it, and undo that."""

import pytest
from tests.tui import scene
from tests.tui.console import has_read, in_a_burst, opened, screen_text, text_of, until
from tests.tui.fake import FakeServer
from tests.tui.hostile import HOSTILE
from tests.tui.test_safe import is_harmless
from textual.events import Paste
from textual.widgets import Input

from tocsin_protocol.problems import Problem
from tocsin_protocol.tickets import TicketTie
from tocsin_protocol.vocabulary import TicketState, Tie
from tocsin_tui.screens.ties import LinkScreen, MergeScreen, UnlinkScreen

pytestmark = pytest.mark.screen


async def test_a_ticket_is_merged_into_the_one_that_is_typed_and_taken_out_again(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await has_read(pilot, 4812)
        await pilot.press("enter", "M")
        await until(pilot, lambda: isinstance(app.screen, MergeScreen))
        assert "type the number of the other ticket" in text_of(app, "#hint")
        await pilot.press(*"4797")
        assert "into #4797" in text_of(app, "#hint")
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, MergeScreen))

        assert "merged into #4797" in text_of(app, "#what")
        assert server.details[4812].ticket.merged_into == 4797
        await pilot.press("M")
        await until(pilot, lambda: server.details[4812].ticket.merged_into is None)


async def test_a_ticket_is_linked_to_the_one_that_is_typed(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await has_read(pilot, 4812)
        await pilot.press("enter", "L")
        await until(pilot, lambda: isinstance(app.screen, LinkScreen))
        await pilot.press(*"dup", "tab", *"nowhere")
        assert "none of acme is so" in text_of(app, "#hint")
        await pilot.press(*["backspace"] * 7, *"4797")
        assert "duplicate of #4797" in text_of(app, "#hint")
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, LinkScreen))

        assert "linked #4812 to #4797" in text_of(app, "#message")


async def test_a_ticket_is_solved_with_all_that_is_below_it(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await has_read(pilot, 4812)
        await pilot.press("enter", "D")
        await until(pilot, lambda: "Resolve all below and #4812" in text_of(app, "#title"))
        await pilot.press(*"mended", "enter")

        await until(pilot, lambda: server.details[4812].ticket.solved_at)
        assert "solved #4812 and what is below it" in text_of(app, "#message")


def are_tied(server: FakeServer, *ties: tuple[Tie, int]) -> None:
    """What other tickets are to 4812."""
    known = [
        TicketTie(tie=tie, ticket=other, title=row.title, state=row.state)
        for tie, other in ties
        for row in [server.details[other].ticket]
    ]
    server.details[4812] = scene.tied(server.details[4812], known)


async def test_the_only_tie_is_named_in_a_question_and_taken_away(server: FakeServer) -> None:
    are_tied(server, (Tie.CAUSED_BY, 4797))
    async with opened(server) as (app, pilot):
        await pilot.press("U")
        await until(pilot, lambda: "take away: caused by #4797 9 412 messages" in text_of(app, "#hint"))
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, UnlinkScreen))

        assert "POST /tickets/4812/unlink" in server.asked
        assert "#4812 is no more: caused by #4797" in text_of(app, "#message")
        assert app.session.dossiers.tickets[4812].ties == []


async def test_of_several_ties_one_is_typed_and_taken_away_where_it_was_made(server: FakeServer) -> None:
    are_tied(server, (Tie.RELATES, 4770), (Tie.CHILD, 4797), (Tie.RECURS, 4760))
    async with opened(server) as (app, pilot):
        await pilot.press("U")
        await until(pilot, lambda: "4797" in text_of(app, "#listed"))
        assert "4770" in text_of(app, "#listed")
        assert "4760" not in text_of(app, "#listed")
        assert "type which" in text_of(app, "#hint")
        await pilot.press(*"4797", "enter")
        await until(pilot, lambda: not isinstance(app.screen, UnlinkScreen))
        await until(pilot, lambda: len(app.session.dossiers.tickets[4812].ties) == 2)

        assert "POST /tickets/4797/unlink" in server.asked


async def test_a_tie_that_cannot_be_taken_away_leaves_what_was_typed(server: FakeServer) -> None:
    are_tied(server, (Tie.RELATES, 4770), (Tie.PARENT, 4797))
    server.refusals["/unlink"] = Problem(title="no", status=403, detail="a viewer may not do this")
    async with opened(server) as (app, pilot):
        await pilot.press("U")
        await until(pilot, lambda: app.screen.query("#listed") and "parent" in text_of(app, "#listed"))
        await pilot.press(*"parent", "enter")
        await until(pilot, lambda: "not sent: a viewer may not do this" in text_of(app, "#hint"))

        assert app.screen.query_one("#tie", Input).value == "parent"


async def test_a_merge_is_taken_away_too(server: FakeServer) -> None:
    are_tied(server, (Tie.ABSORBED, 4797))
    async with opened(server) as (app, pilot):
        await pilot.press("U")
        await until(pilot, lambda: "take away: absorbed #4797" in text_of(app, "#hint"))
        await pilot.press("enter")
        await until(pilot, lambda: "POST /tickets/4797/unmerge" in server.asked)


async def test_a_ticket_without_ties_says_so(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("U")
        await until(pilot, lambda: app.screen.query("#hint") and "has no tie" in text_of(app, "#hint"))
        await pilot.press("enter")
        await pilot.pause()

        assert "not sent: #4812 has no tie that can be taken away" in text_of(app, "#hint")
        assert not [asked for asked in server.asked if asked.startswith("POST")]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is asked without waiting for another key."""
    monkeypatch.setattr("tocsin_tui.others.TYPING_S", 0)


@pytest.mark.usefixtures("quick")
async def test_the_other_ticket_is_found_by_what_was_said_on_it(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await app.session.client.comment(4797, "the zorkmid valve is stuck")
        await pilot.press("M")
        in_a_burst(app, *"zorkmid")
        await until(pilot, lambda: "into #4797" in text_of(app, "#hint"))
        assert "#4797" in text_of(app, "#listed")
        await pilot.press("enter")
        await until(pilot, lambda: server.details[4812].ticket.merged_into == 4797)

        assert server.searches == ["zorkmid"]


@pytest.mark.usefixtures("quick")
async def test_several_are_listed_and_counted_with_how_to_go_on(server: FakeServer) -> None:
    async with opened(server, size=(80, 24)) as (app, pilot):
        for number in (4797, 4802, 4770):
            await app.session.client.comment(number, "the zorkmid valve")
        await pilot.press("M")
        in_a_burst(app, *"zorkmid")
        await until(pilot, lambda: "3 of acme are so: type more words" in text_of(app, "#hint"))

        assert [number in text_of(app, "#listed") for number in ("#4797", "#4802", "#4770")] == [True] * 3


@pytest.mark.usefixtures("quick")
async def test_a_number_that_is_not_here_is_looked_up_and_named(server: FakeServer) -> None:
    server.details[77] = scene.detail(scene.a_ticket(77, title="old trouble", state=TicketState.SOLVED))
    server.details[78] = scene.detail(scene.a_ticket(78, client="kiel", state=TicketState.SOLVED))
    async with opened(server) as (app, pilot):
        await pilot.press("L")
        in_a_burst(app, "tab", *"#77")
        await until(pilot, lambda: "relates #77 old trouble" in text_of(app, "#hint"))
        await pilot.press("backspace", "8")
        await until(pilot, lambda: "#78 is of kiel, and this one of acme" in text_of(app, "#hint"))
        await pilot.press("backspace", "9")
        await until(pilot, lambda: "there is no /tickets/79" in text_of(app, "#hint"))


@pytest.mark.usefixtures("quick")
async def test_without_a_line_what_is_here_is_looked_through(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("M")
        server.bodies["/tickets"] = b"nonsense"
        in_a_burst(app, *"messages")
        await until(pilot, lambda: "the server could not be asked" in text_of(app, "#listed"))

        assert "into #4797" in text_of(app, "#hint")


@pytest.mark.usefixtures("quick")
async def test_whatever_is_typed_for_the_other_ticket_ends_in_a_sentence(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("M")
        for number, text in enumerate(HOSTILE, start=1):
            app.post_message(Paste(f"zorkmid{text}\ud800"))
            await until(pilot, lambda number=number: len(server.searches) == number)
            await until(pilot, lambda: text_of(app, "#hint") == "none of acme is so")

            assert is_harmless(screen_text(app)), text
            await pilot.press("ctrl+u")
