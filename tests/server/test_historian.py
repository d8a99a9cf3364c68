"""An hour that is over goes to history, once and whole, and only then may the journal let go of it."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import share
from tests.server.ingest.rig import Rig, RigAgent, enrolled, running

from tocsin_server.config import ClientHistory, ServerConfig
from tocsin_server.errors import Unavailable
from tocsin_server.historian import Historian, retention_of
from tocsin_server.http.sent import Sent
from tocsin_server.ingest.owed import HOUR_MS, QUIET_MS
from tocsin_server.series.history.dayfile import Grain
from tocsin_server.series.history.days import Days
from tocsin_server.series.history.reader import Archive, Question, Wanted, Watched

LOAD = "node_load1"


class FullDisk(Days):
    """A folder of days that can be written again once somebody says so."""

    is_full = True

    def write(self, closings):
        if self.is_full:
            raise Unavailable("the disk is full")
        return super().write(closings)


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path) as made:
        yield made


@pytest_asyncio.fixture
async def atlas(rig: Rig) -> RigAgent:
    return await enrolled(rig)


def historian(rig: Rig, days: Days | None = None) -> Historian:
    def client_of(host_id: int) -> int | None:
        host = rig.estate.host(host_id)
        return None if host is None else host.client_id

    return Historian(
        journal=rig.journal,
        days=days or Days(rig.folder / "history"),
        client_of=client_of,
        health=rig.health,
        clock=rig.clock,
    )


def kept(rig: Rig) -> list[int]:
    """When the one host had a load, as history has it."""
    (host,) = rig.estate.hosts()
    question = Question(host.client_id, [Watched(host.id, {})], [Wanted(LOAD)], 0, 1 << 60)
    return [at for series in Archive(rig.folder / "history").series(question) for at in series[3].tolist()]


async def an_hour(rig: Rig, atlas: RigAgent, first_seq: int = 0) -> list[int]:
    """Three pushes, then time until their hour is due; when they were."""
    rig.clock.move(seconds=(-rig.clock.now_ms() % HOUR_MS) / 1000)
    await atlas.hello()
    times = []
    for seq in range(first_seq, first_seq + 3):
        times.append(rig.clock.now_ms())
        await atlas.push(atlas.frame(seq))
        rig.clock.move(seconds=600)
    rig.clock.move(seconds=(HOUR_MS + QUIET_MS) / 1000 - 1800)
    await atlas.hello()
    return times


async def test_an_hour_that_is_over_is_in_history_with_its_roll_up_and_owed_no_longer(
    rig: Rig, atlas: RigAgent
) -> None:
    times = await an_hour(rig, atlas)

    written = historian(rig).turn(rig.clock.now_ms())

    assert written == 1
    assert kept(rig) == times
    assert len(rig.journal.owed) == 0
    assert rig.health.registry.get_sample_value("tocsin_history_hours_total") == 1


async def test_an_hour_that_goes_on_stays_in_the_journal_alone(rig: Rig, atlas: RigAgent) -> None:
    await atlas.push(atlas.frame(0))

    written = historian(rig).turn(rig.clock.now_ms())

    assert written == 0
    assert len(rig.journal.owed) == 1
    assert not list((rig.folder / "history").glob("*.db"))


async def test_what_came_late_joins_its_hour(rig: Rig, atlas: RigAgent) -> None:
    times = await an_hour(rig, atlas)
    writer = historian(rig)
    writer.turn(rig.clock.now_ms())
    late_ms = times[0] + 300_000
    await atlas.push(atlas.frame(9, at_ms=late_ms))

    at_once = writer.turn(rig.clock.now_ms())
    rig.clock.move(seconds=QUIET_MS / 1000)

    assert at_once == 0
    assert writer.turn(rig.clock.now_ms()) == 1
    assert kept(rig) == sorted([*times, late_ms])


async def test_what_was_written_but_not_noted_is_written_again_and_is_there_once(
    rig: Rig, atlas: RigAgent
) -> None:
    times = await an_hour(rig, atlas)
    historian(rig).turn(rig.clock.now_ms())
    (rig.folder / "journal" / "hours-written").unlink()
    rig.restart()

    again = historian(rig).turn(rig.clock.now_ms())

    assert again == 0
    assert kept(rig) == times
    assert len(rig.journal.owed) == 0


async def test_what_was_noted_is_not_read_again_after_a_start(rig: Rig, atlas: RigAgent) -> None:
    await an_hour(rig, atlas)
    historian(rig).turn(rig.clock.now_ms())

    rig.restart()

    assert len(rig.journal.owed) == 0


async def test_while_history_cannot_be_written_the_journal_keeps_everything(rig: Rig, atlas: RigAgent) -> None:
    times = await an_hour(rig, atlas)
    await an_hour(rig, atlas, first_seq=3)
    days = FullDisk(rig.folder / "history")
    writer = historian(rig, days)
    long_after_ms = rig.clock.now_ms() + 100 * HOUR_MS

    with pytest.raises(Unavailable):
        writer.turn(rig.clock.now_ms())
    swept = rig.journal.sweep(long_after_ms)
    days.is_full = False
    writer.turn(rig.clock.now_ms())

    assert swept == 0
    assert kept(rig)[:3] == times
    assert rig.journal.sweep(long_after_ms) == 1


async def test_what_nobody_owns_any_more_keeps_no_segment(rig: Rig, atlas: RigAgent) -> None:
    await an_hour(rig, atlas)
    writer = Historian(
        journal=rig.journal,
        days=Days(rig.folder / "history"),
        client_of=lambda _host_id: None,
        health=rig.health,
        clock=rig.clock,
    )

    assert writer.turn(rig.clock.now_ms()) == 0
    assert len(rig.journal.owed) == 0


async def test_the_thread_writes_by_itself_and_ends_when_it_is_told(
    rig: Rig, atlas: RigAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin_server.historian.LOOK_EVERY_S", 0.001)
    times = await an_hour(rig, atlas)
    writer = historian(rig)

    writer.start()
    while len(rig.journal.owed):
        pass
    writer.stop()

    assert kept(rig) == times
    assert not writer.is_failing


_PUSH = st.tuples(st.just("push"), st.integers(0, 4 * 60))
_WAIT = st.tuples(st.just("wait"), st.integers(1, 5 * 60))
_ACT = st.tuples(st.sampled_from(["write", "sweep", "restart", "lose the note"]), st.just(0))


@settings(max_examples=share(40), suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_PUSH | _WAIT | _ACT, max_size=25))
def test_whatever_happens_each_acked_instant_is_read_once(acts: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_live(Path(folder), acts))


async def _live(folder: Path, acts: list[tuple[str, int]]) -> None:
    """Pushes, some of them late, and a server that writes, sweeps and restarts; then all of it is read."""
    async with running(folder, segment_bytes=2000) as rig:
        atlas = await enrolled(rig)
        acked: set[int] = set()
        for seq, (act, minutes) in enumerate(acts):
            if act == "push":
                at_ms = rig.clock.now_ms() - minutes * 60_000 + seq
                answer = await atlas.push(atlas.frame(seq, at_ms=at_ms))
                acked.update([at_ms] if answer.status == 200 else [])
            elif act == "wait":
                rig.clock.move(seconds=60 * minutes)
                await atlas.hello()
            elif act == "write":
                historian(rig).turn(rig.clock.now_ms())
            elif act == "sweep":
                rig.journal.sweep(rig.clock.now_ms())
            else:
                if act == "lose the note":
                    (rig.folder / "journal" / "hours-written").unlink(missing_ok=True)
                rig.restart()
                await atlas.hello()

        (host,) = rig.estate.hosts()
        sent = Sent(rig.journal, Archive(rig.folder / "history"), 10_000)
        read = [at for *_, times, _ in sent.series(host, [LOAD], [(0, 1 << 60)]) for at in list(times)]
        assert sorted(read) == sorted(acked)


def test_a_client_keeps_what_it_has_agreed_and_others_what_all_have() -> None:
    config = ServerConfig(client_history={"acme": ClientHistory(samples_days=90), "gone": ClientHistory()})

    retention = retention_of(config, {"acme": 1, "globex": 2})

    assert [keep.days(Grain.SAMPLES) for keep in (retention.default, retention.clients[1])] == [15, 90]
    assert retention.clients[1].rollup_days == 396
    assert list(retention.clients) == [1]
