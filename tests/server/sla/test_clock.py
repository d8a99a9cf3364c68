"""How the clocks of a ticket stand: the vectors of the specification, each rule alone, what always holds."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share
from tests.server.sla.calendars import HOUR, MINUTE
from tests.server.sla.contracts import contract
from tests.server.sla.tickets import events, moment, one, stand

from tocsin_server.sla.clock import Clock, ClockState, clocks

RUNNING, PAUSED, MET = ClockState.RUNNING, ClockState.PAUSED, ClockState.MET
BREACHED, CANCELLED, SUPERSEDED = ClockState.BREACHED, ClockState.CANCELLED, ClockState.SUPERSEDED


def told(clock: Clock) -> list[tuple[str, float, float]]:
    """Segments as name, open hours, closed hours."""
    return [(each.name, each.open_ms / HOUR, each.closed_ms / HOUR) for each in clock.segments]


# -- the vectors of the specification that need events


def test_vector_5_a_pause_moves_the_deadline_by_its_open_time():
    clock = one(
        stand(
            "06-08 09:00",
            "06-05 10:00 created 2",
            "06-05 15:00 paused awaiting_customer",
            "06-08 09:00 resumed",
        ),
        "resolve",
    )

    assert clock.elapsed_ms == 5 * HOUR
    assert clock.deadline_ms == moment("06-08 12:00")


def test_vector_6_a_swap_keeps_start_and_pauses():
    found = stand(
        "06-08 14:00",
        "06-08 09:00 created 2",
        "06-08 10:00 paused awaiting_customer",
        "06-08 12:00 resumed",
        "06-08 14:00 priority 1",
    )

    was, now = (each for each in found if each.target.kind == "resolve")
    assert (was.state, was.ended_ms, was.elapsed_ms) == (SUPERSEDED, moment("06-08 14:00"), 3 * HOUR)
    assert (now.state, now.elapsed_ms, now.deadline_ms) == (RUNNING, 3 * HOUR, moment("06-08 15:00"))


def test_vector_7_a_ticket_that_is_reopened_goes_on_with_what_has_elapsed():
    clock = one(
        stand("06-10 10:00", "06-08 09:00 created 2", "06-08 13:00 solved", "06-10 10:00 reopened"), "resolve"
    )

    assert clock.deadline_ms == moment("06-10 14:00")
    assert told(clock) == [("running", 4, 0), ("solved", 5 + 10 + 2, 14 + 14), ("running", 0, 0)]


# -- breach


@pytest.mark.parametrize(
    ("now", "state", "left"),
    [
        ("06-08 10:00", RUNNING, 7 * HOUR),
        ("06-08 17:00", RUNNING, 0),  # at the deadline it can still be kept
        ("06-08 17:01", BREACHED, -MINUTE),
        ("06-09 08:00", BREACHED, -HOUR),
    ],
)
def test_a_clock_is_breached_when_its_deadline_is_past(now, state, left):
    clock = one(stand(now, "06-08 09:00 created 2"), "resolve")

    assert (clock.state, clock.remaining_ms, clock.deadline_ms) == (state, left, moment("06-08 17:00"))
    assert clock.breached_ms == (moment("06-08 17:00") if state is BREACHED else None)


def test_what_is_solved_after_closing_time_is_late_although_nothing_has_elapsed_since():
    clock = one(stand("06-09 12:00", "06-08 10:00 created 2", "06-08 18:30 solved"), "resolve")

    assert (clock.state, clock.remaining_ms, clock.ended_ms) == (BREACHED, 0, moment("06-08 18:30"))


def test_what_is_solved_at_the_deadline_is_met():
    clock = one(stand("06-09 12:00", "06-08 10:00 created 2", "06-08 18:00 solved"), "resolve")

    assert (clock.state, clock.deadline_ms, clock.ended_ms) == (
        MET,
        moment("06-08 18:00"),
        moment("06-08 18:00"),
    )


@pytest.mark.parametrize(("ends", "goes_on"), [("solved", "reopened"), ("paused awaiting_customer", "resumed")])
def test_a_target_that_is_used_up_as_the_clock_stops_was_due_then_and_is_breached_once_it_goes_on(
    ends, goes_on
):
    story = ("06-08 09:00 created 2", f"06-08 17:00 {ends}", f"06-10 10:00 {goes_on}")

    stopped = one(stand("06-09 12:00", *story), "resolve")
    gone_on = one(stand("06-10 10:01", *story), "resolve")

    assert stopped.state in (MET, PAUSED)
    assert gone_on.state is BREACHED
    assert stopped.deadline_ms == gone_on.deadline_ms == gone_on.breached_ms == moment("06-08 17:00")


def test_a_pause_for_another_reason_does_not_make_a_deadline_of_when_it_would_have_been():
    clock = one(
        stand(
            "06-10 12:00",
            "06-08 09:00 created 2",
            "06-08 16:00 paused awaiting_customer",
            "06-09 12:00 maintenance_began w",
        ),
        "resolve",
    )

    assert (clock.state, clock.deadline_ms) == (PAUSED, None)


def test_a_breach_stays_through_pause_and_solution():
    clock = one(
        stand(
            "06-09 12:00",
            "06-08 09:00 created 2",
            "06-08 17:30 paused awaiting_customer",
            "06-09 09:00 solved",
        ),
        "resolve",
    )

    assert (clock.state, clock.breached_ms) == (BREACHED, moment("06-08 17:00"))


def test_a_promise_of_no_time_is_due_when_the_calendar_opens():
    clock = one(stand("06-06 11:00", "06-06 11:00 created 4"), "ack")

    assert (clock.state, clock.deadline_ms) == (RUNNING, moment("06-08 08:00"))


# -- what ends which clock


@pytest.mark.parametrize(
    ("line", "ack", "response"),
    [
        ("taken", True, False),
        ("taken auto", False, False),
        ("comment technician", True, True),
        ("comment technician!", False, False),
        ("comment requester", False, False),
        ("comment auto", False, False),
        ("solved", True, True),
        ("paused awaiting_customer", False, False),
    ],
)
def test_a_person_acknowledges_and_only_what_the_requester_reads_responds(line, ack, response):
    found = stand("06-08 09:20", "06-08 09:00 created 2", f"06-08 09:10 {line}")

    for kind, is_ended in (("ack", ack), ("first_response", response)):
        clock = one(found, kind)
        assert (clock.state, clock.ended_ms) == (
            (MET, moment("06-08 09:10")) if is_ended else (RUNNING, None)
        ), kind


def test_what_a_program_has_solved_was_not_acknowledged_if_it_comes_again():
    lines = ("06-08 09:00 created 2", "06-08 09:10 solved auto")
    solved, again = (
        one(stand(now, *more), "ack")
        for now, *more in [
            ("06-08 09:40", *lines),
            ("06-08 09:50", *lines, "06-08 09:40 reopened"),
        ]
    )

    assert (solved.state, solved.ended_ms) == (MET, moment("06-08 09:10"))
    assert (again.state, again.elapsed_ms, again.deadline_ms) == (RUNNING, 20 * MINUTE, moment("06-08 10:00"))


def test_updates_go_round_from_word_to_word():
    found = stand(
        "06-08 15:00",
        "06-08 09:00 created 2",
        "06-08 10:30 comment technician",
        "06-08 11:00 comment requester",
        "06-08 13:00 comment technician",
    )

    rounds = [each for each in found if each.target.kind == "update"]
    assert [(each.round, each.state, each.start_ms) for each in rounds] == [
        (1, MET, moment("06-08 09:00")),
        (2, BREACHED, moment("06-08 10:30")),
        (3, RUNNING, moment("06-08 13:00")),
    ]
    assert [each.ended_ms for each in rounds] == [moment("06-08 10:30"), moment("06-08 13:00"), None]
    assert rounds[2].deadline_ms == moment("06-08 15:00")


def test_nobody_is_owed_an_update_of_what_is_solved_and_a_reopened_ticket_begins_a_round():
    lines = ("06-08 09:00 created 2", "06-08 10:00 solved")

    solved = stand("06-08 15:00", *lines)
    reopened = stand("06-08 15:00", *lines, "06-08 14:00 reopened")

    assert [each.state for each in solved if each.target.kind == "update"] == [MET]
    assert one(reopened, "update", number=2).start_ms == moment("06-08 14:00")


def test_a_word_while_it_is_solved_counts_from_the_reopening():
    found = stand(
        "06-08 15:00",
        "06-08 09:00 created 2",
        "06-08 10:00 solved auto",
        "06-08 11:00 comment technician",
        "06-08 14:00 reopened",
    )

    first, second = (each for each in found if each.target.kind == "update")
    assert (first.state, first.elapsed_ms) == (MET, HOUR)
    assert (second.round, second.start_ms, second.elapsed_ms) == (2, moment("06-08 14:00"), HOUR)


# -- pauses and maintenance


def test_a_reason_pauses_the_clocks_for_which_it_is_a_reason():
    found = stand("06-08 12:00", "06-08 09:00 created 2", "06-08 09:10 paused awaiting_customer")

    assert {each.target.kind: (each.state, each.reason) for each in found} == {
        "ack": (BREACHED, ""),
        "first_response": (BREACHED, ""),
        "resolve": (PAUSED, "awaiting_customer"),
        "update": (PAUSED, "awaiting_customer"),
    }
    assert one(found, "resolve").deadline_ms is None
    assert told(one(found, "resolve")) == [("running", 1 / 6, 0), ("paused:awaiting_customer", 2 + 5 / 6, 0)]


def test_a_pause_for_another_reason_takes_the_place_of_the_first():
    clock = one(
        stand(
            "06-08 13:00",
            "06-08 09:00 created 2",
            "06-08 10:00 paused awaiting_customer",
            "06-08 11:00 paused awaiting_vendor",
        ),
        "resolve",
    )

    assert told(clock) == [("running", 1, 0), ("paused:awaiting_customer", 1, 0), ("running", 2, 0)]


def test_a_solution_ends_the_pause():
    clock = one(
        stand(
            "06-08 14:00",
            "06-08 09:00 created 2",
            "06-08 10:00 paused awaiting_customer",
            "06-08 11:00 solved",
            "06-08 13:00 reopened",
        ),
        "resolve",
    )

    assert (clock.state, clock.elapsed_ms) == (RUNNING, 2 * HOUR)


def test_a_deadline_that_a_pause_leaves_open_is_not_told_of_what_was_solved_meanwhile():
    clock = one(
        stand(
            "06-09 09:00", "06-08 09:00 created 2", "06-08 10:00 paused awaiting_customer", "06-08 17:30 solved"
        ),
        "resolve",
    )

    assert (clock.state, clock.deadline_ms, clock.elapsed_ms) == (MET, None, HOUR)


def test_maintenance_is_excluded_for_every_clock_until_the_last_window_is_over():
    found = stand(
        "06-08 12:00",
        "06-08 09:00 created 2",
        "06-08 09:05 maintenance_began patches",
        "06-08 09:30 maintenance_began disks",
        "06-08 10:00 maintenance_ended patches",
        "06-08 11:55 maintenance_ended disks",
    )

    for clock in found:
        assert clock.elapsed_ms == 10 * MINUTE
        assert [each.name for each in clock.segments] == ["running", "excluded:maintenance", "running"]


def test_what_is_solved_is_solved_in_maintenance_too():
    found = stand(
        "06-08 12:00", "06-08 09:00 created 2", "06-08 09:05 maintenance_began patches", "06-08 10:00 solved"
    )

    assert [each.name for each in one(found, "resolve").segments] == [
        "running",
        "excluded:maintenance",
        "solved",
    ]


def test_a_clock_in_maintenance_is_paused_for_it():
    found = stand("06-08 12:00", "06-08 09:00 created 2", "06-08 09:05 maintenance_began patches")

    assert {(each.state, each.reason) for each in found} == {(PAUSED, "maintenance")}


# -- another priority, another SLA


def test_what_has_ended_stays_as_it_was_when_the_priority_changes():
    found = stand("06-08 12:00", "06-08 09:00 created 2", "06-08 09:20 taken", "06-08 10:00 priority 1")

    acks = [each for each in found if each.target.kind == "ack"]
    assert [(each.priority, each.state) for each in acks] == [(2, MET)]
    responses = [each for each in found if each.target.kind == "first_response"]
    assert [(each.priority, each.state) for each in responses] == [(2, SUPERSEDED), (1, BREACHED)]
    assert responses[1].breached_ms == moment("06-08 09:30")


def test_from_the_change_on_a_clock_begins_anew_if_the_agreement_says_so():
    found = stand("06-08 12:00", "06-08 09:00 created 2", "06-08 11:00 sla_changed iron")

    was, now = (each for each in found if each.target.kind == "resolve")
    assert (was.state, was.elapsed_ms) == (SUPERSEDED, 2 * HOUR)
    assert (now.start_ms, now.elapsed_ms, now.deadline_ms) == (
        moment("06-08 11:00"),
        HOUR,
        moment("06-08 17:00"),
    )


def test_the_time_before_a_change_paused_for_what_the_earlier_sla_paused_for():
    clock = one(
        stand(
            "06-08 17:00",
            "06-08 09:00 created 2",
            "06-08 10:00 paused awaiting_customer",
            "06-08 12:00 paused awaiting_vendor",
            "06-08 13:00 sla_changed silver",
            "06-08 14:00 paused awaiting_customer",
        ),
        "resolve",
        "silver",
    )

    # gold waits for the customer and not for the vendor, silver the other way round
    assert told(clock) == [
        ("running", 1, 0),
        ("paused:awaiting_customer", 2, 0),
        ("running", 1, 0),
        ("paused:awaiting_vendor", 1, 0),
        ("running", 3, 0),
    ]


def test_a_round_of_updates_goes_on_under_another_sla():
    found = stand(
        "06-08 13:00",
        "06-08 09:00 created 2",
        "06-08 10:00 comment technician",
        "06-08 11:00 sla_changed silver",
        "06-08 12:00 comment technician",
    )

    rounds = [(each.agreement.name, each.round, each.state) for each in found if each.target.kind == "update"]
    assert rounds == [("gold", 1, MET), ("gold", 2, SUPERSEDED), ("silver", 2, MET), ("silver", 3, RUNNING)]
    assert one(found, "update", "silver", 2).start_ms == moment("06-08 10:00")


def test_a_round_that_begins_with_a_reopening_is_the_later_sla_s():
    found = stand(
        "06-08 15:00",
        "06-08 09:00 created 2",
        "06-08 10:00 solved",
        "06-08 11:00 sla_changed silver",
        "06-08 14:00 reopened",
    )

    rounds = [(each.agreement.name, each.round, each.state) for each in found if each.target.kind == "update"]
    assert rounds == [("gold", 1, MET), ("silver", 2, RUNNING)]


@pytest.mark.parametrize(
    "same",
    [
        ["06-08 10:00 priority 2", "06-08 10:00 sla_changed gold", "06-08 10:00 assigned network team"],
        ["06-08 10:00 assigned Télécom", "06-08 11:00 assigned Télécom"],
    ],
)
def test_the_same_again_changes_nothing(same):
    lines = ("06-08 09:00 created 2", "06-08 09:30 assigned network team")
    once = [line for line in same if "10:00 assigned" in line]

    assert stand("06-08 12:00", *lines, *same) == stand("06-08 12:00", *lines, *once)


def test_a_priority_without_a_promise_has_no_clock():
    assert one(stand("06-08 12:00", "06-08 09:00 created 3"), "resolve").target.target_ms == 24 * HOUR
    assert len(stand("06-08 12:00", "06-08 09:00 created 3")) == 1


# -- teams and suppliers


def test_a_team_s_clocks_begin_when_the_ticket_is_assigned_to_it():
    found = stand(
        "06-08 12:00", "06-08 09:00 created 2", "06-08 10:00 taken", "06-08 11:00 assigned network team"
    )

    clock = one(found, "resolve", "network")
    assert (clock.start_ms, clock.deadline_ms) == (moment("06-08 11:00"), moment("06-08 16:00"))
    assert one(found, "ack", "network").state is BREACHED


def test_a_team_that_hands_over_has_spent_nothing_of_the_other_s_time():
    found = stand(
        "06-08 15:00",
        "06-08 09:00 created 2",
        "06-08 10:00 assigned network team",
        "06-08 14:00 assigned systems team",
    )

    assert one(found, "resolve", "network").state is SUPERSEDED
    assert one(found, "resolve", "systems").elapsed_ms == HOUR
    assert one(found, "resolve", "gold").elapsed_ms == 6 * HOUR


def test_a_team_without_an_agreement_has_no_clock():
    found = stand(
        "06-08 15:00",
        "06-08 09:00 created 2",
        "06-08 10:00 assigned network team",
        "06-08 14:00 assigned nobody",
    )

    assert one(found, "resolve", "network").ended_ms == moment("06-08 14:00")
    assert {each.agreement.name for each in found} == {"gold", "network"}


def test_a_supplier_s_clock_goes_on_while_all_others_wait_for_it():
    lines = (
        "06-08 09:00 created 2",
        "06-08 09:00 assigned network team",
        "06-08 10:00 assigned Télécom",
        "06-08 10:00 paused awaiting_vendor",
    )

    away = stand("06-08 12:00", *lines)
    back = stand("06-08 15:00", *lines, "06-08 13:00 assigned network team")

    assert (one(away, "resolve", "lines").state, one(away, "resolve", "network").state) == (RUNNING, PAUSED)
    assert one(back, "resolve", "lines").elapsed_ms == 3 * HOUR
    assert one(back, "resolve", "lines").state is SUPERSEDED
    assert one(back, "resolve", "network").ended_ms is None


def test_a_supplier_that_is_given_the_ticket_again_starts_again():
    lines = ("06-08 09:00 created 2", "06-08 10:00 assigned Télécom", "06-08 11:00 assigned network team")

    found = stand("06-08 13:00", *lines, "06-08 12:00 assigned Télécom")

    assert [(each.state, each.elapsed_ms) for each in found if each.agreement.name == "lines"] == [
        (SUPERSEDED, HOUR),
        (RUNNING, HOUR),
    ]


def test_a_change_of_priority_is_retroactive_to_the_assignment_for_a_team():
    found = stand(
        "06-08 12:00", "06-08 09:00 created 2", "06-08 10:00 assigned network team", "06-08 11:00 priority 1"
    )

    now = [each for each in found if each.agreement.name == "network"][-1]
    assert (now.priority, now.start_ms, now.deadline_ms) == (1, moment("06-08 10:00"), moment("06-08 12:00"))
    assert (now.assigned.at_ms, now.assigned.id) == (moment("06-08 11:00"), 3)


# -- merging


def test_what_is_merged_into_another_ends_there_and_what_has_ended_stays():
    found = stand("06-08 12:00", "06-08 09:00 created 2", "06-08 09:20 taken", "06-08 10:00 merged 17")

    assert one(found, "ack").state is MET
    clock = one(found, "resolve")
    assert (clock.state, clock.reason, clock.ended_ms) == (CANCELLED, "merged", moment("06-08 10:00"))
    assert (clock.elapsed_ms, clock.deadline_ms) == (HOUR, None)


def test_what_is_unmerged_stands_as_though_it_had_never_been_merged():
    lines = ("06-08 09:00 created 2", "06-08 09:20 taken")

    unmerged = stand("06-08 12:00", *lines, "06-08 10:00 merged 17", "06-08 11:00 unmerged")

    assert unmerged == stand("06-08 12:00", *lines)


def test_the_survivor_keeps_its_clock():
    lines = ("06-08 09:00 created 2",)

    assert stand("06-08 12:00", *lines, "06-08 10:00 absorbed 16 06-05 17:00") == stand("06-08 12:00", *lines)


def test_the_survivor_starts_with_the_earliest_if_its_agreement_says_so():
    lines = (
        "06-08 09:00 created 2 desktop",
        "06-08 09:30 taken",
        "06-08 10:00 absorbed 16 06-05 17:00",
        "06-08 10:00 absorbed 15 06-08 08:30",
    )
    found = stand("06-08 12:00", *lines)

    clock = one(found, "resolve")
    assert (clock.start_ms, clock.elapsed_ms) == (moment("06-05 17:00"), 5 * HOUR)
    assert one(found, "ack").start_ms == moment("06-08 09:00")  # it had ended before
    assert told(clock) == [("running", 5, 62)]


def test_a_later_round_of_updates_starts_with_its_word_whatever_is_absorbed():
    found = stand(
        "06-08 12:00",
        "06-08 09:00 created 2 desktop",
        "06-08 10:00 comment technician",
        "06-08 11:00 absorbed 16 06-05 17:00",
    )

    assert [each.start_ms for each in found if each.target.kind == "update"] == [
        moment("06-08 09:00"),
        moment("06-08 10:00"),
    ]


def test_what_was_separated_again_counts_no_more():
    lines = ("06-08 09:00 created 2 desktop",)
    undone = ("06-08 10:00 absorbed 16 06-05 17:00", "06-08 11:00 separated 16")

    assert stand("06-08 12:00", *lines, *undone) == stand("06-08 12:00", *lines)


# -- thresholds


def test_each_threshold_has_its_instant():
    clock = one(stand("06-08 17:30", "06-08 15:00 created 2"), "resolve")

    assert [(each.name, each.at_ms, each.is_reached) for each in clock.passings] == [
        ("50%", moment("06-09 09:00"), False),
        ("100%", moment("06-09 13:00"), False),
        ("150%", moment("06-09 17:00"), False),
        ("30m", moment("06-09 12:30"), False),
    ]
    assert clock.next_threshold_ms == moment("06-09 09:00")


def test_a_threshold_is_reached_at_its_instant_and_the_next_one_follows():
    clock = one(stand("06-09 09:00", "06-08 15:00 created 2"), "resolve")

    assert [each.is_reached for each in clock.passings] == [True, False, False, False]
    assert clock.next_threshold_ms == moment("06-09 12:30")


def test_nobody_knows_when_a_paused_clock_reaches_what_is_ahead():
    clock = one(
        stand("06-09 12:00", "06-08 09:00 created 2", "06-08 14:00 paused awaiting_customer"), "resolve"
    )

    assert [(each.at_ms, each.is_reached) for each in clock.passings] == [
        (moment("06-08 13:00"), True),
        (None, False),
        (None, False),
        (None, False),
    ]
    assert clock.next_threshold_ms is None


def test_a_clock_that_is_met_at_its_deadline_has_not_reached_it():
    clock = one(stand("06-09 12:00", "06-08 09:00 created 2", "06-08 17:00 solved"), "resolve")

    assert {each.name: each.is_reached for each in clock.passings} == {
        "50%": True,
        "100%": False,
        "150%": False,
        "30m": True,
    }


def test_a_time_before_the_deadline_is_left_out_where_the_target_is_not_longer():
    clock = one(stand("06-08 10:00", "06-08 09:00 created 2"), "ack")

    assert [each.name for each in clock.passings] == ["50%", "100%", "150%"]


# -- when events come, and until when


def test_events_take_their_place_by_time_and_then_by_id():
    story = events(
        "06-08 09:00 created 2",
        "06-08 10:00 paused awaiting_customer",
        "06-08 10:00 resumed",
        "06-08 10:00 solved",
    )

    assert clocks(story[::-1], contract(), moment("06-08 12:00")) == clocks(
        story, contract(), moment("06-08 12:00")
    )


def test_what_is_later_than_now_has_not_happened():
    lines = ("06-08 09:00 created 2", "06-08 10:00 taken", "06-08 11:00 solved")

    assert stand("06-08 10:30", *lines) == stand("06-08 10:30", *lines[:2])


def test_a_closed_ticket_stands_as_it_was_solved_whatever_the_time():
    lines = ("06-08 09:00 created 2", "06-08 10:00 solved", "06-10 10:00 closed")

    assert stand("06-10 10:00", *lines) == stand("06-20 10:00", *lines)
    assert one(stand("06-20 10:00", *lines), "resolve").ended_ms == moment("06-08 10:00")


def test_a_clock_stands_in_the_very_instant_of_its_event():
    created = one(stand("06-08 09:00", "06-08 09:00 created 2"), "resolve")
    paused = one(
        stand("06-08 09:00", "06-08 09:00 created 2", "06-08 09:00 paused awaiting_customer"), "resolve"
    )

    assert (created.state, created.elapsed_ms, created.deadline_ms) == (RUNNING, 0, moment("06-08 17:00"))
    assert (paused.state, told(paused)) == (PAUSED, [("paused:awaiting_customer", 0, 0)])


# -- what always holds


OPEN = (
    "taken",
    "comment technician",
    "comment requester",
    "paused awaiting_customer",
    "paused awaiting_vendor",
)
"""What may happen to an open ticket; the rest depends."""


@st.composite
def stories(draw):
    """A lawful story of up to a dozen events and a moment after it, in minutes of June 2026."""
    minute = draw(st.integers(0, 3 * 1440))
    lines = [f"created {draw(st.sampled_from([1, 2, 2, 3]))} {draw(st.sampled_from(['server', 'desktop']))}"]
    minutes, reason, is_solved, in_maintenance = [minute], "", False, False
    for _ in range(draw(st.integers(0, 12))):
        lawful = (
            ["reopened", "comment technician", "priority 1", "priority 2"]
            if is_solved
            else [
                *(each for each in OPEN if each != f"paused {reason}"),
                *(
                    "solved",
                    "solved auto",
                    "priority 1",
                    "priority 2",
                    "sla_changed silver",
                    "sla_changed iron",
                ),
                *("sla_changed gold", "assigned network team", "assigned systems team", "assigned Télécom"),
                *(["resumed"] if reason else []),
            ]
        )
        lawful.append("maintenance_ended x" if in_maintenance else "maintenance_began x")
        line = draw(st.sampled_from(lawful))
        minutes.append(minutes[-1] + draw(st.one_of(st.just(0), st.integers(1, 90), st.integers(1, 2000))))
        lines.append(line)
        word, _, argument = line.partition(" ")
        in_maintenance = {"maintenance_began": True, "maintenance_ended": False}.get(word, in_maintenance)
        is_solved = {"solved": True, "reopened": False}.get(word, is_solved)
        reason = {"paused": argument, "resumed": "", "solved": ""}.get(word, reason)
    now = minutes[-1] + draw(st.integers(0, 3000))
    return [f"{_clock(each)} {line}" for each, line in zip(minutes, lines, strict=True)], _clock(now)


def _clock(minute: int) -> str:
    """So many minutes after 5 June, a Friday, as it is written in stories."""
    return f"06-{5 + minute // 1440:02} {minute // 60 % 24:02}:{minute % 60:02}"


@settings(max_examples=share(30))
@given(stories(), st.randoms(use_true_random=False))
def test_the_same_events_give_the_same_clocks_in_whatever_order_they_come(story, random):
    lines, now = story
    shuffled = events(*lines)
    random.shuffle(shuffled)

    found = clocks(shuffled, contract(), moment(now))

    assert found == stand(now, *lines) == stand(now, *lines)


@settings(max_examples=share(30))
@given(stories())
def test_each_clock_has_a_name_of_its_own(story):
    lines, now = story

    found = stand(now, *lines)

    names = {(each.agreement.name, each.target.kind, each.assigned.id, each.round) for each in found}
    assert len(names) == len(found)


@settings(max_examples=share(30))
@given(stories())
def test_segments_are_all_of_the_time_and_what_counts_of_them_has_elapsed(story):
    lines, now = story

    for clock in stand(now, *lines):
        ends = [clock.start_ms, *(each.to_ms for each in clock.segments)]
        assert [each.from_ms for each in clock.segments] == ends[:-1]
        assert ends[-1] in (moment(now), clock.ended_ms)
        assert sum(each.counted_ms for each in clock.segments) == clock.elapsed_ms
        assert all(each.open_ms >= 0 and each.closed_ms >= 0 for each in clock.segments)
        assert all(a.name != b.name for a, b in pairwise(clock.segments))


@settings(max_examples=share(30))
@given(stories())
def test_at_its_deadline_the_target_has_elapsed_and_a_minute_later_it_is_breached(story):
    lines, now = story
    told = events(*lines)

    for place, clock in enumerate(clocks(told, contract(), moment(now))):
        if clock.state is not RUNNING or clock.deadline_ms is None:
            continue
        due = clocks(told, contract(), clock.deadline_ms)[place]
        later = clocks(told, contract(), clock.deadline_ms + MINUTE)[place]
        assert (due.state, due.remaining_ms, due.deadline_ms) == (RUNNING, 0, clock.deadline_ms)
        assert (later.state, later.breached_ms) == (BREACHED, clock.deadline_ms)


@settings(max_examples=share(30))
@given(stories())
def test_the_next_threshold_is_reached_at_its_instant_and_not_before(story):
    lines, now = story
    told = events(*lines)

    for place, clock in enumerate(clocks(told, contract(), moment(now))):
        next_ms = clock.next_threshold_ms
        if next_ms is not None:
            reached = sum(each.is_reached for each in clock.passings)
            before, then = (clocks(told, contract(), at_ms)[place].passings for at_ms in (next_ms - 1, next_ms))
            assert next_ms > moment(now)
            assert sum(each.is_reached for each in before) == reached
            assert sum(each.is_reached for each in then) > reached


@settings(max_examples=share(30))
@given(stories())
def test_what_is_breached_stays_so_as_time_passes(story):
    lines, now = story
    told = events(*lines)
    later = clocks(told, contract(), moment(now) + 30 * HOUR)

    for clock, then in zip(clocks(told, contract(), moment(now)), later, strict=True):
        assert then.elapsed_ms >= clock.elapsed_ms
        if clock.breached_ms is not None:
            assert (then.breached_ms, then.state) == (clock.breached_ms, clock.state)


@settings(max_examples=share(30))
@given(stories())
def test_what_has_elapsed_is_what_adding_up_days_by_hand_gives(story):
    lines, now = story

    found = [
        each
        for each in stand(now, *lines)
        if each.target.kind == "resolve" and each.agreement.type == "sla" and each.state is not SUPERSEDED
    ]

    for clock in found:
        assert clock.elapsed_ms == by_hand(events(*lines), moment(now), clock.target.calendar.name)


def by_hand(told, now_ms, name):
    """The time of a ticket's SLA that counts: event by event, day by day, with nothing of the clock's own."""
    pauses = {"server": "awaiting_customer", "gold": "awaiting_customer", "desktop": "awaiting_vendor"}
    pauses["silver"] = "awaiting_vendor"
    elapsed = earlier = priority = 0
    sla, is_solved, reason, in_maintenance = "", False, "", False
    for event, until_ms in zip(told, [*(event.at_ms for event in told[1:]), now_ms], strict=True):
        was, word = (sla, priority), event.kind.value
        sla = event.name if word in ("created", "sla_changed") else sla
        priority = event.priority or priority
        earlier = elapsed if was != (sla, priority) else earlier
        is_solved = {"solved": True, "reopened": False}.get(word, is_solved)
        reason = {"paused": event.name, "resumed": "", "solved": ""}.get(word, reason)
        in_maintenance = {"maintenance_began": True, "maintenance_ended": False}.get(word, in_maintenance)
        if not (is_solved or in_maintenance or (reason and pauses.get(sla) == reason)):
            elapsed += until_ms - event.at_ms if name == "always" else opened(event.at_ms, until_ms)
    return elapsed - (earlier if sla == "iron" else 0)


def opened(from_ms, to_ms):
    """What Monday to Friday from 08:00 to 18:00 has of a stretch of June 2026, which begins on a Monday."""
    return sum(max(0, min(to_ms, opens + 10 * HOUR) - max(from_ms, opens)) for opens in OPENINGS)


OPENINGS = [moment(f"06-{day:02} 08:00") for day in range(1, 31) if day % 7 not in (6, 0)]
