"""The rota on a clock of the test's own: whoever dies, whoever is slow, the well devices miss no round."""

import heapq
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share

from tocsin_agent.probes.rota import Lanes, Rota, Turn
from tocsin_agent.schedule import Schedule

START_S = 1000.0


class Device(NamedTuple):
    """`takes_s` and `fails` repeat, one for each visit."""

    name: str
    every_s: float
    takes_s: tuple[float, ...]
    fails: tuple[bool, ...] = (False,)


class Play:
    """Visits by appointment: each takes as long as its device says."""

    def __init__(self, devices: list[Device], lanes: Lanes, *, after_s: list[float] | None = None) -> None:
        self.now_s = START_S
        self.rota: Rota[Device] = Rota(lanes)
        self.starts: dict[str, list[float]] = {device.name: [] for device in devices}
        self.most_visits = 0
        self._ends: list[tuple[float, int, Turn[Device], bool]] = []
        self._count = 0
        after_s = after_s or [0.0] * len(devices)
        self.turns = {
            device.name: self.rota.declare(device, Schedule(device.every_s, phase=0, start_s=START_S + after))
            for device, after in zip(devices, after_s, strict=True)
        }

    def pass_time(self, seconds: float) -> None:
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            for turn in self.rota.due(self.now_s):
                self._begin(turn)
            self.most_visits = max(self.most_visits, self.rota.visits)
            wait_s = self.rota.wait_s(self.now_s)
            instants = [until_s] if wait_s is None else [until_s, self.now_s + wait_s]
            if self._ends:
                instants.append(self._ends[0][0])
            self.now_s = max(min(instants), self.now_s + 1e-6)
            while self._ends and self._ends[0][0] <= self.now_s:
                _, _, turn, has_failed = heapq.heappop(self._ends)
                self.rota.ended(turn, has_failed=has_failed, now_s=self.now_s)

    def _begin(self, turn: Turn[Device]) -> None:
        device = turn.subject
        visit = len(self.starts[device.name])
        self.starts[device.name].append(self.now_s)
        self._count += 1
        has_failed = device.fails[visit % len(device.fails)]
        ends_s = self.now_s + device.takes_s[visit % len(device.takes_s)]
        heapq.heappush(self._ends, (ends_s, self._count, turn, has_failed))


def well(name: str, every_s: float = 5.0) -> Device:
    return Device(name, every_s, (0.05,))


def dead(name: str, every_s: float = 5.0) -> Device:
    return Device(name, every_s, (every_s,), (True,))


def test_each_device_is_visited_at_its_own_phase_and_interval():
    play = Play([well("switch-1"), well("switch-2", 10)], Lanes(), after_s=[0, 2.5])

    play.pass_time(14)

    assert [at - START_S for at in play.starts["switch-1"]] == pytest.approx([0, 5, 10], abs=1e-5)
    assert [at - START_S for at in play.starts["switch-2"]] == pytest.approx([2.5, 12.5], abs=1e-5)


def test_a_device_that_died_waits_in_the_slow_lane_and_comes_back_from_it():
    lanes = Lanes(well=1, slow=1, all=2, patience_s=0.5)
    comes_back = Device("switch-1", 5, (5, 0.1), (True, False))
    play = Play([comes_back, well("switch-2")], lanes)

    play.pass_time(0.4)
    assert play.starts["switch-2"] == []  # the one place is taken

    play.pass_time(0.2)
    assert len(play.starts["switch-2"]) == 1  # patience has ended before the visit has

    play.pass_time(20)
    assert len(play.starts["switch-1"]) == 5
    assert not play.turns["switch-1"].is_slow


def test_a_failure_that_comes_at_once_delays_nobody_and_stays_in_the_well_lane():
    play = Play([Device("shop", 5, (0.1,), (True,))], Lanes(slow=0))

    play.pass_time(21)

    assert len(play.starts["shop"]) == 5
    assert play.turns["shop"].skipped == 0


def test_dead_devices_share_the_slow_lane_in_the_order_in_which_they_were_due():
    lanes = Lanes(well=4, slow=1, all=8, patience_s=0.5)
    play = Play([dead(f"switch-{number}") for number in range(4)], lanes)

    play.pass_time(5.5)  # all of them died in the first round
    first = {name: len(starts) for name, starts in play.starts.items()}
    play.pass_time(20)

    rounds = [len(starts) - first[name] for name, starts in play.starts.items()]
    assert max(rounds) - min(rounds) <= 1
    assert all(turn.skipped for turn in play.turns.values())


def test_a_visit_that_does_not_honour_its_deadline_is_skipped_counted_and_costs_the_lane_nothing():
    hangs = Device("switch-1", 5, (1e9,))
    play = Play([hangs, dead("switch-2")], Lanes(well=2, slow=1, all=3))

    play.pass_time(61)

    assert len(play.starts["switch-1"]) == 1
    assert play.turns["switch-1"].skipped == 12
    assert len(play.starts["switch-2"]) >= 6


def test_no_more_visits_than_threads_are_allowed_are_under_way_whatever_happens():
    play = Play([dead(f"switch-{number}") for number in range(50)], Lanes(well=8, slow=4, all=10))

    play.pass_time(60)

    assert play.most_visits == 10


def test_a_retired_device_is_visited_no_more_and_its_last_visit_may_end():
    play = Play([dead("switch-1"), well("switch-2")], Lanes())
    play.pass_time(1)

    for turn in play.turns.values():
        play.rota.retire(turn)
    play.pass_time(30)

    assert {name: len(starts) for name, starts in play.starts.items()} == {"switch-1": 1, "switch-2": 1}
    assert play.rota.visits == 0
    assert play.rota.wait_s(play.now_s) is None


_SICK = st.builds(
    Device,
    name=st.just("sick"),
    every_s=st.sampled_from([5.0, 7.0, 30.0]),
    takes_s=st.lists(st.sampled_from([0.01, 0.4, 3.0, 5.0, 1e9]), min_size=1, max_size=3).map(tuple),
    fails=st.lists(st.booleans(), min_size=1, max_size=3).map(tuple),
)


@settings(max_examples=share(80))
@given(
    sick=st.lists(_SICK, max_size=24),
    every_s=st.lists(st.sampled_from([5.0, 6.0, 30.0]), min_size=1, max_size=8),
    data=st.data(),
)
def test_the_well_miss_no_round_whoever_else_dies_hangs_or_dawdles(sick, every_s, data):
    devices = [device._replace(name=f"sick-{number}") for number, device in enumerate(sick)]
    devices += [well(f"well-{number}", every) for number, every in enumerate(every_s)]
    after_s = data.draw(st.lists(st.floats(0, 5), min_size=len(devices), max_size=len(devices)))
    play = Play(devices, Lanes(well=4, slow=2, all=64, patience_s=0.5), after_s=after_s)

    play.pass_time(120)

    for number, every in enumerate(every_s):
        starts = play.starts[f"well-{number}"]
        assert play.turns[f"well-{number}"].skipped == 0
        assert max(late - early for early, late in pairwise(starts)) < 2 * every
        assert len(starts) >= 115 // every
