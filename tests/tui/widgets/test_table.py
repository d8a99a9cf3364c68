"""The table paints what is seen and only what has changed, and its cursor is a ticket."""

from contextlib import asynccontextmanager

import msgspec
import pytest
from tests.tui import scene
from textual.app import App, ComposeResult
from textual.geometry import Region

from tocsin_tui.sheets import ticket
from tocsin_tui.state import Listing, View, is_in_view, urgency
from tocsin_tui.widgets.paint import Painter
from tocsin_tui.widgets.table import Column, VirtualTable

COLUMNS = (
    Column("", 2),
    Column("", 1),
    Column("ID", 6, right=True),
    Column("AGE", 5, right=True),
    Column("CLIENT", 8, from_width=60),
    Column("HOST", 8),
    Column("SUBJECT", 0),
    Column("OWNER", 6),
)


class Bench(App[None]):
    """A table and nothing else."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.listing: Listing = Listing(urgency)
        self.listing.show(lambda row: is_in_view(row, View.OPEN, "alice"))
        self.listing.replace([scene.a_ticket(id_, opened_at=scene.ago(count - id_)) for id_ in range(count)], 0)
        self.listing.settle(0, is_idle=True)
        self.painted: list[Region] = []
        self.chosen: list[int | None] = []

    def compose(self) -> ComposeResult:
        def cells(row, is_ghost):
            return ticket.cells(row, me="alice", now=scene.NOW, is_ghost=is_ghost)

        yield VirtualTable(
            self.listing, COLUMNS, cells, Painter(ascii_only=False, own_palette=True), id="table"
        )

    def on_virtual_table_chosen(self) -> None:
        self.chosen.append(self.listing.cursor)

    @property
    def table(self) -> VirtualTable:
        return self.query_one(VirtualTable)

    def watch_painting(self) -> None:
        refresh = self.table.refresh

        def noted(*regions, **options):
            self.painted += regions
            return refresh(*regions, **options)

        self.table.refresh = noted


@asynccontextmanager
async def shown(count: int, size=(80, 10)):
    app = Bench(count)
    async with app.run_test(size=size) as pilot:
        app.table.sync()
        await pilot.pause()
        app.watch_painting()
        yield app, pilot


def change(app: Bench, id_: int, **changes) -> None:
    row = app.listing.rows[id_]
    app.listing.merge(msgspec.structs.replace(row, version=row.version + 1, **changes), 1)
    app.table.sync()


def line_of_cursor(app: Bench) -> int:
    return app.listing.place - app.table.scroll_offset.y


async def test_a_change_of_a_row_that_is_not_seen_paints_nothing() -> None:
    async with shown(1000) as (app, _):
        change(app, 900, title="something else")

        assert app.painted == []


async def test_a_change_paints_its_cell_and_no_other() -> None:
    async with shown(1000) as (app, _):
        change(app, 3, owner="bob")

        assert [Region(73, 3, 6, 1)] == app.painted


async def test_the_cursors_row_keeps_its_line_when_rows_come_above() -> None:
    async with shown(100) as (app, pilot):
        app.table.action_move(50)
        await pilot.pause()
        before = line_of_cursor(app)
        for id_ in range(1000, 1007):
            app.listing.merge(scene.a_ticket(id_, opened_at=scene.ago(5000)), 1)
        app.listing.settle(10, is_idle=True)
        app.table.sync()
        await pilot.pause()

        assert app.listing.cursor == 50
        assert app.listing.place == 57
        assert before == line_of_cursor(app)


@pytest.mark.parametrize(("key", "id_"), [("G", 99), ("j", 1), ("end", 99), ("pagedown", 8)])
async def test_keys_move_the_cursor(key: str, id_: int) -> None:
    async with shown(100) as (app, pilot):
        app.table.focus()
        await pilot.press(key)

        assert id_ == app.listing.cursor
        assert 0 <= line_of_cursor(app) < 10


async def test_a_narrow_screen_leaves_out_the_column_that_it_can_spare() -> None:
    async with shown(3) as (app, _):
        assert "CLIENT" in app.table.heading().text
    async with shown(3, size=(50, 10)) as (app, _):
        assert "CLIENT" not in app.table.heading().text


async def test_a_click_moves_and_a_click_on_the_cursor_opens() -> None:
    async with shown(20) as (app, pilot):
        await pilot.click(VirtualTable, offset=(5, 4))
        await pilot.click(VirtualTable, offset=(5, 4))
        await pilot.pause()

        assert app.listing.cursor == 4
        assert app.chosen == [4]
