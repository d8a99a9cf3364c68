"""The form that silences an alert: filled in, quick, and nothing typed is lost."""

from datetime import timedelta

import pytest
from tests.tui import scene
from tests.tui.console import at, has_read, opened, text_of, until
from tests.tui.fake import FakeServer
from textual.widgets import Input, TextArea

from tocsin_protocol.problems import Problem
from tocsin_tui.screens.alerts import AlertsScreen
from tocsin_tui.screens.silence import SilenceScreen

pytestmark = pytest.mark.screen

FULL = (
    '{alertname="FilesystemFull", instance="atlas", device="/dev/sdb1", fstype="ext4", job="node",'
    ' mountpoint="/srv/mail"}'
)


async def at_form(pilot, *keys: str) -> None:
    await has_read(pilot, 4812)
    await pilot.press(*keys, "S")
    await until(pilot, lambda: isinstance(pilot.app.screen, SilenceScreen))


def fill(app, name: str, text: str) -> None:
    app.screen.query_one(f"#{name}", Input).value = text


async def test_it_is_filled_in_and_enter_alone_silences_for_an_hour(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await at_form(pilot, "enter")
        assert app.screen.query_one(TextArea).text == FULL
        assert "until 13:45" in text_of(app, "#hint")
        await pilot.press("enter")
        await until(pilot, lambda: server.silences)
        await until(pilot, lambda: not isinstance(app.screen, SilenceScreen))

        assert text_of(app, "#message").strip() == "silence 1 until 13:45"
    (silence,) = server.silences
    assert (silence.client, silence.matchers, silence.comment) == ("acme", FULL, "")
    assert silence.ends_at == scene.NOW + timedelta(hours=1)


async def test_another_time_and_a_reason_can_be_typed_at_once(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await at_form(pilot)
        await pilot.press("2", "d")  # what is there is marked: typing replaces it
        assert "until 27 Nov 12:45" in text_of(app, "#hint")
        await pilot.press("tab", *"swap", "enter")
        await until(pilot, lambda: server.silences)

    assert server.silences[0].comment == "swap"
    assert server.silences[0].ends_at == scene.NOW + timedelta(days=2)


async def test_from_the_list_of_alerts_the_one_under_the_cursor_is_silenced(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await at(pilot, "3", AlertsScreen.HERE, lambda: app.session.alerts.listing.order)
        listing = app.session.alerts.listing
        listing.move_to(list(listing.order).index(9004))
        await pilot.press("S", "enter")
        await until(pilot, lambda: server.silences)

        assert server.silences[0].matchers == '{alertname="CpuBusy", instance="hv-11", job="snmp"}'
        await until(pilot, lambda: app.session.alerts._has_news)


async def test_a_time_that_is_none_is_said_and_sends_nothing(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await at_form(pilot)
        fill(app, "length", "soon")
        await pilot.press("enter")

        assert "soon is no time such as 30m, 4h or 2d" in text_of(app, "#hint")
        assert "POST /silences" not in server.asked


async def test_what_the_server_refuses_is_said_and_all_that_was_typed_stays(server: FakeServer) -> None:
    server.refusals["/silences"] = Problem(title="no", status=403, detail="a viewer may not silence alerts")
    async with opened(server) as (app, pilot):
        await at_form(pilot)
        app.screen.query_one(TextArea).text = "{mountpoint=~"
        fill(app, "length", "4h")
        fill(app, "comment", "disk swap")
        await pilot.press("enter")
        await until(pilot, lambda: "a viewer may not" in text_of(app, "#hint"))
        await pilot.press("escape", "S")

        assert app.screen.query_one(TextArea).text == "{mountpoint=~"
        assert [field.value for field in app.screen.query(Input)] == ["4h", "disk swap"]


async def test_what_was_sent_is_no_draft_any_more(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await at_form(pilot)
        fill(app, "comment", "disk swap")
        await pilot.press("enter")
        await until(pilot, lambda: server.silences)
        await until(pilot, lambda: not isinstance(app.screen, SilenceScreen))
        await pilot.press("S")

        assert app.screen.query_one("#comment", Input).value == ""


async def test_a_line_break_that_was_pasted_is_a_space(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await at_form(pilot)
        app.screen.query_one(TextArea).text = '{alertname="A",\ninstance="two  spaces"}'
        await pilot.press("shift+tab", "enter")  # from the field itself, too, enter sends
        await until(pilot, lambda: server.silences)

    assert server.silences[0].matchers == '{alertname="A", instance="two  spaces"}'


async def test_a_ticket_without_an_alert_has_nothing_to_silence(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        app.session.filter_tickets("#4748")
        await has_read(pilot, 4748)
        await pilot.press("S")

        assert "there is no alert here to silence" in text_of(app, "#message")
