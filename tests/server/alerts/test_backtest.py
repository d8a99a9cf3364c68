"""Rules over history fire what they would have fired live: the same rules, states and head, played faster."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import share

from tocsin_protocol.vocabulary import AlertState, HostKind, SeriesKind
from tocsin_protocol.wire import STALE_NAN
from tocsin_server.alerts import backtest as subject
from tocsin_server.alerts.backtest import Backtest, Firing, judged_from
from tocsin_server.alerts.findings import Remedy, findings
from tocsin_server.alerts.ground import Yield
from tocsin_server.alerts.recorder import Recorder
from tocsin_server.alerts.replay import Replay
from tocsin_server.alerts.rulefile import load_rule_files
from tocsin_server.alerts.rules import RuleSet
from tocsin_server.alerts.tape import Tape
from tocsin_server.alerts.watch import Watch
from tocsin_server.estate.estate import HostFacts
from tocsin_server.series.fixed import ANONYMOUS
from tocsin_server.series.history.dayfile import DayFile, Grain
from tocsin_server.series.history.days import Closing, Days, day_paths
from tocsin_server.series.history.reader import Archive
from tocsin_server.series.history.stretches import Stretch
from tocsin_server.series.schema import SeriesEntry

MINUTE = 60_000
HOUR = 60 * MINUTE
START = 1_699_999_200_000
"""A full hour."""
LOAD = (SeriesEntry("load", SeriesKind.GAUGE, ()),)
BUSY = "{alert: Busy, expr: load > 8}"

Loads = Sequence[float | None]
"""A load each minute; nothing where the host sends nothing."""


def host(host_id: int = 1, name: str = "atlas", client_id: int = ANONYMOUS) -> HostFacts:
    return HostFacts(
        host_id, client_id, f"client{client_id}", 1, "berlin", name, HostKind.SERVER, "node", "", enrolled_ms=0
    )


def rules_of(*rules: str, group: str = "") -> RuleSet:
    with TemporaryDirectory() as folder:
        path = Path(folder, "rules.yml")
        listed = "".join(f"      - {rule}\n" for rule in rules)
        path.write_text(f"groups:\n  - name: g\n    {group}\n    rules:\n{listed}")
        return load_rule_files(path)


def write(folder: Path, loads: Mapping[HostFacts, Loads], start_ms: int = START) -> None:
    closings = []
    for each, values in loads.items():
        sent = [(start_ms + place * MINUTE, value) for place, value in enumerate(values) if value is not None]
        times, samples = np.array([at for at, _ in sent]), np.array([[value for _, value in sent]])
        closings.append(Closing(each.client_id, each.id, Stretch(LOAD, times, samples)))
    Days(folder).write(closings)


def run(
    rules: RuleSet,
    loads: Mapping[HostFacts, Loads],
    *,
    start_ms: int = START,
    step_ms: int | None = None,
    forget_samples: bool = False,
) -> Backtest:
    """Loads by host, written to history and judged until the last of them."""
    with TemporaryDirectory() as name:
        write(Path(name), loads)
        if forget_samples:
            for _, path in day_paths(Path(name)):
                with DayFile(path, read_only=False) as day, day.transaction():
                    day.forget(Grain.SAMPLES, ANONYMOUS)
        replay = Replay(Archive(Path(name)), rules.windows().keys())
        end_ms = START + (max(map(len, loads.values())) - 1) * MINUTE
        covered = replay.covered([*loads], 0, end_ms)
        made = Backtest(
            rules, [*loads], covered, start_ms=start_ms, end_ms=end_ms, interval_s=60, step_ms=step_ms
        )
        for _ in made.play(replay.frame):
            pass
    return made


def told(made: Backtest) -> list[tuple[str, str, int, int]]:
    """Of each alert its rule, host, and the minutes in which it fired and ended."""
    return sorted(map(minutes, made.firings))


def minutes(firing: Firing) -> tuple[str, str, int, int]:
    name = firing.rule_key.split("/")[2]
    return name, firing.instance, (firing.from_ms - START) // MINUTE, (firing.to_ms - START) // MINUTE


def spells(*lengths: int) -> list[float]:
    """Minutes of calm and of load by turns."""
    return [load for place, length in enumerate(lengths) for load in [9.0 if place % 2 else 0.0] * length]


# -- what it is measured by: the same samples, evaluation by evaluation

STEADY = rules_of(
    "{record: twice, expr: 2 * load}",
    BUSY,
    "{alert: BusyLong, expr: load > 8, for: 3m, keep_firing_for: 2m}",
    "{alert: BusyOnAverage, expr: 'avg_over_time(load[5m]) > 6', for: 1m}",
    "{alert: BusyTwice, expr: twice > 12}",
    "{alert: Grows, expr: 'deriv(twice[10m]) > 0.01'}",
    "{alert: Somebody, expr: max(load) > 8, for: 2m}",
    "{alert: Nobody, expr: absent(load > 3)}",
)


def played(rules: RuleSet, loads: Mapping[HostFacts, Loads]) -> list[tuple[str, str, int, int]]:
    """What rules say of samples on a tape, one evaluation after the other."""
    tape, found = Tape(), []
    for each, values in loads.items():
        labels = {"__name__": "load", "instance": each.name, "job": each.job, "site": each.site}
        tape.load(labels, [START + place * MINUTE for place in range(len(values))], values)
    members = [
        Recorder(rule, Yield(rule.key, rule.name))
        if not hasattr(rule, "for_ms")
        else Watch(rule, host_of=lambda _client_id, _name: None)
        for rule in rules.rules()
    ]
    last_ms = START + (max(map(len, loads.values())) - 1) * MINUTE
    for at_ms in range(START, last_ms + 1, MINUTE):
        for member in members:
            if isinstance(member, Recorder):
                member.record(tape, at_ms=at_ms)
                continue
            for change in member.judge(tape, at_ms=at_ms, now_ms=at_ms).changes:
                member.keep(change.alert)
                if change.alert.life.state is AlertState.RESOLVED:
                    found.append((change.alert, at_ms))
    watches = [member for member in members if isinstance(member, Watch)]
    found += [
        (alert, last_ms)
        for watch in watches
        for alert in watch.alerts.values()
        if alert.life.state is not AlertState.PENDING
    ]
    return sorted(
        (
            alert.labels["alertname"],
            alert.labels.get("instance", ""),
            (alert.life.fired_ms - START) // MINUTE,
            (to_ms - START) // MINUTE,
        )
        for alert, to_ms in found
    )


NEWEST = rules_of(
    BUSY,
    "{alert: BusyLong, expr: load > 8, for: 9m, keep_firing_for: 4m}",
    "{alert: Nobody, expr: absent(load > 3)}",
)
"""Rules without a range."""


@settings(max_examples=share(12), suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.integers(1, 25), min_size=8, max_size=16), st.integers(2, 7))
def test_of_newest_values_those_between_steps_make_no_difference(turns: list[int], step: int) -> None:
    loads = {host(): spells(*turns), host(2, "borea"): spells(*reversed(turns))}

    with pytest.MonkeyPatch.context() as patch:
        thinned = run(NEWEST, loads, step_ms=step * MINUTE)
        patch.setattr(Backtest, "_thinned", lambda _self, frame: frame)
        whole = run(NEWEST, loads, step_ms=step * MINUTE)

    assert thinned.firings == whole.firings


@settings(max_examples=share(12), suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_over_steady_series_rules_fire_as_if_played_evaluation_by_evaluation(data: st.DataObject) -> None:
    lengths = st.lists(st.integers(1, 25), min_size=8, max_size=16)
    drawn = {host(1): data.draw(lengths), host(2, "borea"): data.draw(lengths)}
    loads = {each: (spells(*turns) + [0.0] * 150)[:150] for each, turns in drawn.items()}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subject, "MOST_HOURS", 1)  # so that more than one portion is read
        made = run(STEADY, loads)

    assert told(made) == played(STEADY, loads)
    assert made.failures == {}


# -- the time that is asked


def test_an_alert_fires_and_resolves_at_its_minutes() -> None:
    made = run(rules_of(BUSY), {host(): spells(10, 5, 10)})

    assert told(made) == [("Busy", "atlas", 10, 15)]
    assert made.firings[0].held_ms == 4 * MINUTE


def test_an_alert_that_still_fires_at_the_end_is_active() -> None:
    made = run(rules_of("{alert: Busy, expr: load > 8, for: 2m}"), {host(): spells(10, 5)})

    assert [(firing.is_active, firing.held_ms) for firing in made.firings] == [(True, 4 * MINUTE)]
    assert told(made) == [("Busy", "atlas", 12, 14)]


def test_an_alert_that_began_before_counts_from_the_beginning_of_the_time_that_is_asked() -> None:
    made = run(rules_of(BUSY), {host(): spells(57, 10, 3)}, start_ms=START + HOUR)

    assert told(made) == [("Busy", "atlas", 60, 67)]
    assert made.firings[0].begun_ms == START + 57 * MINUTE


def test_what_is_over_before_the_time_that_is_asked_does_not_count() -> None:
    made = run(rules_of(BUSY), {host(): spells(50, 5, 20)}, start_ms=START + HOUR)

    assert made.firings == []


def test_a_rule_is_ready_as_the_time_begins() -> None:
    rules = rules_of("{alert: Busy, expr: 'avg_over_time(load[30m]) > 8', for: 10m}")

    made = run(rules, {host(): spells(1, 100, 40)}, start_ms=START + HOUR)

    assert told(made)[0][:3] == ("Busy", "atlas", 60)


def test_condition_that_breaks_while_it_is_kept_firing_has_not_held_over_the_break() -> None:
    rules = rules_of("{alert: Busy, expr: load > 8, keep_firing_for: 5m}")

    made = run(rules, {host(): spells(5, 6, 2, 3, 10)})

    assert told(made) == [("Busy", "atlas", 5, 21)]
    assert made.firings[0].held_ms == 5 * MINUTE


# -- how often


def test_a_group_is_judged_at_its_own_interval() -> None:
    made = run(rules_of(BUSY, group="interval: 10m"), {host(): spells(12, 5, 15, 15, 10)})

    assert told(made) == [("Busy", "atlas", 40, 50)]


def test_a_step_takes_the_place_of_intervals() -> None:
    made = run(rules_of(BUSY, group="interval: 10m"), {host(): spells(12, 5, 15)}, step_ms=MINUTE)

    assert told(made) == [("Busy", "atlas", 12, 17)]


# -- silence


SILENT = "{alert: Silent, expr: up == 0, for: 2m}"


def test_a_host_that_sends_nothing_is_silent_until_it_does() -> None:
    made = run(rules_of(SILENT), {host(): [1.0] * 20 + [None] * 20 + [1.0] * 10})

    # Three pushes are missed with the 22nd minute, and two seconds are granted.
    assert told(made) == [("Silent", "atlas", 25, 40)]


def test_a_host_is_not_silent_before_there_is_any_history_of_it() -> None:
    made = run(rules_of(SILENT), {host(): [None] * 130 + [1.0] * 20, host(2, "borea"): [1.0] * 150})

    assert made.firings == []


def test_a_host_of_which_there_is_nothing_is_left_out() -> None:
    rules = rules_of(SILENT)

    made = Backtest(rules, [host()], {}, start_ms=START, end_ms=START + HOUR, interval_s=60)
    judged = list(made.play(lambda *_: pytest.fail("it was read")))

    assert judged[-1] == START + HOUR
    assert (made.hosts, made.firings) == ([], [])


def test_missing_data_is_not_good_news_in_hindsight_either() -> None:
    made = run(rules_of(BUSY), {host(): spells(10, 5) + [None] * 20 + spells(5, 2, 5)})

    assert told(made) == [("Busy", "atlas", 10, 35), ("Busy", "atlas", 40, 42)]


def test_what_is_absent_before_there_is_any_history_does_not_count() -> None:
    rules = rules_of("{alert: Nobody, expr: absent(load)}", group="interval: 7m")

    made = run(rules, {host(): [None] * 80 + [1.0] * 60}, start_ms=START)

    assert made.firings == []


def test_an_absent_sample_is_stale() -> None:
    loads = spells(5, 5)
    loads += [STALE_NAN] * 5 + [0.0] * 5

    made = run(rules_of("{alert: Gone, expr: absent(load)}"), {host(): loads})

    assert told(made) == [("Gone", "", 10, 15)]


# -- roll-ups


def test_of_roll_ups_newest_values_are_judged_five_minutes_at_a_time() -> None:
    made = run(rules_of(BUSY, SILENT), {host(): spells(60, 30, 90)}, forget_samples=True)

    assert told(made) == [("Busy", "atlas", 65, 95)]
    assert made.samples_from_ms == START + 3 * HOUR


def test_a_rule_with_a_short_range_waits_for_samples_and_so_does_whoever_asks_for_its_record() -> None:
    rules = rules_of(
        BUSY,
        "{record: short, expr: 'avg_over_time(load[5m])'}",
        "{alert: Short, expr: 'short > 8'}",
        "{alert: ShortForLong, expr: 'avg_over_time(short[1h]) > 8'}",
        "{alert: Long, expr: 'avg_over_time(load[20m]) > 8'}",
        "{alert: Heard, expr: 'avg_over_time(up[2m]) < 1'}",
    )

    begins = [at_ms and (at_ms - START) // MINUTE for at_ms in judged_from(rules, START).values()]

    assert begins == [0, 5, 5, 65, 0, 0]
    assert {*judged_from(rules, 0).values()} == {0}


def test_a_rule_that_waits_for_samples_fires_nothing_before() -> None:
    rules = rules_of("{alert: Few, expr: 'count_over_time(load[10m]) < 8'}")

    made = run(rules, {host(): [1.0] * 100}, forget_samples=True)

    assert made.firings == []


# -- whose


def test_clients_are_judged_apart() -> None:
    rules = rules_of("{alert: Busy, expr: sum(load) > 8}")
    loads = {host(1, "atlas", 1): spells(10, 5, 10), host(2, "atlas", 2): [5.0] * 25}

    made = run(rules, loads)

    assert [(firing.client_id, *minutes(firing)) for firing in made.firings] == [(1, "Busy", "", 10, 15)]


def test_a_rule_that_fails_leaves_the_others_alone_and_says_why() -> None:
    rules = rules_of("{alert: Broken, expr: 'load * on () load > 0'}", BUSY)

    made = run(rules, {host(1): spells(10, 5, 10), host(2, "borea"): [0.0] * 25})

    assert told(made) == [("Busy", "atlas", 10, 15)]
    assert [key.split("/")[2] for key in made.failures] == ["Broken"]


# -- what is advised comes true


@settings(max_examples=share(12), suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=6, max_size=14),
    st.sampled_from([0, 0, 2, 5]),
    st.sampled_from([0, 0, 3]),
)
def test_what_is_advised_leaves_as_many_alerts_as_it_says(turns: list[int], wait: int, keep: int) -> None:
    rules = rules_of(f"{{alert: Busy, expr: load > 8, for: {wait}m, keep_firing_for: {keep}m}}")
    loads = {host(): spells(*turns)}
    made = run(rules, loads)

    found = findings(made.rules, made.firings, metrics=["load"], judged_from_ms={}, failures={})
    advice = found[0].advice

    if advice.remedy is Remedy.LONGER_FOR:
        assert len(run(_with(rules, for_ms=advice.length_ms), loads).firings) == advice.left
    elif advice.remedy is Remedy.KEEP_FIRING:
        left = len(run(_with(rules, keep_firing_for_ms=advice.length_ms), loads).firings)
        assert left == advice.left if not wait else left <= advice.left
    else:
        assert found[0].flaps * 10 < max(1, found[0].alerts)


def _with(rules: RuleSet, **terms: int) -> RuleSet:
    (group,) = rules.groups
    return RuleSet((replace(group, rules=tuple(replace(rule, **terms) for rule in group.rules)),))
