"""What comes late is judged as if it had come in time, in whatever order, and what is known stays as it is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete
from tests.examples import share
from tests.server.alerts.conftest import ACME, ATLAS, BOREA, GLOBEX, HOSTS, START_MS, Bell, new_judge

from tocsin_protocol.vocabulary import AlertState, HostKind, SeriesKind
from tocsin_server.alerts.belated import write_episodes
from tocsin_server.alerts.episode import Episode, is_known, stretches
from tocsin_server.alerts.hindsight import Hindsight
from tocsin_server.alerts.recorder import Recorder
from tocsin_server.alerts.roster import Roster
from tocsin_server.alerts.rulefile import load_rule_files
from tocsin_server.alerts.rules import RuleSet
from tocsin_server.alerts.settle import Identity, identity
from tocsin_server.alerts.state import ACTIVE
from tocsin_server.alerts.store import ALERTS, TRANSITIONS
from tocsin_server.estate.estate import HostFacts
from tocsin_server.ingest.gaps import Gap, sort_out
from tocsin_server.ingest.inbox import HostFrame
from tocsin_server.ingest.late import Late
from tocsin_server.ingest.records import Mark
from tocsin_server.series.head import Head
from tocsin_server.series.schema import Schema, SeriesEntry

pytestmark = pytest.mark.scenario

RULES = """
groups:
  - name: mine
    rules:
      - record: fleet:load
        expr: sum(load)
      - alert: Busy
        expr: load > 8
      - alert: BusyLong
        expr: load > 8
        for: 30s
        keep_firing_for: 20s
      - alert: BusyOnAverage
        expr: avg_over_time(load[1m]) > 5
        for: 10s
      - alert: FleetBusy
        expr: fleet:load > 12
        for: 20s
      - alert: FleetGrows
        expr: deriv(fleet:load[1m]) > 0.1
      - alert: Silent
        expr: up == 0
      - alert: Nobody
        expr: absent(load > 0)
  - name: slow
    interval: 30s
    rules:
      - alert: BusySlow
        expr: max by (site) (load) > 8 unless on () ALERTS{alertname="FleetBusy", alertstate="firing"}
"""
STEP_MS = 10_000
STEPS = 50
LOAD = Schema(1, "", (SeriesEntry("load", SeriesKind.GAUGE, ()), SeriesEntry("unasked", SeriesKind.GAUGE, ())))
FACTS = {
    host_id: HostFacts(
        host_id,
        client_id,
        {ACME: "acme", GLOBEX: "globex"}[client_id],
        1,
        "berlin",
        name,
        HostKind.SERVER,
        "node",
        "",
        enrolled_ms=0,
    )
    for host_id, (client_id, name) in HOSTS.items()
}
OF_ACME = [host for host in FACTS.values() if host.client_id == ACME]

Frames = Mapping[int, Sequence[HostFrame]]
"""What comes together, by the step at which it comes."""


def moment(step: int) -> int:
    return START_MS + step * STEP_MS


def judged_at(step: int) -> int:
    """Rules are judged a second after frames are taken."""
    return moment(step) + 1000


def frame(host_id: int, step: int, load: float) -> HostFrame:
    return HostFrame(host_id, LOAD, [moment(step)], np.array([[load, 0.0]]))


def host_of(client_id: int, name: str) -> int | None:
    return next((host.id for host in FACTS.values() if (host.client_id, host.name) == (client_id, name)), None)


@dataclass
class Line:
    """A head that time is played to, as rounds do."""

    head: Head
    heard_ms: dict[int, int]

    @classmethod
    def of(cls, head: Head) -> "Line":
        return cls(head, {})

    def take(self, frames: Sequence[HostFrame], now_ms: int) -> None:
        for each in frames:
            self.heard_ms[each.host_id] = now_ms
            self.head.apply(each.host_id, each.schema, each.times_ms, each.matrix)

    def beat(self, now_ms: int) -> None:
        for host in FACTS.values():
            is_up = now_ms - self.heard_ms.get(host.id, 0) <= 32_000
            self.head.beat(host.id, up=is_up, at_ms=now_ms)


def in_order(rules: RuleSet, made: Sequence[HostFrame]) -> Iterator[Episode]:
    """The episodes that there are where each frame comes when it is made."""
    line, roster = Line.of(Head()), Roster(rules, host_of=host_of)
    line.head.require(rules.windows())
    for host in OF_ACME:
        target = {"instance": host.name, "job": host.job, "site": host.site}
        line.head.enlist(host.id, client_id=host.client_id, target=target)
    under_way: dict[tuple, list] = {}
    for step in range(STEPS + 4):
        at_ms = judged_at(step)
        line.take([each for each in made if each.times_ms[0] == moment(step)], moment(step))
        line.beat(at_ms)
        roster.prepare(line.head, at_ms)
        for member in (one for course in roster.courses if course.begin(at_ms) for one in course.members):
            if isinstance(member, Recorder):
                member.record(line.head, at_ms=at_ms)
                continue
            for change in member.judge(line.head, at_ms=at_ms, now_ms=at_ms).changes:
                member.keep(change.alert)
                changes = under_way.setdefault((change.alert.rule_key, change.alert.key), [])
                changes += [change] if change.is_transition else []
                if change.alert.life.state is AlertState.RESOLVED:
                    yield Episode(tuple(changes))
                if change.alert.life.state in (AlertState.RESOLVED, AlertState.INACTIVE):
                    changes.clear()


def is_within(episode: Episode, gap: Gap) -> bool:
    host_id = episode.alert.host_id
    if host_id is not None and host_id not in gap.spans:
        return False
    span = gap if host_id is None else gap.spans[host_id]
    return span.from_ms <= episode.from_ms and episode.to_ms <= span.to_ms + 2 * STEP_MS


def told(episodes: Sequence[Episode]) -> set[tuple]:
    return {
        (
            one.alert.rule_key,
            one.alert.fingerprint,
            one.alert.host_id,
            tuple((change.at_ms, change.old, change.alert.life.state) for change in one.changes),
        )
        for one in episodes
    }


def read(made: Sequence[HostFrame]):
    """A journal that has these frames."""
    return lambda start_ms, end_ms: (each for each in made if start_ms <= each.times_ms[0] <= end_ms)


def judged(gap: Gap, rules: RuleSet, made: Sequence[HostFrame], **more) -> list[Episode]:
    hindsight = Hindsight(gap, rules, OF_ACME, host_of=host_of, interval_s=10, **more)
    for _ in hindsight.play(read(made)):
        pass
    return hindsight.episodes


class Away(NamedTuple):
    """A host's load at each step, `None` where its agent stood still; when it was away; and luck."""

    loads: list[float | None]
    outages: list[tuple[int, int]]
    luck: int

    def arrivals(self) -> Iterator[tuple[int, int]]:
        """Each step of which there is a frame, and the step at which it comes: a backlog in disorder."""
        luck = Random(self.luck)
        for step in sorted(range(STEPS), key=lambda _step: luck.random()):
            if self.loads[step] is not None:
                end = next((end for begin, end in self.outages if begin <= step < end), None)
                yield step, step if end is None else end + luck.randrange(4)


