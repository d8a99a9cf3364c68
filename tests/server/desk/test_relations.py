"""Tickets belong together, and what was done to them is undone exactly."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import select
from sqlmodel import Session
from tests.databases import Mould
from tests.examples import share
from tests.server.desk.world import ALICE, BOB, NOW, World

from tocsin_protocol.acts import NewTicket
from tocsin_protocol.tickets import TicketDetail
from tocsin_protocol.vocabulary import LinkKind, TicketEventKind, TicketState, Tie
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.decisions.folder import NO_TABLES
from tocsin_server.desk import opening, relations, work
from tocsin_server.desk.bonds import TIES
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.queue import ticket_detail
from tocsin_server.desk.relapse import reopen_still_firing
from tocsin_server.desk.relations import Other
from tocsin_server.desk.store import TICKET_ALERTS
from tocsin_server.errors import Conflict, NotFound, Refused, Stale, Unprocessable
from tocsin_server.storage.engine import Storage


def make_busy(world: World) -> None:
    """Of Acme two tickets of alerts, 1 of `/` and 2 of `/srv`, and 3 of a person's; 4 is of Globex."""
    world.fire()
    world.fire(mountpoint="/srv")
    world.consume()
    opened(world)
    opened(world, client="globex")


@pytest.fixture
def world(busy: World) -> World:
    return busy


def opened(world: World, client: str = "acme") -> int:
    new = NewTicket(client=client, title="the printer is jammed")
    return world.storage.write(
        lambda session: opening.open_ticket(
            session, EVERYWHERE, new, person=ALICE, now_ms=world.now_ms, tables=NO_TABLES
        )
    ).ticket_id


def detail(world: World, ticket_id: int) -> TicketDetail:
    return world.storage.read(lambda session: ticket_detail(session, EVERYWHERE, ticket_id))


def ties(world: World, ticket_id: int) -> list[tuple[Tie, int]]:
    return [(each.tie, each.ticket) for each in detail(world, ticket_id).ties]


def alerts(world: World, ticket_id: int) -> dict[int, int | None]:
    """Its alerts, each with the ticket through which it is there."""

    def ask(session: Session) -> dict[int, int | None]:
        asked = select(TICKET_ALERTS).where(TICKET_ALERTS.c.ticket_id == ticket_id)
        return {row.alert_id: row.via_id for row in session.execute(asked)}

    return world.storage.read(ask)


def link(world: World, ticket_id: int, kind: LinkKind, other: int, **more: Any) -> list[Happening]:
    return world.act(relations.link, ticket_id, kind=kind, other=Other(other), **more)


def merge(world: World, ticket_id: int, into: int, **more: Any) -> list[Happening]:
    return world.act(relations.merge, ticket_id, into=Other(into), **more)


def unmerge(world: World, ticket_id: int, **more: Any) -> list[Happening]:
    return world.act(relations.unmerge, ticket_id, **more)


# -- links


@pytest.mark.parametrize(
    ("kind", "there", "here"),
    [
        (LinkKind.RELATES, Tie.RELATES, Tie.RELATES),
        (LinkKind.CAUSED_BY, Tie.CAUSED_BY, Tie.CAUSES),
        (LinkKind.DUPLICATE_OF, Tie.DUPLICATE_OF, Tie.DUPLICATED_BY),
        (LinkKind.PARENT, Tie.PARENT, Tie.CHILD),
    ],
)
def test_a_link_is_shown_and_told_on_both_and_taken_back_on_both(
    world: World, kind: LinkKind, there: Tie, here: Tie
) -> None:
    link(world, 2, kind, 1)

    assert (ties(world, 2), ties(world, 1)) == ([(there, 1)], [(here, 2)])
    assert world.events(1)[-1].data == {"tie": here, "ticket": 2}
    assert (world.ticket(1).version, world.ticket(2).version) == (2, 2)

    world.act(relations.unlink, 2, kind=kind, other=Other(1))

    assert (ties(world, 2), ties(world, 1)) == ([], [])
    assert world.timeline(1)[-1] == world.timeline(2)[-1] == TicketEventKind.UNLINKED


