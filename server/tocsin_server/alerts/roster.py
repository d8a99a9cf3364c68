"""The rules in force, each with what it needs to be judged, made anew whenever the rules change.

What rules have yielded outlives them: the series of a rule that has gone have to turn stale.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tocsin_server.alerts.ground import Ground, Yield
from tocsin_server.alerts.proclaim import ALERTS, PROCLAIMED, SINCE, Proclaimer
from tocsin_server.alerts.recorder import Recorder
from tocsin_server.alerts.rules import AlertingRule, Group, RuleSet
from tocsin_server.alerts.watch import HostOf, Judgement, Watch


@dataclass(slots=True)
class Course:
    """A group of rules and the stretch of time in which it was last judged."""

    group: Group
    members: tuple[Watch | Recorder, ...]
    slot: int | None = None

    def begin(self, now_ms: int) -> bool:
        """Whether it is due: once in each stretch of `interval`, and in every round where there is none."""
        slot = now_ms if self.group.interval_ms is None else now_ms // self.group.interval_ms
        is_due, self.slot = slot != self.slot, slot
        return is_due

    def judge(self, member: Watch | Recorder, ground: Ground, now_ms: int) -> Judgement:
        """What comes of one of its rules now."""
        at_ms = now_ms - self.group.query_offset_ms
        if isinstance(member, Recorder):
            return Judgement([], member.record(ground, at_ms=at_ms))
        return member.judge(ground, at_ms=at_ms, now_ms=now_ms)


class Roster:
    """Rules at work; they go on from those that were `before`."""

    def __init__(self, rules: RuleSet, *, host_of: HostOf, before: "Roster | None" = None) -> None:
        self._host_of = host_of
        self._before = {} if before is None else before.yields
        self._own: dict[str, Yield] = {}
        self.courses = tuple(Course(group, self._members(group)) for group in rules.groups)
        members = [member for course in self.courses for member in course.members]
        self.watches = {member.rule.key: member for member in members if isinstance(member, Watch)}
        for key, watch in ({} if before is None else before.watches).items():
            if key in self.watches:
                self.watches[key].inherit(watch)
        # Nobody pays for series about alerts that no rule asks for.
        is_asked = bool(rules.windows().keys() & {*PROCLAIMED, ""})
        self._proclaimers = [self._proclaimer(watch) for watch in self.watches.values() if is_asked]
        self._ended = [ended for key, ended in self._before.items() if key not in self._own]

    @property
    def yields(self) -> Mapping[str, Yield]:
        """By key what these rules and all before them have yielded."""
        return {**self._before, **self._own}

    def prepare(self, ground: Ground, now_ms: int) -> None:
        """Record the alerts that there are, and that what has gone yields nothing."""
        for proclaimer in self._proclaimers:
            proclaimer.proclaim(ground, now_ms)
        for ended in self._ended:
            ended.record(ground, {}, now_ms)

    def _members(self, group: Group) -> tuple[Watch | Recorder, ...]:
        return tuple(
            Watch(rule, host_of=self._host_of, limit=group.limit)
            if isinstance(rule, AlertingRule)
            else Recorder(rule, self._yield(rule.key, rule.name), limit=group.limit)
            for rule in group.rules
        )

    def _proclaimer(self, watch: Watch) -> Proclaimer:
        states, since = (self._yield(f"{watch.rule.key}/{name}", name) for name in (ALERTS, SINCE))
        return Proclaimer(watch, states, since)

    def _yield(self, key: str, name: str) -> Yield:
        return self._own.setdefault(key, self._before.get(key) or Yield(key, name))
