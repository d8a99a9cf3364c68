"""The head and plain lists of samples give the same answers, whatever has happened to the hosts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share

from tocsin_protocol.vocabulary import SeriesKind
from tocsin_protocol.wire import STALE_NAN
from tocsin_server.series.fixed import FixedSeries, FixedSource
from tocsin_server.series.head import Head
from tocsin_server.series.labels import Labels
from tocsin_server.series.matchers import Matcher, MatchKind
from tocsin_server.series.schema import Schema, SeriesEntry
from tocsin_server.series.source import Source

INTERVAL_MS = 9_800
"""All instants are multiples of 700 ms: further apart than the sixteenth of the interval that is thinned."""
START_MS = 1_700_000_000_000
ENTRIES = (
    SeriesEntry("load", SeriesKind.GAUGE, ()),
    SeriesEntry("disk", SeriesKind.GAUGE, (("device", "sda"),)),
    SeriesEntry("disk", SeriesKind.GAUGE, (("device", "sdb"),)),
    SeriesEntry("net", SeriesKind.COUNTER, (("device", "sda"), ("empty", ""))),
)
ROWS: tuple[dict[str, str], ...] = ({}, {"site": "lyon"}, {"device": "sda", "instance": "atlas"})
NAMES = ("load", "disk", "net", "up", "skew", "recorded")
WINDOWS_MS = (15_000, 40_000, 60_000, 120_000)
SELECTORS: tuple[tuple[str | None, tuple[Matcher, ...]], ...] = (
    *((name, ()) for name in NAMES),
    ("disk", (Matcher("device", MatchKind.NOT_EQUAL, "sda"), Matcher("instance", MatchKind.REGEX, "a.*"))),
    ("never", ()),
    (
        None,
        (Matcher("__name__", MatchKind.REGEX, "disk|up|recorded"), Matcher("site", MatchKind.EQUAL, "lyon")),
    ),
)

Identity = tuple[int, int | None, tuple[tuple[str, str], ...]]


@dataclass
class Writer:
    """What one host, one host's beats or one rule has written, as plain lists."""

    newest_ms: int = 0
    samples: dict[Identity, list[tuple[int, float]]] = field(default_factory=dict)

    def write(self, time_ms: int, values: Mapping[Identity, float]) -> None:
        for identity in {**self.samples, **values}:
            self.samples.setdefault(identity, []).append((time_ms, values.get(identity, STALE_NAN)))
        self.newest_ms = time_ms


