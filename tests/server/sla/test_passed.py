"""Each threshold of a clock is passed once, and of those that are passed together the last is told."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share
from tests.server.sla.contracts import CONTRACT, contract
from tests.server.sla.test_clock import stories
from tests.server.sla.tickets import events, moment, stand

from tocsin_server.sla.clock import clocks
from tocsin_server.sla.contractfile import read_contract
from tocsin_server.sla.passed import Key, Look, key_of, look_at

MONDAY = "06-08 08:00 created 1"
"""15 minutes for `ack`, half an hour for `first_response`, four hours for `resolve`, in the office's time."""


def look(now: str, *lines: str, told: Sequence[Key] = ()) -> Look:
    return look_at(stand(now, *lines), told, moment(now))


def said(found: Look) -> list[tuple[str, str, bool]]:
    return [(each.clock.target.kind.value, each.instant.threshold, each.is_breach) for each in found.news]


def names(found: Look) -> list[tuple[str, str]]:
    return [(key.kind, key.threshold) for key, _ in found.passed]


def test_nothing_is_passed_at_its_very_instant_and_all_a_millisecond_later() -> None:
    at_it = look("06-08 08:07:30", MONDAY)
    later = look_at(stand("06-08 08:07:30", MONDAY), (), moment("06-08 08:07:30") + 1)

    assert (said(at_it), at_it.next_ms) == ([], moment("06-08 08:07:30"))
    assert (said(later), later.next_ms) == ([("ack", "50%", False)], moment("06-08 08:15"))


def test_of_those_that_are_passed_together_the_last_is_told_and_all_are_written_down() -> None:
    found = look("06-08 08:16", MONDAY, "06-08 08:15:30 comment requester")

    assert names(found) == [("ack", "50%"), ("ack", "100%"), ("first_response", "50%")]
    assert said(found) == [("first_response", "50%", False), ("ack", "100%", True)]


def test_what_was_written_down_is_not_told_again() -> None:
    first = look("06-08 08:16", MONDAY)

    again = look("06-08 08:16", MONDAY, told=[key for key, _ in first.passed])

    assert (again.passed, again.news, again.next_ms) == ((), (), first.next_ms)


def test_a_time_before_the_deadline_is_told_as_its_share_of_the_target() -> None:
    found = look("06-08 11:31", MONDAY)

    (resolve,) = (each.instant for each in found.news if each.clock.target.kind == "resolve")
    assert (resolve.threshold, resolve.used_percent) == ("30m", 87.5)


def test_a_breach_is_told_where_the_agreement_names_no_threshold_for_it() -> None:
    early = read_contract("c.yml", CONTRACT.replace("[50%, 100%, 150%, 30m]", "[50%]"), lambda name: "")
    now_ms = moment("06-08 08:16")

    ahead = look_at(clocks(events(MONDAY), early, moment("06-08 08:10")), (), moment("06-08 08:10"))
    found = look_at(clocks(events(MONDAY), early, now_ms), (), now_ms)

    assert ahead.next_ms == moment("06-08 08:15")
    assert ("ack", "100%", True) in said(found)


def test_what_was_done_at_the_deadline_is_no_breach_and_what_was_done_later_is_told_for_an_hour() -> None:
    in_time = look("06-08 08:20", MONDAY, "06-08 08:15 taken")
    late = look("06-08 08:20", MONDAY, "06-08 08:16 taken")
    long_ago = look("06-08 09:17", MONDAY, "06-08 08:16 taken")

    assert ("ack", "50%", False) in said(in_time)
    assert ("ack", "100%", True) in said(late)
    assert "ack" not in {kind for kind, _, _ in said(long_ago)}
    assert ("ack", "100%") in names(long_ago)


def test_what_took_the_place_of_a_clock_is_told_as_it_stands_and_the_old_one_no_more() -> None:
    found = look("06-08 08:20", "06-08 08:00 created 2", "06-08 08:18 priority 1")

    assert [each.clock.priority for each in found.news] == [1, 1]
    assert said(found) == [("first_response", "50%", False), ("ack", "100%", True)]


def test_a_threshold_that_is_added_below_one_that_was_told_is_passed_over() -> None:
    first = look("06-08 08:16", MONDAY)
    more = read_contract("c.yml", CONTRACT.replace("[50%, 100%,", "[50%, 75%, 100%,"), lambda name: "")
    now_ms = moment("06-08 08:16")

    again = look_at(clocks(events(MONDAY), more, now_ms), [key for key, _ in first.passed], now_ms)

    assert (names(again), said(again)) == ([("ack", "75%")], [])


def test_nobody_knows_when_to_look_again_at_what_is_solved() -> None:
    assert look("06-08 08:02", MONDAY, "06-08 08:01 solved").next_ms is None


@settings(max_examples=share(30))
@given(stories(), st.lists(st.integers(1, 2000), max_size=8))
def test_however_often_one_looks_each_threshold_is_written_down_once_and_none_is_left_out(
    story: tuple[list[str], str], steps: list[int]
) -> None:
    lines, last = story
    told: set[Key] = set()
    for place in range(len(steps) + 1):
        now_ms = moment(last) - 60_000 * sum(steps[place:])
        so_far = [each for each in events(*lines) if each.at_ms <= now_ms]
        if not so_far:
            continue

        found = look_at(clocks(so_far, contract(), now_ms), told, now_ms)

        keys = {key for key, _ in found.passed}
        assert len(keys) == len(found.passed)
        assert not told & keys
        assert all(instant.at_ms < now_ms for _, instant in found.passed)
        assert {key_of(each.clock, each.instant) for each in found.news} <= keys
        assert found.next_ms is None or found.next_ms >= now_ms
        told |= keys
    at_last = look_at(clocks(events(*lines), contract(), moment(last)), (), moment(last))
    assert {key for key, _ in at_last.passed} <= told
