"""kill -9 of whoever writes history, and power cuts: what was told to be written is there, each file sound."""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.faults.disk import Disk, Names
from tests.faults.recording import Recorder, lay

from tocsin_server.series.history.chunks import unpack_chunk
from tocsin_server.series.history.dayfile import DayFile, Grain, Key
from tocsin_server.series.history.days import day_paths
from tocsin_server.series.history.entries import unpack_entries

HOUR_MS = 1_699_999_200_000
HOSTS = 5
LOOPS = 10
POINTS = 500 if int(os.environ.get("TOCSIN_FAULT_LOOPS", "3")) >= 100 else 30

WRITER = f"""
import sys
from pathlib import Path
import numpy as np
from tocsin_protocol.vocabulary import SeriesKind
from tocsin_server.series.history.days import Closing, Days
from tocsin_server.series.history.stretches import Stretch
from tocsin_server.series.schema import SeriesEntry

days, number = Days(Path(sys.argv[1])), int(sys.argv[2])
series = tuple(SeriesEntry(f"metric_{{place}}", SeriesKind.GAUGE, ()) for place in range(50))
print("ready", flush=True)
while True:
    times = {HOUR_MS} + np.array([number % 3600, number % 3600 + 86_400]) * 1000
    values = np.full((50, 2), float(number))
    days.write(Closing(1, host, Stretch(series, times, values)) for host in range({HOSTS}))
    print(number, flush=True)
    number += 1
"""


def write_and_kill(folder: Path, number: int, after_s: float) -> int:
    """Write from this number on, for so long; the last one that was told to be written."""
    command = [sys.executable, "-c", WRITER, str(folder), str(number)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(after_s)  # real time: the moment of the kill is what is tested
        process.kill()
        told = [int(line) for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    return max(told, default=number - 1)


def written(path: Path, host: int, grain: Grain) -> int:
    """How many instants, or samples in buckets, the hours of a host have; each is read wholly."""
    count = 0
    with DayFile(path, read_only=True) as day:
        for listed in day.listed(grain, 1, host, 0, 1 << 60):
            row = day.get(Key(*listed.key))
            assert row is not None
            series = unpack_entries(row.digest, day.get_entries(row.digest))
            times, values = unpack_chunk(row.content)
            assert len(times) == row.instants
            assert len(values) == len(series) * (4 if grain else 1)
            count += len(times) if grain is Grain.SAMPLES else int(values[3 * len(series)].sum())
    return count


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_killing_the_writer_loses_no_hour_that_was_told_to_be_written(tmp_path: Path) -> None:
    chance = random.Random(LOOPS)
    number = kills = 0

    while kills < LOOPS or number < LOOPS:
        kills += 1
        # Where all is slow, most are killed before they have written: the next have longer.
        last = write_and_kill(tmp_path, number, chance.uniform(0.01, 0.3) * max(1, kills - LOOPS))

        for _, path in day_paths(tmp_path):
            with sqlite3.connect(path) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                has_begun = connection.execute("PRAGMA user_version").fetchone() != (0,)
            connection.close()
            counts = {
                written(path, host, grain) if has_begun else 0 for host in range(HOSTS) for grain in Grain
            }
            assert len(counts) == 1  # all hosts of a call or none, and roll-ups are those of the samples
            assert counts.pop() in (last + 1, last + 2)
        number = last + 1


def told_by(process: "subprocess.Popen[str]", after_s: float) -> dict[int, float]:
    """Each number that was told to be written, and when; then the writer is killed."""
    assert process.stdout is not None
    told, end = {}, time.monotonic() + after_s
    for line in process.stdout:
        if line.strip().isdecimal():
            told[int(line)] = time.time()
        if time.monotonic() > end:
            break
    process.kill()
    process.wait(10)
    return told


@pytest.mark.faults
def test_a_power_cut_loses_no_hour_that_was_told_to_be_written(
    strace: str, tmp_path: Path, report: Callable[[str], None]
) -> None:
    folder = tmp_path / "history"
    folder.mkdir()
    calls, chance = Recorder(folder), random.Random(POINTS)
    command = [*calls.under(), sys.executable, "-c", WRITER, str(folder), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        told = told_by(process, 3)
    calls.take()

    lost = []
    disks, done = [Disk(names, calls.first) for names in Names], 0
    for count in sorted(chance.choices(range(1, len(calls.events) + 1), k=POINTS)):
        for recorded in calls.events[done:count]:
            for disk in disks:
                disk.apply(recorded.event)
        done = count
        lay(chance.choice(disks).image(chance), tmp_path / "left")
        least = sum(at_s < calls.events[count - 1].at_s for at_s in told.values())
        if kept_everywhere(tmp_path / "left") < least:
            lost.append(count)
        shutil.rmtree(tmp_path / "left")

    report(
        f"history: {POINTS} power cuts in {len(calls.events)} events, {len(told)} writes told, {len(lost)} lost"
    )
    assert len(told) > 3
    assert lost == []


def kept_everywhere(folder: Path) -> int:
    """How many instants each of the two days has of each host, of samples and of buckets: of all the same."""
    counts = []
    for _, path in day_paths(folder):
        with sqlite3.connect(path) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            is_made = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.close()
        here = {written(path, host, grain) for host in range(HOSTS) for grain in Grain} if is_made else {0}
        assert len(here) == 1  # all hosts of a call or none, and roll-ups are those of the samples
        counts.append(here.pop())
    return min(counts) if len(counts) == 2 else 0
