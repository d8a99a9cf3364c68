"""What is asked within a scope PostgreSQL itself keeps to it: a condition that is forgotten tells nothing."""

import pytest
from sqlalchemy import select, update
from sqlmodel import Session
from tests.databases import Mould
from tests.lifecycle import SHIPPED, TABLES
from tests.server.desk.world import ALICE, NOW, World

from tocsin_server.access.audit import Act, Actor, Deed, Party
from tocsin_server.access.auditlog import head_of, record
from tocsin_server.access.scope import EVERYWHERE, NOWHERE, Scope
from tocsin_server.desk import queue, work
from tocsin_server.desk.store import TICKETS
from tocsin_server.errors import NotFound
from tocsin_server.http.scoped import asked, narrowed
from tocsin_server.storage.engine import Storage

pytestmark = [pytest.mark.real, pytest.mark.parametrize("empty", ["postgresql"], indirect=True)]

ACME = Scope(frozenset({1}), is_inside=True)


@pytest.fixture
def world(empty: Mould, storage: Storage) -> World:
    """A ticket of Acme's (1) and one of Globex's (2)."""
    world = World(storage)
    world.storage.write(World.people_and_places)
    world.fire()
    world.fire(client_id=2)
    world.consume()
    return world


def clients(session: Session, _scope: Scope = EVERYWHERE) -> list[int]:
    """Whose tickets there are: a question that forgets its condition."""
    return list(session.execute(select(TICKETS.c.client_id).order_by(TICKETS.c.client_id)).scalars())


@pytest.mark.parametrize(("scope", "seen"), [(EVERYWHERE, [1, 2]), (ACME, [1]), (NOWHERE, [])])
def test_a_question_without_its_condition_tells_of_its_scope_only(
    world: World, scope: Scope, seen: list[int]
) -> None:
    assert asked(world.storage, scope, clients) == seen
    assert world.storage.read(clients) == [1, 2]  # the next one on that connection is the server's own


def test_a_change_without_its_condition_reaches_its_scope_only(world: World) -> None:
    def act(session: Session) -> int:
        with narrowed(session, ACME):
            return session.execute(update(TICKETS).values(team="x")).rowcount

    assert world.storage.write(act) == 1
    assert [world.ticket(number).team for number in (1, 2)] == ["x", world.ticket(2).team]
    assert world.ticket(2).team != "x"


def test_an_act_within_a_scope_is_recorded_at_the_end_of_the_whole_log(world: World) -> None:
    by = Actor(Party.PERSON, "alice")
    hand = work.Hand(person=ALICE, scope=ACME, now_ms=NOW, lifecycle=SHIPPED, tables=TABLES)

    def act(session: Session) -> str:
        record(session, Deed(Act.PERSON_SIGNED_IN, "alice", by=by, at_ms=NOW))
        with narrowed(session, ACME):
            done = work.take(session, 1, hand)
            owner = queue.ticket_detail(session, ACME, done.ticket_id).ticket.owner
        record(session, Deed(Act.TICKET_TAKEN, done.ticket_id, by=by, at_ms=NOW, client_id=1))
        return owner or ""

    assert world.storage.write(act) == "alice"
    assert world.storage.read(head_of).id == 2


def test_what_fails_within_a_scope_leaves_those_that_share_its_transaction_alone(world: World) -> None:
    hand = work.Hand(person=ALICE, scope=ACME, now_ms=NOW, lifecycle=SHIPPED, tables=TABLES)

    def fail(session: Session) -> None:
        with narrowed(session, ACME):
            work.take(session, 2, hand)

    def both(session: Session) -> list[int]:
        with pytest.raises(NotFound), session.begin_nested():
            fail(session)
        return clients(session)

    assert world.storage.write(both) == [1, 2]
