"""A head with hosts and the judge that watches over it, filled at once as frames would have left it."""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np

from bench.landscape import BEATS, INTERVAL_MS, Host, Landscape
from tocsin_server.alerts.judge import Judge
from tocsin_server.alerts.rulefile import load_rule_files
from tocsin_server.alerts.rules import RuleSet
from tocsin_server.alerts.watch import Watch
from tocsin_server.health import Health
from tocsin_server.series.depths import SHALLOW
from tocsin_server.series.head import Head
from tocsin_server.series.schema import Schema

CLIENT = 1


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def rule_set(text: bytes) -> RuleSet:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pack.yml"
        path.write_bytes(text)
        return load_rule_files(path)


class Memory:
    """Stands where the database is: alerts are given ids; nothing is kept but what the judge keeps."""

    def write(self, act: "partial[list[int]]") -> list[int]:
        return [id(change.alert) for change in act.keywords["changes"]]


@dataclass
class Tower:
    """A head with hosts and the judge that watches over it."""

    head: Head
    judge: Judge
    hosts: list[Host]
    epoch: int
    ticks: list[int]

    @classmethod
    def built(cls, rules: RuleSet, landscape: Landscape, hosts: list[Host], at_ms: int) -> Self:
        head = Head(interval_s=INTERVAL_MS / 1000)
        host_of = partial(_host_of)
        judge = Judge(head=head, storage=Memory(), health=Health(), host_of=host_of)  # type: ignore[arg-type]
        judge.replace_rules(rules)
        tower = cls(head, judge, hosts, landscape.epoch, [host.tick(at_ms) for host in hosts])
        for host, tick in zip(hosts, tower.ticks, strict=True):
            tower._install(host, tick)
        return tower

    def _install(self, host: Host, tick: int) -> None:
        """The newest frame the usual way, what was before it straight into the rings."""
        self.head.enlist(host.number, client_id=CLIENT, target=host.target)
        columns = np.arange(len(host.kind.series))
        newest = host.values(columns, np.array([tick]), self.epoch).T
        self.head.apply(host.number, host.schema(), [host.time_ms(tick)], newest)
        for seat in self.head._hosts[host.number].own.seats():
            ticks = np.arange(tick - seat.bank.depth + 1, tick + 1, dtype=np.int64)
            seat.bank.values[seat.rows] = host.values(seat.columns.astype(np.int64), ticks, self.epoch)
            seat.bank.times[seat.line] = host.time_ms(1) + (ticks - 1) * INTERVAL_MS
        self._beat(host, host.time_ms(tick))

    def _beat(self, host: Host, at_ms: int) -> None:
        self.head.beat(host.number, up=True, at_ms=at_ms, notes=dict.fromkeys(BEATS[1:], 0.0))

    def frames(self, at_ms: int) -> Iterator[Callable[[], None]]:
        """What hosts have sent until now, made ready to be taken in."""
        for place, (host, tick) in enumerate(zip(self.hosts, self.ticks, strict=True)):
            newest = host.tick(at_ms)
            if newest == tick:
                continue
            self.ticks[place] = newest
            ticks = np.arange(tick + 1, newest + 1)
            matrix = host.values(np.arange(len(host.kind.series)), ticks, self.epoch).T
            times = [host.time_ms(each) for each in ticks.tolist()]
            yield partial(self._take, host, times, matrix)

    def _take(self, host: Host, times: list[int], matrix: np.ndarray) -> None:
        self.head.apply(host.number, Schema(host.number, "", ()), times, matrix)
        self._beat(host, times[-1])

    def follow(self, at_ms: int = 0) -> int:
        """Take in what hosts have sent until then; when that was, which is now if nobody says otherwise."""
        at_ms = at_ms or now_ms()
        for take in self.frames(at_ms):
            take()
        return at_ms

    def round(self, at_ms: int) -> float:
        """Seconds of one round."""
        done = self.judge.round(at_ms)
        self.judge.settle(done)
        return done.took_s

    def watches(self) -> list[Watch]:
        return list(self.judge._roster.watches.values())

    def each_rule(self, at_ms: int) -> list[float]:
        """Seconds of each rule."""
        took = []
        for watch in self.watches():
            began = time.perf_counter()
            watch.judge(self.head, at_ms=at_ms, now_ms=at_ms)
            took.append(time.perf_counter() - began)
        return took

    def rows(self) -> list[int]:
        return [len(watch.alerts) for watch in self.watches()]

    def window_bytes(self) -> int:
        """What rings hold beyond the two samples that every series has."""
        banks = self.head._rings.banks.values()
        cells = [(bank._rows.limit + bank._lines.limit) * (bank.depth - SHALLOW) for bank in banks]
        return 8 * sum(cells)


def _host_of(_client: int, instance: str) -> int:
    return int(instance.removeprefix("host"))
