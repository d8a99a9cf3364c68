"""Debian's promtool makes blocks of what history tells, and finds in them every sample that was stored."""

import re
import subprocess

import numpy as np
import pytest

from tocsin_protocol.vocabulary import SeriesKind
from tocsin_protocol.wire import STALE_NAN
from tocsin_server.series.history.days import Closing, Days
from tocsin_server.series.history.openmetrics import exposition
from tocsin_server.series.history.reader import Archive, Question, Wanted, Watched
from tocsin_server.series.history.stretches import Stretch
from tocsin_server.series.schema import SeriesEntry

pytestmark = pytest.mark.real

BEGIN_MS = 1_699_999_200_000
_DUMPED = re.compile(r"\{(.*)\} (\S+) (\d+)")
SERIES = (
    SeriesEntry("node_cpu_seconds_total", SeriesKind.COUNTER, (("cpu", "0"), ("mode", "idle"))),
    SeriesEntry("node_cpu_seconds_total", SeriesKind.COUNTER, (("cpu", "1"), ("mode", "idle"))),
    SeriesEntry("node_cpu_seconds", SeriesKind.GAUGE, ()),
    SeriesEntry("node_intr", SeriesKind.COUNTER, ()),
    SeriesEntry("node_load1", SeriesKind.GAUGE, (("path", 'C:\\new\n"x" # EOF {é}'),)),
    SeriesEntry("node_vmstat_pgfault", SeriesKind.UNTYPED, ()),
)


def stored(folder) -> Archive:
    """Three hours of two hosts, of whose samples every seventh is absent."""
    instants = 3 * 360
    times = BEGIN_MS + np.arange(instants) * 10_000 + np.arange(instants) % 5
    values = np.random.default_rng(1).normal(0, 1e6, (len(SERIES), instants))
    values[:, 50:60] = [[np.inf], [-np.inf], [0.0], [-0.0], [1e300], [5e-324]]
    values[:, ::7] = STALE_NAN
    days = Days(folder)
    days.write(Closing(1, host, Stretch(SERIES, times, values)) for host in (7, 8))
    return Archive(folder)


def test_every_sample_is_found_again_in_the_blocks(require, tmp_path):
    promtool = require("promtool", "prometheus")
    archive = stored(tmp_path / "history")
    hosts = [Watched(host, {"instance": f"host{host}"}) for host in (7, 8)]
    question = Question(1, hosts, [Wanted(None)], 0, 1 << 50)
    text = tmp_path / "all.om"
    text.write_text("".join(exposition(archive, question)), newline="")

    def run(*arguments) -> str:
        done = subprocess.run(
            [promtool, "tsdb", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("create-blocks-from", "openmetrics", text, tmp_path / "blocks")
    (tmp_path / "blocks" / "wal").mkdir()  # it asks for one, and takes an empty one
    dumped = run("dump", tmp_path / "blocks")

    lines = [_DUMPED.fullmatch(line) for line in dumped.split("\n")]
    found = {(line[1], int(line[3])): float(line[2]) for line in lines if line}
    assert len(found) == 2 * len(SERIES) * (3 * 360 - len(range(0, 3 * 360, 7)))
    assert len({key for key, _ in found}) == 2 * len(SERIES)
    for _, _, labels, times, values in archive.series(question):
        told = {at: value for (key, at), value in found.items() if _is_of(key, labels)}
        there = ~np.isnan(values)
        assert told == dict(zip(times[there].tolist(), values[there].tolist(), strict=True))


def _is_of(dumped: str, labels: dict[str, str]) -> bool:
    """Whether the words of a dumped series are all those of ours, in Go's quotes."""
    quoted = (
        '{}="{}"'.format(name, value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"))
        for name, value in sorted(labels.items())
    )
    return dumped == ", ".join(quoted)
