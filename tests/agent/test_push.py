"""What becomes of a frame after each answer that the contract knows: decided here with fakes, met for real in
`test_delivery`."""

import itertools
import threading
import zlib
from pathlib import Path

import msgpack
import pytest
from tests.agent.conftest import LOAD, HandClock, frame_of

from tocsin_agent.connection import Answer
from tocsin_agent.errors import Refused, Unreachable
from tocsin_agent.frames import pack_frame, pack_schema
from tocsin_agent.greeting import Session
from tocsin_agent.push import (
    FIRST_BATCH_FRAMES,
    LONGEST_BACKOFF_S,
    REVOKED_WAIT_S,
    Course,
    Pusher,
    course_of,
    pack_push,
)
from tocsin_agent.quarantine import MOST_FILES, Quarantine
from tocsin_agent.spool import Limits, Spool
from tocsin_protocol import wire
from tocsin_protocol.vocabulary import SeriesKind


class FakeLine:
    """Answers from a list, then with 200; `took_s` is how long each push takes."""

    def __init__(self, clock: HandClock) -> None:
        self.answers: list[int | Exception] = []
        self.retry_after = ""
        self.took_s = 0.0
        self.poison: int | None = None
        self.said: dict[str, object] = {}
        self.batches: list[list[int]] = []
        self.told: list[int] = []
        self.hellos = 0
        self._clock = clock

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        assert path == wire.PUSH_PATH
        _, _, schemas, frames = msgpack.unpackb(zlib.decompress(body))
        self.batches.append([frame[1] for frame in frames])
        self.told.append(len(schemas))
        self._clock.move(self.took_s)
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        if self.poison in self.batches[-1]:
            answer = 422
        headers = {"retry-after": self.retry_after} if self.retry_after else {}
        body = msgpack.packb({"acked": len(frames), "interval_s": 10, "now_ms": 0, **self.said})
        return Answer(answer, headers, body if answer == 200 else b"")

    def hello(self) -> Session:
        self.hellos += 1
        return Session(b"s" * 16, b"k" * 32, 3600.0, 10.0, set())


@pytest.fixture
def line(hand_clock: HandClock) -> FakeLine:
    return FakeLine(hand_clock)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(str(tmp_path / "spool"), epoch=1, limits=Limits(min_free_bytes=0))


@pytest.fixture
def pusher(line: FakeLine, spool: Spool, tmp_path: Path, hand_clock: HandClock) -> Pusher:
    quarantine = Quarantine(str(tmp_path / "quarantine"))
    return Pusher(line, line.hello, spool, quarantine, interval_s=10, clock=hand_clock.clock)


def fill(spool: Spool, frames: int, *, first: int = 0) -> None:
    for seq in range(first, first + frames):
        spool.append(frame_of(seq), LOAD)


@pytest.mark.parametrize(
    ("status", "course"),
    [
        (200, Course.FORGET),
        (400, Course.SPLIT),
        (401, Course.HELLO),
        (403, Course.REVOKED),
        (409, Course.TELL_SCHEMAS),
        (413, Course.SPLIT),
        (422, Course.SPLIT),
        (408, Course.RETRY),
        (429, Course.RETRY),
        (500, Course.RETRY),
        (502, Course.RETRY),
        (503, Course.RETRY),
        (507, Course.RETRY),
        (404, Course.RETRY),  # not in the contract: a proxy, or a server of another kind
        (302, Course.RETRY),
    ],
)
def test_each_status_has_the_course_of_the_contract(status, course):
    assert course_of(status) is course


def test_what_is_acknowledged_is_forgotten_and_there_is_nothing_more_to_do(pusher, line, spool):
    fill(spool, 1)

    assert pusher.step() is None
    assert pusher.step() is None

    assert line.batches == [[0]]
    assert not spool.has_frames
    assert (pusher.counts.delivered_frames, pusher.counts.pushes["accepted"]) == (1, 1)


def test_a_schema_is_told_once_a_session(pusher, line, spool):
    for seq in range(3):
        fill(spool, 1, first=seq)
        pusher.step()

    assert line.told == [1, 0, 0]
    assert line.hellos == 1


