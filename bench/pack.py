"""Sixty published rules over ten thousand hosts: one evaluation beside Prometheus's own, rule by rule.

Run: `python -m bench pack`, or `python -m bench.pack --hosts N`. Which rules: `corpus.py`, which data:
`landscape.py`, which Prometheus: `prometheus_peer.py`.

    alone        a child on one processor: bytes a series, then a round a second while hosts send
    side by side Prometheus evaluates the rules as a group of its own, again and again; after each time we do

Both are given the same samples, with the stamps that they have when they are sent. Prometheus has them all
beforehand, those of the next minutes too, so that nothing else keeps it busy; of metrics of which rules ask for
the newest sample only it is told once a minute. Our head is given each frame when it is due, outside of what
is measured, but for the round a second, where that is measured too.

What is compared is `prometheus_rule_group_last_duration_seconds` with the judge's round: expressions, the state
of each alert, what has changed. Neither writes alerts to a disk: the judge's changes are kept in memory. Frames
are taken into the head, not decoded or journalled: `push` measures that.
"""

import argparse
import ctypes
import gc
import os
import statistics
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.corpus import pack
from bench.landscape import BEATS, INTERVAL_MS, Host, Landscape
from bench.prometheus_peer import Peer, prometheus, written
from bench.tower import Tower, now_ms, rule_set
from tocsin_server.alerts.rules import RuleSet

HOSTS = int(os.environ.get("BENCH_HOSTS", "10000"))
EVALUATIONS = 4
HOSTS_A_SECOND = 250
"""So many hosts give Prometheus a second of rest: an evaluation takes it 2.4 ms a host, and then we judge."""
ROUNDS_EACH = 3
SECONDS = 30
HISTORY_SPARE = 3
"""Instants before the longest range."""
SELDOM = 6
"""Prometheus is told of every sixth instant where rules ask for the newest sample only."""
LOAD_S_A_HOST = 0.02
BATCH = 4
WAITING = 4