def test_what_relates_has_no_direction(world: World) -> None:
    link(world, 2, LinkKind.RELATES, 1)

    with pytest.raises(Conflict, match="linked so"):
        link(world, 1, LinkKind.RELATES, 2)
    world.act(relations.unlink, 1, kind=LinkKind.RELATES, other=Other(2))
    assert ties(world, 2) == []


def test_a_link_that_is_not_there_is_not_taken_back(world: World) -> None:
    for kind in LinkKind:
        with pytest.raises(Conflict, match="has no link"):
            world.act(relations.unlink, 1, kind=kind, other=Other(2))


def test_another_clients_ticket_is_not_there(world: World) -> None:
    for act in (link, lambda *named: merge(world, 1, 4)):
        with pytest.raises(NotFound, match="the client of ticket 1 has no ticket 4"):
            act(world, 1, LinkKind.RELATES, 4)
    with pytest.raises(Unprocessable, match="is itself"):
        merge(world, 1, 1)


def test_parents_make_a_tree(world: World) -> None:
    link(world, 2, LinkKind.PARENT, 1)
    link(world, 3, LinkKind.PARENT, 2)

    with pytest.raises(Conflict, match="has the parent 1"):
        link(world, 2, LinkKind.PARENT, 3)
    with pytest.raises(Conflict, match="ticket 3 is below ticket 1"):
        link(world, 1, LinkKind.PARENT, 3)


def test_a_parent_is_solved_with_all_that_is_open_below_it(world: World) -> None:
    link(world, 2, LinkKind.PARENT, 1)
    link(world, 3, LinkKind.PARENT, 2)

    done = world.act(relations.resolve_all, 1, text="a new switch")

    assert [each.ticket_id for each in done] == [1, 2, 3]
    assert {world.ticket(number).state for number in (1, 2, 3)} == {TicketState.SOLVED}
    assert world.events(3)[-1].text == "a new switch"


def test_a_parent_is_solved_alone_where_nothing_else_is_asked(world: World) -> None:
    link(world, 2, LinkKind.PARENT, 1)

    world.act(work.resolve, 1)

    assert world.ticket(2).state is TicketState.NEW


# -- merging


def test_a_merged_ticket_is_part_of_the_other_with_its_alerts_and_what_was_said(world: World) -> None:
    world.act(work.comment, 2, text="it is the same disk")

    assert merge(world, 2, 1) == [
        Happening(2, TicketEventKind.MERGED),
        Happening(1, TicketEventKind.ABSORBED),
    ]

    assert (world.ticket(2).state, world.ticket(2).merged_into) == (TicketState.CLOSED, 1)
    assert (alerts(world, 1), alerts(world, 2)) == ({1: None, 2: 2}, {})
    assert [(event.of, event.text) for event in detail(world, 1).events if event.of] == [
        (2, "2 % is free"),
        (2, "it is the same disk"),
    ]
    assert (ties(world, 1), ties(world, 2)) == ([(Tie.ABSORBED, 2)], [(Tie.MERGED_INTO, 1)])
    assert detail(world, 2).ticket.merged_into == 1


def test_who_goes_on_with_a_merged_ticket_is_told_where_to(world: World) -> None:
    merge(world, 2, 1)

    acts: list[Callable[[], object]] = [
        lambda: world.act(work.comment, 2, text="hm"),
        lambda: world.act(work.reopen, 2),
        lambda: merge(world, 2, 3),
        lambda: merge(world, 3, 2),
        lambda: link(world, 2, LinkKind.RELATES, 1),
    ]
    for act in acts:
        with pytest.raises(Conflict, match="ticket 2 is merged into ticket 1: go on with ticket 1"):
            act()


def test_only_an_open_ticket_takes_another_in(world: World) -> None:
    world.act(work.resolve, 1)

    with pytest.raises(Conflict, match="ticket 1 is solved"):
        merge(world, 2, 1)
    assert alerts(world, 2) == {2: None}


def test_both_versions_are_compared(world: World) -> None:
    world.act(work.comment, 1, person=BOB, text="looking")

    with pytest.raises(Stale, match="ticket 1 has changed since version 1: commented by bob"):
        world.act(relations.merge, 2, version=1, into=Other(1, {1}))
    with pytest.raises(Stale, match="ticket 2"):
        world.act(relations.merge, 2, version=7, into=Other(1, {2}))
    world.act(relations.merge, 2, version=1, into=Other(1, {2}))
    with pytest.raises(Stale, match="ticket 1 has changed"):
        world.act(relations.unmerge, 2, version=2, into_versions={2})