@pytest.mark.parametrize(
    ("said", "digest"),
    [
        ({}, ""),
        ({"probes": "5f1c"}, "5f1c"),
        ({"probes": b"\x5f\x1c"}, "5f1c"),
        ({"probes": "x" * 1000}, ""),  # no digest is as long
        ({"probes": ["5f1c"]}, ""),
    ],
)
def test_what_is_to_be_probed_is_remembered_by_its_digest(pusher, line, spool, said, digest):
    fill(spool, 1)
    line.said = said

    pusher.step()

    assert pusher.probes_digest == digest


def test_after_an_accepted_push_its_session_may_be_used(line, spool, tmp_path, hand_clock):
    sessions = []
    quarantine = Quarantine(str(tmp_path / "quarantine"))
    pusher = Pusher(
        line,
        line.hello,
        spool,
        quarantine,
        interval_s=10,
        clock=hand_clock.clock,
        on_accepted=sessions.append,
    )
    fill(spool, 1)
    line.answers = [503, 200]

    hand_clock.move(pusher.step())
    assert sessions == []
    pusher.step()

    assert [session.id for session in sessions] == [b"s" * 16]


def test_a_session_is_renewed_before_it_expires(pusher, line, spool, hand_clock):
    fill(spool, 1)
    pusher.step()
    hand_clock.move(3580)
    fill(spool, 1, first=1)
    pusher.step()

    assert line.hellos == 2
    assert line.told == [1, 1]


def test_an_unknown_session_is_answered_with_a_hello_and_the_same_frames(pusher, line, spool):
    fill(spool, 2)
    line.answers = [401]

    assert pusher.step() == 0
    pusher.step()

    assert line.hellos == 2
    assert line.batches == [[0, 1], [0, 1]]


def test_unknown_schemas_are_told_again_with_the_same_frames(pusher, line, spool):
    fill(spool, 1)
    pusher.step()
    fill(spool, 1, first=1)
    line.answers = [409]

    assert pusher.step() == 0
    pusher.step()

    assert line.batches == [[0], [1], [1]]
    assert line.told == [1, 0, 1]


@pytest.mark.parametrize("status", [401, 409])
def test_an_answer_that_repeats_itself_is_no_busy_loop(pusher, line, spool, status):
    fill(spool, 1)
    line.answers = [status] * 3

    assert pusher.step() == 0
    assert pusher.step() > 0


@pytest.mark.parametrize("trouble", [408, 429, 500, 503, Unreachable("no answer from the server")])
def test_trouble_keeps_the_frames_and_backs_off_longer_each_time(pusher, line, spool, hand_clock, trouble):
    fill(spool, 3)
    line.answers = [trouble] * 8

    waits = []
    for _ in range(8):
        waits.append(pusher.step())
        hand_clock.move(waits[-1])

    assert waits == [1, 2, 4, 8, 16, LONGEST_BACKOFF_S, LONGEST_BACKOFF_S, LONGEST_BACKOFF_S]
    assert spool.counts().frames == 3
    while pusher.step() is not None:
        pass
    assert not spool.has_frames


def test_a_fresh_frame_does_not_cut_a_back_off_short(pusher, line, spool, hand_clock):
    fill(spool, 1)
    line.answers = [503]
    wait_s = pusher.step()
    fill(spool, 1, first=1)

    hand_clock.move(wait_s / 2)

    assert pusher.step() == wait_s / 2
    assert line.batches == [[0]]


def test_retry_after_is_honoured_and_jittered_on_top(pusher, line, spool):
    fill(spool, 1)
    line.answers = [429]
    line.retry_after = "40"

    assert pusher.step() == 41


def test_after_a_success_the_next_trouble_begins_anew(pusher, line, spool, hand_clock):
    fill(spool, 1)
    line.answers = [503, 503, 200, 503]
    for seq in range(1, 4):
        hand_clock.move(pusher.step() or 0)
        fill(spool, 1, first=seq)

    assert pusher.step() == 1


