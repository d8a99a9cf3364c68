"""The spool keeps what is not acknowledged, whatever happens to the process, the disk or the file."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.agent.conftest import LOAD, NOON_MS, frame_of, schema_of
from tests.examples import share

from tocsin_agent import segment as segment_module
from tocsin_agent.frames import Frame, Schema
from tocsin_agent.segment import frame_record, scan, schema_record
from tocsin_agent.spool import HELD_FRAMES, Limits, Spool, keys_of

ROOMY = Limits(min_free_bytes=0)
DISK = os.statvfs_result((4096, 4096, 10_000_000, 9_000_000, 9_000_000, 0, 0, 0, 0, 255))
FULL_DISK = os.statvfs_result((4096, 4096, 10_000_000, 400_000, 400_000, 0, 0, 0, 0, 255))


def open_spool(folder: Path, *, epoch: int = 1, limits: Limits = ROOMY, statvfs=lambda _: DISK) -> Spool:
    return Spool(str(folder), epoch=epoch, limits=limits, statvfs=statvfs)


def drain(spool: Spool, *, most_frames: int = 1000, now_ms: int = NOON_MS) -> list[Frame]:
    return spool.batch(most_frames=most_frames, most_bytes=1 << 20, now_ms=now_ms)


def deliver(spool: Spool, *, most_frames: int = 1000) -> list[Frame]:
    batch = drain(spool, most_frames=most_frames)
    spool.settle(keys_of(batch))
    return batch


@pytest.fixture
def small_segments(monkeypatch):
    monkeypatch.setattr(segment_module, "FULL_BYTES", 300)


def test_what_is_appended_comes_out_newest_first_and_in_a_batch_oldest_first(tmp_path):
    spool = open_spool(tmp_path)
    for seq in range(5):
        spool.append(frame_of(seq), LOAD)

    batches = [[frame.seq for frame in deliver(spool, most_frames=2)] for _ in range(3)]

    assert batches == [[3, 4], [1, 2], [0]]
    assert not spool.has_frames


def test_a_frame_is_on_disk_before_append_returns(tmp_path):
    spool = open_spool(tmp_path)

    spool.append(frame_of(0), LOAD)

    after_kill = open_spool(tmp_path, epoch=2)
    assert [frame_of(0)] == drain(after_kill)
    assert LOAD.packed == after_kill.schema(LOAD.id)


def test_an_acknowledged_frame_does_not_come_back_after_kill_9(tmp_path):
    spool = open_spool(tmp_path)
    for seq in range(3):
        spool.append(frame_of(seq), LOAD)
    deliver(spool, most_frames=2)

    assert [frame.seq for frame in drain(open_spool(tmp_path, epoch=2))] == [0]


def test_a_fresh_frame_overtakes_the_backlog(tmp_path, small_segments):
    spool = open_spool(tmp_path)
    for seq in range(50):
        spool.append(frame_of(seq), LOAD)
    deliver(spool, most_frames=10)
    spool.append(frame_of(50), LOAD)

    assert [frame.seq for frame in drain(spool, most_frames=3)] == [38, 39, 50]


def test_a_frame_that_comes_while_others_are_in_flight_stays_when_those_go(tmp_path):
    spool = open_spool(tmp_path)
    spool.append(frame_of(0), LOAD)
    spool.append(frame_of(1), LOAD)
    batch = drain(spool)
    spool.append(frame_of(2), LOAD)
    spool.settle(keys_of(batch))

    assert spool.counts().frames == 1
    assert [frame.seq for frame in deliver(spool)] == [2]
    assert spool.counts().frames == 0
    assert drain(open_spool(tmp_path, epoch=2)) == []


def test_a_batch_that_failed_is_given_again(tmp_path):
    spool = open_spool(tmp_path)
    spool.append(frame_of(0), LOAD)
    first = drain(spool)

    spool.settle(())

    assert first == drain(spool)


def test_in_the_steady_state_the_file_does_not_grow(tmp_path):
    spool = open_spool(tmp_path)
    sizes = set()
    for seq in range(20):
        spool.append(frame_of(seq), LOAD)
        deliver(spool)
        sizes.add(spool.counts().size_bytes)

    assert len(sizes) == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_an_orderly_end_leaves_no_file_where_nothing_waits(tmp_path):
    spool = open_spool(tmp_path)
    spool.append(frame_of(0), LOAD)
    deliver(spool)

    spool.close()
    spool.append(frame_of(1), LOAD)

    assert list(tmp_path.iterdir()) == []


def test_every_frame_can_be_decoded_after_a_restart_whatever_the_segments(tmp_path, small_segments):
    spool = open_spool(tmp_path)
    schemas = [schema_of("node_load1", "node_load5", f"extra{i // 3}") for i in range(12)]
    for seq, schema in enumerate(schemas):
        spool.append(frame_of(seq, schema=schema), schema)

    again = open_spool(tmp_path, epoch=2)

    frames = drain(again)
    assert len(frames) == 12
    assert [schema.packed for schema in schemas] == [again.schema(frame.schema_id) for frame in frames]


def test_schemas_are_cut_off_with_the_frames_above_them_and_written_anew(tmp_path):
    spool = open_spool(tmp_path)
    other = schema_of("node_load15")
    spool.append(frame_of(0), LOAD)
    spool.append(frame_of(1, schema=other), other)
    deliver(spool, most_frames=1)
    spool.append(frame_of(2, schema=other), other)

    again = open_spool(tmp_path, epoch=2)

    assert {other.packed, LOAD.packed} == {again.schema(frame.schema_id) for frame in drain(again)}


def test_a_full_spool_drops_its_oldest_and_counts_them_exactly(tmp_path, small_segments):
    size = len(frame_record(frame_of(0)))
    spool = open_spool(tmp_path, limits=Limits(max_bytes=20 * size, min_free_bytes=0))
    for seq in range(200):
        spool.append(frame_of(seq), LOAD)

    kept = [frame.seq for frame in drain(spool)]

    assert kept == list(range(200 - len(kept), 200))
    assert 5 < len(kept) <= 20
    assert 200 - len(kept) == spool.counts().dropped_full
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 20 * size


def test_the_bound_holds_for_what_an_earlier_run_has_left(tmp_path, small_segments):
    spool = open_spool(tmp_path)
    for seq in range(100):
        spool.append(frame_of(seq), LOAD)
    limits = Limits(max_bytes=3000, min_free_bytes=0)

    again = open_spool(tmp_path, epoch=2, limits=limits)
    again.append(frame_of(0, epoch=2), LOAD)

    assert again.counts().size_bytes <= 3000
    assert again.counts().frames + again.counts().dropped_full == 101


def test_frames_in_flight_are_not_dropped_for_new_ones(tmp_path, small_segments):
    spool = open_spool(tmp_path, limits=Limits(max_bytes=2500, min_free_bytes=0))
    for seq in range(12):
        spool.append(frame_of(seq), LOAD)
    batch = drain(spool)
    for seq in range(12, 40):
        spool.append(frame_of(seq), LOAD)
    spool.settle(keys_of(batch))

    left = [frame.seq for frame in drain(spool)]

    assert not {frame.seq for frame in batch} & set(left)
    assert len(batch) + len(left) + spool.counts().dropped_full == 40


def test_frames_older_than_the_limit_go_and_are_counted(tmp_path, small_segments):
    spool = open_spool(tmp_path, limits=Limits(max_age_ms=100_000, min_free_bytes=0))
    for seq in range(30):
        spool.append(frame_of(seq), LOAD)

    kept = drain(spool, now_ms=NOON_MS + 29 * 10_000)

    assert list(range(19, 30)) == [frame.seq for frame in kept]
    assert spool.counts().dropped_old == 19
    assert spool.counts().frames == 11


def test_while_the_disk_is_nearly_full_the_spool_does_not_grow(tmp_path, small_segments, capfd):
    disk = [DISK]
    spool = open_spool(tmp_path, limits=Limits(), statvfs=lambda _: disk[0])
    for seq in range(20):
        spool.append(frame_of(seq), LOAD)
    before = spool.counts().size_bytes

    disk[0] = FULL_DISK
    for seq in range(20, 40):
        spool.append(frame_of(seq), LOAD)
        assert spool.counts().size_bytes <= before
    counts = spool.counts()

    assert counts.frames + counts.dropped_full == 40
    assert drain(spool)[-1].seq == 39
    assert capfd.readouterr().err.count("nearly full") == 1


def test_with_no_room_at_all_the_last_frames_are_held_in_memory_and_written_when_there_is_room(tmp_path):
    disk = [FULL_DISK]
    spool = open_spool(tmp_path, limits=Limits(), statvfs=lambda _: disk[0])
    for seq in range(HELD_FRAMES + 5):
        spool.append(frame_of(seq), LOAD)
    assert (
        spool.counts().held_frames,
        spool.counts().size_bytes,
        spool.counts().dropped_full,
    ) == (HELD_FRAMES, 0, 5)
    assert list(tmp_path.iterdir()) == []

    disk[0] = DISK
    spool.append(frame_of(HELD_FRAMES + 5), LOAD)

    assert spool.counts().held_frames == 0
    assert list(range(5, HELD_FRAMES + 6)) == [frame.seq for frame in drain(open_spool(tmp_path, epoch=2))]


def test_a_frame_that_is_held_can_be_delivered_and_one_that_moved_to_disk_meanwhile_too(tmp_path):
    disk = [FULL_DISK]
    spool = open_spool(tmp_path, limits=Limits(), statvfs=lambda _: disk[0])
    spool.append(frame_of(0), LOAD)
    batch = drain(spool)
    assert LOAD.packed == spool.schema(LOAD.id)
    disk[0] = DISK
    spool.append(frame_of(1), LOAD)

    spool.settle(keys_of(batch))

    assert [frame.seq for frame in drain(spool)] == [1]


def test_a_write_that_fails_leaves_no_torn_record_and_loses_no_frame(tmp_path, monkeypatch, capfd):
    spool = open_spool(tmp_path)
    spool.append(frame_of(0), LOAD)
    real = os.pwrite

    def full_after_a_few_bytes(descriptor, content, offset):
        if len(content) > 10:
            return real(descriptor, content[:10], offset)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full_after_a_few_bytes)
    spool.append(frame_of(1), LOAD)
    monkeypatch.setattr(os, "pwrite", real)

    again = open_spool(tmp_path, epoch=2)
    assert ([frame.seq for frame in drain(again)], again.counts().damages) == ([0], 0)
    assert (spool.counts().held_frames, spool.counts().disk_errors) == (1, 1)
    assert [frame.seq for frame in drain(spool)] == [0, 1]
    assert "No space left" in capfd.readouterr().err


def test_a_failing_fsync_is_counted_and_the_agent_goes_on(tmp_path, monkeypatch, capfd):
    spool = open_spool(tmp_path)
    spool.append(frame_of(0), LOAD)

    def fail(_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fail)
    spool.sync()

    assert spool.counts().disk_errors == 2  # the segment and the folder that it was made in
    assert [frame.seq for frame in drain(spool)] == [0]
    assert "Input/output error" in capfd.readouterr().err


def test_only_what_is_not_acknowledged_is_synced(tmp_path, monkeypatch):
    spool = open_spool(tmp_path)
    synced = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    spool.append(frame_of(0), LOAD)
    deliver(spool)
    spool.sync()
    assert synced == []

    spool.append(frame_of(1), LOAD)
    spool.sync()
    spool.sync()

    assert len(synced) == 2


def test_what_a_killed_run_had_not_synced_is_synced_by_the_next(tmp_path, monkeypatch):
    open_spool(tmp_path / "spool").append(frame_of(0), LOAD)
    synced = []
    monkeypatch.setattr(
        os, "fdatasync", lambda descriptor: synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
    )

    open_spool(tmp_path / "spool", epoch=2)

    (segment,) = (tmp_path / "spool").iterdir()
    assert synced == [str(segment), str(tmp_path / "spool"), str(tmp_path)]


def test_a_disk_that_does_not_sync_what_is_left_is_counted_and_the_frames_are_there(
    tmp_path, monkeypatch, capfd
):
    open_spool(tmp_path).append(frame_of(0), LOAD)

    def fail(_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fail)
    spool = open_spool(tmp_path, epoch=2)

    assert spool.counts().disk_errors == 3  # the segment, its folder and the one above
    assert [frame.seq for frame in drain(spool)] == [0]
    assert "Input/output error" in capfd.readouterr().err


def test_a_folder_that_cannot_be_made_leaves_the_frames_in_memory(tmp_path, capfd):
    (tmp_path / "spool").write_text("a file in the folder's place")

    spool = open_spool(tmp_path / "spool")
    spool.append(frame_of(0), LOAD)

    assert [frame.seq for frame in deliver(spool)] == [0]
    spool.close()
    assert "spool" in capfd.readouterr().err


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"not a segment", b"\xf7toc" * 50])
def test_a_file_without_a_record_is_removed(tmp_path, content):
    path = tmp_path / f"{1:020d}-{0:06d}.frames"
    path.write_bytes(content)

    spool = open_spool(tmp_path, epoch=2)

    assert not path.exists()
    assert (0, int(bool(content))) == (spool.counts().frames, spool.counts().damages)


def test_a_folder_in_a_segments_place_is_counted_and_left_alone(tmp_path, capfd):
    path = tmp_path / f"{1:020d}-{0:06d}.frames"
    path.mkdir()

    spool = open_spool(tmp_path, epoch=2)
    spool.append(frame_of(0, epoch=2), LOAD)

    assert path.exists()
    assert (spool.counts().frames, spool.counts().damages) == (1, 1)
    assert "error of the disk" in capfd.readouterr().err


def test_files_of_others_are_left_alone(tmp_path):
    (tmp_path / "README").write_text("mine")

    open_spool(tmp_path).close()

    assert [path.name for path in tmp_path.iterdir()] == ["README"]


def test_a_frame_whose_schema_is_damaged_uses_another_segments_copy(tmp_path, small_segments):
    spool = open_spool(tmp_path)
    for seq in range(12):
        spool.append(frame_of(seq), LOAD)
    first = min(tmp_path.iterdir())
    content = bytearray(first.read_bytes())
    content[20] ^= 0xFF
    first.write_bytes(content)

    again = open_spool(tmp_path, epoch=2)

    assert len(drain(again)) == 12
    assert LOAD.packed == again.schema(LOAD.id)
    assert again.counts().damages == 1


def test_frames_whose_schema_is_gone_everywhere_are_given_up_and_counted(tmp_path):
    (tmp_path / f"{1:020d}-{0:06d}.frames").write_bytes(frame_record(frame_of(0)))
    spool = open_spool(tmp_path, epoch=2)
    (frame,) = drain(spool)

    assert spool.schema(frame.schema_id) is None
    spool.lose(keys_of([frame]))

    assert (spool.counts().frames, spool.counts().damages) == (0, 1)


def test_a_frame_that_rots_after_it_was_indexed_is_skipped_and_counted(tmp_path):
    spool = open_spool(tmp_path)
    for seq in range(3):
        spool.append(frame_of(seq), LOAD)
    (path,) = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)

    assert [frame.seq for frame in drain(spool)] == [0, 1]
    assert (spool.counts().frames, spool.counts().damages) == (2, 1)


RECORDS = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=12)


def written(records) -> list[bytes]:
    return [
        frame_record(frame_of(seq)) if is_frame else schema_record(Schema(0, bytes([seq]) * (seq + 1)))
        for seq, is_frame in records
    ]


@settings(max_examples=share(150))
@given(RECORDS, st.data())
def test_any_damage_costs_only_the_records_that_it_lies_in(records, data):
    parts = written(records)
    content = bytearray(b"".join(parts))
    flips = data.draw(st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(1, 255)), max_size=4))
    for offset, mask in flips:
        content[offset] ^= mask
    end = data.draw(st.integers(0, len(content)))

    found = [bytes(content[record.offset : record.end]) for record in scan(bytes(content[:end])) if record]

    offset, intact = 0, []
    for part in parts:
        if offset + len(part) <= end and content[offset : offset + len(part)] == part:
            intact.append(part)
        offset += len(part)
    assert intact == found


@settings(max_examples=share(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frames=st.integers(1, 15), cut=st.floats(0, 1), noise=st.binary(max_size=40))
def test_a_torn_tail_or_noise_behind_it_loses_no_whole_frame(tmp_path_factory, frames, cut, noise):
    folder = tmp_path_factory.mktemp("spool")
    spool = open_spool(folder)
    ends = []
    for seq in range(frames):
        spool.append(frame_of(seq), LOAD)
        ends.append(spool.counts().size_bytes)
    spool.sync()
    (path,) = folder.iterdir()
    size = int(cut * ends[-1])
    path.write_bytes(path.read_bytes()[:size] + noise)

    again = open_spool(folder, epoch=2)

    assert [seq for seq, end in enumerate(ends) if end <= size] == [frame.seq for frame in drain(again)]


class SpoolStory(RuleBasedStateMachine):
    """A spool beside a model of it, a dictionary; it is killed and started again at any point."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[int, int], Frame] = {}
        self.maybe: set[tuple[int, int]] = set()
        self.epoch = 0
        self.seq = 0
        self.flight: list[Frame] = []

    @initialize()
    def begin(self) -> None:
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.full_bytes, segment_module.FULL_BYTES = segment_module.FULL_BYTES, 300
        self.start()

    def start(self) -> None:
        self.epoch += 1
        self.seq = 0
        self.flight = []
        self.spool = open_spool(Path(self.folder.name), epoch=self.epoch)

    @rule(schema=st.sampled_from([LOAD, schema_of("a", "b"), schema_of("c", "d")]))
    def append(self, schema: Schema) -> None:
        frame = frame_of(self.seq, epoch=self.epoch, schema=schema)
        self.spool.append(frame, schema)
        self.kept[frame.epoch, frame.seq] = frame
        self.seq += 1

    @rule(most=st.integers(1, 5))
    def take(self, most: int) -> None:
        self.spool.settle(())
        self.flight = drain(self.spool, most_frames=most)
        newest = sorted(self.kept, reverse=True)[: len(self.flight)]
        if not self.maybe:
            assert {(frame.epoch, frame.seq) for frame in self.flight} == set(newest)
        assert len(self.flight) >= min(most, len(self.kept))
        for frame in self.flight:
            assert self.spool.schema(frame.schema_id)
            if (frame.epoch, frame.seq) not in self.maybe:
                assert frame == self.kept[frame.epoch, frame.seq]

    @rule()
    def acknowledge(self) -> None:
        self.spool.settle(keys_of(self.flight))
        for key in keys_of(self.flight):
            self.kept.pop(key, None)
            self.maybe.discard(key)
            # Acknowledged below others: a kill may bring it back, and the server knows it.
            if any(other > key for other in self.kept):
                self.maybe.add(key)
        self.flight = []

    @rule()
    def kill(self) -> None:
        for segment in self.spool._segments:
            segment.close()
        self.start()

    @rule()
    def end(self) -> None:
        self.spool.close()
        self.start()

    @invariant()
    def nothing_is_lost(self) -> None:
        if self.epoch:
            assert len(self.kept) <= self.spool.counts().frames <= len(self.kept) + len(self.maybe)
            assert self.spool.counts().damages == 0

    def teardown(self) -> None:
        if self.epoch:
            self.spool.close()
            segment_module.FULL_BYTES = self.full_bytes
            self.folder.cleanup()


TestSpoolStory = SpoolStory.TestCase
TestSpoolStory.settings = settings(max_examples=share(25), stateful_step_count=30)