class Story:
    """A head and what should be in it. Every event moves the clock by more than the finest pace."""

    def __init__(self) -> None:
        self.head = Head(interval_s=INTERVAL_MS / 1000)
        self.now_ms = START_MS
        self.targets: dict[int, tuple[int, dict[str, str]]] = {}
        self.hosts: dict[int, Writer] = {}
        self.beats: dict[int, Writer] = {}
        self.rules: dict[int, Writer] = {}
        self.silenced: set[int] = set()
        self.windows = dict.fromkeys(NAMES, 0)
        self.floors = dict.fromkeys(NAMES, 0)

    def enlist(self, host_id: int, client_id: int, site: str) -> None:
        target = {"instance": ("atlas", "boreas", "ceto")[host_id], "job": "node", "site": site}
        self.head.enlist(host_id, client_id=client_id, target=target)
        if self.targets.get(host_id) != (client_id, target):
            self.targets[host_id] = client_id, target
            self.hosts[host_id], self.beats[host_id] = Writer(), Writer()

    def retire(self, host_id: int) -> None:
        self.head.retire(host_id)
        for known in (self.targets, self.hosts, self.beats):
            known.pop(host_id, None)

    def frame(self, host_id: int, places: Sequence[int], behind_ms: Sequence[int], values: list[float]) -> None:
        schema = Schema(hash(tuple(places)), "", tuple(ENTRIES[place] for place in places))
        times = [self.now_ms - behind for behind in sorted(behind_ms, reverse=True)]
        matrix = np.array(values)[: len(times) * len(places)].reshape(len(times), len(places))
        self.head.apply(host_id, schema, times, matrix)
        if host_id not in self.hosts:
            return
        identities = [self._identity(host_id, entry.name, dict(entry.labels)) for entry in schema.series]
        for time_ms, row in zip(times, matrix, strict=True):
            if time_ms > self.hosts[host_id].newest_ms:
                self.hosts[host_id].write(time_ms, dict(zip(identities, row, strict=True)))
                self.silenced.discard(host_id)

    def beat(self, host_id: int, *, up: bool, skew: float | None) -> None:
        notes = {} if skew is None else {"skew": skew}
        self.head.beat(host_id, up=up, at_ms=self.now_ms, notes=notes)
        if host_id not in self.hosts:
            return
        noted = {self._identity(host_id, name, {}): value for name, value in {"up": float(up), **notes}.items()}
        self.beats[host_id].write(self.now_ms, noted)
        own = self.hosts[host_id]
        if not up and own.newest_ms and host_id not in self.silenced:
            own.write(min(self.now_ms, own.newest_ms + INTERVAL_MS), {})
            self.silenced.add(host_id)

    def record(self, client_id: int, places: Sequence[int], values: list[float]) -> None:
        rows, given_values = [ROWS[place] for place in places], np.array(values[: len(places)])
        self.head.record("rule", "recorded", client_id, rows, given_values, self.now_ms)
        identities = [_identity(client_id, None, {"__name__": "recorded", **row}) for row in rows]
        self.rules.setdefault(client_id, Writer()).write(
            self.now_ms, dict(zip(identities, given_values.tolist(), strict=True))
        )

    def require(self, name: str, window_ms: int) -> None:
        self.head.require({name: window_ms})
        for each in NAMES if name == "" else (name,):
            if window_ms > self.windows[each]:
                self.floors[each] = max(self.floors[each], self.now_ms - self.windows[each])
                self.windows[each] = window_ms

    def recall(self) -> None:
        """All that hosts have sent, as history has it: rules look back on it however new they are."""
        for host_id, own in self.hosts.items():
            self.head.recall(host_id, [_series(*each) for each in own.samples.items()])
        self.floors |= dict.fromkeys(("load", "disk", "net"), 0)

    def forget(self) -> None:
        self.head._forget()

    def check(self, back_ms: int) -> None:
        """Ask both, as far back as is promised."""
        fixed = self._fixed()
        for name, matchers in SELECTORS:
            names = NAMES if name is None else (name,)
            reach = min(self.windows.get(each, 0) for each in names)
            floor = max(self.now_ms - reach, *(self.floors.get(each, 0) for each in names), 0)
            at_ms = max(self.now_ms - back_ms, floor)
            assert instants(self.head, name, matchers, at_ms) == instants(fixed, name, matchers, at_ms)
            for end_ms in (self.now_ms, at_ms):
                expected = windows(fixed, name, matchers, floor, end_ms)
                assert windows(self.head, name, matchers, floor, end_ms) == expected

    def _fixed(self) -> FixedSource:
        writers = (*self.hosts.values(), *self.beats.values(), *self.rules.values())
        return FixedSource.from_series(_series(*each) for writer in writers for each in writer.samples.items())

    def _identity(self, host_id: int, name: str, labels: Mapping[str, str]) -> Identity:
        client_id, target = self.targets[host_id]
        return _identity(client_id, host_id, {"__name__": name, **labels, **target})


def _series(identity: Identity, samples: Sequence[tuple[int, float]]) -> FixedSeries:
    client_id, host_id, labels = identity
    return client_id, host_id, dict(labels), [time for time, _ in samples], [value for _, value in samples]


def _identity(client_id: int, host_id: int | None, labels: Mapping[str, str]) -> Identity:
    return client_id, host_id, tuple(sorted((name, value) for name, value in labels.items() if value))


def identities(labels: Labels) -> list[Identity]:
    """The rows in words."""
    hosts = [None if host < 0 else host for host in labels.hosts.tolist()]
    rows = range(len(labels))
    return [_identity(int(labels.clients[row]), hosts[row], labels.row(row)) for row in rows]


def bits(values: np.ndarray) -> list[int]:
    """Values to the bit: a NaN equals itself, a stale marker equals no other NaN."""
    return np.ascontiguousarray(values, np.float64).view(np.int64).tolist()


def instants(source: Source, name: str | None, matchers: tuple[Matcher, ...], at_ms: int) -> object:
    selection = source.select(name, matchers)
    found = source.instant(selection, at_ms)
    rows = zip(identities(selection.labels), bits(found.values), found.times.tolist(), strict=True)
    return {row[0]: row[1:] for row, present in zip(rows, found.present, strict=True) if present}


def windows(
    source: Source, name: str | None, matchers: tuple[Matcher, ...], start_ms: int, end_ms: int
) -> object:
    selection = source.select(name, matchers)
    found = source.window(selection, start_ms, end_ms)
    return {
        identity: (bits(found.values[row, :count]), found.times[row, :count].tolist())
        for row, (identity, count) in enumerate(zip(identities(selection.labels), found.count, strict=True))
        if count
    }