def test_a_revoked_agent_keeps_its_spool_and_tries_once_an_hour(pusher, line, spool, hand_clock, capfd):
    fill(spool, 2)
    line.answers = [403, 403]

    assert pusher.step() == REVOKED_WAIT_S
    hand_clock.move(REVOKED_WAIT_S / 2)
    assert pusher.step() == REVOKED_WAIT_S / 2
    hand_clock.move(REVOKED_WAIT_S / 2)
    assert pusher.step() == REVOKED_WAIT_S

    assert len(line.batches) == 2
    assert spool.counts().frames == 2
    assert capfd.readouterr().err.count("revoked") == 1


def test_an_agent_in_quarantine_keeps_its_spool_tries_once_an_hour_and_says_the_servers_remedy(
    pusher, line, spool, hand_clock, monkeypatch
):
    def refuse():
        raise Refused("two hosts run with this key: enrol the copy anew", status=403, kind="cloned")

    monkeypatch.setattr(pusher, "_hello", refuse)
    fill(spool, 2)

    assert pusher.step() == REVOKED_WAIT_S
    assert spool.counts().frames == 2
    assert pusher.trouble == (
        "the server has put this agent in quarantine:"
        " two hosts run with this key: enrol the copy anew; frames are kept"
    )


def test_a_hello_that_is_refused_as_revoked_waits_an_hour_too(pusher, line, spool, monkeypatch):
    def refuse():
        raise Refused("this agent was revoked", status=403)

    monkeypatch.setattr(pusher, "_hello", refuse)
    fill(spool, 1)

    assert pusher.step() == REVOKED_WAIT_S
    assert spool.counts().frames == 1


@pytest.mark.parametrize("status", [400, 413, 422, 429, 500])
def test_a_hello_that_is_refused_blames_no_frame(pusher, line, spool, monkeypatch, status):
    def refuse():
        raise Refused("not now", status=status, retry_after_s=3)

    monkeypatch.setattr(pusher, "_hello", refuse)
    fill(spool, 1)

    assert pusher.step() == 4
    assert spool.counts().frames == 1
    assert pusher.counts.quarantined_frames == 0


@pytest.mark.parametrize("poison", [0, 7, 19])
def test_one_poisoned_frame_is_found_by_halving_and_the_others_are_delivered(
    pusher, line, spool, tmp_path, poison
):
    fill(spool, 20)
    line.poison = poison

    steps = 0
    while spool.has_frames:
        pusher.step()
        steps += 1

    assert pusher.counts.delivered_frames == 19
    (path,) = (tmp_path / "quarantine").iterdir()
    assert path.name == f"{1:020d}-{poison:010d}.refused"
    reason, schema, packed = msgpack.unpackb(path.read_bytes())
    assert (reason, schema) == ("the server answers with status 422", LOAD.packed)
    assert packed == frame_of(poison).packed
    assert steps < 30


def test_a_server_that_refuses_everything_loses_frames_slowly(pusher, line, spool, hand_clock):
    fill(spool, 40)
    line.answers = [400] * 1000

    for _ in range(100):
        hand_clock.move(1)
        pusher.step()

    assert pusher.counts.quarantined_frames <= 10


def test_the_quarantine_is_bounded(tmp_path):
    quarantine = Quarantine(str(tmp_path / "quarantine"))

    for seq in range(MOST_FILES + 5):
        quarantine.put(frame_of(seq), LOAD.packed, "no")

    names = sorted(path.name for path in (tmp_path / "quarantine").iterdir())
    assert len(names) == MOST_FILES
    assert names[0] == f"{1:020d}-{5:010d}.refused"


def test_a_quarantine_that_cannot_be_written_stops_nothing(tmp_path, capfd):
    (tmp_path / "quarantine").write_text("a file in the folder's place")

    Quarantine(str(tmp_path / "quarantine")).put(frame_of(0), LOAD.packed, "no")

    assert "cannot be written" in capfd.readouterr().err


def test_a_backlog_goes_newest_first_in_growing_batches_with_short_pauses(pusher, line, spool):
    fill(spool, 300)

    waits = [pusher.step() for _ in range(4)]

    assert [len(batch) for batch in line.batches] == [32, 64, 128, 76]
    assert line.batches[0] == list(range(268, 300))
    assert line.batches[3] == list(range(76))
    assert waits == [1.5, 1.5, 1.5, None]


