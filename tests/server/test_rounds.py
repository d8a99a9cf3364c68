"""Round after round: what came in is in the head before it is judged, and what changed is told after."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from tocsin_protocol.vocabulary import HostKind, SeriesKind
from tocsin_server.alerts.judge import Round
from tocsin_server.clock import FakeClock
from tocsin_server.estate.estate import HostFacts
from tocsin_server.health import Health
from tocsin_server.ingest.inbox import HostFrame, Inbox
from tocsin_server.ingest.presence import Presence
from tocsin_server.promql import evaluate, parse
from tocsin_server.rounds import AWAITED_MS, BEAT_EVERY_ROUNDS, Rounds
from tocsin_server.series.head import Head
from tocsin_server.series.noted import CLONED, NOTED, REFUSED, SKEW
from tocsin_server.series.schema import Schema, SeriesEntry
from tocsin_server.series.up import UP

ACME, GLOBEX = 1, 2
ATLAS, BOREA = 11, 12
LOAD = Schema(1, "", (SeriesEntry("node_load1", SeriesKind.GAUGE, ()),))


def a_host(host_id: int, name: str, *, client_id: int = ACME, enrolled_ms: int = 0) -> HostFacts:
    client = {ACME: "acme", GLOBEX: "globex"}[client_id]
    return HostFacts(
        host_id, client_id, client, client_id, "hq", name, HostKind.SERVER, "node", "Debian 12", enrolled_ms
    )


class FakeEstate:
    """The hosts that a test says there are."""

    def __init__(self) -> None:
        self.generation = 0
        self._hosts: list[HostFacts] = []
        self.quarantined: set[int] = set()

    def hosts(self) -> list[HostFacts]:
        return self._hosts

    def cloned(self) -> frozenset[int]:
        return frozenset(self.quarantined)

    def set(self, *hosts: HostFacts) -> None:
        self._hosts = [*hosts]
        self.generation += 1


class Bench:
    """Rounds over a real head, with a judge that looks and a desk that notes."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.head, self.inbox, self.health = Head(), Inbox(), Health()
        self.presence = Presence(interval_s=10, started_ms=self.clock.now_ms() - 60_000)
        self.estate = FakeEstate()
        self.estate.set(a_host(ATLAS, "atlas"))
        self.log: list[Any] = []
        self.looks: Callable[[], Any] = lambda: self.values("node_load1")
        self.settles = 0
        self.refused: set[int] = set()
        self.rounds = Rounds(
            inbox=self.inbox,
            head=self.head,
            presence=self.presence,
            estate=self.estate,
            judge=self,
            desk=self,
            health=self.health,
            clock=self.clock,
            period_s=1,
            is_refused=lambda host_id: host_id in self.refused,
        )

    # -- the judge

    def round(self, now_ms: int) -> Round:
        self.log.append(("judged", self.looks()))
        return Round(now_ms, 0.0, ())

    def settle(self, _done: Round) -> int:
        return self.settles

    # -- the desk

    def transitions_wait(self) -> None:
        self.log.append("transitions wait")

    def host_changed(self, host_id: int) -> None:
        self.log.append(("changed", host_id))

    # -- the test

    def values(self, expression: str) -> dict[str, float]:
        vector = evaluate(parse(expression), self.head, self.clock.now_ms())
        return {row.labels.get("instance", f"client {row.client_id}"): row.value for row in vector.rows()}

    def push(self, host_id: int, value: float, *, skew_ms: int = 0) -> None:
        now_ms = self.clock.now_ms()
        self.inbox.put([HostFrame(host_id, LOAD, [now_ms], np.array([[value]]))])
        self.presence.heard(host_id, at_ms=now_ms, skew_ms=skew_ms)

    def turn(self, *, after_s: float = 1) -> list[Any]:
        """What one round does, in its order."""
        self.clock.move(seconds=after_s)
        self.log.clear()
        self.rounds.turn(self.clock.now_ms())
        return [*self.log]


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.rounds._ended.set()


