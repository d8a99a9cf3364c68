"""What the benchmark of history packs is what it says."""

import numpy as np
from bench.history import HOURS, SHARES, a_host, sizes_of

from tocsin_server.series.history.days import Closing, Days
from tocsin_server.series.history.stretches import by_hour


def test_a_host_sends_its_shares_every_ten_seconds():
    host = a_host(1)

    assert host.values.shape == (sum(SHARES.values()), HOURS * 360)
    constant = (host.values == host.values[:, :1]).all(axis=1)
    assert constant.sum() == SHARES["constant"]
    counters = np.array([entry.name.endswith("_total") for entry in host.series])
    assert (np.diff(host.values[counters]) >= 0).all()


def test_sizes_are_those_of_what_was_written(tmp_path):
    _, hour = next(by_hour(a_host(1)))
    Days(tmp_path).write([Closing(1, 0, hour)])

    sizes = sizes_of(tmp_path, hour.values.size)

    assert 0 < sizes.rollups < sizes.samples < sizes.samples + sizes.rollups < sizes.whole < 2
