"""The designed states of the console, kept as pictures: `pytest tests/tui --snapshot-update` renews them.

Look at a picture before it is committed; a picture that changes without a reason is a defect.
"""

from dataclasses import replace

import msgspec
import pytest
from tests.tui import scene
from tests.tui.console import a_console, has_read, is_live, text_of, until
from tests.tui.fake import FakeServer
from tests.tui.hostile import HOSTILE
from textual.widgets import Input, TextArea

from tocsin_protocol.lookers import Looker
from tocsin_protocol.problems import Problem
from tocsin_protocol.tickets import TicketTie
from tocsin_protocol.vocabulary import SuppressionKind, TicketState, Tie
from tocsin_tui.screens.enrol import EnrolScreen
from tocsin_tui.screens.host import HostScreen
from tocsin_tui.screens.login import LoginScreen
from tocsin_tui.screens.question import Question
from tocsin_tui.screens.refused import RefusedScreen
from tocsin_tui.screens.ticket import TicketScreen
from tocsin_tui.state import LinkState

pytestmark = pytest.mark.screen

WIDE, NARROW = (120, 36), (80, 24)


@pytest.fixture
def told(server: FakeServer) -> FakeServer:
    """A server on which the story has been going on for some minutes."""
    detail = server.details[4812]
    server.details[4812] = msgspec.structs.replace(detail, events=scene.story())
    return server


async def rest(pilot) -> None:
    """Nothing blinks, and everything that was asked for is there."""
    for field in [*pilot.app.screen.query(Input), *pilot.app.screen.query(TextArea)]:
        field.cursor_blink = False
    await pilot.pause()
    pilot.app._paint()
    await pilot.pause()


def at_host(name: str):
    """To the screen of a host, with all that it reads."""

    async def arrange(pilot):
        await is_live(pilot)
        hosts = pilot.app.session.hosts
        host_id = next(row.id for row in hosts.rows.values() if row.name == name)
        pilot.app.push_screen(HostScreen(pilot.app.session, pilot.app.painter, host_id))
        await until(pilot, lambda: host_id in pilot.app.session.dossiers.hosts)
        await rest(pilot)

    return arrange


async def read(pilot) -> None:
    await is_live(pilot)
    await has_read(pilot, 4812)


async def go_offline(pilot, server: FakeServer) -> None:
    """The line has been down for some time."""
    session = pilot.app.session
    server.down = "All connection attempts failed"
    server.hang_up()
    await until(pilot, lambda: session.link.state is LinkState.STALE)
    session.hurry()
    await until(pilot, lambda: session.link.state is LinkState.OFFLINE)
    session.link = replace(session.link, as_of=scene.ago(2.2), retry_at=scene.ago(-0.14))
    session.notice = None  # a list may have been read just then, and have said that it could not be


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_queue(snap_compare, told, size) -> None:
    async def arrange(pilot):
        await read(pilot)
        await rest(pilot)

    assert snap_compare(a_console(told), terminal_size=size, run_before=arrange)


def test_queue_in_sixteen_colours_and_ascii(snap_compare, told) -> None:
    async def arrange(pilot):
        await read(pilot)
        await rest(pilot)

    app = a_console(told, own_palette=False, ascii_only=True)
    assert snap_compare(app, terminal_size=NARROW, run_before=arrange)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_queue_that_is_narrowed(snap_compare, told, size) -> None:
    async def arrange(pilot):
        await read(pilot)
        pilot.app.session.filter_tickets("client:acme -owner:alice priority:1 mail")
        await rest(pilot)

    assert snap_compare(a_console(told), terminal_size=size, run_before=arrange)


@pytest.mark.parametrize("typed", ["client:acme ", "state:new kind:reqest"], ids=["helped", "doubted"])
def test_filter_that_is_typed(snap_compare, told, typed: str) -> None:
    async def arrange(pilot):
        await read(pilot)
        await pilot.press("slash")
        pilot.app.screen.query_one("#filter", Input).value = typed
        await rest(pilot)

    assert snap_compare(a_console(told), terminal_size=NARROW, run_before=arrange)


def test_part_of_a_filter_that_is_taken_away(snap_compare, told) -> None:
    async def arrange(pilot):
        await read(pilot)
        pilot.app.session.filter_tickets("client:acme -owner:alice mail")
        await pilot.press("minus")
        await rest(pilot)

    assert snap_compare(a_console(told), terminal_size=NARROW, run_before=arrange)


