"""What people do is compare-and-set: nobody overwrites what he has not seen."""

import pytest
from tests.lifecycle import TABLES
from tests.server.desk.world import ALICE, BOB, CHARLIE, NOW, World

from tocsin_protocol.acts import NewTicket, Prioritisation
from tocsin_protocol.api import MAX_TEXT
from tocsin_protocol.vocabulary import ActorKind, TicketEventKind, TicketState
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.decisions.folder import NO_TABLES
from tocsin_server.desk import opening, work
from tocsin_server.desk.happening import Happening
from tocsin_server.errors import Conflict, NotFound, Stale, TooLarge, Unprocessable


def make_busy(world: World) -> None:
    """One new ticket."""
    world.fire()
    world.consume()


@pytest.fixture
def world(busy: World) -> World:
    return busy


def test_taking_is_told_with_who_did_it(world: World) -> None:
    assert world.act(work.take, 1) == Happening(1, TicketEventKind.TAKEN)

    event = world.events()[-1]
    assert (event.actor_kind, event.actor, event.at_ms) == (ActorKind.PERSON, "alice", NOW)
    assert (world.ticket().owner_id, world.ticket().version) == (ALICE.id, 2)


def test_taking_what_bob_owns_names_bob(world: World) -> None:
    world.act(work.take, 1, person=BOB)

    with pytest.raises(Conflict, match="owned by bob"):
        world.act(work.take, 1)


def test_of_two_who_take_the_same_version_the_second_is_told_who_was_first(world: World) -> None:
    world.act(work.take, 1, person=BOB, version=1)

    with pytest.raises(Stale, match="ticket 1 has changed since version 1: taken by bob"):
        world.act(work.take, 1, version=1)


def test_a_stale_act_says_all_that_has_happened_and_changes_nothing(world: World) -> None:
    world.act(work.take, 1, person=BOB)
    world.act(work.comment, 1, person=BOB, text="on it")
    world.clear()
    world.consume()

    with pytest.raises(Stale, match="taken by bob, commented by bob, alert resolved by FilesystemFull"):
        world.act(work.resolve, 1, version=1)
    assert world.ticket().version == 4


@pytest.mark.parametrize("version", [0, -1, 9])
def test_a_version_that_never_was_is_stale_too(world: World, version: int) -> None:
    with pytest.raises(Stale, match="it has version 1"):
        world.act(work.take, 1, version=version)


def test_an_administrator_frees_a_ticket_of_somebody_who_is_away(world: World) -> None:
    world.act(work.take, 1, person=BOB)

    with pytest.raises(Conflict, match="only bob"):
        world.act(work.release, 1)
    world.act(work.release, 1, person=CHARLIE)

    assert (world.ticket().owner_id, world.ticket().state) == (None, TicketState.NEW)


def test_a_comment_is_cleaned_of_what_a_terminal_would_obey(world: World) -> None:
    world.act(work.comment, 1, text=" rm\r\n\tfiles \x1b]0;bad\x07\x00\x9b31m ")

    assert world.events()[-1].text == "rm\n\tfiles ]0;bad31m"
    assert world.ticket().human


def test_a_comment_is_among_technicians_unless_it_is_said_to_be_public(world: World) -> None:
    world.act(work.comment, 1, text="he calls every hour")
    world.act(work.comment, 1, text="your disk comes tomorrow", public=True)

    assert [event.public for event in world.events()] == [False, False, True]


def test_an_empty_comment_is_refused(world: World) -> None:
    with pytest.raises(Unprocessable, match="the comment is empty"):
        world.act(work.comment, 1, text=" \x00 ")


def test_a_comment_that_is_too_long_is_refused_with_the_limit(world: World) -> None:
    with pytest.raises(TooLarge, match="20001 characters: say it in at most 20000"):
        world.act(work.comment, 1, text="x" * (MAX_TEXT + 1))


def test_resolving_and_reopening_keep_the_owner(world: World) -> None:
    world.act(work.resolve, 1, text="old logs removed")
    assert (world.ticket().state, world.ticket().solved_ms) == (TicketState.SOLVED, NOW)

    world.act(work.reopen, 1, person=BOB)

    assert (world.ticket().state, world.ticket().owner_id) == (TicketState.IN_PROGRESS, ALICE.id)
    assert world.timeline()[-2:] == [TicketEventKind.SOLVED, TicketEventKind.REOPENED]


def test_reopening_beside_an_open_ticket_of_the_same_trouble_names_that_one(world: World) -> None:
    world.act(work.resolve, 1)
    world.move(seconds=2 * 3600)
    world.fire()
    world.consume()

    with pytest.raises(Conflict, match="ticket 2 is open for the same trouble: go on with ticket 2"):
        world.act(work.reopen, 1)


def test_an_unknown_ticket_is_not_there(world: World) -> None:
    with pytest.raises(NotFound, match="no ticket 99"):
        world.act(work.take, 99)


def opened(world: World, **more: object) -> Happening:
    new = NewTicket(**{"client": "acme", "title": "the printer is jammed", **more})
    return world.storage.write(
        lambda session: opening.open_ticket(
            session, EVERYWHERE, new, person=ALICE, now_ms=NOW, tables=NO_TABLES
        )
    )