@st.composite
def aways(draw) -> Away:
    turns = sorted(draw(st.sets(st.integers(5, STEPS - 5), min_size=3, max_size=12)))
    loads = [draw(st.sampled_from([1.0, 9.0, 1.0, 7.0, None])) for _ in range(len(turns) + 1)]
    begin, length = draw(st.integers(2, 15)), draw(st.sampled_from([30, 20, 8, 3]))
    later = draw(st.integers(begin + length, STEPS - 1))
    outages = [(begin, begin + length), (later, min(STEPS - 1, later + draw(st.integers(0, 8))))]
    at_step = [loads[sum(turn <= step for turn in turns)] for step in range(STEPS)]
    return Away(at_step, outages, draw(st.integers(0, 1000)))


def come(hosts: Mapping[int, Away]) -> tuple[list[HostFrame], Frames]:
    """All frames, and at which step each comes."""
    arrivals: dict[int, list[HostFrame]] = {step: [] for step in range(STEPS + 4)}
    for host_id, away in hosts.items():
        for step, at in away.arrivals():
            arrivals[at].append(frame(host_id, step, away.loads[step]))
    return [each for frames in arrivals.values() for each in frames], arrivals


@pytest.fixture
def rules(tmp_path) -> RuleSet:
    path = tmp_path / "rules.yml"
    path.write_text(RULES)
    return load_rule_files(path)


def forget(bell: Bell) -> None:
    bell.storage.write(lambda session: session.execute(delete(TRANSITIONS)))
    bell.storage.write(lambda session: session.execute(delete(ALERTS)))
    bell.head = Head()
    for host in FACTS.values():
        target = {"instance": host.name, "job": host.job, "site": host.site}
        bell.head.enlist(host.id, client_id=host.client_id, target=target)
    bell.judge = new_judge(bell.head, bell.storage, bell.health, bell.hosts)


def live(bell: Bell, rules: RuleSet, arrivals: Frames) -> Late:
    """What the server does while frames come; what of them was late."""
    late, line, seq = Late(), Line.of(bell.head), 0
    bell.judge.replace_rules(rules)
    for step in range(STEPS + 4):
        frames = arrivals[step]
        for each in frames:
            seq += 1
            at_ms = each.times_ms[0]
            late.took([Mark(1, seq, LOAD.id, each.host_id, at_ms, at_ms, 0)], moment(step))
        line.take(frames, moment(step))
        line.beat(judged_at(step))
        with bell.head.lock:
            done = bell.judge.round(judged_at(step))
        bell.judge.settle(done)
    return late