def test_a_backlog_drains_at_far_more_than_ten_times_real_time(pusher, line, spool, hand_clock):
    fill(spool, 3000)
    began_s = hand_clock.seconds

    while (wait_s := pusher.step()) is not None:
        hand_clock.move(wait_s)

    assert 3000 * 10 / (hand_clock.seconds - began_s) > 1000


def test_a_fresh_frame_goes_with_the_very_next_push_while_a_backlog_drains(pusher, line, spool):
    fill(spool, 500)
    pusher.step()
    fill(spool, 1, first=500)

    pusher.step()

    assert line.batches[1][-1] == 500


def test_a_slow_line_gets_smaller_batches_and_a_broken_one_too(pusher, line, spool, hand_clock):
    fill(spool, 1000)
    line.took_s = 5.0
    pusher.step()
    pusher.step()
    line.answers = [Unreachable("timeout")]
    hand_clock.move(pusher.step())
    pusher.step()

    assert [len(batch) for batch in line.batches] == [FIRST_BATCH_FRAMES, 16, 8, 4]


def test_what_is_larger_than_a_push_may_be_is_not_even_sent(pusher, line, spool, monkeypatch):
    monkeypatch.setattr(wire, "MAX_BODY_BYTES", 250)
    names = [((f"node_{i}_total", ()), SeriesKind.COUNTER) for i in range(100)]
    wide = pack_schema(names)
    frame = pack_frame(epoch=1, seq=99, schema=wide, time_ms=0, values=[i / 7 for i in range(100)])
    spool.append(frame._replace(time_ms=frame_of(0).time_ms), wide)
    fill(spool, 3)

    for _ in range(10):
        pusher.step()

    assert pusher.counts.quarantined_frames == 1
    assert pusher.counts.delivered_frames == 3
    assert 99 not in itertools.chain.from_iterable(line.batches)


def test_an_answer_that_cannot_be_understood_forgets_nothing(pusher, line, spool, monkeypatch):
    fill(spool, 1)
    monkeypatch.setattr(line, "post", lambda *_: Answer(200, {}, b"<html>welcome to the hotel"))

    assert pusher.step() > 0
    assert spool.counts().frames == 1


def test_frames_whose_schema_is_lost_do_not_stop_the_others(pusher, line, spool, monkeypatch):
    other = pack_schema([(("node_load15", ()), SeriesKind.GAUGE)])
    fill(spool, 2)
    spool.append(frame_of(2, schema=other), other)
    real = spool.schema
    monkeypatch.setattr(spool, "schema", lambda of: None if of == other.id else real(of))

    pusher.step()

    assert line.batches == [[0, 1]]
    assert (spool.counts().frames, spool.counts().damages) == (0, 1)


def test_the_server_steers_the_interval(pusher, line, spool):
    fill(spool, 1)
    pusher.interval_s = 60

    pusher.step()

    assert pusher.interval_s == 10


def test_trouble_is_said_once_and_its_end_too(pusher, line, spool, hand_clock, capfd):
    fill(spool, 1)
    line.answers = [503, 503, 503]
    for _ in range(4):
        hand_clock.move(pusher.step() or 0)

    said = capfd.readouterr().err
    assert said.count("frames are kept") == 1
    assert said.count("takes frames again") == 1


@pytest.mark.parametrize("frames", [1, 40])
def test_a_push_is_the_contracts_to_the_byte(frames):
    batch = [frame_of(seq) for seq in range(frames)]

    body = pack_push(batch, [LOAD.packed], now_ms=5)

    expected = [1, 5, [LOAD.packed], [msgpack.unpackb(frame.packed) for frame in batch]]
    assert zlib.decompress(body) == msgpack.packb(expected)


def test_the_push_thread_survives_whatever_it_meets(pusher, spool, monkeypatch, capfd):
    stopping, real = threading.Event(), spool.batch

    def broken(**_):
        monkeypatch.setattr(spool, "batch", real)
        stopping.set()
        raise RuntimeError("a mistake")

    monkeypatch.setattr(spool, "batch", broken)
    pusher.wake()

    pusher.run(stopping)

    assert "RuntimeError: a mistake; frames are kept" in capfd.readouterr().err
