"""Keys link a ticket to another, merge it, and undo that."""

import pytest
from tests.tui.console import has_read, opened, text_of, until
from tests.tui.fake import FakeServer

from tocsin_tui.screens.ties import LinkScreen, MergeScreen

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