def test_what_came_in_is_judged_in_the_same_round(bench: Bench) -> None:
    bench.push(ATLAS, 9.0)

    assert bench.turn() == [("judged", {"atlas": 9.0})]
    assert len(bench.inbox) == 0


def test_the_desk_hears_of_transitions_only_where_there_are_any(bench: Bench) -> None:
    quiet = bench.turn()
    bench.settles = 1

    assert "transitions wait" not in quiet
    assert bench.turn()[-1] == "transitions wait"


def test_up_is_there_before_the_rules_look_and_its_change_is_told_after(bench: Bench) -> None:
    bench.looks = lambda: bench.values("up")
    bench.push(ATLAS, 1.0)
    there = bench.turn()

    gone = bench.turn(after_s=33)
    bench.push(ATLAS, 1.0)
    back = bench.turn()

    assert there == [("judged", {"atlas": 1.0})]
    assert gone == [("judged", {"atlas": 0.0}), ("changed", ATLAS)]
    assert back == [("judged", {"atlas": 1.0}), ("changed", ATLAS)]


def test_a_host_that_falls_silent_loses_its_series_at_once(bench: Bench) -> None:
    bench.push(ATLAS, 9.0)
    bench.turn()

    assert bench.turn(after_s=33)[0] == ("judged", {})


@pytest.mark.parametrize("seconds", [86_400, 40, -40, -86_400])
def test_a_clock_that_is_set_makes_no_host_silent_and_lets_none_live_on(bench: Bench, seconds: int) -> None:
    bench.push(ATLAS, 1.0)
    bench.turn()
    bench.looks = lambda: bench.values("up")

    bench.clock.set(seconds=seconds)

    assert ("changed", ATLAS) not in [what for _ in range(30) for what in bench.turn()]
    assert ("changed", ATLAS) in [what for _ in range(3) for what in bench.turn()]


def test_a_server_that_stood_still_takes_nobody_for_silent_and_misses_who_stays_away(bench: Bench) -> None:
    bench.push(ATLAS, 1.0)
    bench.turn()

    bench.clock.move(seconds=120)
    bench.rounds._notice_standstill()

    assert ("changed", ATLAS) not in [what for _ in range(30) for what in bench.turn()]
    assert ("changed", ATLAS) in [what for _ in range(3) for what in bench.turn()]


def test_up_is_written_often_enough_to_be_always_there_and_not_with_every_round(bench: Bench) -> None:
    bench.push(ATLAS, 1.0)
    written = []
    beat = bench.head.beat
    bench.head.beat = lambda host_id, **more: (written.append(host_id), beat(host_id, **more))
    for _ in range(3 * BEAT_EVERY_ROUNDS):
        bench.push(ATLAS, 1.0)
        bench.turn()

    # The first time it is seen, and then in every tenth round, which is another one for each host.
    assert len(written) == 4


def test_how_wrong_a_hosts_clock_is_stands_beside_its_up(bench: Bench) -> None:
    bench.push(ATLAS, 1.0, skew_ms=-2500)
    bench.turn()

    assert bench.values(SKEW) == {"atlas": -2.5}


def test_what_stands_in_the_head_without_being_sent_is_listed(bench: Bench) -> None:
    bench.push(ATLAS, 1.0)
    bench.turn()

    assert {sample.name for sample in bench.head.latest(ATLAS)} == {"node_load1", UP, *NOTED}


def test_a_cloned_agent_is_a_series_at_once_and_no_longer_when_it_is_released(bench: Bench) -> None:
    bench.push(ATLAS, 1.0)
    bench.turn()
    before = bench.values(CLONED)

    bench.estate.quarantined.add(ATLAS)
    noticed = bench.turn()
    during = bench.values(CLONED)
    bench.estate.quarantined.clear()
    bench.turn()

    assert [before, during, bench.values(CLONED)] == [{"atlas": 0.0}, {"atlas": 1.0}, {"atlas": 0.0}]
    assert ("changed", ATLAS) in noticed


