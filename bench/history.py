"""What history takes on disk and in time, beside Prometheus's blocks of the same samples.

Run: `python -m bench history`. `host`: what a Linux host sends every ten seconds, in the shares that our agent
was seen to send on one: more than half of the series do not change within the hour, the rest are counters of
whole numbers, of hundredths and of thousandths, sizes in pages, and durations. `landscape`: three hosts that
send what published rules ask for, whose counters and gauges are noise to the last digit.

Ours is written as the server would, hour by hour, samples and roll-ups; theirs is made by `promtool tsdb
create-blocks-from openmetrics` of our own export. promtool is the one that `PROMTOOL` names, else the one on
PATH, else that of Debian's package. Each number of ours is the median over all hours.
"""

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from bench.corpus import pack
from bench.landscape import INTERVAL_MS, Landscape
from bench.prometheus_peer import program
from bench.tower import rule_set
from tocsin_protocol.vocabulary import SeriesKind
from tocsin_server.series.arrays import Floats, Ints
from tocsin_server.series.history.chunks import pack_chunk, unpack_chunk
from tocsin_server.series.history.dayfile import DayFile, Grain
from tocsin_server.series.history.days import Closing, Days, day_paths
from tocsin_server.series.history.openmetrics import exposition
from tocsin_server.series.history.reader import Archive, Question, Wanted, Watched
from tocsin_server.series.history.stretches import HOUR_MS, Stretch, by_hour
from tocsin_server.series.schema import SeriesEntry

BEGIN_MS = 1_699_999_200_000 + 2 * HOUR_MS
HOSTS, HOURS = 2, 6
SHARES = {"constant": 170, "whole": 52, "hundredths": 14, "thousandths": 8, "pages": 28, "durations": 28}
BUDGET = 3.0
"""How many times smaller than Prometheus's."""
CLIENT = 1

T = TypeVar("T")


class Fleet(NamedTuple):
    name: str
    stretches: Sequence[Stretch]


class Sizes(NamedTuple):
    """Bytes a sample."""

    samples: float
    rollups: float
    whole: float


def _values(kind: str, count: int, instants: int, chance: np.random.Generator) -> Floats:
    """Some series of a kind, `[count, instants]`."""
    shape = (count, instants)
    if kind == "constant":
        return np.broadcast_to(chance.integers(0, 1 << 36, (count, 1)), shape).astype(np.float64)
    if kind == "durations":  # the difference of two readings of a clock that has run for a day
        return np.rint(chance.lognormal(-7, 0.3, shape) * 2.0**36) / 2.0**36
    if kind == "pages":
        level = chance.integers(1 << 15, 1 << 21, (count, 1))
        pages = level + np.cumsum(chance.integers(-40, 41, shape), axis=1)
        return pages.astype(np.float64) * 4096.0
    pace = np.exp(chance.uniform(0, 11, (count, 1)))
    whole = np.cumsum(chance.poisson(pace, shape), axis=1).astype(np.float64)
    if kind == "hundredths":
        return whole / 100
    return whole * 0.001 if kind == "thousandths" else whole


def a_host(number: int) -> Stretch:
    """What the first host sends in all hours, or the second."""
    chance, instants = np.random.default_rng(number), HOURS * HOUR_MS // INTERVAL_MS
    jitter = chance.integers(0, 8, instants)
    entries, rows = [], []
    for kind, count in SHARES.items():
        is_gauge = kind in {"constant", "durations", "pages"}
        suffix, type_ = ("", SeriesKind.GAUGE) if is_gauge else ("_total", SeriesKind.COUNTER)
        labels = [(("device", f"dev{place}"),) for place in range(count)]
        entries += [SeriesEntry(f"node_bench_{kind}{suffix}", type_, each) for each in labels]
        rows.append(_values(kind, count, instants, chance))
    times = BEGIN_MS + np.arange(instants) * INTERVAL_MS + jitter
    return Stretch(tuple(entries), times, np.concatenate(rows))


def a_landscape() -> Fleet:
    """A server, a Windows server and a switch."""
    landscape = Landscape(rule_set(pack().text), BEGIN_MS)
    stretches = []
    for number in (1, 8, 10):
        host = landscape.host(number)
        ticks: Ints = BEGIN_MS // INTERVAL_MS + np.arange(HOURS * HOUR_MS // INTERVAL_MS)
        values = host.values(np.arange(len(host.kind.series)), ticks, landscape.epoch)
        stretches.append(Stretch(host.schema().series, ticks * INTERVAL_MS, np.ascontiguousarray(values)))
    return Fleet("landscape", stretches)


def timed(act: Callable[[], T]) -> tuple[float, T]:
    begin = time.perf_counter()
    result = act()
    return time.perf_counter() - begin, result