def known(bell: Bell) -> dict[Identity, list[tuple[float, float]]]:
    """When live evaluation had each alert."""
    names = {row.id: (row.client_id, row.rule_key, row.fingerprint) for row in bell.alerts()}
    moves: dict[Identity, list] = {}
    for one in bell.transitions():
        if not one.late:
            moves.setdefault(names[one.alert_id], []).append((one.at_ms, one.new))
    return {name: list(stretches(made)) for name, made in moves.items()}


@given(atlas=aways(), borea=aways())
@settings(max_examples=share(12), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_late_frames_in_any_order_give_the_episodes_that_they_would_have_given_in_time(
    bell: Bell, rules: RuleSet, atlas: Away, borea: Away
) -> None:
    made, arrivals = come({ATLAS: atlas, BOREA: borea})
    forget(bell)
    late = live(bell, rules, arrivals)
    before, had = known(bell), {row.id: row for row in bell.alerts()}
    told_live = [one.model_dump() for one in bell.transitions()]
    now_ms = moment(STEPS + 60)
    gaps = sort_out(late.waiting(), FACTS, now_ms, interval_s=10).gaps

    found: list[Episode] = []
    for gap in gaps:
        for again in range(2):
            episodes = judged(gap, rules, made)
            news = bell.storage.write(lambda session, some=episodes: write_episodes(session, some, now_ms))
            assert not (again and news)
            found += news

    expected = [
        episode
        for episode in in_order(rules, made)
        if any(is_within(episode, gap) for gap in gaps)
        and not is_known(episode, before.get(identity(episode.alert), []))
    ]
    assert told(found) == told(expected)
    kept = bell.transitions()
    assert [one.model_dump() for one in kept if not one.late] == told_live
    assert [one.at_ms for one in kept if one.late] == [c.at_ms for one in found for c in one.changes]
    assert all(one.consumed_ms is not None for one in kept if one.late)
    for row in bell.alerts():
        earlier = had.get(row.id)
        if earlier is not None and (earlier.state in ACTIVE or not row.late):
            assert row.model_dump() == earlier.model_dump()
        else:
            assert (row.state, row.late) == (AlertState.RESOLVED, True)
            assert earlier is None or earlier.changed_ms < row.changed_ms


def test_of_a_gap_that_grows_on_what_is_there_from_its_first_sample_is_left_for_later(rules: RuleSet) -> None:
    made = [frame(ATLAS, step, 9.0 if step < 16 or 20 <= step < 24 else 1.0) for step in range(40)]
    late = Late()
    for step in (30, *range(29, 11, -1)):
        late.took([Mark(1, step, LOAD.id, ATLAS, moment(step), moment(step), 0)], moment(30))
    (gap,) = sort_out(late.waiting(), FACTS, moment(30) + 5000, interval_s=10).gaps
    cut = Gap(gap.client_id, gap.spans, frozenset({ATLAS}))
    there = [one for one in made if one.times_ms[0] >= gap.from_ms]

    begun = {one.from_ms for one in judged(cut, rules, there) if one.alert.labels["alertname"] == "Busy"}
    whole = {one.from_ms for one in judged(gap, rules, there) if one.alert.labels["alertname"] == "Busy"}

    assert begun == {judged_at(20)}
    assert whole == {judged_at(12), judged_at(20)}


def test_what_all_hosts_say_together_is_left_out_where_the_journal_has_not_all_of_them(rules: RuleSet) -> None:
    made = [
        frame(host_id, step, 9.0 if 15 <= step < 20 else 1.0)
        for host_id in (ATLAS, BOREA)
        for step in range(40)
    ]
    late = Late()
    late.took(
        [Mark(1, step, LOAD.id, ATLAS, moment(step), moment(step), 0) for step in range(10, 31)], moment(30)
    )
    (gap,) = sort_out(late.waiting(), FACTS, moment(30) + 5000, interval_s=10).gaps

    all_there = {one.alert.labels["alertname"] for one in judged(gap, rules, made)}
    not_all = {one.alert.labels["alertname"] for one in judged(gap, rules, made, whole_from_ms=moment(25))}

    assert {"Busy", "FleetBusy"} <= all_there
    assert "Busy" in not_all
    assert "FleetBusy" not in not_all


def test_many_hosts_are_read_in_smaller_portions_with_the_same_result(
    rules: RuleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [frame(ATLAS, step, 9.0 if 15 <= step < 20 else 1.0) for step in range(40)]
    late = Late()
    late.took(
        [Mark(1, step, LOAD.id, ATLAS, moment(step), moment(step), 0) for step in range(10, 31)], moment(30)
    )
    (gap,) = sort_out(late.waiting(), FACTS, moment(30) + 5000, interval_s=10).gaps

    whole = told(judged(gap, rules, made))
    monkeypatch.setattr("tocsin_server.alerts.hindsight.INSTANTS", 1)

    assert told(judged(gap, rules, made)) == whole
