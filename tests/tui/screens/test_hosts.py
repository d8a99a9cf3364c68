"""The hosts, and one of them with its readings."""

from datetime import timedelta

import msgspec
import pytest
from tests.tui import scene
from tests.tui.console import in_a_burst, opened, screen_text, text_of, until
from tests.tui.fake import FakeServer
from textual.widgets import Input

from tocsin_tui.screens.host import HostScreen
from tocsin_tui.screens.hosts import HostsScreen

pytestmark = pytest.mark.screen


async def test_2_lists_the_hosts_with_the_silent_first(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("2")
        await pilot.pause()

        assert isinstance(app.screen, HostsScreen)
        assert app.session.hosts.cursor == 7
        assert "○ 1 silent" in text_of(app, "#foot")
        await pilot.press("1")
        assert app.screen.HERE == "Queue"


async def test_a_host_shows_its_last_readings_and_finds_them(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("H")
        assert isinstance(app.screen, HostScreen)
        await until(pilot, lambda: 1 in app.session.dossiers.hosts)
        assert "8 readings" in text_of(app, "#readings")
        await pilot.press("slash")
        app.screen.query_one("#filter", Input).value = "mode="
        await pilot.press("enter")

        assert "2 of 8 readings" in text_of(app, "#readings")
        assert "node_load1" not in text_of(app, "#readings")


async def test_what_is_sought_among_the_readings_may_be_typed_in_one_burst(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("H")
        await until(pilot, lambda: 1 in app.session.dossiers.hosts)
        in_a_burst(app, "/", *"mode=", "enter")
        await until(pilot, lambda: "2 of 8 readings" in text_of(app, "#readings"))

        assert isinstance(app.screen, HostScreen)


async def test_m_draws_another_vital(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("H", "m")
        await until(pilot, lambda: (1, "memory", 60) in app.session.dossiers.host_charts)


async def test_s_draws_a_longer_time_and_comes_round_to_an_hour(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("H")
        for minutes in (360, 1440, 10080, 60):
            await pilot.press("s")
            await until(pilot, lambda minutes=minutes: (1, "cpu", minutes) in app.session.dossiers.host_charts)

        assert app.screen._minutes == 60


async def test_a_chart_is_read_again_once_it_has_another_step(server: FakeServer) -> None:
    async with opened(server) as (app, _):
        await app.session.dossiers.read_host_chart(1, "cpu", 60)
        chart = app.session.dossiers.host_charts[1, "cpu", 60]
        newest = chart.start + (len(chart.values) - 1) * timedelta(seconds=chart.step_s)
        missing = app.session.now() - newest

        for age, readings in ((chart.step_s / 2, 1), (chart.step_s, 2)):
            moved = chart.start + missing - timedelta(seconds=age)
            app.session.dossiers.host_charts[1, "cpu", 60] = msgspec.structs.replace(chart, start=moved)
            await app.session.dossiers.read_host_chart(1, "cpu", 60)
            assert server.asked.count("GET /hosts/1/chart") == readings


async def test_hosts_are_filtered(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        await pilot.press("2", "slash")
        app.screen.query_one("#filter", Input).value = "state:silent"
        await pilot.press("enter")

        assert list(app.session.hosts.order) == [7]
        assert "atlas" not in screen_text(app)


async def test_a_device_shows_its_probes_and_its_ports_and_no_vitals(server: FakeServer) -> None:
    async with opened(server) as (app, pilot):
        app.push_screen(HostScreen(app.session, app.painter, 10))
        await until(pilot, lambda: 10 in app.session.dossiers.hosts)

        assert "■ sw-core-1  probed  1 of 2 probes fail" in text_of(app, "#what")
        assert "probed by db-ber-02 · behind fw-1" in text_of(app, "#what")
        assert "! ssh:  host_key_changed" in text_of(app, "#vitals")
        assert "4 interfaces   1 up, 2 down" in text_of(app, "#readings")
        assert "cpu" not in screen_text(app)
        await pilot.press("m")
        assert "no vitals to draw" in screen_text(app)
        assert "GET /hosts/10/chart" not in server.asked


async def test_what_goes_through_a_port_is_known_from_the_second_poll_on(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = scene.host_detail(server.hosts[10])
    later = [
        msgspec.structs.replace(each, value=each.value + 3.75e9, at=each.at + timedelta(seconds=30))
        if each.name == "ifHCInOctets"
        else each
        for each in first.readings
    ]
    async with opened(server) as (app, pilot):
        app.push_screen(HostScreen(app.session, app.painter, 10))
        await until(pilot, lambda: 10 in app.session.dossiers.hosts)
        monkeypatch.setattr(scene, "host_detail", lambda _: msgspec.structs.replace(first, readings=later))

        await app.session.dossiers.read_host(10)
        await until(pilot, lambda: "1 Gbit/s" in text_of(app, "#readings"))


async def test_a_screen_that_is_going_is_not_painted(server: FakeServer) -> None:
    class Going(HostsScreen):
        def on_unmount(self) -> None:
            self.app._paint()  # as the timer may, between the end of its lines and its own

    async with opened(server) as (app, pilot):
        app.push_screen(Going(app.session, app.painter))
        await pilot.pause()
