"""A new ticket is given to who has the least to do in its team, where the team assigns by load."""

from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import Session
from tests.lifecycle import TABLES
from tests.server.desk.world import ALICE, BOB, NOW, World

from tocsin_protocol.acts import NewTicket
from tocsin_protocol.vocabulary import ActorKind, TeamAssign, TicketEventKind, TicketState
from tocsin_server.access import standing
from tocsin_server.access.grants import Grant
from tocsin_server.access.scope import EVERYWHERE, Scope
from tocsin_server.access.standing import disable
from tocsin_server.desk import opening, teams, work
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.requests import open_request, request_of
from tocsin_server.desk.store import TeamMemberRow
from tocsin_server.desk.teams import MemberWish, Wish
from tocsin_server.http.scoped import narrowed

MEMBERS = TeamMemberRow.metadata.tables["team_member"]


def make_busy(world: World) -> None:
    """Alice and Bob are the servers' team, which assigns by load."""

    def made(session: Session) -> None:
        teams.add_team(session, "servers", Wish(assign=TeamAssign.LOAD), NOW)
        for login in ("alice", "bob"):
            teams.join(session, "servers", login, MemberWish(), NOW)

    world.storage.write(made)


@pytest.fixture
def world(busy: World) -> World:
    return busy


def fires(world: World, *mounts: str, **more: Any) -> None:
    """An alert for each mount, all in one batch."""
    for mount in mounts:
        world.fire(mountpoint=mount, **more)
    world.consume()


def owners(world: World) -> list[int | None]:
    return [world.ticket(number).owner_id for number in world.ticket_ids()]


def change(world: World, login: str, **wish: Any) -> None:
    world.storage.write(lambda s: teams.change_member(s, "servers", login, MemberWish(**wish)))


def test_a_new_ticket_has_an_owner_who_has_not_begun_and_the_timeline_says_why(world: World) -> None:
    fires(world, "/a")

    row, told = world.ticket(), world.events()
    assert (row.owner_id, row.state, row.version) == (ALICE.id, TicketState.NEW, 2)
    assert [each.kind for each in told] == [TicketEventKind.OPENED, TicketEventKind.ASSIGNED]
    assert (told[1].actor_kind, told[1].data) == (ActorKind.SYSTEM, {"owner": "alice"})
    assert told[1].text == "alice of servers has the least open load: 0 (others: bob 0)"


def test_a_storm_is_spread_as_one_ticket_after_another_would_be(world: World) -> None:
    fires(world, *"abcdef")

    assert owners(world) == [ALICE.id, BOB.id] * 3


def test_what_is_urgent_weighs_more(world: World) -> None:
    fires(world, "/a", severity="critical")
    world.move(seconds=1)
    for mount in ("/b", "/c", "/d"):
        fires(world, mount, severity="info")

    assert owners(world) == [ALICE.id, BOB.id, BOB.id, BOB.id]


def test_what_is_solved_weighs_nothing(world: World) -> None:
    fires(world, "/a", severity="critical")
    world.act(work.resolve, 1)
    world.move(seconds=1)
    fires(world, "/b")
    fires(world, "/c")

    assert owners(world)[1:] == [BOB.id, ALICE.id]  # who was given one longest ago, then the other


def test_the_turn_is_kept_from_one_batch_to_the_next(world: World) -> None:
    fires(world, "/a")

    asked = select(MEMBERS.c.person_id, MEMBERS.c.given_ms).order_by(MEMBERS.c.person_id)
    assert world.storage.read(lambda s: [tuple(row) for row in s.execute(asked)]) == [(1, NOW), (2, None)]


def test_who_is_away_disabled_or_gone_is_given_none(world: World) -> None:
    change(world, "alice", away_until_ms=NOW + 1000)
    fires(world, "/a", "/b")
    world.move(seconds=1)
    fires(world, "/c")
    world.storage.write(lambda s: disable(s, "bob", NOW))
    fires(world, "/d")
    world.storage.write(lambda s: teams.leave(s, "servers", "alice", NOW))
    fires(world, "/e")

    assert owners(world) == [BOB.id, BOB.id, ALICE.id, ALICE.id, None]