def test_a_host_that_was_just_released_has_three_pushes_time_before_it_counts_as_silent(bench: Bench) -> None:
    bench.push(ATLAS, 1.0)
    bench.estate.quarantined.add(ATLAS)
    bench.turn()
    bench.turn(after_s=600)
    bench.estate.quarantined.clear()
    bench.looks = lambda: bench.values("up")

    assert bench.turn() == [("judged", {"atlas": 1.0}), ("changed", ATLAS)]
    assert bench.turn(after_s=33)[0] == ("judged", {"atlas": 0.0})


def test_that_series_of_a_host_are_refused_is_a_series_of_it(bench: Bench) -> None:
    bench.push(ATLAS, 1.0)
    bench.turn()
    before = bench.values(REFUSED)

    bench.refused.add(ATLAS)
    for _ in range(BEAT_EVERY_ROUNDS):
        bench.turn()

    assert (before, bench.values(REFUSED)) == ({"atlas": 0.0}, {"atlas": 1.0})


def test_a_device_has_no_agent_that_could_be_cloned(bench: Bench) -> None:
    bench.estate.set(a_host(ATLAS, "atlas"), replace(a_host(BOREA, "switch"), prober_id=ATLAS))
    for host in (ATLAS, BOREA):
        bench.push(host, 1.0)
    bench.turn()

    assert bench.values(CLONED) == {"atlas": 0.0}


def test_a_host_that_was_just_enrolled_has_its_time_before_it_counts_as_silent(bench: Bench) -> None:
    bench.estate.set(a_host(ATLAS, "atlas", enrolled_ms=bench.clock.now_ms()))
    bench.looks = lambda: bench.values("up")

    assert bench.turn(after_s=AWAITED_MS / 1000 - 1) == [("judged", {})]
    assert bench.turn() == [("judged", {"atlas": 0.0})]


def test_a_host_that_was_heard_is_up_however_new_it_is(bench: Bench) -> None:
    bench.estate.set(a_host(ATLAS, "atlas", enrolled_ms=bench.clock.now_ms()))
    bench.push(ATLAS, 1.0)
    bench.turn()

    assert bench.values("up") == {"atlas": 1.0}


def test_just_after_a_start_nothing_is_said_of_a_host_that_was_not_heard_of_late(bench: Bench) -> None:
    started_ms = bench.clock.now_ms()
    bench.presence = bench.rounds._presence = Presence(interval_s=10, started_ms=started_ms)
    bench.estate.set(a_host(ATLAS, "atlas"), a_host(BOREA, "borea"))
    bench.presence.remember({ATLAS: started_ms - 5000, BOREA: started_ms - 60_000})
    bench.looks = lambda: bench.values("up")

    assert bench.turn() == [("judged", {"atlas": 1.0})]
    assert bench.turn(after_s=32) == [("judged", {"atlas": 0.0, "borea": 0.0}), ("changed", ATLAS)]


def a_device(*, every_s: int, enrolled_ms: int = 0) -> HostFacts:
    facts = {"name": "switch-1", "job": "snmp", "prober_id": ATLAS, "interval_s": every_s}
    return replace(a_host(BOREA, "", enrolled_ms=enrolled_ms), **facts)


def test_a_device_is_up_by_its_own_interval_and_silent_in_the_end_when_its_prober_is(bench: Bench) -> None:
    bench.estate.set(a_host(ATLAS, "atlas"), a_device(every_s=60))
    bench.looks = lambda: bench.values("up")
    bench.push(ATLAS, 1.0)
    bench.presence.probed(BOREA, at_ms=bench.clock.now_ms(), now_ms=bench.clock.now_ms())
    bench.turn()

    assert bench.turn(after_s=33)[0] == ("judged", {"atlas": 0.0, "switch-1": 1.0})
    assert bench.turn(after_s=148)[0] == ("judged", {"atlas": 0.0, "switch-1": 1.0})
    assert bench.turn() == [("judged", {"atlas": 0.0, "switch-1": 0.0}), ("changed", BOREA)]


