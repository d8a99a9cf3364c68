"""Watching a ticket: once a person, bounded, and of nobody who does not see it any more."""

from collections.abc import Callable

import pytest
from tests.server.desk.world import ALICE, BOB, World

from tocsin_protocol.acts import NewTicket
from tocsin_protocol.people import Person
from tocsin_protocol.vocabulary import Role
from tocsin_server.access import standing
from tocsin_server.access.audit import Act
from tocsin_server.access.grants import Grant, grant
from tocsin_server.access.scope import EVERYWHERE, Scope
from tocsin_server.decisions.folder import NO_TABLES
from tocsin_server.desk import watching
from tocsin_server.desk.opening import open_ticket
from tocsin_server.desk.watching import Watched, Watcher, unwatch, watch, watchers_of
from tocsin_server.errors import Conflict, NotFound

ACME, GLOBEX = 1, 2


def opened(world: World) -> int:
    new = NewTicket(client="acme", title="The bell is silent")
    done = world.storage.write(
        lambda session: open_ticket(
            session, EVERYWHERE, new, person=ALICE, now_ms=world.now_ms, tables=NO_TABLES
        )
    )
    return done.ticket_id


@pytest.fixture
def ticket(world: World) -> int:
    world.storage.write(
        lambda session: [
            grant(session, standing.person(session, each.login), Grant(all_clients=True))
            for each in (ALICE, BOB)
        ]
    )
    return opened(world)


def do(
    world: World,
    act: Callable[..., Watched],
    ticket_id: int,
    person: Person = ALICE,
    scope: Scope = EVERYWHERE,
) -> Watched:
    return world.storage.write(lambda session: act(session, scope, ticket_id, person.id, world.now_ms))


def who(world: World, *ids: int) -> dict[int, list[Watcher]]:
    return world.storage.read(lambda session: watchers_of(session, ids))


def test_who_watches_is_told_by_ticket_and_login(world: World, ticket: int) -> None:
    other, third = opened(world), opened(world)
    do(world, watch, ticket, BOB)
    do(world, watch, ticket, ALICE)
    do(world, watch, other, BOB)

    alice, bob = Watcher(ALICE.id, "alice"), Watcher(BOB.id, "bob")
    assert who(world, ticket, other, third) == {ticket: [alice, bob], other: [bob]}
    assert who(world) == {}


def test_watching_twice_is_watching_once(world: World, ticket: int) -> None:
    acts = [do(world, act, ticket) for act in (watch, watch, unwatch, unwatch)]

    assert acts == [(ACME, Act.WATCH_BEGUN), (ACME, None), (ACME, Act.WATCH_ENDED), (ACME, None)]
    assert who(world, ticket) == {}


@pytest.mark.parametrize("change", ["disabled", "another client", "the client's own"])
def test_who_does_not_see_it_any_more_watches_nothing(world: World, ticket: int, change: str) -> None:
    do(world, watch, ticket, ALICE)
    do(world, watch, ticket, BOB)

    def act(session) -> None:
        bob = standing.person(session, "bob")
        if change == "disabled":
            standing.disable(session, "bob", world.now_ms)
        elif change == "another client":
            grant(session, bob, Grant(clients=["globex"]))
        else:
            bob.role = Role.CLIENT_VIEWER
            grant(session, bob, Grant(clients=["acme"]))

    world.storage.write(act)

    assert [each.login for each in who(world, ticket)[ticket]] == ["alice"]


def test_who_works_for_that_client_watches(world: World, ticket: int) -> None:
    world.storage.write(
        lambda session: grant(session, standing.person(session, "bob"), Grant(clients=["acme"]))
    )
    do(world, watch, ticket, BOB, Scope(frozenset({ACME}), is_inside=True))

    assert [each.login for each in who(world, ticket)[ticket]] == ["bob"]


def test_more_than_so_many_do_not_watch_but_who_does_goes_on(
    world: World, ticket: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MOST", 1)
    do(world, watch, ticket, ALICE)
    do(world, watch, ticket, ALICE)

    with pytest.raises(Conflict, match="1 people watch"):
        do(world, watch, ticket, BOB)


@pytest.mark.parametrize("act", [watch, unwatch])
def test_what_is_not_there_or_not_seen_is_not_watched(world: World, ticket: int, act) -> None:
    with pytest.raises(NotFound, match="no ticket 4711"):
        do(world, act, 4711)
    with pytest.raises(NotFound, match=f"no ticket {ticket}"):
        do(world, act, ticket, scope=Scope(frozenset({GLOBEX}), is_inside=True))