def test_queue_empty(snap_compare) -> None:
    async def arrange(pilot):
        await is_live(pilot)
        await rest(pilot)

    assert snap_compare(a_console(FakeServer([])), terminal_size=NARROW, run_before=arrange)


def test_queue_loading(snap_compare, server) -> None:
    server.is_free.clear()

    async def arrange(pilot):
        await rest(pilot)

    app = a_console(server)
    app._begin = lambda: None  # it has not asked yet
    assert snap_compare(app, terminal_size=NARROW, run_before=arrange)


def test_queue_unreachable(snap_compare, server) -> None:
    server.down = "All connection attempts failed"

    async def arrange(pilot):
        await until(pilot, lambda: pilot.app.session.link.state is LinkState.OFFLINE)
        pilot.app.session.link = replace(pilot.app.session.link, retry_at=scene.ago(-0.14))
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=NARROW, run_before=arrange)


def test_queue_stale(snap_compare, told) -> None:
    async def arrange(pilot):
        await read(pilot)
        await go_offline(pilot, told)
        await rest(pilot)

    assert snap_compare(a_console(told), terminal_size=WIDE, run_before=arrange)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_ticket(snap_compare, told, size) -> None:
    async def arrange(pilot):
        await is_live(pilot)
        await pilot.press("enter")
        await read(pilot)
        await rest(pilot)

    assert snap_compare(a_console(told), terminal_size=size, run_before=arrange)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_ticket_that_is_withheld_and_acknowledged(snap_compare, server, size) -> None:
    server.details[4812] = scene.hushed(server.details[4812])

    async def arrange(pilot):
        await is_live(pilot)
        await pilot.press("enter")
        await read(pilot)
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=size, run_before=arrange)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_ticket_that_is_solved_and_answered(snap_compare, server, size) -> None:
    server.details[4812] = scene.replied(server.details[4812])

    async def arrange(pilot):
        await is_live(pilot)
        pilot.app.push_screen(TicketScreen(pilot.app.session, pilot.app.painter, 4812))
        await read(pilot)
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=size, run_before=arrange)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_ticket_that_is_late(snap_compare, server, size) -> None:
    server.details[4812] = scene.clocked(server.details[4812])

    async def arrange(pilot):
        await is_live(pilot)
        pilot.app.push_screen(TicketScreen(pilot.app.session, pilot.app.painter, 4812))
        await read(pilot)
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=size, run_before=arrange)


def test_queue_with_what_is_due(snap_compare, server) -> None:
    server.details[4812] = scene.clocked(server.details[4812])
    soon = server.details[4811]
    server.details[4811] = msgspec.structs.replace(
        soon, ticket=msgspec.structs.replace(soon.ticket, due_at=scene.ago(-42), due_state="running")
    )

    async def arrange(pilot):
        await read(pilot)
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=WIDE, run_before=arrange)


def test_reply_that_was_not_sent(snap_compare, told) -> None:
    async def arrange(pilot):
        await is_live(pilot)
        await pilot.press("enter", "N")
        await read(pilot)
        pilot.app.screen.query_one(TextArea).text = "Your mail works again."
        told.down = "no route to host"
        await pilot.press("ctrl+d")
        await until(pilot, lambda: pilot.app.session.notice)
        await rest(pilot)

    assert snap_compare(a_console(told), terminal_size=NARROW, run_before=arrange)