def test_a_device_that_was_just_declared_has_the_time_of_three_looks(bench: Bench) -> None:
    bench.estate.set(a_device(every_s=60, enrolled_ms=bench.clock.now_ms()))
    bench.looks = lambda: bench.values("up")

    assert bench.turn(after_s=179) == [("judged", {})]
    assert bench.turn() == [("judged", {"switch-1": 0.0})]


def test_hosts_that_come_are_enlisted_and_those_that_go_are_forgotten(bench: Bench) -> None:
    bench.push(ATLAS, 1.0)
    bench.turn()

    bench.estate.set(a_host(BOREA, "borea", client_id=GLOBEX))
    bench.push(BOREA, 2.0)

    assert bench.turn() == [("judged", {"borea": 2.0})]
    assert bench.head.clients.tolist() == [GLOBEX]


def test_a_host_that_goes_before_it_ever_came_is_forgotten_too(bench: Bench) -> None:
    bench.estate.set(a_host(ATLAS, "atlas", enrolled_ms=bench.clock.now_ms()))
    bench.turn()

    bench.estate.set()
    bench.turn()

    assert bench.head.clients.tolist() == []


def test_what_a_stranger_sends_is_nobodys(bench: Bench) -> None:
    bench.push(BOREA, 1.0)

    assert bench.turn() == [("judged", {})]


def test_what_the_journal_has_is_there_in_the_first_round(bench: Bench) -> None:
    bench.presence.heard(ATLAS, at_ms=bench.clock.now_ms(), skew_ms=0)
    bench.rounds.restore([HostFrame(ATLAS, LOAD, [bench.clock.now_ms()], np.array([[9.0]]))])

    assert bench.turn() == [("judged", {"atlas": 9.0})]


def test_what_the_journal_has_of_a_time_to_come_keeps_nothing_out(bench: Bench) -> None:
    ahead_ms = bench.clock.now_ms() + 86_400_000
    bench.rounds.restore([HostFrame(ATLAS, LOAD, [ahead_ms], np.array([[9.0]]))])
    bench.push(ATLAS, 1.0)

    assert bench.turn() == [("judged", {"atlas": 1.0})]


def test_whoever_asks_is_told_whether_rounds_turn(bench: Bench) -> None:
    bench.turn()
    bench.clock.move(seconds=10)

    assert bench.rounds.is_turning(10)
    assert not bench.rounds.is_turning(9)
    assert bench.rounds.last is not None


@pytest.mark.scenario
def test_the_loop_goes_on_after_a_round_that_fails_and_says_so(bench: Bench) -> None:
    turned = threading.Event()

    def fail_first() -> None:
        bench.clock.move(seconds=1)  # the next round is due at once
        if len(bench.log) > 0:
            turned.set()
        bench.log.append("looked")
        if len(bench.log) == 1:
            raise ValueError("this rule divides by the moon")

    bench.looks = fail_first
    with capture_logs() as logs:
        bench.rounds.start()
        assert turned.wait(5)
        bench.rounds.stop()

    assert [line["action"] for line in logs] == ["round_failed"]


def test_rounds_that_were_missed_are_counted_and_not_made_up(bench: Bench) -> None:
    turned = threading.Event()

    def dawdle() -> None:
        if bench.rounds.last is None:
            bench.clock.move(seconds=3.5)
        else:
            turned.set()

    bench.looks = dawdle
    bench.rounds.start()
    assert turned.wait(5)
    bench.rounds.stop()

    assert bench.health.registry.get_sample_value("tocsin_evaluations_missed_total") == 2
    assert len(bench.log) == 2
