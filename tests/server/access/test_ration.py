"""What a flood of failures leaves in the log is bounded, and what is left out is counted once."""

from tests.server.access.conftest import NOW

from tocsin_server.access.ration import AT_ONCE, EVERY_MS, Ration


def taken(ration: Ration, times: int, now_ms: int) -> list[int | None]:
    return [ration.take(now_ms) for _ in range(times)]


def test_so_many_at_once_and_then_one_a_minute() -> None:
    ration = Ration()

    assert taken(ration, AT_ONCE + 2, NOW) == [0] * AT_ONCE + [None] * 2
    assert taken(ration, 1, NOW + EVERY_MS - 1) == [None]
    assert taken(ration, 2, NOW + EVERY_MS) == [3, None]
    assert taken(ration, 2, NOW + 2 * EVERY_MS) == [1, None]


def test_after_a_quiet_time_there_are_as_many_as_at_first_and_what_was_left_out_is_told_once() -> None:
    ration = Ration()
    taken(ration, AT_ONCE + 1, NOW)

    assert taken(ration, AT_ONCE + 1, NOW + 1000 * EVERY_MS) == [1, *[0] * (AT_ONCE - 1), None]


def test_a_clock_that_is_set_back_gives_nothing_away() -> None:
    ration = Ration()
    taken(ration, AT_ONCE, NOW)

    assert taken(ration, 1, NOW - 1000 * EVERY_MS) == [None]
