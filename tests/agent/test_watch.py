"""The watch on a clock of the test's own: what is due is done, and nothing stops it."""

import threading
from pathlib import Path

import pytest
from tests.agent.conftest import NOON_MS, HandClock

from tocsin_agent.collectors import Collection
from tocsin_agent.frames import Framer
from tocsin_agent.readings import gauge
from tocsin_agent.schedule import Schedule
from tocsin_agent.spool import Limits, Spool
from tocsin_agent.watch import SYNC_AFTER_S, Watch


class FakeReadings:
    def __init__(self) -> None:
        self.problems: dict[str, str] = {}
        self.asked: list[int] = []
        self.error: Exception | None = None

    def collect(self, now_ms: int):
        self.asked.append(now_ms)
        if self.error is not None:
            raise self.error
        return [gauge("node_load1", 1.0)]


class Post:
    """A watch, and what it is made of."""

    def __init__(self, folder: Path, clock: HandClock) -> None:
        self.clock = clock
        self.readings = FakeReadings()
        self.spool = Spool(str(folder), epoch=1, limits=Limits(min_free_bytes=0))
        self.interval_s = 10.0
        self.woken = 0
        self.watch = Watch(
            self.readings,
            Framer(1),
            self.spool,
            Schedule(10, phase=0.5, start_s=clock.seconds),
            interval_s=lambda: self.interval_s,
            wake=self.wake,
            monotonic=lambda: clock.seconds,
            now_ms=clock.now_ms,
        )

    def wake(self) -> None:
        self.woken += 1

    def pass_time(self, seconds: float) -> None:
        until_s = self.clock.seconds + seconds
        wait_s = self.watch.step()
        while self.clock.seconds + wait_s <= until_s:
            self.clock.move(wait_s)
            wait_s = self.watch.step()
        self.clock.seconds = until_s


@pytest.fixture
def post(tmp_path: Path, hand_clock: HandClock) -> Post:
    return Post(tmp_path, hand_clock)


def test_the_first_frame_is_made_at_once_and_the_push_is_woken(post: Post):
    post.watch.step()

    assert post.readings.asked == [NOON_MS]
    assert (post.woken, post.spool.counts().frames) == (1, 1)


def test_then_one_frame_an_interval_at_the_hosts_phase(post: Post):
    post.pass_time(30)

    assert [at - NOON_MS for at in post.readings.asked] == [0, 5000, 15000, 25000]


def test_another_interval_holds_from_now_on(post: Post):
    post.pass_time(6)
    post.interval_s = 2

    post.pass_time(6)

    assert [at - NOON_MS for at in post.readings.asked][2:] == [7000, 9000, 11000]


def test_a_frame_is_made_durable_within_a_second_unless_it_is_acknowledged(post: Post, monkeypatch):
    synced = []
    monkeypatch.setattr(post.spool, "sync", lambda: synced.append(post.clock.seconds))

    post.pass_time(7)

    assert synced == [1000 + SYNC_AFTER_S, 1005 + SYNC_AFTER_S]


def test_frames_that_follow_each_other_at_once_are_made_durable_all_the_same(post: Post, monkeypatch):
    post.interval_s, synced = 1.0, []
    monkeypatch.setattr(post.spool, "sync", lambda: synced.append(post.clock.seconds))
    collect = post.readings.collect

    def collect_slowly(now_ms: int):
        post.clock.move(0.5)
        return collect(now_ms)

    post.readings.collect = collect_slowly
    post.pass_time(20)

    assert len(synced) >= 10


def test_each_problem_is_said_when_it_comes_and_when_it_goes(post: Post, capfd):
    post.readings.problems = {"netdev": "OSError: gone"}
    post.pass_time(20)
    post.readings.problems = {}
    post.pass_time(20)

    said = capfd.readouterr().err
    assert said.count("collector netdev: OSError: gone") == 1
    assert said.count("collector netdev: works again") == 1


def test_the_watch_goes_on_after_an_error_of_its_own(post: Post, capfd):
    stopping = threading.Event()
    post.readings.error = RuntimeError("a mistake")
    original = post.readings.collect

    def collect_and_end(now_ms: int):
        stopping.set()
        return original(now_ms)

    post.readings.collect = collect_and_end
    post.watch.run(stopping)
    post.readings.error = None
    post.pass_time(10)

    assert "RuntimeError: a mistake" in capfd.readouterr().err
    assert post.spool.counts().frames == 1


class Hanging:
    name = "hangs"

    def __init__(self) -> None:
        self.released = threading.Event()

    def collect(self):
        self.released.wait(30)
        return []


class Failing:
    name = "fails"

    def collect(self):
        yield gauge("node_before_the_failure", 1)
        raise OSError(5, "Input/output error")


def test_a_collector_that_hangs_or_fails_is_itself_a_series_and_the_frames_go_on(tmp_path, hand_clock):
    hanging = Hanging()
    collection = Collection([Failing(), hanging], deadline_s=0.01)

    collected = [{(s.name, s.labels): s.value for s in collection.collect(0)} for _ in range(2)]
    hanging.released.set()

    for samples in collected:
        assert samples["node_scrape_collector_success", (("collector", "hangs"),)] == 0
        assert samples["node_scrape_collector_success", (("collector", "fails"),)] == 0
        assert samples["node_before_the_failure", ()] == 1
