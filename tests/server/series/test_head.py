"""What the head promises, one promise a test."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from tocsin_protocol.vocabulary import SeriesKind
from tocsin_protocol.wire import STALE_NAN
from tocsin_server.series import layouts
from tocsin_server.series import readings as readings_module
from tocsin_server.series.arrays import NEVER
from tocsin_server.series.banks import Bank
from tocsin_server.series.fixed import FixedSeries
from tocsin_server.series.forgetting import Forgetting
from tocsin_server.series.head import Head, Sample
from tocsin_server.series.labels import NO_HOST
from tocsin_server.series.matchers import Matcher, MatchKind
from tocsin_server.series.schema import Schema, SeriesEntry

ACME, BOLT = 1, 2
ATLAS, BOREAS = 10, 11
NOW_MS = 1_700_000_000_000
NODE = {"job": "node", "site": "lyon"}


def schema(*series: tuple[str, Mapping[str, str]], number: int = 1) -> Schema:
    entries = [SeriesEntry(name, SeriesKind.GAUGE, tuple(sorted(labels.items()))) for name, labels in series]
    return Schema(number, "", tuple(entries))


LOAD = schema(("load", {}), number=1)
LOAD_AND_DISK = schema(("load", {}), ("disk", {"device": "sda"}), number=2)


@pytest.fixture
def head() -> Head:
    """Pushes every ten seconds; Acme has atlas."""
    head = Head(interval_s=10)
    head.enlist(ATLAS, client_id=ACME, target={"instance": "atlas", **NODE})
    return head


def push(head: Head, after_s: float, *values: float, of: Schema = LOAD, host_id: int = ATLAS) -> None:
    """One frame at `NOW_MS + after_s`."""
    head.apply(host_id, of, [NOW_MS + round(after_s * 1000)], np.array([values]))


def instant(head: Head, name: str, after_s: float, *matchers: Matcher) -> list[float]:
    """The values that are there."""
    found = head.instant(head.select(name, matchers), NOW_MS + round(after_s * 1000))
    return found.values[found.present].tolist()


def window(head: Head, name: str, start_s: float, end_s: float) -> list[list[float]]:
    """The values of each row."""
    at = [NOW_MS + round(second * 1000) for second in (start_s, end_s)]
    found = head.window(head.select(name, ()), *at)
    return [found.values[row, :count].tolist() for row, count in enumerate(found.count)]


def rows(head: Head, name: str | None, *matchers: Matcher) -> list[dict[str, str]]:
    """The labels of each row."""
    labels = head.select(name, matchers).labels
    return [labels.row(row) for row in range(len(labels))]


def readings(samples: Sequence[Sample]) -> dict[str, float]:
    return {sample.name: sample.value for sample in samples}


# -- what a series is called


def test_the_server_stamps_the_target_and_moves_what_the_agent_claims_aside(head: Head) -> None:
    push(head, 0, 1.0, of=schema(("load", {"client": "bolt", "instance": "boreas", "core": "0"})))

    assert rows(head, "load") == [
        {
            "__name__": "load",
            "core": "0",
            "exported_client": "bolt",
            "exported_instance": "boreas",
            "instance": "atlas",
            "job": "node",
            "site": "lyon",
        }
    ]
    assert head.select("load", ()).labels.clients.tolist() == [ACME]
    assert head.select("load", ()).labels.hosts.tolist() == [ATLAS]


def test_of_two_columns_that_are_the_same_series_the_first_counts(head: Head) -> None:
    push(head, 0, 1.0, 2.0, of=schema(("load", {"job": "x"}), ("load", {"exported_job": "x"})))

    assert instant(head, "load", 0) == [1.0]


def test_one_schema_from_hosts_of_two_clients_gives_each_its_own_series(head: Head) -> None:
    head.enlist(BOREAS, client_id=BOLT, target={"instance": "boreas", **NODE})
    push(head, 0, 1.0)
    push(head, 0, 2.0, host_id=BOREAS)

    assert head.select("load", ()).labels.clients.tolist() == [ACME, BOLT]
    assert instant(head, "load", 0) == [1.0, 2.0]
    assert instant(head, "load", 0, Matcher("instance", MatchKind.EQUAL, "boreas")) == [2.0]


# -- instants


@pytest.mark.parametrize(
    ("after_s", "expected"),
    [
        (-0.001, []),  # not yet there
        (0, [1.0]),
        (299.999, [1.0]),
        (300, []),  # the lookback is open at its left
    ],
)
def test_an_instant_looks_back_five_minutes_and_not_a_millisecond_more(head: Head, after_s, expected) -> None:
    push(head, 0, 1.0)

    assert instant(head, "load", after_s) == expected


def test_an_instant_before_the_newest_sample_finds_the_one_before(head: Head) -> None:
    push(head, 0, 1.0)
    push(head, 10, 2.0)

    assert instant(head, "load", 9.999) == [1.0]


def test_a_stale_marker_hides_a_series_and_an_ordinary_nan_does_not(head: Head) -> None:
    push(head, 0, 1.0, 1.0, of=LOAD_AND_DISK)
    push(head, 10, float("nan"), STALE_NAN, of=LOAD_AND_DISK)

    assert np.isnan(instant(head, "load", 10)).tolist() == [True]
    assert instant(head, "disk", 10) == []


def test_a_frame_may_hold_several_instants(head: Head) -> None:
    head.require({"load": 60_000})
    head.apply(ATLAS, LOAD, [NOW_MS, NOW_MS + 5_000], np.array([[1.0], [2.0]]))

    assert window(head, "load", -1, 5) == [[1.0, 2.0]]


def test_late_and_repeated_instants_are_left_out(head: Head) -> None:
    head.require({"load": 60_000})
    push(head, 10, 1.0)
    head.apply(ATLAS, LOAD, [NOW_MS, NOW_MS + 10_000, NOW_MS + 20_000], np.array([[7.0], [8.0], [2.0]]))

    assert window(head, "load", -1, 20) == [[1.0, 2.0]]


def test_the_schema_of_a_frame_that_is_late_throughout_is_not_taken(head: Head) -> None:
    push(head, 10, 1.0)
    push(head, 0, 1.0, 2.0, of=LOAD_AND_DISK)

    assert head.series_count == 1


def test_frames_of_a_host_that_is_not_enlisted_are_nobodys(head: Head) -> None:
    push(head, 0, 1.0, host_id=BOREAS)
    head.beat(BOREAS, up=True, at_ms=NOW_MS)

    assert head.series_count == 0


# -- windows and how deep rings are


def test_a_window_is_open_at_its_left_and_closed_at_its_right(head: Head) -> None:
    head.require({"load": 60_000})
    for turn in range(4):
        push(head, turn * 10, float(turn))

    assert window(head, "load", 0, 20) == [[1.0, 2.0]]
    assert window(head, "load", 20, 0) == [[]]


def test_a_window_leaves_stale_markers_out_and_rows_of_other_depths_as_they_are(head: Head) -> None:
    head.require({"load": 60_000, "disk": 30_000})
    for turn, disk in enumerate([0.0, STALE_NAN, 2.0]):
        push(head, turn * 10, float(turn), disk, of=LOAD_AND_DISK)
    selection = head.select(None, [Matcher("__name__", MatchKind.REGEX, "load|disk")])
    found = head.window(selection, NOW_MS - 1, NOW_MS + 20_000)

    values = {
        selection.labels.row(row)["__name__"]: found.values[row, :count].tolist()
        for row, count in enumerate(found.count)
    }
    assert values == {"load": [0.0, 1.0, 2.0], "disk": [0.0, 2.0]}


def test_windows_over_the_blocks_of_a_selection_are_the_window_over_all_of_it(head: Head, monkeypatch) -> None:
    head.require({"load": 60_000, "disk": 30_000})
    for number in range(5):
        head.enlist(number, client_id=BOLT, target={"instance": str(number), **NODE})
        push(head, number, float(number), -float(number), of=LOAD_AND_DISK, host_id=number)
    monkeypatch.setattr(readings_module, "_BLOCK_CELLS", 20)  # three rows of one depth, two of the other
    selection = head.select(None, [Matcher("__name__", MatchKind.REGEX, "load|disk")])
    whole = head.window(selection, NOW_MS - 1, NOW_MS + 5_000)
    parts = [head.window(block, NOW_MS - 1, NOW_MS + 5_000) for block in selection.blocks]

    assert [len(block.labels) for block in selection.blocks] == [3, 2, 2, 2, 1]
    assert [row for block in selection.blocks for row in block.labels.row_keys()] == selection.labels.row_keys()
    assert [value for part in parts for value in part.values[:, 0]] == whole.values[:, 0].tolist()


@pytest.mark.parametrize("interval_s", [10, 9.5, 7, 2.5, 1, 0.625])
def test_a_window_keeps_its_length_when_a_host_pushes_faster_than_it_should(head: Head, interval_s) -> None:
    head.require({"load": 60_000})
    pushes = round(200 / interval_s)
    for turn in range(pushes):
        push(head, turn * interval_s, float(turn))

    newest_s = (pushes - 1) * interval_s
    expected = [float(turn) for turn in range(pushes) if newest_s - turn * interval_s < 60]
    assert window(head, "load", newest_s - 60, newest_s) == [expected]


@pytest.mark.parametrize("interval_s", [10, 5, 1])
def test_the_sample_before_the_window_is_kept_too_for_an_offset_asks_for_it(head: Head, interval_s) -> None:
    head.require({"load": 60_000})
    for turn in range(201):
        push(head, turn * interval_s, float(turn))

    newest_s = 200 * interval_s
    assert instant(head, "load", newest_s - 60) == [200.0 - 60 / interval_s]


def test_samples_that_come_faster_than_a_sixteenth_of_the_interval_are_thinned(head: Head) -> None:
    head.require({"load": 60_000})
    for turn in range(1001):
        push(head, turn / 10, float(turn))

    (kept,) = window(head, "load", 40, 100)
    gaps = np.diff(kept) / 10
    assert instant(head, "load", 100) == [1000.0]
    assert kept[0] < 411
    assert gaps[:-1].min() >= 0.625
    assert gaps.max() < 0.625 + 0.1


def test_thinning_never_hides_that_a_series_has_become_stale(head: Head) -> None:
    push(head, 0, 1.0, 1.0, of=LOAD_AND_DISK)
    push(head, 10, 1.0, 1.0, of=LOAD_AND_DISK)
    push(head, 10.1, 1.0)
    push(head, 10.2, 2.0)

    assert instant(head, "load", 11) == [2.0]
    assert instant(head, "disk", 11) == []


def test_rings_become_deeper_with_their_samples_and_never_shallower(head: Head) -> None:
    head.require({"load": 30_000})
    for turn in range(4):
        push(head, turn * 10, float(turn))
    head.require({"load": 90_000})
    head.require({"load": 10_000})
    for turn in range(4, 9):
        push(head, turn * 10, float(turn))

    assert window(head, "load", -1, 80) == [[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]]


def test_a_range_without_a_name_deepens_every_metric(head: Head) -> None:
    push(head, 0, 1.0)
    head.require({"": 60_000})
    for turn in range(1, 7):
        push(head, turn * 10, float(turn))

    assert window(head, "load", 0, 60) == [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]


def test_a_series_that_has_left_keeps_its_window_when_its_ring_becomes_deeper(head: Head) -> None:
    head.require({"disk": 60_000})
    for turn in range(7):
        push(head, turn * 10, 0.0, float(turn), of=LOAD_AND_DISK)
    push(head, 70, 0.0)
    head.require({"disk": 300_000})
    for turn in range(8, 30):
        push(head, turn * 10, 0.0)

    assert window(head, "disk", 0, 290) == [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]


def test_a_quicker_host_costs_no_other_host_memory(head: Head) -> None:
    head.require({"load": 3_600_000})
    head.enlist(BOREAS, client_id=BOLT, target={"instance": "boreas", **NODE})
    push(head, 0, 1.0, host_id=BOREAS)
    for turn in range(400):
        push(head, turn, float(turn))

    assert sorted((depth, len(bank)) for depth, bank in head._rings.banks.items() if len(bank)) == [
        (360 + 3, 1),
        (720 + 3, 1),
    ]


# -- what was sent before a range was asked for


def series(name: str, samples: Mapping[float, float], **labels: str) -> FixedSeries:
    """What history has of atlas, by seconds after `NOW_MS`."""
    times = [NOW_MS + round(second * 1000) for second in samples]
    return ACME, ATLAS, {"__name__": name, "instance": "atlas", **NODE, **labels}, times, [*samples.values()]


def test_a_range_that_is_asked_for_later_finds_what_is_recalled_and_what_came_since(head: Head) -> None:
    for second in (0, 10, 20, 30):
        push(head, second, float(second), 1.0, of=LOAD_AND_DISK)
    head.require({"load": 60_000})

    head.recall(ATLAS, [series("load", {-10: 5.0, 0: 0.0, 10: 10.0, 20: 20.0})])
    push(head, 40, 40.0, 1.0, of=LOAD_AND_DISK)

    assert window(head, "load", -20, 40) == [[5.0, 0.0, 10.0, 20.0, 30.0, 40.0]]
    assert instant(head, "disk", 40) == [1.0]


def test_of_two_metrics_with_the_same_range_each_finds_its_own(head: Head) -> None:
    push(head, 30, 30.0, 1.0, of=LOAD_AND_DISK)
    head.require({"load": 60_000})
    head.recall(ATLAS, [series("load", {0: 0.0, 10: 10.0})])

    head.require({"disk": 60_000})
    head.recall(ATLAS, [series("disk", {0: 3.0, 10: 2.0}, device="sda")])

    assert window(head, "load", -20, 30) == [[0.0, 10.0, 30.0]]
    assert window(head, "disk", -20, 30) == [[3.0, 2.0, 1.0]]


def test_more_than_there_is_room_for_is_thinned_and_reaches_as_far_back(head: Head) -> None:
    head.require({"load": 60_000})
    push(head, 0, 60.0)

    head.recall(ATLAS, [series("load", {float(-second): 60.0 - second for second in range(60, 0, -1)})])

    (found,) = window(head, "load", -61, 0)
    assert (found[0], found[-1]) == (0.0, 60.0)
    assert 6 <= len(found) < 12
    assert found == sorted(found)


def test_a_host_that_is_silent_has_what_it_has_sent_and_its_next_frame_follows(head: Head) -> None:
    head.require({"load": 60_000})

    head.recall(ATLAS, [series("load", {-40: 1.0, -30: 2.0})])

    assert window(head, "load", -60, 0) == [[1.0, 2.0]]
    assert head.newest_ms(ATLAS) is None
    push(head, 0, 3.0)
    assert window(head, "load", -60, 0) == [[1.0, 2.0, 3.0]]


def test_a_series_that_is_no_longer_sent_is_recalled_and_forgotten_in_its_time(head: Head) -> None:
    head.require({"disk": 60_000})
    push(head, 0, 1.0)

    head.recall(ATLAS, [series("disk", {-40: 1.0, -30: 2.0}, device="sda")])

    assert window(head, "disk", -60, 0) == [[1.0, 2.0]]
    assert head.series_count == 2
    for second in range(10, 130, 10):
        push(head, second, 1.0)
    assert head.series_count == 1


def test_hosts_that_are_not_enlisted_are_not_recalled(head: Head) -> None:
    head.require({"up": 60_000, "load": 60_000})

    head.recall(BOREAS, [series("load", {-10: 1.0}), series("up", {-10: 1.0})])

    assert head.series_count == 0


def test_up_is_recalled_beside_what_a_host_has_sent_and_goes_on_with_the_server(head: Head) -> None:
    head.require({"up": 60_000})
    push(head, 0, 1.0)

    head.recall(ATLAS, [series("up", {-30: 1.0, -20: 0.0}), series("load", {-30: 5.0})])
    head.beat(ATLAS, up=True, at_ms=NOW_MS, notes={"skew": 0.0})
    head.beat(ATLAS, up=False, at_ms=NOW_MS + 10_000, notes={"skew": 0.0})

    assert window(head, "up", -60, 10) == [[1.0, 0.0, 1.0, 0.0]]
    assert instant(head, "up", 10) == [0.0]


# -- series that come and go


def test_a_series_that_leaves_the_schema_is_stale_at_once_and_later_forgotten(head: Head) -> None:
    head.require({"disk": 20_000})
    push(head, 0, 1.0, 5.0, of=LOAD_AND_DISK)
    push(head, 10, 2.0)

    assert instant(head, "disk", 10) == []
    assert window(head, "disk", -1, 10) == [[5.0]]

    for turn in range(2, 6):
        push(head, turn * 10, 2.0)
    assert (head.series_count, window(head, "disk", -1, 50)) == (1, [])


def test_a_series_that_comes_back_in_time_is_the_same_series_with_a_gap(head: Head) -> None:
    head.require({"disk": 60_000})
    push(head, 0, 1.0, 5.0, of=LOAD_AND_DISK)
    selection = head.select("disk", ())
    push(head, 10, 1.0)
    push(head, 20, 1.0, 6.0, of=LOAD_AND_DISK)
    for turn in range(3, 20):
        push(head, turn * 10, 1.0, 7.0, of=LOAD_AND_DISK)

    assert head.select("disk", ()) is selection
    assert instant(head, "disk", 190) == [7.0]


def test_the_order_of_a_schema_may_change_without_a_series_coming_or_going(head: Head) -> None:
    push(head, 0, 1.0, 5.0, of=LOAD_AND_DISK)
    selections = [head.select(name, ()) for name in ("load", "disk")]
    push(head, 10, 6.0, 2.0, of=schema(("disk", {"device": "sda"}), ("load", {}), number=3))

    assert [head.select(name, ()) for name in ("load", "disk")] == selections
    assert (instant(head, "load", 10), instant(head, "disk", 10)) == ([2.0], [6.0])


def test_a_row_that_is_used_again_remembers_nothing_of_the_series_before(head: Head) -> None:
    head.require({"disk": 60_000, "net": 60_000})
    push(head, 0, 5.0, of=schema(("disk", {}), number=1))
    head.retire(ATLAS)
    head.enlist(ATLAS, client_id=BOLT, target={"instance": "atlas", **NODE})
    push(head, 10, 7.0, of=schema(("net", {}), number=2))

    assert window(head, "net", -1, 10) == [[7.0]]
    assert window(head, "disk", -1, 10) == []


def test_a_retired_host_leaves_nothing_behind(head: Head) -> None:
    push(head, 0, 1.0)
    head.beat(ATLAS, up=True, at_ms=NOW_MS)
    head.retire(ATLAS)
    head.retire(ATLAS)

    assert (head.series_count, head.clients.tolist(), head.newest_ms(ATLAS)) == (0, [], None)
    assert rows(head, None, Matcher("job", MatchKind.EQUAL, "node")) == []


def test_a_host_that_is_enlisted_again_as_it_was_keeps_its_samples(head: Head) -> None:
    push(head, 0, 1.0)
    head.enlist(ATLAS, client_id=ACME, target={"instance": "atlas", **NODE})

    assert instant(head, "load", 0) == [1.0]


@pytest.mark.parametrize(("client_id", "site"), [(ACME, "paris"), (BOLT, "lyon")])
def test_a_host_that_has_moved_starts_anew_under_its_new_labels(head: Head, client_id, site) -> None:
    push(head, 0, 1.0)
    head.enlist(ATLAS, client_id=client_id, target={"instance": "atlas", "job": "node", "site": site})
    assert instant(head, "load", 0) == []

    push(head, 10, 2.0)
    assert instant(head, "load", 10) == [2.0]
    assert [row["site"] for row in rows(head, "load")] == [site]
    assert head.select("load", ()).labels.clients.tolist() == [client_id]


def test_clients_are_those_that_have_a_host_in_order(head: Head) -> None:
    head.enlist(BOREAS, client_id=-5, target={"instance": "boreas", **NODE})
    head.enlist(12, client_id=ACME, target={"instance": "ceto", **NODE})
    head.retire(ATLAS)

    assert head.clients.tolist() == [-5, ACME]


# -- silence


def test_up_is_a_series_of_the_host_and_so_are_notes(head: Head) -> None:
    head.beat(ATLAS, up=True, at_ms=NOW_MS, notes={"skew": 0.5})

    assert rows(head, "up") == [{"__name__": "up", "instance": "atlas", **NODE}]
    assert (instant(head, "up", 0), instant(head, "skew", 0)) == ([1.0], [0.5])


def test_a_note_that_is_no_longer_made_turns_stale(head: Head) -> None:
    head.beat(ATLAS, up=True, at_ms=NOW_MS, notes={"skew": 0.5})
    head.beat(ATLAS, up=True, at_ms=NOW_MS + 10_000)

    assert (instant(head, "up", 10), instant(head, "skew", 10)) == ([1.0], [])


def test_a_host_that_falls_silent_loses_its_series_and_has_them_back_on_return(head: Head) -> None:
    head.require({"load": 300_000})
    push(head, 0, 1.0)
    selection = head.select("load", ())
    for turn in range(3, 60):
        head.beat(ATLAS, up=False, at_ms=NOW_MS + turn * 1_000)

    assert (instant(head, "up", 60), instant(head, "load", 60)) == ([0.0], [])
    assert window(head, "load", -1, 60) == [[1.0]]

    head.beat(ATLAS, up=True, at_ms=NOW_MS + 70_000)
    push(head, 70, 2.0)
    assert (instant(head, "up", 70), instant(head, "load", 70)) == ([1.0], [2.0])
    assert head.select("load", ()) is selection


def test_a_host_whose_clock_is_behind_is_heard_at_once_when_it_returns(head: Head) -> None:
    push(head, 0, 1.0)
    head.beat(ATLAS, up=False, at_ms=NOW_MS + 120_000)
    push(head, 30, 2.0)

    assert instant(head, "load", 120) == [2.0]


def test_silence_of_a_host_that_never_spoke_is_only_told_by_up(head: Head) -> None:
    head.beat(ATLAS, up=False, at_ms=NOW_MS)

    assert (instant(head, "up", 0), head.series_count, head.newest_ms(ATLAS)) == ([0.0], 1, None)


def test_newest_is_what_the_host_sent_and_not_what_the_server_says_of_it(head: Head) -> None:
    push(head, 0, 1.0)
    head.beat(ATLAS, up=False, at_ms=NOW_MS + 40_000)

    assert head.newest_ms(ATLAS) == NOW_MS


# -- what a screen shows


def test_latest_gives_each_series_with_its_kind_its_time_and_the_target(head: Head) -> None:
    counter = SeriesEntry("reads_total", SeriesKind.COUNTER, (("device", "sda"),))
    push(head, 0, 1.0, 2.0, of=Schema(9, "", (SeriesEntry("load", SeriesKind.GAUGE, ()), counter)))
    head.beat(ATLAS, up=True, at_ms=NOW_MS + 1_000)

    target = {"instance": "atlas", **NODE}
    assert head.latest(ATLAS) == [
        Sample("load", target, SeriesKind.GAUGE, 1.0, NOW_MS),
        Sample("reads_total", {"device": "sda", **target}, SeriesKind.COUNTER, 2.0, NOW_MS),
        Sample("up", target, SeriesKind.GAUGE, 1.0, NOW_MS + 1_000),
    ]


def test_latest_leaves_out_what_is_stale(head: Head) -> None:
    push(head, 0, 1.0, 2.0, of=LOAD_AND_DISK)
    push(head, 10, 3.0)
    assert readings(head.latest(ATLAS)) == {"load": 3.0}

    head.beat(ATLAS, up=False, at_ms=NOW_MS + 40_000)
    assert readings(head.latest(ATLAS)) == {"up": 0.0}
    assert head.latest(BOREAS) == []


# -- recording rules


def test_a_recorded_series_is_of_its_client_and_of_no_host(head: Head) -> None:
    head.record("rule", "job:load", ACME, [{"job": "node", "__name__": "load"}], np.array([1.0]), NOW_MS)

    assert rows(head, "job:load") == [{"__name__": "job:load", "job": "node"}]
    assert head.select("job:load", ()).labels.clients.tolist() == [ACME]
    assert head.select("job:load", ()).labels.hosts.tolist() == [NO_HOST]


def test_what_a_recording_rule_no_longer_yields_turns_stale(head: Head) -> None:
    two = [{"job": "node"}, {"job": "db"}]
    head.record("rule", "job:load", ACME, two, np.array([1.0, 2.0]), NOW_MS)
    head.record("rule", "job:load", ACME, two[1:], np.array([3.0]), NOW_MS + 1_000)

    assert instant(head, "job:load", 1) == [3.0]


def test_a_recording_rule_that_yields_nothing_is_forgotten(head: Head) -> None:
    head.record("rule", "job:load", ACME, [{}], np.array([1.0]), NOW_MS)
    for turn in range(1, 4):
        head.record("rule", "job:load", ACME, [], np.zeros(0), NOW_MS + turn * 1_000)

    assert (head.series_count, head._recorded) == (0, {})


def test_rules_of_one_name_and_two_keys_keep_their_series_apart(head: Head) -> None:
    head.record("a", "job:load", ACME, [{"from": "a"}], np.array([1.0]), NOW_MS)
    head.record("b", "job:load", ACME, [{"from": "b"}], np.array([2.0]), NOW_MS)
    head.record("a", "job:load", BOLT, [{"from": "a"}], np.array([3.0]), NOW_MS)

    assert instant(head, "job:load", 0) == [1.0, 2.0, 3.0]


# -- selections


def test_a_selection_is_the_same_until_a_series_of_its_metric_comes_or_goes(head: Head) -> None:
    push(head, 0, 1.0)
    matchers = (Matcher("instance", MatchKind.REGEX, "atl.*"),)
    asked = [head.select("load", ()), head.select("load", matchers), head.select("never", ())]
    push(head, 10, 1.0, 2.0, of=LOAD_AND_DISK)

    assert [head.select("load", ()), head.select("load", matchers), head.select("never", ())] == asked
    assert all(again is once for again, once in zip([head.select("load", ())], asked[:1], strict=True))

    head.enlist(BOREAS, client_id=BOLT, target={"instance": "boreas", **NODE})
    push(head, 10, 1.0, host_id=BOREAS)
    assert head.select("load", ()) is not asked[0]


def test_a_selector_that_excludes_nobody_shares_the_labels_of_its_metric(head: Head) -> None:
    push(head, 0, 1.0)
    everyone = head.select("load", [Matcher("job", MatchKind.EQUAL, "node")])

    assert everyone.labels is head.select("load", ()).labels


def test_a_selector_without_a_name_follows_every_metric(head: Head) -> None:
    by_job = (Matcher("job", MatchKind.EQUAL, "node"),)
    push(head, 0, 1.0)
    before = head.select(None, by_job)
    assert head.select(None, by_job) is before

    push(head, 10, 1.0, 2.0, of=LOAD_AND_DISK)
    assert sorted(row["__name__"] for row in rows(head, None, *by_job)) == ["disk", "load"]


def test_a_metric_that_nobody_sends_has_no_rows_and_can_be_asked(head: Head) -> None:
    selection = head.select("never", ())

    assert len(selection.labels) == 0
    assert head.instant(selection, NOW_MS).values.tolist() == []
    assert head.window(selection, NOW_MS, NOW_MS + 1).count.tolist() == []


def test_selectors_are_remembered_within_bounds(head: Head) -> None:
    push(head, 0, 1.0)
    kept = head.select("load", ())
    for number in range(1_500):
        head.select("load", (Matcher("instance", MatchKind.EQUAL, f"host-{number}"),))

    assert len(head._selections._remembered) <= 1024
    assert head.select("load", ()) is kept


# -- names that nobody uses any more


def test_words_of_series_that_are_gone_are_forgotten_and_everything_else_stays(head: Head) -> None:
    head._forgetting = Forgetting(head._rings, few=100)
    head.require({"disk": 60_000})
    head.enlist(BOREAS, client_id=BOLT, target={"instance": "boreas", **NODE})
    head.record("rule", "job:load", ACME, [{"job": "node"}], np.array([4.0]), NOW_MS)
    head.beat(BOREAS, up=True, at_ms=NOW_MS)
    push(head, 0, 1.0, 5.0, of=LOAD_AND_DISK, host_id=BOREAS)
    never = head.select("never", ())
    symbols = head.symbols
    for turn in range(1, 500):
        push(head, turn, 0.0, of=schema(("net", {"device": f"veth{turn}"}), number=1_000 + turn))

    assert len(head._catalogue) < 200
    assert head.symbols is not symbols
    assert [head.select(name, ()).labels.symbols for name in ("never", "load")] == [head.symbols] * 2
    assert head.select("never", ()) is not never
    assert rows(head, "disk") == [{"__name__": "disk", "device": "sda", "instance": "boreas", **NODE}]
    assert rows(head, "net", Matcher("device", MatchKind.EQUAL, "veth499")) != []
    assert (instant(head, "load", 0), window(head, "disk", -1, 0)) == ([1.0], [[5.0]])
    assert (instant(head, "job:load", 0), instant(head, "up", 0)) == ([4.0], [1.0])


def test_keys_stay_the_same_when_what_was_learned_of_them_is_let_go(
    head: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layouts, "_REMEMBERED", 2)
    entries = schema(("load", {}), ("disk", {"device": "sda"}), ("disk", {"device": "sdb"}), number=1).series
    first = head._catalogue.of_schema(Schema(1, "", entries))

    again = head._catalogue.of_schema(Schema(2, "", entries))

    assert again.keys.tolist() == first.keys.tolist()
    assert len(head._catalogue._key_of) <= 2


def test_after_forgetting_every_writer_goes_on_with_the_same_series(head: Head) -> None:
    for second in (0, 10):
        push(head, second, 1.0, second, of=LOAD_AND_DISK)
        head.beat(ATLAS, up=True, at_ms=NOW_MS + second * 1000, notes={"skew": 0.5})
        head.record("rule", "job:load", ACME, [{"job": "node"}], np.array([4.0]), NOW_MS + second * 1000)
        head._forget()

    assert head.series_count == 5
    assert (instant(head, "disk", 10), instant(head, "skew", 10), instant(head, "job:load", 10)) == (
        [10],
        [0.5],
        [4],
    )


def test_a_line_that_is_used_again_has_seen_no_instants() -> None:
    bank = Bank(3)
    line = bank.add_line(0, np.array([1, 2, 3]))
    bank.drop_line(line)

    assert bank.add_line(0, np.array([9])) == line
    assert bank.times[line].tolist() == [NEVER, NEVER, 9]
