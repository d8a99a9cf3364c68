"""A ticket is given to a team, to somebody of one, or to a supplier, and to nobody who is none of these."""

import pytest
from sqlmodel import Session
from tests.contracts import contract_of
from tests.server.desk.world import ALICE, BOB, NOW, World

from tocsin_protocol.teams import Assign
from tocsin_protocol.vocabulary import ActorKind, TicketEventKind, TicketState
from tocsin_server.access.grants import Grant
from tocsin_server.access.standing import Wish, change, disable
from tocsin_server.decisions.folder import NO_TABLES
from tocsin_server.desk import teams, work
from tocsin_server.desk.happening import Happening
from tocsin_server.errors import Conflict, NotFound, Stale, TocsinError, Unprocessable
from tocsin_server.sla.register import NO_CONTRACTS

ACME = {"acme": (contract_of("acme"),)}


def make_busy(world: World) -> None:
    """A ticket of the servers' team; Alice is in it, Bob in the network's."""
    world.fire()
    world.consume()

    def made(session: Session) -> None:
        for slug, login in (("servers", "alice"), ("network", "bob")):
            teams.add_team(session, slug, teams.Wish(), NOW)
            teams.join(session, slug, login, teams.MemberWish(), NOW)

    world.storage.write(made)


@pytest.fixture
def world(busy: World) -> World:
    return busy


def sees(world: World, login: str, *clients: str) -> None:
    world.storage.write(lambda s: change(s, login, Wish(sees=Grant(clients))))


def assign(world: World, *, ticket_id: int = 1, **more: object) -> Happening:
    acts = {name: more.pop(name) for name in ("person_who", "version") if name in more}
    if "person_who" in acts:
        acts["person"] = acts.pop("person_who")
    wish = Assign(**more)
    return world.act(work.assign, ticket_id, wish=wish, contracts=ACME, **acts)


def test_a_person_of_the_team_gets_it_and_the_timeline_tells_who_gave_it(world: World) -> None:
    assert assign(world, person="alice", text="she knows it", person_who=BOB) == Happening(
        1, TicketEventKind.ASSIGNED
    )

    event, row = world.events()[-1], world.ticket()
    assert (event.actor_kind, event.actor, event.text, event.data) == (
        ActorKind.PERSON,
        "bob",
        "she knows it",
        {"owner": "alice"},
    )
    assert (row.owner_id, row.state, row.team) == (ALICE.id, TicketState.NEW, "servers")


def test_another_team_gets_it_without_the_owner(world: World) -> None:
    world.act(work.take, 1)

    assign(world, team="network")

    row = world.ticket()
    assert (row.team, row.owner_id, row.state) == ("network", None, TicketState.NEW)
    assert world.events()[-1].data == {"team": "network"}


def test_team_and_person_may_be_given_at_once(world: World) -> None:
    assign(world, team="network", person="bob")

    assert (world.ticket().team, world.ticket().owner_id) == ("network", BOB.id)


def test_a_supplier_gets_it_while_team_and_owner_keep_it_until_the_team_takes_it_back(world: World) -> None:
    world.act(work.take, 1)
    assign(world, supplier="Télécom")
    away = world.ticket()
    assign(world, team="servers")
    back = world.ticket()

    assert (away.supplier, away.team, away.owner_id) == ("Télécom", "servers", ALICE.id)
    assert (back.supplier, back.owner_id, back.state) == ("", ALICE.id, TicketState.IN_PROGRESS)


@pytest.mark.parametrize(
    ("whom", "error"),
    [
        ({}, Unprocessable("nobody is named")),
        ({"team": "cooks"}, NotFound("there is no team 'cooks'")),
        ({"person": "dora"}, NotFound("there is no login 'dora'")),
        ({"person": "bob"}, Unprocessable("bob does no work in servers")),
        ({"team": "network", "person": "alice"}, Unprocessable("alice does no work in network")),
        ({"team": "servers", "supplier": "Télécom"}, Unprocessable("a supplier and somebody else are named")),
        ({"supplier": "network"}, Unprocessable("contract 'ACME-1' names no supplier 'network'")),
        ({"team": "servers"}, Conflict("ticket 1 is with servers already")),
    ],
)
def test_nobody_else_gets_it(world: World, whom: dict[str, str], error: TocsinError) -> None:
    with pytest.raises(type(error)) as refused:
        assign(world, **whom)

    assert refused.value.message == error.message
    assert refused.value.remedy
    assert world.ticket().version == 1


def test_who_does_not_see_the_client_gets_none(world: World) -> None:
    sees(world, "alice", "globex")
    with pytest.raises(Unprocessable, match="alice does not see the client"):
        assign(world, person="alice")

    sees(world, "alice", "acme")
    assert assign(world, person="alice").kind is TicketEventKind.ASSIGNED


def test_who_is_disabled_gets_none(world: World) -> None:
    world.storage.write(lambda session: disable(session, "alice", NOW))

    with pytest.raises(Unprocessable, match="alice does no work in servers"):
        assign(world, person="alice")


def test_a_client_without_a_contract_has_no_suppliers(world: World) -> None:
    with pytest.raises(Unprocessable, match="acme had no contract when the ticket was opened"):
        world.act(work.assign, 1, wish=Assign(supplier="Télécom"), contracts=NO_CONTRACTS)


def test_a_ticket_of_no_team_needs_the_persons(world: World) -> None:
    world.move(seconds=7200)
    world.fire(client_id=2)
    world.consume(tables=NO_TABLES)

    with pytest.raises(Unprocessable, match="the ticket is no team's: name the person's team, too"):
        assign(world, ticket_id=2, person="alice")


def test_of_two_who_give_it_away_the_second_is_told(world: World) -> None:
    assign(world, person="alice")

    with pytest.raises(Stale, match="changed since version 1: assigned by alice"):
        assign(world, team="network", version=1)
