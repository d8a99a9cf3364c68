"""Silences as they are kept: what people ask for is there after it, and the past of each stays true."""

from dataclasses import replace

import pytest
from tests.server.alerts.conftest import ACME, GLOBEX, START_MS

from tocsin_protocol.vocabulary import SilenceState
from tocsin_server.alerts.matchertext import parse_matchers
from tocsin_server.alerts.silenced import (
    Silences,
    add_silence,
    change_silence,
    expire_silence,
    silence,
    silences,
)
from tocsin_server.alerts.silences import Wish
from tocsin_server.errors import NotFound, Unprocessable

HOUR = 3_600_000
WISH = Wish(
    ACME, parse_matchers('alertname="Disk",path=~"/var/.+"'), START_MS, START_MS + HOUR, "ada", "disk swap"
)


def add(bell, wish=WISH):
    return bell.storage.write(lambda session: add_silence(session, wish, START_MS))


def test_a_silence_is_kept_as_it_was_asked_for(bell):
    made = add(bell)

    kept = bell.storage.read(lambda session: silence(session, made.id))
    assert kept == made
    assert (kept.client_id, kept.matchers, kept.author, kept.comment) == (
        ACME,
        WISH.matchers,
        "ada",
        "disk swap",
    )


def test_what_makes_no_sense_is_not_kept(bell):
    with pytest.raises(Unprocessable):
        add(bell, replace(WISH, matchers=()))

    assert bell.storage.read(lambda session: silences(session, START_MS, with_expired=True)) == []


def test_a_change_of_the_end_changes_it_in_place(bell):
    made = add(bell)
    longer = replace(WISH, ends_ms=WISH.ends_ms + HOUR)

    changed = bell.storage.write(lambda session: change_silence(session, made.id, longer, START_MS + 1))

    assert changed == replace(made, ends_ms=longer.ends_ms)
    assert bell.storage.read(lambda session: silences(session, START_MS + 1)) == [changed]


def test_other_matchers_make_another_one_and_expire_the_first(bell):
    made = add(bell)
    other = replace(WISH, matchers=parse_matchers('alertname="Load"'))

    changed = bell.storage.write(lambda session: change_silence(session, made.id, other, START_MS + 5))

    assert changed.id != made.id
    assert bell.storage.read(lambda session: silence(session, made.id)).ends_ms == START_MS + 5
    assert bell.storage.read(lambda session: silences(session, START_MS + 5)) == [changed]


def test_one_that_is_expired_twice_keeps_its_first_end(bell):
    made = add(bell)
    for moment in (START_MS + 5, START_MS + 9):
        ended = bell.storage.write(lambda session, at=moment: expire_silence(session, made.id, at))

    assert ended.ends_ms == START_MS + 5
    assert ended.state(START_MS + 9) is SilenceState.EXPIRED


def test_one_that_is_not_there_is_said_so(bell):
    with pytest.raises(NotFound, match="no silence 9"):
        bell.storage.write(lambda session: expire_silence(session, 9, START_MS))


def test_a_list_tells_of_the_clients_asked_about_and_of_what_is_for_all(bell):
    mine, all_clients = add(bell), add(bell, replace(WISH, client_id=None))
    add(bell, replace(WISH, client_id=GLOBEX))

    listed = bell.storage.read(lambda session: silences(session, START_MS, clients=frozenset({ACME})))

    assert listed == [mine, all_clients]


def test_the_judge_knows_those_that_hold_or_will_once_it_has_looked(bell):
    now_ms = [START_MS]
    kept = Silences(bell.storage, lambda: now_ms[0])
    made = add(bell)
    before = kept.kept()

    kept.reload()
    there = kept.kept()
    now_ms[0] = WISH.ends_ms
    kept.reload()

    assert (before, there, kept.kept()) == ((), (made,), ())
