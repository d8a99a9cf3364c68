"""An event that cannot have happened is an error that names it, and no clock is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.server.sla.contracts import contract
from tests.server.sla.tickets import events, moment, stand

from tocsin_server.errors import Unprocessable
from tocsin_server.sla.clock import clocks
from tocsin_server.sla.course import course_of
from tocsin_server.sla.events import Event, EventKind, ImpossibleEvent

CREATED = "06-08 09:00 created 2"


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["06-08 09:00 taken"], "event 1, taken: the ticket is not created yet"),
        (["06-08 10:00 created 2", "06-08 09:59 taken"], "event 2, taken: the ticket is not created yet"),
        ([CREATED, CREATED], "event 2, created: the ticket was created before"),
        (["06-08 09:00 created 5"], "event 1, created: there is no priority 5: they are 1 to 4"),
        ([CREATED, "06-08 09:10 priority 0"], "event 2, priority: there is no priority 0"),
        (
            [CREATED, "06-08 09:10 sla_changed lead"],
            "there is no SLA 'lead' in the contract: there are gold, iron",
        ),
        ([CREATED, "06-08 09:10 sla_changed network"], "there is no SLA 'network' in the contract"),
        (
            [CREATED, "06-08 09:10 paused tired"],
            "no pause reason 'tired' in the contract: there are awaiting_cust",
        ),
        (
            [CREATED, "06-08 09:10 paused awaiting_vendor", "06-08 09:20 paused awaiting_vendor"],
            "event 3, paused: it is paused for awaiting_vendor already",
        ),
        ([CREATED, "06-08 09:10 resumed"], "event 2, resumed: the ticket is not paused"),
        ([CREATED, "06-08 09:10 reopened"], "event 2, reopened: the ticket is not solved"),
        ([CREATED, "06-08 09:10 closed"], "event 2, closed: the ticket is not solved"),
        ([CREATED, "06-08 09:10 solved", "06-08 09:20 solved"], "event 3, solved: the ticket is solved"),
        ([CREATED, "06-08 09:10 solved", "06-08 09:20 taken"], "event 3, taken: the ticket is solved"),
        (
            [CREATED, "06-08 09:10 solved", "06-08 09:20 paused awaiting_vendor"],
            "event 3, paused: the ticket is solved: 'reopened' comes before",
        ),
        (
            [CREATED, "06-08 09:10 solved", "06-08 09:20 closed", "06-08 09:30 reopened"],
            "event 4, reopened: the ticket is closed",
        ),
        ([CREATED, "06-08 09:10 merged 7", "06-08 09:20 taken"], "event 3, taken: the ticket is merged into"),
        (
            [CREATED, "06-08 09:10 merged 7", "06-08 09:20 merged 8"],
            "event 3, merged: the ticket is merged into",
        ),
        ([CREATED, "06-08 09:10 unmerged"], "event 2, unmerged: the ticket is not merged"),
        ([CREATED, "06-08 09:10 separated 7"], "event 2, separated: ticket 7 is not absorbed"),
        (
            [CREATED, "06-08 09:10 absorbed 7 06-08 08:00", "06-08 09:20 absorbed 7 06-08 08:00"],
            "event 3, absorbed: ticket 7 is absorbed already",
        ),
        ([CREATED, "06-08 09:10 absorbed 7 06-08 09:11"], "ticket 7 is created after it is absorbed"),
        ([CREATED, "06-08 09:10 maintenance_ended x"], "event 2, maintenance_ended: window x has not begun"),
        (
            [CREATED, "06-08 09:10 maintenance_began x", "06-08 09:20 maintenance_began x"],
            "event 3, maintenance_began: window x has begun already",
        ),
    ],
)
def test_what_cannot_have_happened_is_named(lines, why):
    with pytest.raises(ImpossibleEvent) as refused:
        stand("06-08 12:00", *lines)

    assert why in str(refused.value)


def test_an_id_stands_once_even_of_what_has_not_happened_yet():
    told = [*events(CREATED), Event(1, moment("06-20 10:00"), EventKind.TAKEN)]

    with pytest.raises(ImpossibleEvent, match="event 1, taken: its id stands twice"):
        clocks(told, contract(), moment("06-08 12:00"))


@pytest.mark.parametrize("lines", [[], ["06-08 12:01 created 2"]])
def test_before_the_first_event_there_is_nothing_to_tell(lines):
    with pytest.raises(Unprocessable, match="nothing has happened yet"):
        stand("06-08 12:00", *lines)


def test_maintenance_goes_on_whatever_becomes_of_the_ticket():
    begun = "06-08 09:10 maintenance_began x"

    for end in (["06-08 09:30 merged 7"], ["06-08 09:30 solved", "06-08 09:40 closed"]):
        assert stand("06-08 12:00", CREATED, begun, *end, "06-08 10:00 maintenance_ended x")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (
            "06-08 09:00 created 2 advice",
            "no item 'advice' with an SLA on 2026-06-08: name one of its items: server",
        ),
        ("06-08 09:00 created 2 nothing", "no item 'nothing' with an SLA"),
    ],
)
def test_a_ticket_about_what_is_not_promised_is_refused(line, why):
    with pytest.raises(Unprocessable) as refused:
        stand("06-08 12:00", line)

    assert why in str(refused.value)


def test_a_ticket_without_an_item_has_the_only_sla():
    no_item = Event(1, moment("06-08 09:00"), EventKind.CREATED, priority=2)

    with pytest.raises(Unprocessable, match="has 2 SLAs on 2026-06-08"):
        clocks([no_item], contract(), moment("06-08 12:00"))


@given(st.lists(st.sampled_from(EventKind), max_size=8), st.randoms(use_true_random=False))
def test_any_story_is_told_or_refused_and_has_a_phase_for_each_event(kinds, random):
    names = {EventKind.PAUSED: "awaiting_vendor", EventKind.SLA_CHANGED: "silver", EventKind.CREATED: "server"}
    told = [
        Event(n, moment("06-08 09:00") + random.randrange(3), kind, names.get(kind, "x"), 2)
        for n, kind in enumerate([EventKind.CREATED, *kinds])
    ]

    try:
        course = course_of(told, contract(), moment("06-08 12:00"))
    except ImpossibleEvent as refused:
        impossible = refused.event
        without = [event for event in told if event.id != impossible.id]
        assert impossible in told
        assert len(without) == len(told) - 1
    else:
        assert len(course.phases) == len(told)
