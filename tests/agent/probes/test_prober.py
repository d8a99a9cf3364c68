"""The prober on a clock of the test's own: whose frames come, what is said, what a new book changes."""

import threading
from itertools import count
from pathlib import Path

import msgpack
import pytest
from tests.agent.conftest import NOON_MS, HandClock

from tocsin_agent.probes.book import Book, Device, Probe
from tocsin_agent.probes.failure import Failed
from tocsin_agent.probes.prober import GATHER_S, Prober, spawn_thread
from tocsin_agent.probes.rota import Lanes
from tocsin_agent.probes.visit import Visitor
from tocsin_agent.readings import gauge
from tocsin_agent.spool import Limits, Spool
from tocsin_agent.watch import SYNC_AFTER_S
from tocsin_protocol.wire import STALE_BYTES


def device(name: str, *, every_s: float = 30, **options: object) -> Device:
    return Device(name, every_s, (Probe("icmp", "icmp", options),))


def book(*devices: Device) -> Book:
    return Book("5f1c", devices)


class Post:
    """A prober, and what it is made of. Visits end at once, but those that are left `hanging`."""

    def __init__(self, folder: Path, clock: HandClock) -> None:
        self.clock = clock
        self.spool = Spool(str(folder), epoch=1, limits=Limits(min_free_bytes=0))
        self.answers: dict[str, object] = {}
        self.asked: list[tuple[str, int]] = []
        self.is_hanging = False
        self.hung: list = []
        self.woken: list[float] = []
        self.threads_left = True
        self.prober = Prober(
            epoch=1,
            numbers=count(),
            spool=self.spool,
            wake_push=lambda: self.woken.append(clock.seconds),
            make_visitor=self.visitor,
            clock=clock.clock,
            lanes=Lanes(),
            spawn=self.spawn,
        )

    def visitor(self, of: Device) -> Visitor:
        post, name = self, of.name

        class Method:
            def probe(self, deadline_s: float):
                post.asked.append((name, round(post.clock.seconds - 1000)))
                answer = post.answers.get(name, [gauge("probe_icmp_reply_hop_limit", 64)])
                if isinstance(answer, Exception):
                    raise answer
                return answer

        return Visitor(of, lambda _: b"", make=lambda *_: Method(), monotonic=lambda: self.clock.seconds)

    def spawn(self, work) -> None:
        if not self.threads_left:
            raise RuntimeError("can't start new thread")
        if self.is_hanging:
            self.hung.append(work)
        else:
            work()

    def pass_time(self, seconds: float) -> None:
        until_s = self.clock.seconds + seconds
        while True:
            self.prober.hear(0)
            wait_s = self.prober.step()
            if not self.prober._inbox.empty():
                continue
            if self.clock.seconds + wait_s > until_s:
                break
            self.clock.move(max(wait_s, 1e-6))
        self.clock.seconds = until_s

    def frames(self) -> list[tuple[str, int, int]]:
        """Of whom, seq and second."""
        frames = self.spool.batch(most_frames=500, most_bytes=1 << 20, now_ms=self.clock.now_ms())
        hosts = [msgpack.unpackb(self.spool.schema(frame.schema_id) or b"")[0] for frame in frames]
        return [
            (host, frame.seq, (frame.time_ms - NOON_MS) // 1000)
            for host, frame in zip(hosts, frames, strict=True)
        ]


@pytest.fixture
def post(tmp_path: Path, hand_clock: HandClock) -> Post:
    return Post(tmp_path, hand_clock)


def test_each_device_has_a_frame_of_its_own_at_each_of_its_rounds(post: Post):
    post.prober.take(book(device("switch-1"), device("switch-2", every_s=60)))

    post.pass_time(61)

    assert [(host, second) for host, _, second in post.frames()] == [
        ("switch-1", 0),
        ("switch-2", 0),
        ("switch-1", 30),
        ("switch-1", 60),
        ("switch-2", 60),
    ]
    assert [seq for _, seq, _ in post.frames()] == [0, 1, 2, 3, 4]


def test_devices_that_are_declared_together_are_not_asked_together(post: Post):
    post.prober.take(book(*(device(f"switch-{number}", every_s=5) for number in range(50))))

    post.pass_time(4.99)

    assert len(post.asked) == 50
    assert max(post.asked.count((name, second)) for name, second in post.asked) == 1


def test_frames_are_gathered_before_the_push_is_woken_and_made_durable_within_a_second(post: Post, monkeypatch):
    synced = []
    monkeypatch.setattr(post.spool, "sync", lambda: synced.append(post.clock.seconds))
    post.prober.take(book(*(device(f"switch-{number}", every_s=600) for number in range(3))))

    post.pass_time(10)

    assert len(post.woken) == 3  # they are a quarter of a second apart
    assert post.woken[0] == pytest.approx(1000 + GATHER_S, abs=1e-3)
    assert synced == pytest.approx([1000 + SYNC_AFTER_S], abs=1e-3)


def test_each_failure_is_said_when_it_comes_when_its_reason_changes_and_when_it_goes(post: Post, capfd):
    post.prober.take(book(device("switch-1")))
    post.answers["switch-1"] = Failed("timeout", "no answer from 192.0.2.10:161 within 5 s")
    post.pass_time(100)
    post.answers["switch-1"] = Failed("credential", "the community is refused")
    post.pass_time(60)
    post.answers["switch-1"] = []
    post.pass_time(60)

    said = [line.partition(" ")[2] for line in capfd.readouterr().err.splitlines()]
    assert said == [
        "1 devices are probed from here (1 new or changed)",
        "switch-1 icmp: timeout: no answer from 192.0.2.10:161 within 5 s",
        "switch-1 icmp: credential: the community is refused",
        "switch-1 icmp: works again",
    ]


def test_series_that_have_gone_are_stale_in_the_next_frame(post: Post):
    post.prober.take(book(device("switch-1")))
    post.pass_time(1)
    post.answers["switch-1"] = Failed("timeout", "no answer")
    post.pass_time(30)

    last = post.spool.batch(most_frames=1, most_bytes=1 << 20, now_ms=post.clock.now_ms())[0]
    matrix = msgpack.unpackb(last.packed)[4]
    names = [name for name, _, _ in msgpack.unpackb(post.spool.schema(last.schema_id) or b"")[1]]
    place = names.index("probe_icmp_reply_hop_limit")
    assert matrix[8 * place : 8 * place + 8] == STALE_BYTES


def test_another_book_leaves_those_alone_that_are_declared_as_before(post: Post):
    kept, changed, removed = device("kept"), device("changed"), device("removed")
    post.prober.take(book(kept, changed, removed))
    post.pass_time(10)
    post.asked.clear()

    post.prober.take(book(kept, device("changed", address="192.0.2.11")))
    post.pass_time(31)

    assert post.asked == [("changed", 10), ("kept", 30), ("changed", 40)]


def test_a_visit_that_ends_after_its_device_was_removed_makes_no_frame(post: Post):
    post.is_hanging = True
    post.prober.take(book(device("switch-1")))
    post.pass_time(1)
    post.prober.take(book())
    post.pass_time(1)

    (work,) = post.hung
    work()
    post.pass_time(60)

    assert post.frames() == []


def test_a_visit_that_never_ends_is_not_begun_again_and_the_rounds_are_counted(post: Post):
    post.is_hanging = True
    post.prober.take(book(device("switch-1")))
    post.pass_time(95)
    assert len(post.hung) == 1

    post.is_hanging = False
    post.hung[0]()
    post.pass_time(30)

    frame = post.spool.batch(most_frames=1, most_bytes=1 << 20, now_ms=post.clock.now_ms())[0]
    names = [name for name, _, _ in msgpack.unpackb(post.spool.schema(frame.schema_id) or b"")[1]]
    place = names.index("tocsin_probe_skipped_rounds_total")
    matrix = memoryview(msgpack.unpackb(frame.packed)[4]).cast("d")
    assert matrix[place] == 3


def test_a_host_without_a_thread_to_give_skips_rounds_and_goes_on_when_it_has(post: Post, capfd):
    post.threads_left = False
    post.prober.take(book(device("switch-1"), device("switch-2")))
    post.pass_time(65)
    assert post.asked == []

    post.threads_left = True
    post.pass_time(60)

    assert len(post.asked) == 4
    assert capfd.readouterr().err.count("can't start new thread") == 1


def test_what_is_probed_can_be_asked_for(post: Post):
    post.prober.take(book(device("switch-1"), device("switch-2")))
    post.answers["switch-2"] = Failed("timeout", "no answer")
    post.pass_time(10)

    assert [tuple(one) for one in post.prober.devices()] == [
        ("switch-1", 30, ""),
        ("switch-2", 30, "icmp: timeout: no answer"),
    ]


@pytest.mark.scenario
def test_it_goes_on_after_an_error_of_its_own_and_ends_when_it_is_told(
    tmp_path, hand_clock, capfd, monkeypatch
):
    post = Post(tmp_path, hand_clock)
    stopping = threading.Event()
    done = threading.Event()
    prober = Prober(
        epoch=1,
        numbers=count(),
        spool=post.spool,
        wake_push=done.set,
        make_visitor=post.visitor,
        spawn=spawn_thread,
    )
    original = post.spool.append
    errors = iter([OSError("a mistake")])

    def append(frame, schema):
        for error in errors:
            raise error
        original(frame, schema)

    monkeypatch.setattr(post.spool, "append", append)
    monkeypatch.setattr("tocsin_agent.probes.prober._AFTER_AN_ERROR_S", 0.01)
    thread = threading.Thread(target=prober.run, args=(stopping,))
    thread.start()
    prober.take(book(device("switch-1", every_s=600), device("switch-2", every_s=600)))

    assert done.wait(10)
    stopping.set()
    prober.wake()
    thread.join(2)

    assert not thread.is_alive()
    assert "OSError: a mistake" in capfd.readouterr().err
    assert [host for host, _, _ in post.frames()] == ["switch-2"]