def test_where_nobody_can_be_given_it_the_ticket_is_open_to_all_and_says_why(world: World) -> None:
    change(world, "alice", most_open=1)
    change(world, "bob", away_until_ms=NOW + 60_000)
    fires(world, "/a", "/b")

    assert owners(world) == [ALICE.id, None]
    assert world.timeline(2) == [TicketEventKind.OPENED]
    assert world.events(2)[0].data["nobody"] == (
        "nobody of servers can be given it: alice has 1 open of at most 1, bob is away until 2023-11-14 22:14Z"
    )


def test_only_who_sees_the_client_is_given_its_ticket(world: World) -> None:
    for login, client in (("alice", "globex"), ("bob", "acme")):
        world.storage.write(lambda s, login=login, client=client: sees(s, login, client))
    fires(world, "/a", "/b")
    fires(world, "/a", client_id=2)
    world.storage.write(lambda s: sees(s, "bob"))
    fires(world, "/c")

    assert owners(world) == [BOB.id, BOB.id, ALICE.id, None]
    assert world.events(4)[0].data["nobody"] == "nobody of servers sees the client"


def test_what_is_open_of_other_clients_counts_for_who_does_not_see_them(world: World) -> None:
    fires(world, "/a", client_id=2)
    new, acmes = NewTicket(client="acme", title="it is slow", host_id=1), Scope(frozenset({1}), is_inside=True)

    def act(session: Session) -> Happening:
        with narrowed(session, acmes):
            return opening.open_ticket(session, acmes, new, person=ALICE, now_ms=NOW, tables=TABLES)

    world.storage.write(act)

    assert owners(world) == [ALICE.id, BOB.id]


def sees(session: Session, login: str, *clients: str) -> None:
    standing.change(session, login, standing.Wish(sees=Grant(clients)))


def test_a_team_that_does_not_assign_gives_to_nobody(world: World) -> None:
    world.storage.write(lambda s: teams.change_team(s, "servers", Wish(assign=TeamAssign.NONE)))

    fires(world, "/a")

    assert (owners(world), world.timeline()) == ([None], [TicketEventKind.OPENED])
    assert "nobody" not in world.events()[0].data


def test_one_who_is_in_two_teams_is_counted_for_both(world: World) -> None:
    def made(session: Session) -> None:
        teams.add_team(session, "servicedesk", Wish(assign=TeamAssign.LOAD), NOW)
        for login in ("alice", "charlie"):
            teams.join(session, "servicedesk", login, MemberWish(), NOW)

    world.storage.write(made)
    fires(world, "/a", severity="critical")
    asks = request_of(agent_id="a", host_id=1, key=b"k", who="eve", text="the printer jams")
    world.storage.write(lambda session: open_request(session, asks, readings={}, now_ms=NOW, tables=TABLES))

    assert owners(world) == [ALICE.id, 3]


def test_a_ticket_that_a_person_opens_is_given_too(world: World) -> None:
    new = NewTicket(client="acme", title="it is slow", host_id=1)

    done = world.storage.write(
        lambda s: opening.open_ticket(s, EVERYWHERE, new, person=ALICE, now_ms=NOW, tables=TABLES)
    )

    assert (done.kind, world.ticket().owner_id) == (TicketEventKind.OPENED, ALICE.id)


def test_what_is_released_is_given_to_nobody_again(world: World) -> None:
    fires(world, "/a")
    world.act(work.release, 1)
    world.clear(mountpoint="/a")
    fires(world, "/a")

    assert owners(world) == [None]


def test_a_team_of_another_name_is_not_asked(world: World) -> None:
    fires(world, "/a", name="AgentCloned")

    assert (world.ticket().team, owners(world)) == ("security", [None])
