"""The files that say when deliveries are withheld: the folder they come from, and what is wrong with them.

The folder may be missing. A change is taken whole or not at all; a name that the estate does not know withholds
nothing, so it is told as a problem too, and is none any more once the host has enrolled.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import structlog

from tocsin_protocol.status import RuleProblem
from tocsin_server.alerts.maintenance import Place
from tocsin_server.alerts.suppressionfile import SuppressionFileError, Suppressions, load_suppressions
from tocsin_server.estate.estate import Estate
from tocsin_server.yaml_files import Shelf

_log = structlog.get_logger()


class Quietbook:
    """One folder. `changed` is called when consoles should look again."""

    def __init__(
        self, find: Callable[[], Path | None], *, estate: Estate, changed: Callable[[], object]
    ) -> None:
        self._shelf = Shelf(find, load_suppressions, Suppressions())
        self._estate = estate
        self._changed = changed
        self._strange: list[RuleProblem] = []

    def said(self) -> Suppressions:
        """What is in force."""
        return self._shelf.contents

    @property
    def problems(self) -> list[RuleProblem]:
        """Files that are refused, and names that nobody has."""
        return [*self._shelf.problems(_told), *self._strange]

    def reload(self) -> None:
        """Look at the folder, and put what has changed in force."""
        had = self.problems
        self._shelf.look()
        folder = "" if self._shelf.folder is None else self._shelf.folder.name
        self._strange = [
            RuleProblem(file=folder, rule=name, reason=reason)
            for name, reason in strangers(self.said(), self._estate)
        ]
        if self.problems != had:
            self._complain(had)
            self._changed()

    def _complain(self, had: list[RuleProblem]) -> None:
        for problem in self.problems:
            if problem not in had:
                _log.error(
                    f"what a file says of deliveries is not in force: {problem.reason}",
                    action="suppressions_refused",
                    file=problem.file,
                    entry=problem.rule,
                )


def _told(wrong: SuppressionFileError) -> RuleProblem:
    return RuleProblem(file=wrong.file, rule=wrong.key, reason=f"line {wrong.line}: {wrong.reason}")


def strangers(said: Suppressions, estate: Estate) -> Iterator[tuple[str, str]]:
    """Entries that name a client, a site or a host that is not there, and which."""
    for window in said.windows:
        reason = _missing(window.place, estate)
        if reason:
            yield f"maintenance_windows/{window.name}", reason
    for entry in said.parents:
        for host in (*entry.hosts, *entry.parents):
            reason = _missing(Place(entry.client, None, host), estate)
            if reason:
                yield f"host_parents/{entry.name}", reason


def _missing(place: Place, estate: Estate) -> str:
    """What of a place is not there."""
    if place.client is None:
        return ""
    client = next((each for each in estate.clients() if each.slug == place.client), None)
    if client is None:
        return f"there is no client {place.client!r}: name one of tocsin-server client list"
    host = None if place.host is None else estate.host_named(client.id, place.host)
    if place.host is not None and host is None:
        return f"{place.client} has no host {place.host!r} in service"
    if place.site is not None and not _has_site(place, client.id, estate):
        return f"{place.client} has no host at a site {place.site!r}"
    return ""


def _has_site(place: Place, client_id: int, estate: Estate) -> bool:
    return any(host.client_id == client_id and host.site == place.site for host in estate.hosts())