def told_of_the_codec(fleet: Fleet) -> None:
    packing: list[float] = []
    unpacking: list[float] = []
    bytes_of_hour: list[int] = []
    for stretch in fleet.stretches:
        for _, hour in by_hour(stretch):
            seconds, chunk = timed(partial(pack_chunk, hour.times, hour.values))
            packing.append(seconds)
            again, (_, values) = timed(partial(unpack_chunk, chunk))
            unpacking.append(again)
            bytes_of_hour.append(hour.values.nbytes)
            assert values.tobytes() == hour.values.tobytes()
    size = statistics.median(bytes_of_hour) / 1e6
    for name, took in (("pack", packing), ("unpack", unpacking)):
        median = statistics.median(took)
        print(f"{name + ' an hour of a host':<36} {1000 * median:>9.2f} ms {size / median:>9.0f} MB/s")


def sizes_of(folder: Path, samples: int) -> Sizes:
    """What the days take, by what is in them, and with everything."""
    chunks = dict.fromkeys(Grain, 0)
    whole = 0
    for _, path in day_paths(folder):
        whole += path.stat().st_size
        with DayFile(path, read_only=True) as day:
            for grain, host in ((grain, host) for grain in Grain for host in range(10)):
                rows = [day.get(listed.key) for listed in day.listed(grain, CLIENT, host, 0, 1 << 60)]
                chunks[grain] += sum(len(row.content) for row in rows if row is not None)
    return Sizes(chunks[Grain.SAMPLES] / samples, chunks[Grain.ROLLUP] / samples, whole / samples)


def promtool(folder: str) -> str:
    found = os.environ.get("PROMTOOL") or shutil.which("promtool")
    return found or str(Path(program(folder)).with_name("promtool"))


def blocks_of(text: Path, folder: str) -> tuple[int, int]:
    """Bytes of Prometheus's chunks, and of its blocks with their indexes."""
    out = Path(folder) / "blocks"
    command = [promtool(folder), "tsdb", "create-blocks-from", "openmetrics", str(text), str(out)]
    subprocess.run(command, check=True, capture_output=True)
    files = [path for path in out.rglob("*") if path.is_file()]
    chunks = sum(path.stat().st_size for path in files if path.parent.name == "chunks")
    return chunks, sum(path.stat().st_size for path in files)


def compared(fleet: Fleet) -> None:
    samples = sum(stretch.values.size for stretch in fleet.stretches)
    hosts = [Watched(number, {"instance": f"host{number}"}) for number in range(len(fleet.stretches))]
    print(f"\n{fleet.name}: {len(hosts)} hosts, {HOURS} hours, {samples} samples", flush=True)
    told_of_the_codec(fleet)
    with tempfile.TemporaryDirectory() as folder:
        days, archive = Days(Path(folder) / "history"), Archive(Path(folder) / "history")
        closings = [
            Closing(CLIENT, host, hour)
            for host, stretch in enumerate(fleet.stretches)
            for _, hour in by_hour(stretch)
        ]
        seconds, written = timed(lambda: [days.write([closing]) for closing in closings])
        print(f"{'write an hour, durably':<36} {1000 * seconds / len(written):>9.2f} ms")
        everything = Question(CLIENT, hosts, [Wanted(None)], 0, 1 << 50)
        seconds, _ = timed(lambda: archive.series(everything))
        print(f"{'read all of it':<36} {1000 * seconds:>9.1f} ms {samples / seconds / 1e6:>9.1f} M samples/s")
        one = replace(everything, wanted=[Wanted(fleet.stretches[0].series[-1].name)])
        seconds, _ = timed(lambda: archive.series(one))
        print(f"{'read one metric of it':<36} {1000 * seconds:>9.1f} ms")
        text = Path(folder) / "all.om"
        with text.open("w", newline="") as out:
            seconds, _ = timed(lambda: out.writelines(exposition(archive, everything)))
        print(f"{'tell it as OpenMetrics':<36} {seconds:>9.2f} s  {samples / seconds / 1e6:>9.1f} M samples/s")
        told_of_sizes(sizes_of(Path(folder) / "history", samples), *blocks_of(text, folder), samples)


def told_of_sizes(ours: Sizes, chunks: int, whole: int, samples: int) -> None:
    print(f"{'bytes a sample':<36} {'tocsin':>9} {'prometheus':>12} {'ratio':>7}  (at least {BUDGET:.0f})")
    told = (("chunks", ours.samples, chunks / samples), ("with everything", ours.whole, whole / samples))
    for name, mine, theirs in told:
        print(f"{name:<36} {mine:>9.3f} {theirs:>12.3f} {theirs / mine:>7.2f}")
    print(f"{'of it, roll-ups':<36} {ours.rollups:>9.3f}")


def main() -> None:
    compared(Fleet("host", [a_host(number) for number in range(HOSTS)]))
    compared(a_landscape())


if __name__ == "__main__":
    main()
