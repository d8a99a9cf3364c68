"""The shipped rules over a fleet, beside Debian's prometheus with the same rules and samples in one run.

Run: `python -m bench evaluate`. Which program that is: `prometheus_peer.py`.

Both hold the samples in memory: ours in the head, Prometheus's by remote write into its own head. Both evaluate
every rule's expression at the same instants, one after the other, by turns. Prometheus's time is what its
engine says of itself (preparing and evaluating, without HTTP or JSON). That both find as many rows is checked
for every rule. How Prometheus's own rule manager does is not compared: its groups run at once and wait for
each other's processors, and it keeps alert states too.
"""

import statistics
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml

from bench.prometheus_peer import Peer, prometheus, written
from tocsin_protocol.vocabulary import SeriesKind
from tocsin_server.promql import Expression, evaluate, parse
from tocsin_server.series.head import Head
from tocsin_server.series.schema import Schema, SeriesEntry

HOSTS = 1000
CLIENTS = 10
SERIES = 300
INSTANTS = 60
INTERVAL_MS = 10_000
ROUNDS = 15
WARM_UP = 3
RULES = Path(__file__).parents[1] / "config/rules"
FILLER = "node_filler"


class Host(NamedTuple):
    """A host, its series, and their samples: `[instants, series]`, NaN for none."""

    number: int
    target: dict[str, str]
    schema: Schema
    matrix: np.ndarray


def entries() -> list[SeriesEntry]:
    """What a host sends, as far as a rule reads it, and fillers up to `SERIES`."""
    found: list[tuple[str, dict[str, str]]] = []
    modes = ("idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user")
    found += [("cpu_seconds_total", {"cpu": str(cpu), "mode": mode}) for cpu in range(8) for mode in modes]
    for mount in ("/", "/boot", "/home", "/srv", "/var"):
        labels = {"device": f"/dev/vg{mount.replace('/', '-')}", "fstype": "ext4", "mountpoint": mount}
        found += [
            (f"filesystem_{word}", labels)
            for word in ("avail_bytes", "size_bytes", "files", "files_free", "readonly", "device_error")
        ]
    for disk in ("sda", "sdb", "sdc"):
        found += [
            (f"disk_io_time_{word}", {"device": disk}) for word in ("seconds_total", "weighted_seconds_total")
        ]
    for device in ("eth0", "eth1", "eth2", "eth3"):
        found += [
            (f"network_{way}_{what}_total", {"device": device})
            for way in ("receive", "transmit")
            for what in ("errs", "packets")
        ]
    memory = ("MemAvailable", "MemTotal", "SwapFree", "SwapTotal")
    found += [(f"memory_{word}_bytes", {}) for word in memory]
    single = ("load5", "boot_time_seconds", "vmstat_oom_kill", "timex_sync_status", "timex_maxerror_seconds")
    found += [(word, {}) for word in (*single, "pressure_memory_stalled_seconds_total")]
    named = [(f"node_{name}", labels) for name, labels in found]
    named += [(f"{FILLER}_{number}", {}) for number in range(SERIES - len(named))]
    return [SeriesEntry(name, SeriesKind.GAUGE, tuple(sorted(labels.items()))) for name, labels in named]


def samples(series: list[SeriesEntry], chance: np.random.Generator, now_s: float) -> np.ndarray:
    """A quiet host: counters go up, gauges stay; one host in fifty is short of something."""
    matrix = np.full((INSTANTS, len(series)), np.nan)
    is_troubled = chance.random() < 0.02
    for column, entry in enumerate(series):
        if entry.name.startswith(FILLER):
            matrix[-1, column] = 1
        elif entry.name.endswith("_total") or entry.name.endswith("kill"):
            pace = 9.9 if is_troubled else 2.0 * chance.random()
            steps = chance.random(INSTANTS) * pace
            matrix[:, column] = 1e6 + (0 if "errs" in entry.name or "kill" in entry.name else np.cumsum(steps))
        else:
            matrix[:, column] = level(entry.name, now_s) * (
                0.01 if is_troubled and "avail" in entry.name.lower() else 1
            )
    return matrix


def level(name: str, now_s: float) -> float:
    if name == "node_boot_time_seconds":
        return now_s - 86_400
    zero = ("readonly", "device_error", "maxerror")
    return (
        0.0 if name.endswith(zero) or "maxerror" in name else 5e9 if "vail" in name or "ree" in name else 1e10
    )


