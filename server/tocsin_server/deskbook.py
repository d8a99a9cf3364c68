"""The files that the desk works by: the folder they come from, and what is wrong with them.

A change is taken whole or not at all. Where nothing could be read since the start, alerts open and solve
tickets all the same, and people's acts are refused with the remedy.
"""

from collections.abc import Callable
from pathlib import Path

import structlog

from tocsin_protocol.api import RuleProblem
from tocsin_server.desk.lifecycle import Lifecycle, LifecycleError, load_lifecycle
from tocsin_server.yaml_files import Shelf

_log = structlog.get_logger()


class Deskbook:
    """One folder. `changed` is called when consoles should look again."""

    def __init__(self, find: Callable[[], Path | None], *, changed: Callable[[], object]) -> None:
        self._shelf = Shelf(find, load_lifecycle, Lifecycle())
        self._changed = changed

    def lifecycle(self) -> Lifecycle:
        """What is in force."""
        return self._shelf.contents

    @property
    def problems(self) -> list[RuleProblem]:
        """Why a file is not in force."""
        return self._shelf.problems(_told)

    def reload(self) -> None:
        """Look at the folder, and put what has changed in force."""
        had = self.problems
        self._shelf.look()
        if self.problems == had:
            return
        for problem in self.problems:
            _log.error(
                f"what a file says of tickets is not in force: {problem.reason}",
                action="lifecycle_refused",
                file=problem.file,
            )
        self._changed()


def _told(wrong: LifecycleError) -> RuleProblem:
    return RuleProblem(file=wrong.file, reason=f"line {wrong.line}: {wrong.reason}")