def every_s(count: int) -> int:
    """How often Prometheus is to evaluate."""
    return max(5, count // HOSTS_A_SECOND)


# -- alone


class Alone(NamedTuple):
    """What the child has measured. Sizes in bytes, `shares` of a second.

    `kept` is what is left of what it has grown when free memory is given back, as Prometheus does in time.
    """

    series: int
    grown: int
    kept: int
    after: int
    windows: int
    first_s: float
    shares: list[float]
    takes: list[float]


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def give_back() -> None:
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


def alone(text: bytes, count: int) -> Alone:
    """A child's work."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    rules, at_ms = rule_set(text), now_ms()
    landscape = Landscape(rules, at_ms)
    hosts = landscape.hosts(count)
    before = resident()
    tower = Tower.built(rules, landscape, hosts, at_ms)
    grown = resident() - before
    give_back()
    kept = resident() - before
    first_s = tower.round(tower.follow())
    for _ in range(2):
        tower.round(tower.follow())
    give_back()
    after = resident() - before
    takes, shares = zip(*every_second(tower), strict=True)
    series = tower.head.series_count
    return Alone(series, grown, kept, after, tower.window_bytes(), first_s, [*shares], [*takes])


def every_second(tower: Tower) -> Iterator[tuple[float, float]]:
    """Seconds of taking in what the second has brought, and of that with the round."""
    due = time.monotonic()
    for _ in range(SECONDS):
        due += 1
        time.sleep(max(0.0, due - time.monotonic()))
        at_ms = now_ms()
        frames = list(tower.frames(at_ms))
        began = time.perf_counter()
        for take in frames:
            take()
        took = time.perf_counter() - began
        tower.round(at_ms)
        yield took, time.perf_counter() - began


# -- side by side


def load(peer: Peer, landscape: Landscape, hosts: list[Host], until_ms: int, at_ms: int) -> None:
    """Tell Prometheus all that hosts have sent and will have sent until then."""
    with ThreadPoolExecutor(1) as writer:  # one writes while the next is made
        writing: deque[Future[None]] = deque()
        for start in range(0, len(hosts), BATCH):
            batch = hosts[start : start + BATCH]
            parts = (part for host in batch for part in sent(host, landscape.epoch, at_ms, until_ms))
            writing.append(writer.submit(peer.write, b"".join(parts)))
            if len(writing) > WAITING:
                writing.popleft().result()
        for last in writing:
            last.result()


def sent(host: Host, epoch: int, at_ms: int, until_ms: int) -> Iterator[bytes]:
    """A host's series, those together that have the same instants."""
    names = [{"__name__": name, **host.target} for name, _ in host.kind.series]
    own = [name | labels for name, labels in zip(names, host.labels, strict=True)]
    newest, last = host.tick(at_ms), host.tick(until_ms)
    for window_ms in np.unique(host.kind.windows_ms).tolist():
        columns = np.flatnonzero(host.kind.windows_ms == window_ms)
        first = newest - window_ms // INTERVAL_MS - HISTORY_SPARE
        ticks = np.arange(first, last + 1) if window_ms else np.arange(newest - 1, last + 1, SELDOM)
        times = [host.time_ms(tick) for tick in ticks.tolist()]
        yield written([own[column] for column in columns.tolist()], times, host.values(columns, ticks, epoch))
        if not window_ms:
            beats = [{"__name__": name, **host.target} for name in BEATS]
            yield written(beats, times, np.array([[1.0], [0.0]]) * np.ones(len(times)))


class Peers(NamedTuple):
    """Prometheus by turns with us; a list a turn, seconds."""

    theirs: list[float]
    their_rules: list[list[float]]
    their_rows: list[int]
    ours: list[float]
    our_rules: list[list[float]]
    our_rows: list[int]
    peer_bytes: tuple[float, float]
    peer_series: float


def side_by_side(text: bytes, rules: RuleSet, count: int) -> Peers:
    at_ms = now_ms()
    landscape = Landscape(rules, at_ms)
    hosts = landscape.hosts(count)
    until_ms = at_ms + round(1000 * (60 + LOAD_S_A_HOST * count + (EVALUATIONS + 2) * every_s(count)))
    with prometheus("--storage.tsdb.min-block-duration=1d", "--storage.tsdb.max-block-duration=1d") as peer:
        load(peer, landscape, hosts, until_ms, at_ms)
        print(f"prometheus took {(now_ms() - at_ms) / 1000:.0f} s to be told of everything", flush=True)
        tower = Tower.built(rules, landscape, hosts, now_ms())
        tower.round(now_ms())
        peer.collect()
        sizes = [
            peer.metrics(name)[0] for name in ("process_resident_memory_bytes", "go_memstats_heap_inuse_bytes")
        ]
        (series,) = peer.metrics("prometheus_tsdb_head_series")
        peer.obey(text, every_s(count))
        turns = list(by_turns(peer, tower, until_ms))[1:]
        if not turns:
            raise SystemExit(
                "prometheus has not evaluated the pack once while its data lasts: take --hosts fewer"
            )
        theirs, their_rules, their_rows, ours, our_rules, our_rows = zip(*turns, strict=True)
        return Peers(
            [*theirs],
            [*their_rules],
            their_rows[-1],
            [took for each in ours for took in each],
            [*our_rules],
            our_rows[-1],
            (sizes[0], sizes[1]),
            series,
        )


def by_turns(peer: Peer, tower: Tower, until_ms: int) -> Iterator[tuple[Any, ...]]:
    """Whenever Prometheus has evaluated its group, it rests and we judge; the first turn warms both up."""
    last = 0.0
    for _ in range(EVALUATIONS + 1):
        last = evaluated_after(peer, last)
        if now_ms() > until_ms:
            print("prometheus was slower than its data lasts: fewer evaluations")
            return
        (theirs,) = peer.metrics("prometheus_rule_group_last_duration_seconds")
        told = peer.rules()
        rounds = [tower.round(tower.follow()) for _ in range(ROUNDS_EACH)]
        yield (
            theirs,
            [rule["evaluationTime"] for rule in told],
            [len(rule["alerts"]) for rule in told],
            rounds,
            tower.each_rule(tower.follow()),
            tower.rows(),
        )


def evaluated_after(peer: Peer, last: float) -> float:
    """Wait until the group has been evaluated once more; when that was."""
    while True:
        stamps = peer.metrics("prometheus_rule_group_last_evaluation_timestamp_seconds")
        if stamps and stamps[0] > max(last, 0):
            return stamps[0]
        time.sleep(0.5)


# -- told


def told_of_memory(found: Alone, peers: Peers) -> None:
    whole, heap = (size / peers.peer_series for size in peers.peer_bytes)
    windows, rest = found.windows / found.series, (found.grown - found.windows) / found.series
    kept, later = (size / found.series - windows for size in (found.kept, found.after))
    print(f"\n{'bytes a series, resident':<44} {'tocsin':>9} {'prometheus':>11} {'budget':>7}")
    print(f"{'all':<44} {windows + rest:>9.0f} {whole:>11.0f}")
    print(f"{'windows that rules need':<44} {windows:>9.0f}")
    print(f"{'all else':<44} {rest:>9.0f} {'':>11} {200:>7}")
    print(f"{'all else, free memory given back':<44} {kept:>9.0f}")
    print(f"{'all else, with what rounds remember':<44} {later:>9.0f}")
    print(f"{'heap in use, after a collection':<44} {'':>9} {heap:>11.0f}")


def told_of_seconds(found: Alone) -> None:
    median, worst = statistics.median(found.shares), max(found.shares)
    print(
        f"\nevery second on one processor, {SECONDS} times: {100 * median:.0f} % of the second,"
        f" worst {100 * worst:.0f} %; of that frames taken in {100 * statistics.median(found.takes):.0f} %;"
        f" the first round after a start {found.first_s:.1f} s"
    )


def told_of_rules(names: list[str], peers: Peers) -> None:
    ours = 1000 * np.median(peers.our_rules, axis=0)
    theirs = 1000 * np.median(peers.their_rules, axis=0)
    print(f"{'rule':<44} {'tocsin ms':>9} {'prometheus':>11} {'ratio':>7} {'rows':>7}")
    for place, name in enumerate(names):
        rows, their_rows = peers.our_rows[place], peers.their_rows[place]
        differs = "" if rows == their_rows else f"  DIFFERENT: prometheus {their_rows}"
        ratio = theirs[place] / ours[place]
        print(f"{name:<44} {ours[place]:>9.2f} {theirs[place]:>11.2f} {ratio:>7.1f} {rows:>7}{differs}")
    whole, their_whole = 1000 * statistics.median(peers.ours), 1000 * statistics.median(peers.theirs)
    rows = sum(peers.our_rows)
    print(f"{'the whole pack':<44} {whole:>9.1f} {their_whole:>11.1f} {their_whole / whole:>7.1f} {rows:>7}")
    print(f"{'budget':<44} {'':>9} {'':>11} {20:>7}")


def main(count: int = HOSTS) -> None:
    chosen = pack()
    rules = rule_set(chosen.text)
    print(f"{len(rules)} rules of {chosen.origin}, {count} hosts of 100 series", flush=True)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as children:
        found = children.submit(alone, chosen.text, count).result()
    told_of_seconds(found)
    peers = side_by_side(chosen.text, rules, count)
    told_of_rules(chosen.names, peers)
    told_of_memory(found, peers)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--hosts", type=int, default=HOSTS)
    main(options.parse_args().hosts)
