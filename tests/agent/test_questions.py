"""Whose question it is, whether it may be asked, and with which key: decided on a clock that is moved."""

import pytest
from tests.agent.conftest import NOON_MS, HandClock

from tocsin_agent.errands import Errand
from tocsin_agent.errors import NotAsked
from tocsin_agent.questions import (
    AN_HOUR_S,
    KEPT_S,
    MOST_KEPT,
    NEW_ALLOWED,
    PATIENCE_S,
    TRIES_ALLOWED,
    Allowance,
    Questions,
)
from tocsin_protocol.wire import MAX_QUESTION_CHARACTERS, VERSION

ALICE, BOB = 1000, 1001
JAMS = "the printer jams"


class Desk:
    """Takes errands and settles them when it is told."""

    def __init__(self, hand_clock: HandClock) -> None:
        self.brought: list[Errand] = []
        self.questions = Questions(
            self.brought.append,
            settled=lambda: None,
            monotonic=lambda: hand_clock.seconds,
            now_ms=hand_clock.now_ms,
        )

    def ask(self, text: str = JAMS, uid: int = ALICE) -> Errand:
        return self.questions.ask(uid, "alice", text)

    @property
    def keys(self) -> list[object]:
        return [errand.said["key"] for errand in self.brought]


@pytest.fixture
def desk(hand_clock: HandClock) -> Desk:
    return Desk(hand_clock)


def test_a_question_is_an_errand_with_a_key_of_its_own(desk: Desk, hand_clock: HandClock):
    errand = desk.ask("  the printer jams\n")
    other = desk.ask("the screen is dark")

    assert desk.brought == [errand, other]
    assert errand.said | {"key": None} == {
        "v": VERSION,
        "key": None,
        "who": "alice",
        "text": JAMS,
        "now_ms": NOON_MS,
    }
    assert errand.until_s == hand_clock.seconds + PATIENCE_S
    assert len(set(desk.keys)) == 2
    assert {len(key) for key in desk.keys} == {16}


def test_asked_again_after_a_failure_it_has_the_same_key(desk: Desk, hand_clock: HandClock):
    for _ in range(5):
        desk.ask().settle(words="the server cannot be reached now")
        hand_clock.move(KEPT_S - 1)

    assert len(desk.brought) == 5
    assert len(set(desk.keys)) == 1


def test_asked_again_after_an_answer_it_gets_that_answer(desk: Desk, hand_clock: HandClock):
    desk.ask().settle(ticket=123)
    hand_clock.move(KEPT_S - 1)

    assert desk.ask().ticket == 123
    assert len(desk.brought) == 1


def test_after_ten_minutes_it_is_another_question(desk: Desk, hand_clock: HandClock):
    desk.ask().settle(ticket=123)
    hand_clock.move(KEPT_S)

    assert desk.ask().ticket == 0
    assert len(set(desk.keys)) == 2


def test_while_it_is_under_way_all_wait_for_the_same_answer(desk: Desk):
    assert desk.ask() is desk.ask()

    assert len(desk.brought) == 1


def test_one_whose_push_hangs_is_sent_again_with_its_key(desk: Desk, hand_clock: HandClock):
    desk.ask()
    hand_clock.move(PATIENCE_S)

    desk.ask()

    assert len(desk.brought) == 2
    assert len(set(desk.keys)) == 1


def test_the_same_words_of_somebody_else_are_another_question(desk: Desk):
    desk.ask().settle(ticket=123)

    assert desk.ask(uid=BOB).ticket == 0
    assert len(set(desk.keys)) == 2


def test_ten_questions_an_hour_are_each_users_own(desk: Desk, hand_clock: HandClock):
    for number in range(NEW_ALLOWED):
        desk.ask(f"question {number}").settle(ticket=number + 1)
        hand_clock.move(60)

    with pytest.raises(NotAsked, match="asked 10 times within an hour: wait 50 min, or call your service desk"):
        desk.ask("one more")
    assert desk.ask("one more", uid=BOB)
    hand_clock.move(AN_HOUR_S - 600)
    assert desk.ask("one more")


def test_a_question_that_keeps_failing_may_be_tried_thirty_times_an_hour(desk: Desk, hand_clock: HandClock):
    for _ in range(TRIES_ALLOWED):
        desk.ask().settle(words="the server cannot be reached now")
        hand_clock.move(1)

    with pytest.raises(NotAsked, match="asked 30 times within an hour"):
        desk.ask()


def test_an_answer_that_is_known_costs_nothing(desk: Desk):
    desk.ask().settle(ticket=123)

    assert {desk.ask().ticket for _ in range(100)} == {123}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the question is empty"),
        (" \n\t", "the question is empty"),
        ("x" * (MAX_QUESTION_CHARACTERS + 1), "has 4001 characters: say it in at most 4000"),
        ("\ud800", "not text that can be sent"),
    ],
)
def test_what_the_server_would_refuse_is_refused_here_and_costs_nothing(desk: Desk, text, message):
    for _ in range(TRIES_ALLOWED + 1):
        with pytest.raises(NotAsked, match=message):
            desk.ask(text)

    assert desk.ask()


def test_what_is_kept_is_bounded_whoever_asks(desk: Desk):
    for uid in range(2 * MOST_KEPT):
        desk.ask(uid=uid)

    assert len(desk.questions._kept) == MOST_KEPT


def test_of_very_many_users_the_oldest_is_forgotten():
    allowance = Allowance(1)

    for uid in range(3000):
        allowance.take(uid, 0.0)

    assert allowance.wait_s(0, 1.0) == 0
    assert allowance.wait_s(2999, 1.0) == AN_HOUR_S - 1
    assert len(allowance._times) <= 1024