def test_note_that_was_not_sent(snap_compare, told) -> None:
    async def arrange(pilot):
        await is_live(pilot)
        await pilot.press("enter", "n")
        await read(pilot)
        pilot.app.screen.query_one(TextArea).text = "Archive moved to nas-02.\nWatching it."
        told.down = "no route to host"
        await pilot.press("ctrl+d")
        await until(pilot, lambda: pilot.app.session.notice)
        await rest(pilot)

    assert snap_compare(a_console(told), terminal_size=WIDE, run_before=arrange)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_silence_that_was_refused(snap_compare, server, size) -> None:
    server.refusals["/silences"] = Problem(
        title="no", status=422, detail='matchers: \'instance=\' is not a matcher such as alertname="DiskFull"',
        remedy='write them as {alertname="DiskFull",instance=~"db-.+"}',
    )  # fmt: skip

    async def arrange(pilot):
        await is_live(pilot)
        await read(pilot)
        await pilot.press("enter", "S")
        pilot.app.screen.query_one("#comment", Input).value = "disk swap, Ada is on site"
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.session.notice)
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=size, run_before=arrange)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_ticket_that_is_to_wait(snap_compare, server, size) -> None:
    server.details[4812] = scene.waiting(server.details[4812])

    async def arrange(pilot):
        await is_live(pilot)
        await read(pilot)
        await until(pilot, lambda: pilot.app.session.server)
        await pilot.press("j", "enter")
        await has_read(pilot, 4797)
        await rest(pilot)  # behind the form, the ticket stays as it was painted last
        await pilot.press("w")
        await until(pilot, lambda: pilot.app.screen.query("#reason"))
        pilot.app.screen.query_one("#reason", Input).value = "ven"
        pilot.app.screen.query_one("#length", Input).value = "2d"
        pilot.app.screen.query_one("#note", Input).value = "the disk is on its way"
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=size, run_before=arrange)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_ticket_that_waits(snap_compare, server, size) -> None:
    server.details[4812] = scene.waiting(server.details[4812])

    async def arrange(pilot):
        await is_live(pilot)
        await read(pilot)
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=size, run_before=arrange)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_merge_of_which_several_are_meant(snap_compare, server, size) -> None:
    for number in range(1, 8):
        row = scene.a_ticket(number, title=f"the zorkmid valve of line {number} is stuck", priority=3)
        server.details[number] = scene.detail(row)

    async def arrange(pilot):
        await read(pilot)
        await pilot.press("M")
        pilot.app.screen.query_one("#into", Input).value = "zorkmid"
        await until(pilot, lambda: server.searches)
        await until(pilot, lambda: text_of(pilot.app, "#hint").startswith("7 of acme are so:"))
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=size, run_before=arrange)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_tie_that_is_taken_away(snap_compare, server, size) -> None:
    ties = [
        TicketTie(tie=tie, ticket=other, title=server.details[other].ticket.title, state=TicketState.NEW)
        for tie, other in ((Tie.PARENT, 4797), (Tie.RELATES, 4770), (Tie.ABSORBED, 4802))
    ]
    server.details[4812] = scene.tied(server.details[4812], ties)

    async def arrange(pilot):
        await read(pilot)
        await pilot.press("U")
        await until(pilot, lambda: "absorbed" in text_of(pilot.app, "#listed"))
        pilot.app.screen.query_one("#tie", Input).value = "4797"
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=size, run_before=arrange)


def test_silence_of_a_hostile_alert(snap_compare, server) -> None:
    labels = {f"label{at}": text for at, text in enumerate(HOSTILE)}
    server.quiet = [scene.an_alert(1, HOSTILE[0], HOSTILE[1], HOSTILE[2], 5, labels=labels)]
    server.details = {}

    async def arrange(pilot):
        await look_at_alerts(pilot)
        await pilot.press("S")
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=NARROW, run_before=arrange)


def test_hosts(snap_compare, server) -> None:
    async def arrange(pilot):
        await is_live(pilot)
        await pilot.press("2")
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=WIDE, run_before=arrange)


def test_host(snap_compare, server) -> None:
    async def arrange(pilot):
        await is_live(pilot)
        await pilot.press("H")
        await until(pilot, lambda: (1, "cpu", 60) in pilot.app.session.dossiers.host_charts)
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=WIDE, run_before=arrange)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_network_device(snap_compare, server, size) -> None:
    assert snap_compare(a_console(server), terminal_size=size, run_before=at_host("sw-core-1"))


def test_application(snap_compare, server) -> None:
    assert snap_compare(a_console(server), terminal_size=NARROW, run_before=at_host("shop"))


async def look_at_alerts(pilot) -> None:
    await is_live(pilot)
    await pilot.press("3")
    await until(pilot, lambda: pilot.app.session.alerts.page is not None)
    await rest(pilot)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_alerts(snap_compare, server, size) -> None:
    async def arrange(pilot):
        await look_at_alerts(pilot)
        await pilot.press(*"jjjjjjjjj")  # to one that is withheld for two reasons
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=size, run_before=arrange)


def test_alerts_in_sixteen_colours_and_ascii(snap_compare, server) -> None:
    app = a_console(server, own_palette=False, ascii_only=True)

    assert snap_compare(app, terminal_size=NARROW, run_before=look_at_alerts)


def test_alerts_empty(snap_compare) -> None:
    assert snap_compare(a_console(FakeServer([])), terminal_size=NARROW, run_before=look_at_alerts)


def test_alerts_loading(snap_compare, server) -> None:
    async def arrange(pilot):
        await is_live(pilot)
        pilot.app.session.alerts.are_due = lambda: False  # it has not asked yet
        await pilot.press("3")
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=NARROW, run_before=arrange)


