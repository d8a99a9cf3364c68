"""Acked means durable, exactly once, whatever happens to the disk, the files or the process."""

import asyncio
import errno
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import share
from tests.server.ingest.rig import OTHER_SCHEMA, Rig, RigAgent, enrolled, running

from tocsin_server.clock import FakeClock
from tocsin_server.errors import Misconfigured
from tocsin_server.health import Health
from tocsin_server.ingest.inbox import HostFrame
from tocsin_server.ingest.journal import Journal
from tocsin_server.ingest.pen import Pen
from tocsin_server.ingest.records import (
    SEGMENT_HEAD_BYTES,
    Damage,
    Kind,
    Mark,
    Record,
    new_marker,
    pack_push,
    pack_record,
    scan,
    segment_head,
    unpack_marks,
)
from tocsin_server.ingest.replay import replay
from tocsin_server.ingest.segment import Disk

HOUR_MS = 3_600_000


class FailingDisk(Disk):
    """A disk whose calls fail while `failing` says so; what it was asked to write stays written."""

    def __init__(self) -> None:
        self.write_error = 0
        self.sync_error = 0
        self.syncs = 0

    def pwrite(self, descriptor: int, content: memoryview, offset: int) -> int:
        if self.write_error:
            os.pwrite(descriptor, content[: len(content) // 2], offset)
            raise OSError(self.write_error, os.strerror(self.write_error))
        # Short writes happen; everything has to be written all the same.
        return os.pwrite(descriptor, content[:1000], offset)

    def fdatasync(self, descriptor: int) -> None:
        if self.sync_error:
            raise OSError(self.sync_error, os.strerror(self.sync_error))
        self.syncs += 1


@pytest.fixture
def disk() -> FailingDisk:
    return FailingDisk()


@pytest_asyncio.fixture
async def rig(tmp_path: Path, disk: FailingDisk) -> AsyncIterator[Rig]:
    async with running(tmp_path, disk=disk) as made:
        yield made


@pytest_asyncio.fixture
async def atlas(rig: Rig) -> RigAgent:
    return await enrolled(rig)


def host_of(rig: Rig) -> int:
    (host,) = rig.estate.hosts()
    return host.id


def segments(rig: Rig) -> list[Path]:
    return sorted((rig.folder / "journal").glob("*.seg"))


def written(folder: Path) -> list[tuple[str, int, int]]:
    """Every frame that stands in the files, as often as it stands there."""
    keys = []
    for path in sorted(folder.glob("*.seg")):
        for piece in scan(path.read_bytes()):
            if isinstance(piece, Record) and piece.kind == Kind.PUSH:
                agent, _, marks = unpack_marks(piece.content)
                keys += [(agent, mark.epoch, mark.seq) for mark in marks]
    return keys


def values(frames: list[HostFrame]) -> list[float]:
    return [float(frame.matrix[0, 0]) for frame in frames]


async def test_what_was_acked_is_there_after_a_restart(rig: Rig, atlas: RigAgent) -> None:
    await atlas.push(atlas.frame(0), atlas.frame(1))
    rig.clock.move(seconds=10)
    await atlas.push(atlas.frame(2))
    heard = rig.clock.now_ms()

    rig.restart()

    assert values(list(rig.journal.frames_since(0))) == [0.0, 1.0, 2.0]
    assert rig.journal.replayed.frames == 3
    assert rig.presence.last_seen_ms(host_of(rig)) == heard


async def test_a_frame_is_known_again_after_a_restart(rig: Rig, atlas: RigAgent) -> None:
    await atlas.push(atlas.frame(0))
    rig.restart()
    await atlas.hello()

    answer = await atlas.push(atlas.frame(0), atlas.frame(1))

    assert answer.said["acked"] == 2
    assert values(rig.inbox.drain()) == [1.0]


async def test_pushes_that_wait_together_share_one_sync(rig: Rig, atlas: RigAgent, disk: FailingDisk) -> None:
    await atlas.push(atlas.frame(0))
    before = disk.syncs

    answers = await asyncio.gather(*[atlas.push(atlas.frame(seq)) for seq in range(1, 100)])

    assert {answer.status for answer in answers} == {200}
    assert disk.syncs - before <= 3
    assert len(rig.inbox) == 100


async def test_of_racing_repetitions_one_is_stored_and_all_are_acked(rig: Rig, atlas: RigAgent) -> None:
    answers = await asyncio.gather(*[atlas.push(atlas.frame(7)) for _ in range(20)])

    assert {answer.status for answer in answers} == {200}
    assert len(written(rig.folder / "journal")) == 1
    assert len(rig.inbox) == 1


async def test_a_repetition_is_not_acked_while_the_first_is_not_durable(
    rig: Rig, atlas: RigAgent, disk: FailingDisk
) -> None:
    disk.sync_error = errno.EIO

    answers = await asyncio.gather(*[atlas.push(atlas.frame(7)) for _ in range(5)])

    assert {answer.status for answer in answers} == {503}
    assert len(rig.inbox) == 0


async def test_a_frame_that_stands_twice_in_one_push_is_stored_once(rig: Rig, atlas: RigAgent) -> None:
    answer = await atlas.push(atlas.frame(0), atlas.frame(0))

    assert answer.said["acked"] == 2
    assert len(written(rig.folder / "journal")) == 1
    assert len(rig.inbox) == 1


@pytest.mark.parametrize("kind", ["write_error", "sync_error"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
async def test_a_failing_disk_refuses_pushes_and_goes_on_by_itself(
    rig: Rig, atlas: RigAgent, disk: FailingDisk, kind: str, error: int
) -> None:
    await atlas.push(atlas.frame(0))
    setattr(disk, kind, error)

    refused = [await atlas.push(atlas.frame(seq)) for seq in (1, 2)]
    setattr(disk, kind, 0)
    again = await atlas.push(atlas.frame(1), atlas.frame(2), atlas.frame(0))

    assert [answer.status for answer in refused] == [503, 503]
    assert int(refused[0].headers["retry-after"]) >= 1
    assert ("full" in refused[0].said["detail"]) == (error == errno.ENOSPC)
    assert again.status == 200
    assert sorted(written(rig.folder / "journal")) == [(atlas.id, atlas.epoch, seq) for seq in range(3)]
    rig.restart()
    assert rig.journal.replayed.frames == 3
    assert (rig.journal.replayed.damaged, rig.journal.replayed.torn_bytes) == (0, 0)


async def test_a_failing_disk_makes_no_host_silent(rig: Rig, atlas: RigAgent, disk: FailingDisk) -> None:
    disk.write_error = errno.ENOSPC
    rig.clock.move(seconds=600)

    await atlas.push(atlas.frame(0))

    assert rig.presence.is_up(host_of(rig), rig.clock.now_ms())


async def test_a_full_disk_is_not_filled_with_beginnings(rig: Rig, atlas: RigAgent, disk: FailingDisk) -> None:
    disk.write_error = errno.ENOSPC

    for seq in range(5):
        await atlas.push(atlas.frame(seq))

    assert segments(rig) == []


async def test_a_segment_that_a_failed_sync_has_spoilt_is_not_written_again(
    rig: Rig, atlas: RigAgent, disk: FailingDisk
) -> None:
    await atlas.push(atlas.frame(0))
    disk.sync_error = errno.EIO
    await atlas.push(atlas.frame(1))
    disk.sync_error = 0
    size = segments(rig)[0].stat().st_size

    await atlas.push(atlas.frame(1))

    assert len(segments(rig)) == 2
    assert segments(rig)[0].stat().st_size == size


async def test_a_frame_that_a_failed_sync_left_behind_counts_once(rig: Rig, atlas: RigAgent) -> None:
    await atlas.push(atlas.frame(0), atlas.frame(1))
    # The same records in a second segment, as if the cut after a failed sync had not reached the disk.
    (path,) = segments(rig)
    path.with_name("00000002.seg").write_bytes(path.read_bytes())

    rig.restart()

    assert (rig.journal.replayed.frames, rig.journal.replayed.repeated) == (2, 2)
    assert values(list(rig.journal.frames_since(0))) == [0.0, 1.0]


async def test_what_a_killed_server_had_not_synced_is_synced_before_it_counts_as_stored(
    rig: Rig, atlas: RigAgent, disk: FailingDisk
) -> None:
    await atlas.push(atlas.frame(0))
    before = disk.syncs

    rig.restart()

    assert disk.syncs > before


async def test_a_journal_that_cannot_be_made_durable_does_not_open(
    rig: Rig, atlas: RigAgent, disk: FailingDisk, tmp_path: Path
) -> None:
    await atlas.push(atlas.frame(0))
    disk.sync_error = errno.EIO

    with pytest.raises(Misconfigured, match="cannot be made durable"):
        Pen(tmp_path / "journal", disk, lambda *_: None, Health())


async def test_one_folder_has_one_journal(rig: Rig) -> None:
    with pytest.raises(Misconfigured, match="in use"):
        Journal(rig.folder / "journal", clock=rig.clock, health=Health())


async def test_a_chart_reads_one_hosts_time(rig: Rig, atlas: RigAgent) -> None:
    borealis = await enrolled(rig, "borealis", "globex")
    start = rig.clock.now_ms()
    for seq in range(10):
        await atlas.push(atlas.frame(seq))
        await borealis.push(borealis.frame(100 + seq))
        rig.clock.move(seconds=10)
    host = rig.estate.agent(atlas.id).host_id

    frames = rig.journal.frames_of(host, start + 20_000, start + 50_000)

    assert values(frames) == [2.0, 3.0, 4.0, 5.0]
    assert {frame.host_id for frame in frames} == {host}
    assert rig.journal.frames_of(999, 0, start + HOUR_MS) == []


async def test_frames_come_back_in_the_order_of_their_times(rig: Rig, atlas: RigAgent) -> None:
    now = rig.clock.now_ms()
    for seq, age_s in enumerate([0, 30, 20, 10]):
        await atlas.push(atlas.frame(seq, at_ms=now - age_s * 1000))

    assert values(rig.journal.frames_of(host_of(rig), 0, now)) == [1.0, 2.0, 3.0, 0.0]
    rig.restart()
    assert values(list(rig.journal.frames_since(now - 20_000))) == [2.0, 3.0, 0.0]


async def test_a_clamped_time_is_read_back_clamped(rig: Rig, atlas: RigAgent) -> None:
    now = rig.clock.now_ms()
    await atlas.push(atlas.frame(0, at_ms=now + HOUR_MS))

    (frame,) = rig.journal.frames_of(host_of(rig), now, now)

    assert frame.times_ms == [now]


async def test_segments_rotate_by_size_and_each_stands_alone(tmp_path: Path) -> None:
    async with running(tmp_path, segment_bytes=1000) as rig:
        atlas = await enrolled(rig)
        for seq in range(40):
            await atlas.push(atlas.frame(seq), atlas.frame(1000 + seq, schema=OTHER_SCHEMA))
        paths = segments(rig)
        for path in paths[:-1]:
            path.unlink()

        rig.restart()

        assert len(paths) > 5
        await atlas.hello()
        await atlas.push(*[atlas.frame(seq) for seq in range(40)])
        assert len(rig.inbox) == 0
        assert values(list(rig.journal.frames_since(0)))[-1] == 1039.0


async def test_a_segment_lasts_an_hour_at_most(rig: Rig, atlas: RigAgent) -> None:
    await atlas.push(atlas.frame(0))
    rig.clock.move(seconds=3599)
    await atlas.hello()
    await atlas.push(atlas.frame(1))
    assert len(segments(rig)) == 1

    rig.clock.move(seconds=1)
    await atlas.push(atlas.frame(2))

    assert len(segments(rig)) == 2


async def test_old_segments_are_swept_and_their_frames_stay_received(rig: Rig, atlas: RigAgent) -> None:
    for seq in range(10):
        await atlas.push(atlas.frame(seq))
        rig.clock.move(seconds=3600)
        await atlas.hello()
    start = rig.clock.now_ms()
    rig.journal.owed.settle(rig.journal.owed.due(start + HOUR_MS))

    swept = rig.journal.sweep(start)

    assert swept == 4
    assert values(rig.journal.frames_of(host_of(rig), 0, start)) == [4.0, 5.0, 6.0, 7.0, 8.0, 9.0]
    rig.inbox.drain()
    rig.restart()
    await atlas.hello()
    await atlas.push(*[atlas.frame(seq) for seq in range(10)])
    assert len(rig.inbox) == 0


async def test_the_newest_segment_is_never_swept(rig: Rig, atlas: RigAgent) -> None:
    await atlas.push(atlas.frame(0))
    rig.clock.move(seconds=100 * 3600)

    assert rig.journal.sweep(rig.clock.now_ms()) == 0


async def test_too_much_waiting_for_the_disk_sends_agents_away(
    rig: Rig, atlas: RigAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin_server.ingest.journal.MAX_WAITING", 3)

    answers = await asyncio.gather(*[atlas.push(atlas.frame(seq)) for seq in range(10)])

    assert sorted(answer.status for answer in answers) == [200] * 3 + [429] * 7
    assert (await atlas.push(atlas.frame(9))).status == 200


async def test_a_run_of_gaps_is_refused_before_it_fills_the_memory(
    rig: Rig, atlas: RigAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin_server.ingest.received.MAX_INTERVALS_PER_RUN", 3)
    statuses = [(await atlas.push(atlas.frame(2 * seq))).status for seq in range(5)]

    assert statuses == [200, 200, 200, 422, 422]


def filled_journal(folder: Path, segment_bytes: int) -> dict[int, bytes]:
    """Files of a journal with a few agents' pushes in a few segments, by name."""

    async def fill() -> None:
        async with running(folder, segment_bytes=segment_bytes) as rig:
            agents = [await enrolled(rig, name) for name in ("atlas", "borealis")]
            for seq in range(12):
                for agent in agents:
                    await agent.push(agent.frame(seq), agent.frame(100 + seq))
                rig.clock.move(seconds=10)

    asyncio.run(fill())
    return {path.name: path.read_bytes() for path in sorted((folder / "journal").glob("*.seg"))}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return filled_journal(tmp_path_factory.mktemp("filled"), 1200)


def spans(segment: bytes) -> list[tuple[int, int, list[tuple[str, int, int]]]]:
    """Begin, end and frames of every push of a sound segment."""
    found = []
    pieces = [piece for piece in scan(segment) if isinstance(piece, Record)]
    ends = [piece.offset for piece in pieces[1:]] + [len(segment)]
    for piece, end in zip(pieces, ends, strict=True):
        if piece.kind == Kind.PUSH:
            agent, _, marks = unpack_marks(piece.content)
            found.append((piece.offset, end, [(agent, mark.epoch, mark.seq) for mark in marks]))
    return found


def replayed_from(folder: Path, files: dict[str, bytes]):
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return replay(folder)


@settings(max_examples=share(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False))
def test_damage_costs_what_it_covers_and_no_more(
    tmp_path: Path, files: dict[str, bytes], chance: random.Random
) -> None:
    name = chance.choice(sorted(files))
    segment = bytearray(files[name])
    begin = chance.randrange(len(segment))
    length = chance.choice([1, 1, 2, 40, 300])
    for at in range(begin, min(begin + length, len(segment))):
        segment[at] ^= chance.randrange(1, 256)

    found = replayed_from(tmp_path / "damaged", {**files, name: bytes(segment)})

    head_is_gone = begin < 32 and begin + length > 20
    for other, content in files.items():
        for start, end, keys in spans(content):
            is_whole = other != name or (not head_is_gone and (end <= begin or start >= begin + length))
            if is_whole:
                assert all(found.received.holds(*key) for key in keys)


@settings(max_examples=share(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_after_a_crash_the_durable_beginning_is_there_and_the_torn_end_is_cut(
    tmp_path: Path, files: dict[str, bytes], data: st.DataObject
) -> None:
    last = max(files)
    length = data.draw(st.integers(0, len(files[last])))
    torn = files[last][:length] + data.draw(st.sampled_from([b"", bytes(500), b"\xff" * 77]))

    found = replayed_from(tmp_path / "torn", {**files, last: torn})

    for name, content in files.items():
        for _, end, keys in spans(content):
            if name != last or end <= length:
                assert all(found.received.holds(*key) for key in keys)
    assert found.damaged == 0
    again = replay(tmp_path / "torn")
    assert (again.frames, again.torn_bytes) == (found.frames, 0)


@given(st.binary(max_size=200))
def test_any_bytes_can_be_scanned(segment: bytes) -> None:
    for piece in scan(segment):
        assert isinstance(piece, Record | Damage)


def test_a_pushed_body_that_holds_a_record_is_not_taken_for_one() -> None:
    marker = new_marker()
    mark = Mark(1, 0, 0, host_id=99, first_ms=0, last_ms=0, position=0)
    # Whoever forges a record for another's host does not know this segment's marker.
    forged = pack_record(new_marker(), Kind.PUSH, pack_push("agt_other", 0, [mark], b""))
    outer = pack_record(marker, Kind.PUSH, pack_push("agt_atlas", 0, [], forged))
    sound = pack_record(marker, Kind.PUSH, pack_push("agt_atlas", 1, [], b""))
    damaged = bytearray(segment_head(marker) + outer + sound)
    damaged[SEGMENT_HEAD_BYTES + 9] ^= 1

    pieces = list(scan(bytes(damaged)))

    assert [type(piece) for piece in pieces] == [Damage, Record]
    assert unpack_marks(pieces[1].content)[1] == 1


def test_an_empty_folder_is_an_empty_journal(tmp_path: Path) -> None:
    (tmp_path / "00000001.seg").write_bytes(b"")

    with Journal(tmp_path, clock=FakeClock(), health=Health()) as journal:
        assert journal.replayed.frames == 0
        assert list(journal.frames_since(0)) == []
