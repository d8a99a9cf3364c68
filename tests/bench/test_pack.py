"""The pack's rules load, hosts send what they ask for, and some of them make rules fire."""

from pathlib import Path

import numpy as np
import pytest
from bench.corpus import CORPUS, COUNT, pack
from bench.landscape import SERIES, Landscape
from bench.pack import sent
from bench.prometheus_peer import varint, written
from bench.tower import CLIENT, Tower, rule_set

pytestmark = pytest.mark.scenario

NOW_MS = 1_700_000_000_000


def tower_of(chosen, numbers):
    rules = rule_set(chosen.text)
    landscape = Landscape(rules, NOW_MS)
    return Tower.built(rules, landscape, [landscape.host(number) for number in numbers], NOW_MS)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not there")
def test_rules_of_the_corpus_find_the_hosts_that_are_troubled():
    chosen = pack()
    tower = tower_of(chosen, [1, 8, 10, *range(47, 47 * 9, 47)])

    tower.round(NOW_MS)

    assert len(chosen.names) == COUNT
    assert tower.head.series_count == 11 * SERIES
    assert tower.judge.problems == []
    found = {alert.labels.get("instance") for watch in tower.watches() for alert in watch.alerts.values()}
    assert "host00047" in found
    assert not found & {"host00001", "host00008", "host00010"}


def test_our_own_rules_stand_in_where_there_is_no_corpus():
    chosen = pack(Path("/nowhere"))
    tower = tower_of(chosen, [1, 47])

    tower.round(NOW_MS)

    assert "config/rules" in chosen.origin
    assert tower.judge.problems == []


def test_rings_that_are_filled_at_once_are_as_frames_would_have_left_them():
    chosen = pack(Path("/nowhere"))
    at_once, by_frames = tower_of(chosen, [7]), tower_of(chosen, [7])
    before = Tower.built(by_frames.judge.rules, Landscape(by_frames.judge.rules, NOW_MS), [], NOW_MS)
    before.epoch, before.hosts, before.ticks = at_once.epoch, at_once.hosts, [at_once.ticks[0] - 100]
    host = at_once.hosts[0]
    before.head.enlist(host.number, client_id=CLIENT, target=host.target)
    first = host.values(np.arange(len(host.kind.series)), np.array([before.ticks[0]]), before.epoch).T
    before.head.apply(host.number, host.schema(), [host.time_ms(before.ticks[0])], first)

    before.follow(NOW_MS)

    for name, _ in host.kind.series:
        windows = [
            tower.head.window(tower.head.select(name, ()), NOW_MS - 180_000, NOW_MS)
            for tower in (at_once, before)
        ]
        assert windows[0].count.tolist() == windows[1].count.tolist()
        assert windows[0].values.tolist() == windows[1].values.tolist()


def test_prometheus_is_sent_every_series_of_a_host():
    rules = rule_set(pack(Path("/nowhere")).text)
    landscape = Landscape(rules, NOW_MS)
    host = landscape.host(3)

    content = b"".join(sent(host, landscape.epoch, NOW_MS, NOW_MS + 60_000))

    assert content.count(b"__name__") == len(host.kind.series) + 2


def test_a_sample_is_written_as_protobuf():
    content = written([{"__name__": "m"}], [NOW_MS], np.array([[1.0]]))

    sample = b"\x09" + np.float64(1.0).tobytes() + b"\x10" + varint(NOW_MS)
    assert content == b"\x0a\x21" + b"\x0a\x0d\x0a\x08__name__\x12\x01m" + b"\x12\x10" + sample