def fleet(newest_ms: int) -> list[Host]:
    """The hosts; four in five are servers."""
    chance = np.random.default_rng(1)
    schema = Schema(1, "", tuple(entries()))
    hosts = []
    for number in range(HOSTS):
        job = "desktop" if number % 5 == 4 else "node"
        target = {"instance": f"host{number:04}", "job": job, "site": f"site{number % 40}"}
        hosts.append(Host(number + 1, target, schema, samples(list(schema.series), chance, newest_ms / 1000)))
    return hosts


def times_ms(newest_ms: int) -> list[int]:
    return [newest_ms - INTERVAL_MS * back for back in reversed(range(INSTANTS))]


def head_of(hosts: list[Host], newest_ms: int, expressions: list[Expression]) -> Head:
    head = Head(interval_s=INTERVAL_MS / 1000)
    windows: dict[str, int] = {}
    for expression in expressions:
        for name, back_ms in expression.windows().items():
            windows[name] = max(back_ms, windows.get(name, 0))
    head.require(windows)
    times = times_ms(newest_ms)
    for host in hosts:
        head.enlist(host.number, client_id=host.number % CLIENTS + 1, target=host.target)
        head.apply(host.number, host.schema, times, host.matrix)
        for at_ms in times:
            head.beat(host.number, up=True, at_ms=at_ms, notes={"tocsin_clock_skew_seconds": 0.0})
    return head


def our_round(head: Head, expressions: list[Expression], at_ms: int) -> float:
    """Seconds for all rules once."""
    began = time.perf_counter()
    for expression in expressions:
        evaluate(expression, head, at_ms)
    return time.perf_counter() - began


def load(peer: Peer, hosts: list[Host], times: list[int]) -> None:
    beats = (
        ({"__name__": "up"}, np.ones(len(times))),
        ({"__name__": "tocsin_clock_skew_seconds"}, np.zeros(len(times))),
    )
    for host in hosts:
        named = [{"__name__": entry.name, **dict(entry.labels)} for entry in host.schema.series]
        labels = [{**own, **host.target} for own in (*named, *(name for name, _ in beats))]
        values = np.vstack([host.matrix.T, *(column for _, column in beats)])
        peer.write(written(labels, times, values, ~np.isnan(values)))


def peer_round(peer: Peer, texts: list[str], at_ms: int) -> float:
    """Seconds of the engine for all rules once."""
    before = peer.engine_seconds()
    for text in texts:
        peer.rows(text, at_ms)
    return peer.engine_seconds() - before


def shipped() -> list[str]:
    texts = []
    for path in sorted(RULES.glob("*.yml")):
        groups = yaml.safe_load(path.read_text())["groups"]
        texts += [rule["expr"] for group in groups for rule in group["rules"]]
    return texts


def main() -> None:
    texts = shipped()
    expressions = [parse(text) for text in texts]
    with prometheus() as peer:
        newest_ms = time.time_ns() // 1_000_000
        hosts = fleet(newest_ms)
        load(peer, hosts, times_ms(newest_ms))
        head = head_of(hosts, newest_ms, expressions)
        now_ms = time.time_ns() // 1_000_000
        counts = [(len(evaluate(each, head, now_ms)), peer.rows(each.text, now_ms)) for each in expressions]
        took = [
            (our_round(head, expressions, now_ms + turn), peer_round(peer, texts, now_ms + turn))
            for turn in range(ROUNDS + WARM_UP)
        ]
    ours, theirs = (1000 * statistics.median(side) for side in zip(*took[WARM_UP:], strict=True))
    rows = sum(mine for mine, _ in counts)
    print(f"{len(texts)} rules, {HOSTS} hosts of {SERIES} series, {rows} rows found, median of {ROUNDS} rounds")
    for text, (mine, other) in zip(texts, counts, strict=True):
        if mine != other:
            print(f"DIFFERENT: {mine} rows, prometheus {other}: {text}")
    print(f"{'':<24} {'tocsin':>8} {'prometheus':>11} {'ratio':>7} {'budget':>7}")
    print(f"{'all rules once, ms':<24} {ours:>8.1f} {theirs:>11.1f} {theirs / ours:>7.1f} {20:>7}")


if __name__ == "__main__":
    main()