def test_alerts_refused(snap_compare, server) -> None:
    server.refusals["/alerts"] = Problem(title="no", status=503, detail="the database is being moved")

    async def arrange(pilot):
        await is_live(pilot)
        await pilot.press("3")
        await until(pilot, lambda: pilot.app.session.alerts.problem)
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=NARROW, run_before=arrange)


def test_alerts_stale(snap_compare, server) -> None:
    async def arrange(pilot):
        await look_at_alerts(pilot)
        await go_offline(pilot, server)
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=WIDE, run_before=arrange)


def test_alerts_hostile(snap_compare, server) -> None:
    server.quiet = [
        scene.an_alert(id_, text, text, text, 5, suppressed=[scene.withheld(SuppressionKind.SILENCE, text * 3)])
        for id_, text in enumerate(HOSTILE, start=1)
    ]
    server.details = {}

    assert snap_compare(a_console(server), terminal_size=NARROW, run_before=look_at_alerts)


async def look_at_silences(pilot) -> None:
    await is_live(pilot)
    await pilot.press("4")
    await until(pilot, lambda: pilot.app.session.silences.page is not None)
    await rest(pilot)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_silences(snap_compare, server, size) -> None:
    server.silences = scene.silences()

    assert snap_compare(a_console(server), terminal_size=size, run_before=look_at_silences)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_silences_with_expired(snap_compare, server, size) -> None:
    server.silences = scene.silences()

    async def arrange(pilot):
        await look_at_silences(pilot)
        await pilot.press("t")
        await until(pilot, lambda: len(pilot.app.session.silences.listing.order) == 5)
        await pilot.press("j", "j", "j")
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=size, run_before=arrange)


def test_silences_in_sixteen_colours_and_ascii(snap_compare, server) -> None:
    server.silences = scene.silences()
    app = a_console(server, own_palette=False, ascii_only=True)

    assert snap_compare(app, terminal_size=NARROW, run_before=look_at_silences)


def test_silences_empty(snap_compare, server) -> None:
    assert snap_compare(a_console(server), terminal_size=NARROW, run_before=look_at_silences)


def test_silences_loading(snap_compare, server) -> None:
    async def arrange(pilot):
        await is_live(pilot)
        pilot.app.session.silences.are_due = lambda: False  # it has not asked yet
        await pilot.press("4")
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=NARROW, run_before=arrange)


def test_silences_refused(snap_compare, server) -> None:
    server.refusals["/silences"] = Problem(title="no", status=503, detail="the database is being moved")

    async def arrange(pilot):
        await is_live(pilot)
        await pilot.press("4")
        await until(pilot, lambda: pilot.app.session.silences.problem)
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=NARROW, run_before=arrange)


def test_silences_stale(snap_compare, server) -> None:
    server.silences = scene.silences()

    async def arrange(pilot):
        await look_at_silences(pilot)
        await go_offline(pilot, server)
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=WIDE, run_before=arrange)


def test_silences_hostile(snap_compare, server) -> None:
    server.silences = [
        scene.a_silence(id_, client=text, author=text, comment=text * 2, matchers=f'{{a="{text}"}}')
        for id_, text in enumerate(HOSTILE, start=1)
    ]

    assert snap_compare(a_console(server), terminal_size=NARROW, run_before=look_at_silences)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_one_silence(snap_compare, server, size) -> None:
    server.silences = scene.silences()

    async def arrange(pilot):
        await look_at_silences(pilot)
        await pilot.press("enter")
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=size, run_before=arrange)


def test_silence_that_is_extended(snap_compare, server) -> None:
    server.silences = scene.silences()

    async def arrange(pilot):
        await look_at_silences(pilot)
        await pilot.press("e")
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=NARROW, run_before=arrange)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_silence_that_could_not_be_ended(snap_compare, server, size) -> None:
    server.silences = scene.silences()
    server.refusals["/silences/7"] = Problem(
        title="no",
        status=403,
        detail="alice does not work for all clients",
        remedy="make a silence of one client's",
    )

    async def arrange(pilot):
        await look_at_silences(pilot)
        await pilot.press("x", "y")
        await until(pilot, lambda: pilot.app.session.notice)
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=size, run_before=arrange)


async def look_at_files(pilot) -> None:
    await is_live(pilot)
    await pilot.press("exclamation_mark")
    await rest(pilot)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_files(snap_compare, server, size) -> None:
    server.status = msgspec.structs.replace(scene.STATUS, rule_problems=scene.PROBLEMS)

    assert snap_compare(a_console(server), terminal_size=size, run_before=look_at_files)