def test_an_alert_of_a_merged_ticket_rings_on_the_other(world: World) -> None:
    merge(world, 2, 3)
    world.clear(mountpoint="/srv")
    world.fire(mountpoint="/srv", severity="warning")
    world.consume()

    assert world.ticket_ids() == [1, 2, 3, 4]
    assert world.timeline(3)[-2:] == [TicketEventKind.ALERT_RESOLVED, TicketEventKind.ALERT_FIRED]
    assert set(alerts(world, 3).values()) == {2}
    assert world.ticket(3).recovered_ms is None


def test_an_alert_of_a_merged_ticket_reopens_the_other(world: World) -> None:
    merge(world, 2, 3)
    world.act(work.resolve, 3)
    world.fire(mountpoint="/srv", severity="warning")

    world.consume()

    assert world.timeline(3)[-1] is TicketEventKind.REOPENED


def test_a_ticket_that_was_solved_while_a_merged_ones_alert_goes_on_is_reopened(world: World) -> None:
    merge(world, 2, 3)
    world.act(work.resolve, 3)
    world.move(seconds=600)

    world.storage.write(lambda session: reopen_still_firing(session, world.now_ms, after_ms=600_000))

    assert world.ticket(3).state is TicketState.IN_PROGRESS


def test_trouble_that_is_back_long_after_has_a_ticket_of_its_own_with_its_own_alerts(world: World) -> None:
    merge(world, 2, 1)
    world.act(work.resolve, 1)
    world.move(seconds=7200)
    world.fire(mountpoint="/srv")

    world.consume()

    assert world.ticket(5).reopens == 1
    assert alerts(world, 5) == {2: None}
    with pytest.raises(Conflict, match="ticket 5 is open for the same trouble"):
        unmerge(world, 2)


def test_unmerging_makes_it_what_it_was(world: World) -> None:
    world.act(work.take, 2)
    world.act(work.wait, 2, reason="vendor", until_ms=NOW + 60_000)
    was = world.ticket(2)
    merge(world, 2, 1)

    unmerge(world, 2)

    now = world.ticket(2)
    assert (now.state, now.waits_for, now.wakes_ms) == (was.state, was.waits_for, was.wakes_ms)
    assert (now.owner_id, now.solved_ms, now.merged_into) == (was.owner_id, None, None)
    assert (alerts(world, 1), alerts(world, 2)) == ({1: None}, {2: None})
    assert world.timeline(2)[-2:] == [TicketEventKind.MERGED, TicketEventKind.UNMERGED]
    assert world.timeline(1)[-2:] == [TicketEventKind.ABSORBED, TicketEventKind.SEPARATED]


def test_what_ended_while_it_was_merged_has_recovered_and_what_began_has_not(world: World) -> None:
    merge(world, 2, 1)
    world.clear(mountpoint="/srv")
    world.consume()
    unmerge(world, 2)

    assert world.ticket(2).recovered_ms == NOW
    assert world.ticket(1).recovered_ms is None


def test_the_other_is_clear_once_what_goes_on_is_taken_from_it(world: World) -> None:
    merge(world, 2, 1)
    world.clear()
    world.consume()
    assert world.ticket(1).recovered_ms is None

    unmerge(world, 2)

    assert world.ticket(1).recovered_ms == NOW


def test_merging_goes_on_over_several_tickets_and_is_undone_from_the_last(world: World) -> None:
    merge(world, 2, 1)
    merge(world, 1, 3)
    assert alerts(world, 3) == {1: 1, 2: 2}
    assert {event.of for event in detail(world, 3).events} == {None, 1, 2}

    with pytest.raises(Conflict, match="undo that of ticket 1 first"):
        unmerge(world, 2)
    unmerge(world, 1)
    assert alerts(world, 1) == {1: None, 2: 2}
    unmerge(world, 2)
    assert (alerts(world, 1), alerts(world, 2)) == ({1: None}, {2: None})


