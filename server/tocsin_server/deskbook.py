"""The files that the desk works by: the folders they come from, and what is wrong with them.

A change of a folder is taken whole or not at all. Where nothing could be read since the start, alerts open and
solve tickets all the same, by the severities of their rules, and people's acts are refused with the remedy.
"""

from collections.abc import Callable
from pathlib import Path

import structlog

from tocsin_protocol.api import RuleProblem
from tocsin_server.decisions.folder import Tables, desk_shelf
from tocsin_server.decisions.sheet import DecisionFileError
from tocsin_server.desk.lifecycle import Lifecycle, LifecycleError, load_lifecycle
from tocsin_server.yaml_files import Shelf

_log = structlog.get_logger()


class Deskbook:
    """Its folders, by `find`. `changed` is called when consoles should look again."""

    def __init__(self, find: Callable[[str], Path | None], *, changed: Callable[[], object]) -> None:
        self._processes = Shelf(lambda: find("processes"), load_lifecycle, Lifecycle())
        self._decisions = desk_shelf(lambda: find("decisions"))
        self._changed = changed

    def lifecycle(self) -> Lifecycle:
        """Which acts are lawful."""
        return self._processes.contents

    def tables(self) -> Tables:
        """The decision tables that are in force."""
        return self._decisions.contents

    @property
    def problems(self) -> list[RuleProblem]:
        """Why a file is not in force."""
        return [*self._processes.problems(_of_lifecycle), *self._decisions.problems(_of_table)]

    def reload(self) -> None:
        """Look at the folders, and put what has changed in force."""
        had = self.problems
        self._processes.look()
        self._decisions.look()
        if self.problems == had:
            return
        for problem in self.problems:
            if problem not in had:
                _log.error(
                    f"what a file says of tickets is not in force: {problem.reason}",
                    action="desk_file_refused",
                    file=problem.file,
                )
        self._changed()


def _of_lifecycle(wrong: LifecycleError) -> RuleProblem:
    return RuleProblem(file=wrong.file, reason=f"line {wrong.line}: {wrong.reason}")


def _of_table(wrong: DecisionFileError) -> RuleProblem:
    return RuleProblem(file=wrong.file, reason=f"line {wrong.line}, {wrong.column}: {wrong.reason}")