VALUES = st.lists(
    st.sampled_from([0.0, 1.5, -2.0, float("nan"), float("inf"), STALE_NAN]), min_size=8, max_size=8
)
HOSTS = st.integers(0, 2)
EVENTS = st.one_of(
    st.tuples(st.just("enlist"), HOSTS, st.integers(1, 2), st.sampled_from(["lyon", "paris"])),
    st.tuples(st.just("retire"), HOSTS),
    *[
        st.tuples(
            st.just("frame"),
            HOSTS,
            st.lists(st.integers(0, 3), unique=True, max_size=4),
            st.sampled_from([[0], [0], [700, 0], [25_200], [0, 25_200]]),
            VALUES,
        )
    ]
    * 5,
    st.tuples(st.just("up"), HOSTS, st.none() | st.just(0.5)),
    st.tuples(st.just("down"), HOSTS),
    st.tuples(st.just("record"), st.integers(1, 2), st.lists(st.integers(0, 2), unique=True), VALUES),
    st.tuples(st.just("require"), st.sampled_from([*NAMES, ""]), st.sampled_from(WINDOWS_MS)),
    st.tuples(st.just("recall")),
    st.tuples(st.just("forget")),
    st.tuples(st.just("check"), st.sampled_from([0, 1, 5_000, 30_000, 100_000])),
)
GAPS_MS = st.sampled_from([1_400, 2_800, 4_900, 9_800, 9_800, 10_500, 35_000, 400_400])


def tell(story: Story, event: tuple) -> None:
    match event:
        case ("enlist", host_id, client_id, site):
            story.enlist(host_id, client_id, site)
        case ("retire", host_id):
            story.retire(host_id)
        case ("frame", host_id, places, behind_ms, values):
            story.frame(host_id, places, behind_ms, values)
        case ("up", host_id, skew):
            story.beat(host_id, up=True, skew=skew)
        case ("down", host_id):
            story.beat(host_id, up=False, skew=None)
        case ("record", client_id, places, values):
            story.record(client_id, places, values)
        case ("require", name, window_ms):
            story.require(name, window_ms)
        case ("recall" | "forget" as what,):
            getattr(story, what)()
        case ("check", back_ms):
            story.check(back_ms)


@settings(max_examples=share(40))
@given(
    windows_ms=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(WINDOWS_MS)),
    events=st.lists(st.tuples(GAPS_MS, EVENTS), min_size=5, max_size=40),
)
def test_the_head_answers_as_plain_lists_of_samples_would(windows_ms, events) -> None:
    story = Story()
    for name, window_ms in windows_ms.items():
        story.require(name, window_ms)
    for host_id in range(3):
        story.enlist(host_id, 1 + host_id % 2, "lyon")

    for gap_ms, event in events:
        story.now_ms += gap_ms
        tell(story, event)

    for back_ms in (0, 20_000):
        story.check(back_ms)


@settings(max_examples=share(15))
@given(
    gaps_ms=st.lists(st.sampled_from([700, 2_800, 9_800]), min_size=60, max_size=120),
    places=st.lists(st.lists(st.integers(0, 3), unique=True), min_size=1, max_size=5),
    deepenings=st.dictionaries(
        st.integers(0, 60), st.tuples(st.sampled_from(NAMES[:3]), st.sampled_from(WINDOWS_MS))
    ),
)
def test_windows_keep_their_length_however_fast_a_host_pushes(gaps_ms, places, deepenings) -> None:
    story = Story()
    story.require("disk", 60_000)
    story.enlist(0, 1, "lyon")

    for turn, gap_ms in enumerate(gaps_ms):
        story.now_ms += gap_ms
        if turn in deepenings:
            story.require(*deepenings[turn])
        story.frame(0, places[turn * len(places) // len(gaps_ms)], [0], [float(turn)] * 8)

    story.check(0)
    story.check(30_000)


@settings(max_examples=share(25))
@given(
    gaps_ms=st.lists(st.sampled_from([9_800, 9_800, 10_500, 35_000, 400_400]), min_size=4, max_size=40),
    places=st.lists(st.lists(st.integers(0, 3), unique=True), min_size=1, max_size=5),
    windows_ms=st.dictionaries(st.sampled_from(NAMES[:3]), st.sampled_from(WINDOWS_MS)),
    longer_ms=st.dictionaries(
        st.integers(1, 30), st.tuples(st.sampled_from(NAMES[:3]), st.sampled_from(WINDOWS_MS)), min_size=1
    ),
)
def test_what_is_recalled_is_as_if_it_had_been_asked_for_from_the_start(
    gaps_ms, places, windows_ms, longer_ms
) -> None:
    story = Story()
    for name, window_ms in windows_ms.items():
        story.require(name, window_ms)
    story.enlist(0, 1, "lyon")

    for turn, gap_ms in enumerate(gaps_ms):
        story.now_ms += gap_ms
        story.frame(0, places[turn * len(places) // len(gaps_ms)], [0], [float(turn)] * 8)
        if turn in longer_ms:
            story.require(*longer_ms[turn])
            story.recall()

    story.check(0)
    story.check(30_000)
