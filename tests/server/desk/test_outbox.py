"""Notices become letters under a key of their own, are tried again, given up, and never too many at once."""

import random
from typing import Any

import pytest
from sqlalchemy import func, insert, select
from sqlmodel import Session
from tests.server.desk.world import NOW, World

from tocsin_protocol.vocabulary import NoticeChannel, NoticeState
from tocsin_server.desk import outbox
from tocsin_server.desk.outbox import (
    A_MINUTE_MS,
    GIVE_UP_MS,
    KEEP_MS,
    LAST_RETRY_MS,
    MOST_LETTERS,
    Letter,
    Outcome,
    Settled,
    claim,
    pause_ms,
    resume,
    settle,
    sweep,
    unsent,
    waiting,
)
from tocsin_server.desk.store import NOTICES, TicketEventRow

ALICE, BOB = "alice@desk.example", "bob@desk.example"


def make_busy(world: World) -> None:
    """A ticket."""
    world.fire()
    world.consume()


class Box:
    """The outbox, and somebody who empties it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._event = 0

    def put(
        self, count: int = 1, to: str = ALICE, channel: NoticeChannel = NoticeChannel.MAIL, **more: Any
    ) -> None:
        def act(session: Session) -> None:
            for _ in range(count):
                event = TicketEventRow(
                    client_id=1, ticket_id=1, at_ms=NOW, kind="solved", actor_kind="system", actor="tocsin"
                )
                session.add(event)
                session.flush()
                self._event = event.id or 0
                session.execute(insert(NOTICES), [self._row(to, channel, more)])

        self.world.storage.write(act)

    def _row(self, to: str, channel: NoticeChannel, more: dict[str, Any]) -> dict[str, Any]:
        row = {
            "client_id": 1,
            "ticket_id": 1,
            "event_id": self._event,
            "channel": channel,
            "recipient": to,
            "subject": f"[tocsin #1] solved: {self._event}",
            "text": "it is",
            "decided": "notification@0 row team",
            "made_ms": self.world.now_ms,
            "state": NoticeState.WAITING,
            "next_ms": self.world.now_ms,
            "message": "",
            "attempts": 0,
            "reason": "",
        }
        return row | more

    def claim(self) -> list[Letter]:
        return self.world.storage.write(lambda session: claim(session, self.world.now_ms))

    def settle(self, *outcomes: Outcome) -> Settled:
        chance = random.Random(1)
        return self.world.storage.write(lambda session: settle(session, outcomes, self.world.now_ms, chance))

    def states(self) -> dict[NoticeState, int]:
        asked = select(NOTICES.c.state, func.count()).group_by(NOTICES.c.state)
        return dict(self.world.storage.read(lambda session: [tuple(row) for row in session.execute(asked)]))


@pytest.fixture
def box(busy: World) -> Box:
    return Box(busy)


def test_a_notice_is_a_letter_of_its_ticket_and_is_sent_once(box: Box) -> None:
    box.put()

    (letter,) = box.claim()
    again = box.claim()
    done = box.settle(Outcome(letter))
    box.world.move(seconds=86_400)

    assert (letter.to, letter.text, letter.thread) == (ALICE, "it is", (1, NOW))
    assert (again, done, box.claim()) == ([], Settled(sent=1), [])
    assert box.states() == {NoticeState.SENT: 1}


def test_what_was_claimed_and_not_settled_goes_out_again_under_the_same_key(box: Box) -> None:
    box.put()
    first = box.claim()
    box.world.move(seconds=1)
    box.world.storage.write(lambda session: resume(session, box.world.now_ms))

    again = box.claim()

    assert [(each.key, each.made_ms, each.text) for each in again] == [
        (each.key, each.made_ms, each.text) for each in first
    ]
    assert [each.attempts for each in (*first, *again)] == [0, 1]


def test_what_is_put_off_is_tried_again_ever_later_and_given_up_after_a_day(box: Box) -> None:
    box.put()
    tried = []
    for _ in range(100):
        letters = box.claim()
        if letters:
            tried.append(box.world.now_ms)
            if box.settle(Outcome(letters[0], "421 too busy")).failed:
                break
        box.world.move(seconds=900)

    assert len(tried) > 10
    assert tried[-1] - NOW >= GIVE_UP_MS
    assert box.states() == {NoticeState.FAILED: 1}
    (failed,) = box.world.storage.read(unsent)
    assert (failed.state, failed.reason) == (NoticeState.FAILED, "421 too busy")


def test_what_is_refused_for_good_is_not_tried_again(box: Box) -> None:
    box.put()
    (letter,) = box.claim()

    box.settle(Outcome(letter, "550 no such user", is_final=True))
    box.world.move(seconds=86_400)

    assert box.claim() == []
    assert box.states() == {NoticeState.FAILED: 1}


def test_pauses_grow_to_an_hour_and_are_spread() -> None:
    chance = random.Random(7)

    assert [pause_ms(attempts) for attempts in (0, 1, 6, 7, 1000)] == [
        30_000,
        60_000,
        1_920_000,
        LAST_RETRY_MS,
        LAST_RETRY_MS,
    ]
    spread = {pause_ms(1, chance) for _ in range(50)}
    assert len(spread) > 40
    assert 45_000 <= min(spread) <= max(spread) <= 75_000


def test_a_storm_is_some_letters_and_a_digest_for_each_address(box: Box) -> None:
    box.put(40)
    box.put(3, BOB)
    box.put(40, channel=NoticeChannel.PAGE)

    letters = box.claim()

    assert len([each for each in letters if each.to == BOB]) == 3
    mine = [each for each in letters if each.to == ALICE]
    assert len(mine) == 2 * MOST_LETTERS
    digests = [each for each in mine if each.thread is None]
    assert [each.subject for each in digests] == ["[tocsin] 31 notices in one"] * 2
    lines = digests[0].text.splitlines()
    assert lines[2] == "[tocsin #1] solved: 11" or lines[2].startswith("[tocsin #1] solved: ")
    assert (len(lines), lines[-1]) == (23, "and 11 more")
    assert box.settle(*map(Outcome, letters)).sent == len(letters)
    assert box.states() == {NoticeState.SENT: 83}


def test_ten_thousand_notices_are_ten_letters_a_minute(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "LIMIT", 20)
    box.put(200)
    first = box.claim()
    box.settle(*map(Outcome, first))
    box.put(30)
    at_once = box.claim()
    box.world.now_ms += A_MINUTE_MS + 1

    later = box.claim()

    assert (len(first), at_once, len(later)) == (MOST_LETTERS, [], MOST_LETTERS)
    assert first[-1].subject == "[tocsin] 191 notices in one" or any("191" in each.subject for each in first)
    assert box.world.storage.read(waiting).notices == 30
    box.settle(*map(Outcome, later))
    assert box.states() == {NoticeState.SENT: 230}


def test_one_address_that_is_full_keeps_no_other_waiting(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "LIMIT", 20)
    box.put(20)
    box.settle(*map(Outcome, box.claim()))
    box.put(40)
    box.claim()
    box.put(1, BOB)

    assert [each.to for each in box.claim()] == [BOB]


def test_a_digest_that_was_not_settled_is_the_same_again(box: Box) -> None:
    box.put(40)
    first = {each.key: each.text for each in box.claim()}
    box.put(5)
    box.world.storage.write(lambda session: resume(session, box.world.now_ms))

    assert {each.key: each.text for each in box.claim()} == first


def test_what_has_nowhere_to_go_is_not_claimed_and_is_told(box: Box) -> None:
    box.put(state=NoticeState.NOWHERE)

    assert box.claim() == []
    assert [each.state for each in box.world.storage.read(unsent)] == [NoticeState.NOWHERE]


def test_what_is_old_is_forgotten_but_what_waits(box: Box) -> None:
    box.put(2, state=NoticeState.NOWHERE)
    box.put(1)
    box.world.now_ms += KEEP_MS
    box.world.storage.write(lambda session: sweep(session, box.world.now_ms))
    kept = box.states()
    box.world.now_ms += 1
    box.world.storage.write(lambda session: sweep(session, box.world.now_ms))

    assert (kept, box.states()) == ({NoticeState.NOWHERE: 2, NoticeState.WAITING: 1}, {NoticeState.WAITING: 1})
