"""What rules look back on is there from the first evaluation on: after a start, and when they are new."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlmodel import Session
from structlog.testing import capture_logs
from tests.server.http.rig import ATLAS, NOW, TARGET, FakeJournal, frame_of

from tocsin_protocol.vocabulary import HostKind, SeriesKind
from tocsin_server import recall as subject
from tocsin_server.app import Server
from tocsin_server.clock import FakeClock
from tocsin_server.config import ServerConfig
from tocsin_server.datafolder import administer, database
from tocsin_server.errors import TooLarge
from tocsin_server.estate.clients import add_client
from tocsin_server.estate.estate import HostFacts
from tocsin_server.estate.sites import add_site
from tocsin_server.estate.store import Host, known
from tocsin_server.http.sent import Sent
from tocsin_server.ingest.inbox import HostFrame
from tocsin_server.recall import Recall
from tocsin_server.series.fixed import FixedSeries
from tocsin_server.series.head import Head
from tocsin_server.series.history.days import HISTORY, Closing, Days
from tocsin_server.series.history.reader import Archive
from tocsin_server.series.history.stretches import Stretch, hours_of
from tocsin_server.series.schema import SeriesEntry

HOUR, PACE_MS = 3_600_000, 600_000
LOAD, DISK = ("node_load1", ()), ("disk", ())
BOREA = replace(ATLAS, id=2, name="borea")
PLAYED_MS = NOW - HOUR
"""From when on the journal is played again at a start."""


@dataclass
class CountingSent:
    """`Sent`, and what it was asked; of a host that ails it gives nothing."""

    sent: Sent
    asked: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    ailing: str = ""

    def series(self, host: HostFacts, names: Sequence[str], spans: Sequence[Any]) -> list[FixedSeries]:
        self.asked.append((host.name, tuple(names)))
        if host.name == self.ailing:
            raise TooLarge("that is more than anybody reads")
        return self.sent.series(host, names, spans)


class Bench:
    """A head with atlas and borea, and ten hours in which both were heard every ten minutes.

    `unheard` are hours, as the first and the last of them ago, in which some were not.
    """

    def __init__(self, folder: Path, **unheard: tuple[int, int]) -> None:
        self.head = Head(interval_s=600)
        self.frames = [
            frame_of(host.id, {LOAD: float(at), DISK: 1.0}, NOW - at * PACE_MS)
            for host in (ATLAS, BOREA)
            for at in range(59, -1, -1)
            if not _lies_in(unheard.get(host.name, (-1, -2)), at * PACE_MS)
        ]
        owed_ms = NOW - NOW % HOUR
        for host in (ATLAS, BOREA):
            hours = hours_of(frame for frame in self.frames if frame.host_id == host.id)
            Days(folder).write(
                Closing(host.client_id, host.id, each) for at_ms, each in hours.items() if at_ms < owed_ms
            )
        self.sent = CountingSent(Sent(FakeJournal(self.frames, owed_ms), Archive(folder), PACE_MS))
        self.clock = FakeClock(NOW)
        self.recall = Recall(head=self.head, sent=self.sent, hosts=lambda: [ATLAS, BOREA], clock=self.clock)

    def play(self, frames: Sequence[HostFrame]) -> None:
        for frame in frames:
            self.head.apply(frame.host_id, frame.schema, frame.times_ms, frame.matrix)

    def start(self, **windows: int) -> None:
        """As the server does."""
        self.recall.require(windows)
        for host in (ATLAS, BOREA):
            self.head.enlist(host.id, client_id=host.client_id, target=TARGET | {"instance": host.name})
        self.play([frame for frame in self.frames if frame.times_ms[0] >= PLAYED_MS])
        self.recall.restore(windows)

    def counts(self, name: str, hours: int) -> list[int]:
        """How many samples of each host a range has."""
        return self.head.window(self.head.select(name, ()), NOW - hours * HOUR, NOW).count.tolist()

    def values(self, name: str, hours: int, *, since_ms: int = 0) -> list[list[float]]:
        """The samples of each host in a range."""
        end_ms = self.clock.now_ms()
        found = self.head.window(self.head.select(name, ()), max(since_ms, end_ms - hours * HOUR), end_ms)
        return [found.values[row, :count].tolist() for row, count in enumerate(found.count)]

    def now(self, name: str) -> list[float]:
        """What each host says of it now."""
        found = self.head.instant(self.head.select(name, ()), self.clock.now_ms())
        return found.values[found.present].tolist()


def _lies_in(hours: tuple[int, int], ago_ms: int) -> bool:
    first, last = hours
    return last * HOUR <= ago_ms < first * HOUR


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "history")


def test_after_a_start_a_range_is_as_long_as_it_says(bench: Bench) -> None:
    bench.start(node_load1=8 * HOUR)

    assert bench.counts("node_load1", 8) == [48, 48]
    assert bench.counts("disk", 8) == [2, 2]  # whose last value alone is asked for


def test_what_the_journal_has_given_back_is_not_read_again(bench: Bench) -> None:
    bench.start(node_load1=HOUR // 2, disk=8 * HOUR)

    assert bench.sent.asked == [("atlas", ("disk",)), ("borea", ("disk",))]


def test_rules_that_are_new_look_back_at_once(bench: Bench) -> None:
    bench.start()

    bench.recall.require({"node_load1": 8 * HOUR})

    assert bench.counts("node_load1", 8) == [48, 48]


def test_what_was_asked_for_is_not_read_again(bench: Bench) -> None:
    bench.start(node_load1=8 * HOUR)
    before = len(bench.sent.asked)

    bench.recall.require({"node_load1": 8 * HOUR, "disk": 2 * HOUR})

    assert bench.sent.asked[before:] == [("atlas", ("disk",)), ("borea", ("disk",))]


# -- whether hosts were up


def test_up_is_drawn_again_from_when_a_host_was_heard(tmp_path: Path) -> None:
    bench = Bench(tmp_path, atlas=(5, 4))

    bench.start(up=8 * HOUR)

    atlas, borea = bench.values("up", 8)
    assert borea == [1.0] * 47  # the frame of this very moment may be of a clock that is ahead
    assert 0.0 in atlas
    assert (atlas[0], atlas[-1]) == (1.0, 1.0)


def test_what_was_before_the_start_does_not_say_that_a_host_is_up_now(bench: Bench) -> None:
    bench.start(up=8 * HOUR)

    assert bench.now("up") == []


def test_that_this_server_did_not_run_is_nobodys_silence(tmp_path: Path) -> None:
    bench = Bench(tmp_path, atlas=(2, 0), borea=(2, 0))

    bench.start(up=8 * HOUR)

    assert bench.values("up", 8) == [[1.0] * 36] * 2


def test_a_rule_that_is_new_sees_who_has_been_silent_since_the_start(tmp_path: Path) -> None:
    bench = Bench(tmp_path, atlas=(2, 0))
    bench.start()
    bench.clock.move(seconds=3600)

    bench.recall.require({"up": 8 * HOUR})

    atlas, _ = bench.values("up", 8, since_ms=NOW)
    assert atlas
    assert not any(atlas)


def test_whatever_is_asked_of_any_name_has_up_as_well(bench: Bench) -> None:
    bench.start(**{"": 8 * HOUR})

    assert bench.values("up", 8) == [[1.0] * 47] * 2
    assert bench.counts("node_load1", 8) == [48, 48]


# -- what goes wrong


def test_a_host_that_cannot_be_read_is_told_and_costs_the_others_nothing(bench: Bench) -> None:
    bench.sent.ailing = "atlas"

    with capture_logs() as logs:
        bench.start(node_load1=8 * HOUR)

    assert bench.counts("node_load1", 8) == [7, 48]
    assert [(log["action"], log["host"]) for log in logs] == [("recall_failed", "atlas")]


def test_a_start_does_not_wait_for_ever(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "WITHIN_S", -1.0)

    with capture_logs() as logs:
        bench.start(node_load1=8 * HOUR)

    assert [log["event"] for log in logs] == ["rules look back on less than they say of 2 of 2 hosts"]


def test_a_server_that_ends_leaves_off(bench: Bench) -> None:
    bench.recall.stop()

    bench.start(node_load1=8 * HOUR)

    assert bench.sent.asked == []


RULES = "groups: [{name: load, rules: [{alert: Busy, expr: 'avg_over_time(node_load1[12h]) > 8'}]}]"


@pytest.mark.scenario
def test_a_server_that_starts_has_its_rules_look_back_on_history(tmp_path: Path, empty_database: bytes) -> None:
    data = tmp_path / "data"
    data.mkdir()
    database(data).path.write_bytes(empty_database)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "load.yml").write_text(RULES)

    def found(session: Session) -> tuple[int, int]:
        client = add_client(session, "acme", "Acme", 1)
        site = add_site(session, client, "main", "Main", 1)
        host = Host(
            client_id=known(client.id),
            site_id=known(site.id),
            name="atlas",
            kind=HostKind.SERVER,
            job="node",
            enrolled_ms=1,
        )
        session.add(host)
        session.flush()
        return known(client.id), known(host.id)

    series = (SeriesEntry("node_load1", SeriesKind.GAUGE, ()),)
    times = NOW - HOUR * np.arange(11, 0, -1)
    whose = administer(data, found)
    Days(data / HISTORY).write(
        Closing(*whose, Stretch(series, times[[at]], np.array([[9.0]]))) for at in range(len(times))
    )

    server = Server(data, ServerConfig(), config=tmp_path, clock=FakeClock(NOW))
    server.restore()
    window = server.head.window(server.head.select("node_load1", ()), NOW - 12 * HOUR, NOW)
    server.close()

    assert window.count.tolist() == [11]
