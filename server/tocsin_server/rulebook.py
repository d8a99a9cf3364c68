"""The rules in force and what is wrong with them: the folder they come from, the judge that applies them."""

from collections.abc import Callable, Mapping

import structlog

from tocsin_protocol.status import RuleProblem
from tocsin_server.alerts.judge import Judge
from tocsin_server.alerts.rulefolder import RuleFolder
from tocsin_server.alerts.rules import RuleSet

_log = structlog.get_logger()


class Rulebook:
    """One folder, one judge. `changed` is called when consoles should look again."""

    def __init__(
        self,
        folder: RuleFolder,
        judge: Judge,
        changed: Callable[[], object],
        *,
        looks_back: Callable[[Mapping[str, int]], object],
    ) -> None:
        """`looks_back` is told of the ranges of rules before those come into force."""
        self._folder = folder
        self._judge = judge
        self._changed = changed
        self._looks_back = looks_back

    @property
    def rules(self) -> RuleSet:
        """The rules in force."""
        return self._judge.rules

    @property
    def problems(self) -> list[RuleProblem]:
        """Files that were refused, and rules that cannot be evaluated now."""
        return [*self._folder.problems, *self._judge.problems]

    def live_value(self, alert_id: int) -> float | None:
        """The value of an active alert's expression, as of the last round."""
        return self._judge.live_value(alert_id)

    def reload(self) -> None:
        """Look at the folder, and put what has changed in force."""
        had = self._folder.problems
        is_new = self._folder.reload()
        if is_new:
            self._looks_back(self._folder.rules.windows())
            self._judge.replace_rules(self._folder.rules)
            _log.info(
                "rules are in force",
                action="rules_loaded",
                rules=len(self.rules),
                folder=str(self._folder.folder),
            )
        elif self._folder.problems != had:
            self._complain()
        if is_new or self._folder.problems != had:
            self._changed()

    def _complain(self) -> None:
        for problem in self._folder.problems:
            _log.error(
                f"a rule file is refused and the rules before it stay in force: {problem.reason}",
                action="rules_refused",
                file=problem.file,
                group=problem.group,
                rule=problem.rule,
            )