def test_what_is_not_merged_or_part_of_a_closed_one_is_not_unmerged(world: World) -> None:
    with pytest.raises(Conflict, match="not merged"):
        unmerge(world, 2)
    merge(world, 3, 1)
    world.clear()
    world.consume()
    world.act(work.resolve, 1)
    world.act(work.close, 1)
    with pytest.raises(Conflict, match="ticket 1 is closed"):
        unmerge(world, 3)


MOUNTS = ("/", "/srv", "/var")


class Desk(RuleBasedStateMachine):
    """Alerts come and go while tickets are linked, merged and separated."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world

    def attempt(self, act: Callable[..., object], *named: Any, **more: Any) -> bool:
        try:
            act(self.world, *named, **more)
        except Refused:
            return False
        return True

    def any_ticket(self, data: st.DataObject) -> int:
        return data.draw(st.sampled_from(self.world.ticket_ids()))

    @rule(mount=st.sampled_from(MOUNTS), severity=st.sampled_from(["warning", "critical"]), fires=st.booleans())
    def an_alert_changes(self, *, mount: str, severity: str, fires: bool) -> None:
        change = self.world.fire if fires else self.world.clear
        change(mountpoint=mount, severity=severity)
        self.world.consume()

    @rule(seconds=st.sampled_from([5, 60, 4000]))
    def time_goes_by(self, seconds: int) -> None:
        self.world.move(seconds=seconds)
        self.world.settle()

    @rule(data=st.data(), kind=st.sampled_from(LinkKind), is_there=st.booleans())
    def link(self, data: st.DataObject, *, kind: LinkKind, is_there: bool) -> None:
        one, other = self.any_ticket(data), self.any_ticket(data)
        act = relations.link if is_there else relations.unlink
        if self.attempt(World.act, act, one, kind=kind, other=Other(other)):
            assert ((TIES[kind][0], other) in ties(self.world, one)) == is_there
            assert ((TIES[kind][1], one) in ties(self.world, other)) == is_there

    @rule(data=st.data())
    def merge_and_undo_it(self, data: st.DataObject) -> None:
        one, other = self.any_ticket(data), self.any_ticket(data)
        before = [(alerts(self.world, each), self.world.ticket(each).state) for each in (one, other)]
        if self.attempt(merge, one, other):
            assert alerts(self.world, one) == {}
            assert alerts(self.world, other).keys() == before[0][0].keys() | before[1][0].keys()
            assert self.attempt(unmerge, one)
            assert [
                (alerts(self.world, each), self.world.ticket(each).state) for each in (one, other)
            ] == before

    @rule(data=st.data())
    def merge(self, data: st.DataObject) -> None:
        self.attempt(merge, self.any_ticket(data), self.any_ticket(data))

    @rule(data=st.data())
    def unmerge(self, data: st.DataObject) -> None:
        self.attempt(unmerge, self.any_ticket(data))

    @rule(data=st.data())
    def resolve(self, data: st.DataObject) -> None:
        ticket_id = self.any_ticket(data)
        self.attempt(lambda world: world.act(work.resolve, ticket_id))

    @invariant()
    def what_is_merged_is_closed_and_has_no_alerts(self) -> None:
        for ticket_id in self.world.ticket_ids():
            ticket = self.world.ticket(ticket_id)
            if ticket.merged_into is not None:
                assert (ticket.state, alerts(self.world, ticket_id)) == (TicketState.CLOSED, {})

    @invariant()
    def a_version_is_the_length_of_its_timeline(self) -> None:
        for ticket_id in self.world.ticket_ids():
            assert self.world.ticket(ticket_id).version == len(self.world.timeline(ticket_id))

    @invariant()
    def an_alert_that_fires_is_on_a_ticket_that_is_not_closed(self) -> None:
        for ticket_id in self.world.ticket_ids():
            told = detail(self.world, ticket_id)
            if told.ticket.state is TicketState.CLOSED:
                assert told.alerts == []


def test_whatever_is_done_to_tickets_it_holds_together(
    made: Mould, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with ExitStack() as opened_worlds:

        def a_desk() -> Desk:
            where = opened_worlds.enter_context(made.copied(tmp_path_factory.mktemp("desk")))
            return Desk(World(opened_worlds.enter_context(Storage(where))))

        run_state_machine_as_test(a_desk, settings=settings(max_examples=share(4), stateful_step_count=20))
