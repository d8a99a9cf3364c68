"""The alerts: what is withheld is seen with why, and the list is read no oftener than it has to be."""

import msgspec
import pytest
from tests.tui import scene
from tests.tui.console import Hands, at, opened, screen_text, text_of, until
from tests.tui.fake import FakeServer
from textual.widgets import Input

from tocsin_protocol.api import MAX_PAGE
from tocsin_protocol.problems import Problem
from tocsin_protocol.vocabulary import TicketEventKind
from tocsin_tui.board import OLD_S, REST_S
from tocsin_tui.screens.alerts import AlertsScreen
from tocsin_tui.screens.host import HostScreen
from tocsin_tui.screens.ticket import TicketScreen

pytestmark = pytest.mark.screen


async def at_alerts(pilot) -> None:
    await at(pilot, "3", AlertsScreen.HERE, lambda: pilot.app.session.alerts.listing.order)


def put_cursor(app, alert_id: int) -> None:
    listing = app.session.alerts.listing
    listing.move_to(list(listing.order).index(alert_id))
    app._paint()


def readings(server: FakeServer) -> int:
    return server.asked.count("GET /alerts")


async def test_3_lists_the_alerts_the_worst_first_and_says_why_one_is_withheld(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await at_alerts(pilot)

        assert isinstance(app.screen, AlertsScreen)
        assert app.session.alerts.listing.cursor == 5812
        assert "withheld: silence 3 by ada" in screen_text(app)
        assert "16 alerts · 4 withheld · 1 acknowledged" in text_of(app, "#foot")
        await pilot.press("q")
        assert app.screen.HERE == "Queue"


async def test_enter_opens_its_ticket(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await at_alerts(pilot)
        await pilot.press("enter")

        assert isinstance(app.screen, TicketScreen)
        assert app.screen.ticket_id == 4812


async def test_enter_opens_its_host_where_there_is_no_ticket(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await at_alerts(pilot)
        put_cursor(app, 9001)
        await pilot.press("enter")

        assert isinstance(app.screen, HostScreen)


async def test_enter_says_so_where_there_is_neither(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await at_alerts(pilot)
        put_cursor(app, 9006)
        await pilot.press("enter")

        assert isinstance(app.screen, AlertsScreen)
        assert "ManyHostsSilent is about no host" in text_of(app, "#message")


async def test_a_ticket_that_was_solved_long_ago_is_read_when_it_is_opened(server: FakeServer) -> None:
    server.quiet = [scene.an_alert(1, "DiskFull", "atlas", "acme", 9, ticket_id=4760)]
    async with opened(server) as (app, pilot):
        await at_alerts(pilot)
        put_cursor(app, 1)
        await pilot.press("enter")
        await until(pilot, lambda: "atlas has restarted" in text_of(app, "#what"))


async def test_what_stands_below_follows_the_cursor(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await at_alerts(pilot)
        put_cursor(app, 9003)
        await pilot.pause()

        assert "maintenance oslo-patches until 16:00 UTC: kernel updates" in text_of(app, "#below")
        assert "inhibited by HostSilent of app-04" in text_of(app, "#below")


async def test_alerts_are_filtered_and_escape_clears_it(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await at_alerts(pilot)
        await pilot.press("slash")
        app.screen.query_one("#filter", Input).value = "why:parent"
        await pilot.pause()
        narrowed = list(app.session.alerts.listing.order)
        await pilot.press("escape")

        assert narrowed == [9002]
        assert len(app.session.alerts.listing.order) == 16


async def test_the_verbs_are_for_its_ticket(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await at_alerts(pilot)
        await pilot.press("c")
        await until(pilot, lambda: server.details[4812].ticket.owner == "alice")
        put_cursor(app, 9001)
        await pilot.press("c")

        assert "there is no ticket here" in text_of(app, "#message")


async def test_they_are_read_again_when_they_are_old_and_not_before(server: FakeServer) -> None:
    hands = Hands()
    async with opened(server, hands=hands) as (app, pilot):
        await at_alerts(pilot)
        hands.rest(OLD_S - 0.1)
        app.screen._look()
        await pilot.pause()
        assert readings(server) == 1

        hands.rest(0.1)
        app.screen._look()
        await until(pilot, lambda: readings(server) == 2)


async def test_an_event_has_them_read_sooner_but_a_storm_of_events_no_oftener(server: FakeServer) -> None:
    hands = Hands()
    async with opened(server, hands=hands) as (app, pilot):
        await at_alerts(pilot)
        for id_ in range(6000, 6050):
            server.happen(scene.a_ticket(id_), TicketEventKind.OPENED)
        await until(pilot, lambda: 6049 in app.session.tickets.rows)
        app.screen._look()
        await pilot.pause()
        assert readings(server) == 1

        hands.rest(REST_S)
        app.screen._look()
        await until(pilot, lambda: readings(server) == 2)


async def test_a_silence_elsewhere_is_seen_by_its_event(server: FakeServer) -> None:
    hands = Hands()
    async with opened(server, hands=hands) as (app, pilot):
        await at_alerts(pilot)
        server.quiet[3] = msgspec.structs.replace(server.quiet[3], suppressed=[scene.SILENCE])
        server.tell("rules")
        await until(pilot, lambda: app.session.alerts._has_news)
        hands.rest(REST_S)
        app.screen._look()
        await until(pilot, lambda: app.session.alerts.listing.rows[9004].suppressed)


async def test_what_is_not_looked_at_is_not_read(server: FakeServer) -> None:
    hands = Hands()
    async with opened(server, hands=hands) as (app, pilot):
        await at_alerts(pilot)
        page = app.screen
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is not page)
        hands.rest(OLD_S)
        page._look()
        await pilot.pause()

        assert readings(server) == 1


async def test_one_that_has_ended_stays_as_gone_until_the_cursor_moves(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await at_alerts(pilot)
        put_cursor(app, 9001)
        server.quiet = server.quiet[1:]
        await app.session.alerts.read()
        app._paint()
        await pilot.pause()
        assert "× gone" in screen_text(app)
        assert "15 alerts · 3 withheld" in text_of(app, "#foot")
        await pilot.press("j")

        assert "× gone" not in screen_text(app)


async def test_a_page_that_is_full_says_that_there_may_be_more(server: FakeServer) -> None:
    server.quiet = [scene.an_alert(id_, "HostSilent", f"h{id_}", "acme", id_) for id_ in range(1, 10_001)]
    async with opened(server) as (app, pilot):
        await at_alerts(pilot)

        assert len(app.session.alerts.listing) == MAX_PAGE
        assert "the 500 worst, there may be more" in text_of(app, "#foot")


async def test_an_answer_that_fails_says_why_and_keeps_what_was_known(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await at_alerts(pilot)
        server.refusals["/alerts"] = Problem(title="no", status=503, detail="the database is being moved")
        await app.session.alerts.read()
        app._paint()
        await pilot.pause()

        assert "the database is being moved" in text_of(app, "#message")
        assert "InterfaceDown" in screen_text(app)
