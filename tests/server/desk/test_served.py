"""Whatever a ticket goes through, its clocks take; and they see it as the ticket did."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.lifecycle import COURSE
from tests.server.sla.contracts import contract

from tocsin_protocol.vocabulary import ActorKind, TicketAct, TicketEventKind, TicketState
from tocsin_server.desk import ticket
from tocsin_server.desk.lifecycle import Course
from tocsin_server.desk.ruling import Ruling, Term, Weight, priority_of
from tocsin_server.desk.served import Step, events_of, priority_at_first, priority_told
from tocsin_server.desk.standing import Change, Entry, Evidence, Receiver, Standing, Technician
from tocsin_server.errors import Refused
from tocsin_server.sla.clock import clocks
from tocsin_server.sla.course import course_of
from tocsin_server.sla.events import By, Event, EventKind

NOW = 1_780_650_000_000  # 2026-06-05 11:00 in Paris
ALICE = Technician(1, "alice")
REASONS = ("awaiting_customer", "awaiting_vendor")
ANYTHING_GOES = Course(
    {
        **COURSE.moves,
        TicketAct.CLOSE: frozenset(TicketState) - {TicketState.CLOSED},
    },
    (*REASONS, "godot"),
)
"""A lifecycle that closes tickets that are not solved, and lets them wait for what no contract names."""


@dataclass
class Life:
    """A ticket and its timeline."""

    standing: Standing
    entries: list[Entry] = field(default_factory=list)
    now_ms: int = NOW

    def attempt(self, act: Callable[..., Change], *given: object, **more: object) -> None:
        """Do what is lawful; nothing comes of anything else."""
        try:
            change = act(self.standing, *given, self.now_ms, **more)
        except Refused:
            return
        self.standing = change.standing
        self.entries.append(change.entry)

    def steps(self) -> list[Step]:
        return [
            Step(number, each.at_ms, each.kind, each.actor.kind, each.data)
            for number, each in enumerate(self.entries, 1)
        ]

    def events(self) -> list[Event]:
        return events_of(
            self.steps(), item="server", priority=self.standing.priority, reasons=contract().pause_reasons
        )


def opened(severity: str, *, by_person: bool = False) -> Life:
    change = (
        ticket.opened_by_person(ALICE, NOW, priority=2, text="", ruling=Ruling())
        if by_person
        else ticket.opened_by_alert(Evidence("DiskFull", severity), NOW, ruling=decided(severity))
    )
    return Life(change.standing, [change.entry])


def decided(severity: str) -> Ruling:
    return Ruling(priority_of(severity), "a table says so", rows=("priority@1 row x",))


severities = st.sampled_from(["critical", "warning", "info", "page", ""])
acts = st.one_of(
    st.sampled_from(
        [
            (ticket.take, (ALICE,), {"course": ANYTHING_GOES}),
            (ticket.release, (ALICE,), {"course": ANYTHING_GOES, "may_release_others": True}),
            (ticket.comment, (ALICE,), {"text": "hm"}),
            (ticket.acknowledge, (ALICE,), {}),
            (ticket.prioritise, (ALICE,), {"weight": Weight(1), "text": "the shop is shut"}),
            (
                ticket.prioritise,
                (ALICE,),
                {"weight": Weight(4, "low", "low", "so", "p"), "text": ""},
            ),
            (ticket.resume, (ALICE,), {"course": ANYTHING_GOES}),
            *(
                (ticket.assign, (ALICE.actor,), {"to": Receiver(team, owner, supplier, data)})
                for team, owner, supplier, data in (
                    ("network team", None, "", {"team": "network team"}),
                    ("network team", ALICE, "", {"team": "network team", "owner": "alice"}),
                    ("systems team", None, "", {"team": "systems team"}),
                    ("nobodys", None, "Télécom", {"supplier": "Télécom"}),
                )
            ),
            (ticket.wake, (), {}),
            (ticket.resolve, (ALICE,), {"course": ANYTHING_GOES, "text": "", "term": Term()}),
            (ticket.reopen, (ALICE,), {"course": ANYTHING_GOES}),
            (ticket.cleared, (Evidence("DiskFull"),), {"is_last": True}),
            (ticket.unknown, (Evidence("DiskFull"),), {}),
            (ticket.recover, (), {"quiet_ms": 0, "data": {}, "is_seen": True, "term": Term()}),
            (ticket.relapse, (), {"data": {}}),
        ]
    ),
    st.builds(
        lambda reason, until_ms: (
            ticket.wait,
            (ALICE,),
            {"course": ANYTHING_GOES, "reason": reason, "until_ms": until_ms, "text": ""},
        ),
        st.sampled_from(ANYTHING_GOES.waits_for),
        st.sampled_from([None, NOW + 10**9]),
    ),
    st.builds(
        lambda severity: (ticket.fired, (Evidence("DiskFull", severity),), {"ruling": decided(severity)}),
        severities,
    ),
    st.just((ticket.close, (ALICE,), {"course": ANYTHING_GOES})),
)
lives = st.lists(st.tuples(st.integers(-5, 4000), acts), max_size=14)


def live(life: Life, what: Sequence[tuple[int, Any]]) -> None:
    for seconds, (act, named, more) in what:
        life.now_ms += seconds * 1000
        life.attempt(act, *named, **more)


@given(severity=severities, by_person=st.booleans(), what=lives)
def test_clocks_take_every_life_and_see_the_ticket_as_it_stands(
    *, severity: str, by_person: bool, what: Sequence[tuple[int, Any]]
) -> None:
    life = opened(severity, by_person=by_person)
    live(life, what)
    events, now = life.events(), life.standing
    end_ms = events[-1].at_ms

    course = course_of(events, contract(), end_ms)
    clocks(events, contract(), end_ms)

    assert course.phases[-1].reason == (now.waits_for if now.waits_for in REASONS else "")
    assert course.phases[-1].is_solved == (not now.is_open)
    assert (course.closed is not None) == (now.state is TicketState.CLOSED)
    assert course.strands[0][-1].priority == now.priority


@given(what=lives)
def test_ids_and_times_never_go_back_so_that_the_clock_keeps_the_order(what: Sequence[tuple[int, Any]]) -> None:
    life = opened("warning")
    live(life, what)

    places = [(event.at_ms, event.id) for event in life.events()]

    assert places == sorted(set(places))
    assert [id_ // 2 for _, id_ in places] == sorted(id_ // 2 for _, id_ in places)


def told(*entries: tuple[TicketEventKind, dict[str, Any]], by: ActorKind = ActorKind.PERSON) -> list[Event]:
    """The events of a timeline after its first line, a minute between entries."""
    steps = [Step(1, NOW, TicketEventKind.OPENED, ActorKind.RULE, {})]
    steps += [Step(n, NOW + n * 60_000, kind, by, data) for n, (kind, data) in enumerate(entries, 2)]
    return events_of(steps, item="server", priority=2, reasons=REASONS)[1:]


def kinds(events: Sequence[Event]) -> list[str]:
    return [f"{event.kind.value} {event.name}".strip() for event in events]


def test_the_first_event_has_item_and_priority_and_the_time_of_the_alert() -> None:
    (event,) = events_of(
        [Step(9, NOW, TicketEventKind.OPENED, ActorKind.RULE, {"priority": "1: much is touched"})],
        item="server",
        priority=3,
        reasons=(),
    )

    assert event == Event(18, NOW, EventKind.CREATED, "server", 1, By.AUTO)


def test_a_priority_is_a_number_beside_its_reason_and_what_earlier_versions_wrote_is_read() -> None:
    def told_by(data: dict[str, Any]) -> int | None:
        return priority_told(Step(1, NOW, TicketEventKind.PRIORITISED, ActorKind.PERSON, data))

    assert told_by({"priority": 2, "reason": "3: is no priority"}) == 2
    assert told_by({"priority": "2: much is touched"}) == 2


def test_what_a_ticket_was_opened_with_is_known_though_its_first_entry_does_not_tell() -> None:
    steps = [
        Step(1, NOW, TicketEventKind.OPENED, ActorKind.PERSON, {}),
        Step(2, NOW, TicketEventKind.PRIORITISED, ActorKind.PERSON, {"priority": 1, "was": 3}),
        Step(3, NOW, TicketEventKind.PRIORITISED, ActorKind.PERSON, {"priority": 2, "was": 1}),
    ]

    assert priority_at_first(steps, 2) == 3
    assert priority_at_first(steps[:1], 2) == 2


def test_a_person_who_says_how_urgent_it_is_is_told_to_clocks() -> None:
    (event,) = told((TicketEventKind.PRIORITISED, {"priority": 4, "was": 2}))

    assert (event.kind, event.priority) == (EventKind.PRIORITY, 4)


@pytest.mark.parametrize("data", [{}, {"priority": None}, {"priority": "high"}, {"priority": "²: two"}])
def test_a_first_entry_that_does_not_tell_a_priority_has_the_tickets(data: dict[str, Any]) -> None:
    step = Step(1, NOW, TicketEventKind.OPENED, ActorKind.PERSON, data)

    assert [event.priority for event in events_of([step], item="", priority=4, reasons=())] == [4]


def test_waiting_pauses_for_what_the_contract_names_and_for_nothing_else() -> None:
    waits = (TicketEventKind.WAITING, {"for": "awaiting_customer"})

    assert kinds(told(waits)) == ["paused awaiting_customer"]
    assert kinds(told(waits, waits)) == ["paused awaiting_customer"]
    assert kinds(told(waits, (TicketEventKind.WAITING, {"for": "awaiting_vendor"}))) == [
        "paused awaiting_customer",
        "paused awaiting_vendor",
    ]
    assert kinds(told((TicketEventKind.WAITING, {"for": "godot"}), (TicketEventKind.RESUMED, {}))) == []
    assert kinds(told(waits, (TicketEventKind.WAITING, {"for": "godot"}))) == [
        "paused awaiting_customer",
        "resumed",
    ]


def test_what_is_solved_waits_no_more_and_may_wait_for_the_same_again() -> None:
    waits = (TicketEventKind.WAITING, {"for": "awaiting_customer"})
    solved, reopened = (TicketEventKind.SOLVED, {}), (TicketEventKind.REOPENED, {})

    assert kinds(told(waits, solved, reopened, waits)) == [
        "paused awaiting_customer",
        "solved",
        "reopened",
        "paused awaiting_customer",
    ]


@pytest.mark.parametrize(
    ("kind", "meant"),
    [
        (TicketEventKind.RESUMED, ["resumed"]),
        (TicketEventKind.RELEASED, ["resumed"]),
        (TicketEventKind.TAKEN, ["taken", "resumed"]),
    ],
)
def test_who_takes_or_releases_a_ticket_that_waits_goes_on_with_it(
    kind: TicketEventKind, meant: list[str]
) -> None:
    waits = (TicketEventKind.WAITING, {"for": "awaiting_customer"})

    assert kinds(told(waits, (kind, {})))[1:] == meant


def test_a_ticket_is_assigned_as_it_is_opened_and_whenever_it_is_given_to_a_team_or_a_supplier() -> None:
    opened = Step(1, NOW, TicketEventKind.OPENED, ActorKind.RULE, {"team": "servers"})

    assert kinds(events_of([opened], item="server", priority=2, reasons=())) == [
        "created server",
        "assigned servers",
    ]
    assert kinds(
        told(
            (TicketEventKind.ASSIGNED, {"team": "network", "owner": "alice"}),
            (TicketEventKind.ASSIGNED, {"supplier": "Lines Ltd"}),
        )
    ) == ["assigned network", "assigned Lines Ltd"]


def test_a_team_that_gives_it_to_one_of_its_own_is_nothing_to_clocks() -> None:
    assert kinds(told((TicketEventKind.ASSIGNED, {"owner": "alice"}))) == []
    assert kinds(told((TicketEventKind.ALERT_FIRED, {"team": "servers"}))) == []


def test_who_solves_is_a_technician_or_a_program() -> None:
    solved = (TicketEventKind.SOLVED, {})

    assert [event.by for event in told(solved, by=ActorKind.PERSON)] == [By.TECHNICIAN]
    assert [event.by for event in told(solved, by=ActorKind.SYSTEM)] == [By.AUTO]


def test_what_is_closed_without_being_solved_is_solved_then() -> None:
    assert kinds(told((TicketEventKind.CLOSED, {}))) == ["solved", "closed"]
    assert kinds(told((TicketEventKind.SOLVED, {}), (TicketEventKind.CLOSED, {}))) == ["solved", "closed"]


def test_an_alert_counts_where_it_makes_the_ticket_more_urgent() -> None:
    assert kinds(told((TicketEventKind.ALERT_FIRED, {}))) == []
    (event,) = told((TicketEventKind.ALERT_FIRED, {"priority": "1: worse"}))
    assert (event.kind, event.priority) == (EventKind.PRIORITY, 1)
    assert kinds(told((TicketEventKind.SOLVED, {}), (TicketEventKind.REOPENED, {"priority": "1: worse"}))) == [
        "solved",
        "reopened",
        "priority",
    ]


def test_only_a_word_to_the_requester_is_a_comment() -> None:
    def said(*, is_public: bool) -> list[str]:
        steps = [
            Step(1, NOW, TicketEventKind.OPENED, ActorKind.RULE, {}),
            Step(2, NOW, TicketEventKind.COMMENTED, ActorKind.PERSON, {}, is_public),
        ]
        return kinds(events_of(steps, item="", priority=2, reasons=()))

    assert said(is_public=False) == ["created"]
    assert said(is_public=True) == ["created", "comment"]


def test_an_entry_that_is_told_late_happens_after_the_one_before_it() -> None:
    steps = [
        Step(1, NOW, TicketEventKind.OPENED, ActorKind.RULE, {}),
        Step(2, NOW - 5000, TicketEventKind.SOLVED, ActorKind.SYSTEM, {}),
    ]

    assert [event.at_ms for event in events_of(steps, item="", priority=2, reasons=())] == [NOW, NOW]