def test_a_person_opens_a_ticket_on_a_host_of_the_client(world: World) -> None:
    happening = opened(world, text="second floor", host_id=1, priority=4)

    ticket = world.ticket(2)
    assert happening == Happening(2, TicketEventKind.OPENED)
    assert (ticket.client_id, ticket.host_id, ticket.site_id, ticket.priority) == (1, 1, 1, 4)
    assert ticket.human
    assert world.events(2)[0].text == "second floor"


def test_people_open_any_number_of_tickets(world: World) -> None:
    assert [opened(world).ticket_id, opened(world).ticket_id] == [2, 3]


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"client": "initech"}, NotFound, "'initech'"),
        ({"host_id": 2}, NotFound, "no host 2"),  # another client's
        ({"host_id": 99}, NotFound, "no host 99"),
        ({"priority": 0}, Unprocessable, "choose 1 to 4"),
        ({"priority": 5}, Unprocessable, "choose 1 to 4"),
        ({"title": "\n"}, Unprocessable, "the title is empty"),
        ({"title": "x" * 201}, TooLarge, "at most 200"),
        ({"text": "x" * (MAX_TEXT + 1)}, TooLarge, "at most 20000"),
    ],
)
def test_a_new_ticket_that_makes_no_sense_is_refused(
    world: World, more: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        opened(world, **more)


def test_a_title_is_one_line(world: World) -> None:
    opened(world, title=" the  printer\nis jammed ")

    assert world.ticket(2).title == "the printer is jammed"


def test_a_ticket_waits_and_goes_on(world: World) -> None:
    world.act(work.take, 1)
    world.act(work.wait, 1, reason="vendor", until_ms=NOW + 60_000, text="a new disk comes")
    waiting = world.ticket()
    world.act(work.resume, 1)

    assert (waiting.state, waiting.waits_for, waiting.wakes_ms) == (TicketState.PENDING, "vendor", NOW + 60_000)
    gone_on = world.ticket()
    assert (gone_on.state, gone_on.waits_for, gone_on.wakes_ms) == (TicketState.IN_PROGRESS, "", None)


def test_a_ticket_is_not_closed_while_its_alert_fires_for_that_would_ring_unheard(world: World) -> None:
    world.act(work.resolve, 1)

    with pytest.raises(Conflict, match="FilesystemFull of ticket 1 is not over: close it once none"):
        world.act(work.close, 1)

    assert world.ticket().state is TicketState.SOLVED


def test_a_ticket_whose_alerts_are_over_is_closed_for_good(world: World) -> None:
    world.clear()
    world.consume()
    world.act(work.resolve, 1)

    assert world.act(work.close, 1) == Happening(1, TicketEventKind.CLOSED)

    assert world.ticket().state is TicketState.CLOSED
    with pytest.raises(Conflict, match="open a new ticket"):
        world.act(work.reopen, 1)


def test_a_ticket_of_a_persons_has_their_priority_and_the_tables_team(world: World) -> None:
    new = NewTicket(client="acme", title="The bell is silent", host_id=1, priority=1)

    opened = world.storage.write(
        lambda session: opening.open_ticket(session, EVERYWHERE, new, person=ALICE, now_ms=NOW, tables=TABLES)
    )

    ticket = world.ticket(opened.ticket_id)
    assert (ticket.priority, ticket.impact, ticket.team) == (1, "", "servers")
    (event,) = world.events(opened.ticket_id)
    assert event.data["team"] == "servers"
    assert len(event.data["decided"]) == 1


def test_impact_and_urgency_make_a_priority_by_the_table_which_is_quoted(world: World) -> None:
    wish = Prioritisation(impact="low", urgency="medium")

    assert world.act(work.prioritise, 1, wish=wish) == Happening(1, TicketEventKind.PRIORITISED)

    ticket, event = world.ticket(), world.events()[-1]
    assert (ticket.priority, ticket.impact, ticket.urgency) == (4, "low", "medium")
    assert (event.data["priority"], event.data["was"]) == (4, 1)
    assert event.data["reason"] == "few are touched, and it will hurt today"
    assert event.data["decided"][0].endswith("row low-medium")


def test_a_priority_is_said_with_its_reason(world: World) -> None:
    world.act(work.prioritise, 1, wish=Prioritisation(priority=3, text="a spare one"))

    event = world.events()[-1]
    assert (world.ticket().priority, event.text) == (3, "a spare one")
    assert event.data.pop("service")["item"] == "server"
    assert event.data == {"priority": 3, "was": 1}


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Prioritisation(), "nothing says how urgent"),
        (Prioritisation(impact="high"), "nothing says how urgent"),
        (Prioritisation(priority=2), "a priority needs its reason"),
        (Prioritisation(priority=9, text="so"), "priority 9 does not exist"),
        (Prioritisation(priority=2, impact="high", urgency="high", text="so"), "give one of both"),
        (Prioritisation(impact="huge", urgency="high"), "say it as enum"),
    ],
)
def test_a_priority_that_nothing_explains_is_refused(world: World, wish: Prioritisation, said: str) -> None:
    with pytest.raises(Unprocessable, match=said):
        world.act(work.prioritise, 1, wish=wish)
    assert world.ticket().version == 1


def test_without_the_table_a_priority_is_to_be_said_itself(world: World) -> None:
    with pytest.raises(Unprocessable, match="say the priority itself"):
        world.act(work.prioritise, 1, tables=NO_TABLES, wish=Prioritisation(impact="high", urgency="high"))
