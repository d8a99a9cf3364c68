"""The devices in force and what is wrong with them: the folder they come from, the estate they become part of.

    files changed, or the estate did → read all or nothing → settle in the tables → hand out to the agents

The estate counts, because a file waits for its client, its site or its agent: once the host has enrolled, its
file comes into force by itself. While the files cannot be read nothing changes.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from tocsin_protocol.status import RuleProblem
from tocsin_server.clock import Clock
from tocsin_server.estate.declared import Settled, settle_devices
from tocsin_server.estate.devices import DeviceFileError, SiteProbes, load_device_files
from tocsin_server.estate.estate import Estate
from tocsin_server.ingest.handout import Handout
from tocsin_server.storage.engine import Storage
from tocsin_server.yaml_files import Shelf

_log = structlog.get_logger()


class Probebook:
    """One folder, which may be missing. `changed` is called when consoles should look again."""

    def __init__(
        self,
        find: Callable[[], Path | None],
        *,
        storage: Storage,
        estate: Estate,
        handout: Handout,
        clock: Clock,
        changed: Callable[[], object],
    ) -> None:
        self._shelf: Shelf[Sequence[SiteProbes]] = Shelf(find, load_device_files, ())
        self._storage = storage
        self._estate = estate
        self._handout = handout
        self._clock = clock
        self._changed = changed
        self._unsettled: list[RuleProblem] = []
        self._generation: int | None = None
        """The estate's when the files were settled last; nothing where they have to be."""

    @property
    def problems(self) -> list[RuleProblem]:
        """Files that cannot be read, and files that cannot come into force."""
        return [*self._shelf.problems(_misread), *self._unsettled]

    def reload(self) -> None:
        """Look at the folder, and put what has changed in force."""
        had = self.problems
        if self._shelf.look():
            self._generation = None
        if not self._shelf.problems(_misread) and self._generation != self._estate.generation:
            self._settle()
        if self.problems != had:
            self._complain(had)
            self._changed()

    def _settle(self) -> None:
        generation = self._estate.generation
        now_ms = self._clock.now_ms()
        settled = self._storage.write(
            lambda session: settle_devices(session, self._shelf.contents, now_ms=now_ms)
        )
        if settled.has_changed:
            # Before they are handed out: an agent that is quick must not be refused.
            self._estate.reload()
            _tell(settled)
        self._handout.take(settled.books)
        self._unsettled = [
            RuleProblem(file=problem.file, reason=problem.reason) for problem in settled.problems
        ]
        self._generation = generation

    def _complain(self, had: Sequence[RuleProblem]) -> None:
        for problem in self.problems:
            if problem not in had:
                _log.error(
                    f"a file of devices is not in force and its devices stay as they were: {problem.reason}",
                    action="devices_refused",
                    file=problem.file,
                    device=problem.rule,
                )


def _misread(wrong: DeviceFileError) -> RuleProblem:
    return RuleProblem(file=wrong.file, rule=wrong.device, reason=f"line {wrong.line}: {wrong.reason}")


def _tell(settled: Settled) -> None:
    _log.info(
        "devices are in force",
        action="devices_settled",
        created=settled.created,
        updated=settled.updated,
        retired=settled.retired,
    )