def test_files_all_in_force(snap_compare, server) -> None:
    assert snap_compare(a_console(server), terminal_size=NARROW, run_before=look_at_files)


def test_files_loading(snap_compare, server) -> None:
    async def arrange(pilot):
        pilot.app.action_files()
        await rest(pilot)

    app = a_console(server)
    app._begin = lambda: None  # it has not asked yet
    assert snap_compare(app, terminal_size=NARROW, run_before=arrange)


def test_files_stale(snap_compare, server) -> None:
    server.status = msgspec.structs.replace(scene.STATUS, rule_problems=scene.PROBLEMS[:1])

    async def arrange(pilot):
        await look_at_files(pilot)
        await go_offline(pilot, server)
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=NARROW, run_before=arrange)


def test_files_hostile(snap_compare, server) -> None:
    server.status = msgspec.structs.replace(
        scene.STATUS, rule_problems=[scene.problem(text, text, text, text * 2) for text in HOSTILE]
    )

    assert snap_compare(a_console(server), terminal_size=NARROW, run_before=look_at_files)


def test_request(snap_compare, server) -> None:
    async def arrange(pilot):
        await is_live(pilot)
        pilot.app.session.filter_tickets("kind:request")
        await pilot.press("enter")
        await has_read(pilot, 4748)
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=NARROW, run_before=arrange)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_ticket_that_others_are_at(snap_compare, told, size) -> None:
    told.lookers[4812] = [Looker(login="bob", writing="reply"), Looker(login="eve")]
    told.details[4812] = msgspec.structs.replace(told.details[4812], watchers=["alice", "carol"])

    async def arrange(pilot):
        await is_live(pilot)
        await pilot.press("enter")
        await read(pilot)
        await until(pilot, lambda: pilot.app.session.presence.others(4812))
        await rest(pilot)

    assert snap_compare(a_console(told), terminal_size=size, run_before=arrange)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_an_act_on_what_is_marked(snap_compare, server, size) -> None:
    async def arrange(pilot):
        await read(pilot)
        await pilot.press("space", "j", "space")
        await until(pilot, lambda: pilot.app.session.tickets.cursor != 4812)
        await has_read(pilot, pilot.app.session.tickets.cursor)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(pilot.app.screen, Question))
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=size, run_before=arrange)


def test_what_was_refused_of_what_is_marked(snap_compare, server) -> None:
    async def arrange(pilot):
        await read(pilot)
        for number in (4812, 4809):  # bob has the second
            pilot.app.session.marks.toggle(number)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(pilot.app.screen, Question))
        await pilot.press("y")
        await until(pilot, lambda: isinstance(pilot.app.screen, RefusedScreen))
        await until(pilot, lambda: pilot.app.session.tickets.rows[4812].owner == "alice")
        await has_read(pilot, 4812)
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=WIDE, run_before=arrange)


def test_keys(snap_compare, server) -> None:
    async def arrange(pilot):
        await read(pilot)
        await pilot.press("question_mark")
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=WIDE, run_before=arrange)


def test_a_code_for_signing_in(snap_compare, server) -> None:
    server.code = "123456"

    async def arrange(pilot):
        await until(pilot, lambda: isinstance(pilot.app.screen, LoginScreen))
        await sign_in(pilot)
        await until(pilot, lambda: "a code is needed" in text_of(pilot.app, "#hint"))
        await rest(pilot)

    assert snap_compare(a_console(server, token=""), terminal_size=NARROW, run_before=arrange)


@pytest.mark.parametrize("step", ["password", "secret", "recovery"])
def test_enrolling_a_device(snap_compare, server, step: str) -> None:
    async def arrange(pilot):
        await read(pilot)
        await pilot.press("at")
        await until(pilot, lambda: isinstance(pilot.app.screen, EnrolScreen))
        if step != "password":
            await pilot.press(*"correct", "enter")
            await until(pilot, lambda: "JBSW" in text_of(pilot.app, "#told"))
        if step == "recovery":
            await pilot.press(*"654321", "enter")
            await until(pilot, lambda: "Write them down" in text_of(pilot.app, "#told"))
        await rest(pilot)

    assert snap_compare(a_console(server), terminal_size=NARROW, run_before=arrange)


async def sign_in(pilot) -> None:
    await pilot.press(*"alice", "enter", *"correct", "enter")


def test_login(snap_compare, server) -> None:
    async def arrange(pilot):
        await until(pilot, lambda: isinstance(pilot.app.screen, LoginScreen))
        await rest(pilot)

    assert snap_compare(a_console(server, token=""), terminal_size=NARROW, run_before=arrange)
