"""The files that the desk works by: the folders they come from, and what is wrong with them.

A change of a folder is taken whole or not at all. Where nothing could be read since the start, alerts open and
solve tickets all the same, by the severities of their rules, and people's acts are refused with the remedy.
A contract with a client that the estate does not have clocks nothing, so it is told as a problem too, and so is
a team that a table or a contract names and nobody has made.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path

import structlog

from tocsin_protocol.status import RuleProblem
from tocsin_server.decisions.folder import NO_TABLES, Tables, desk_shelf
from tocsin_server.decisions.sheet import DecisionFileError
from tocsin_server.desk import contacts
from tocsin_server.desk.contacts import NO_CONTACTS, Contacts, ContactsError, load_contacts
from tocsin_server.desk.kept import Document, Keeping, Merged, merge
from tocsin_server.desk.lifecycle import Lifecycle, LifecycleError, load_lifecycle
from tocsin_server.desk.named import missing_teams
from tocsin_server.desk.promised import Kept, Terms
from tocsin_server.sla.contractfile import ContractFileError
from tocsin_server.sla.register import NO_CONTRACTS, Contracts, contract_shelf, is_open
from tocsin_server.yaml_files import Shelf

_log = structlog.get_logger()


class Deskbook:
    """Its folders, by `find`. `changed` is called when consoles should look again."""

    def __init__(
        self,
        find: Callable[[str], Path | None],
        *,
        clients: Callable[[], Collection[str]],
        teams: Callable[[], Collection[str]],
        keeping: Keeping,
        changed: Callable[[], object],
    ) -> None:
        """`clients` and `teams` are the slugs of those that there are, `keeping` the database's contracts."""
        self._processes = Shelf(lambda: find("processes"), load_lifecycle, Lifecycle())
        self._decisions = desk_shelf(lambda: find("decisions"))
        self._contracts = contract_shelf(lambda: find("contracts"))
        self._keeping = keeping
        self._in_force = Merged()
        self._merged_of: tuple[Contracts, Sequence[Document]] = (NO_CONTRACTS, ())
        self._contacts = Shelf(lambda: find(contacts.FILE), load_contacts, NO_CONTACTS)
        self._clients = clients
        self._teams = teams
        self._changed = changed
        self._strange: list[RuleProblem] = []
        self._kept: Kept = {}
        self._tables = NO_TABLES

    def lifecycle(self) -> Lifecycle:
        """Which acts are lawful."""
        return self._processes.contents

    def tables(self) -> Tables:
        """The decision tables that are in force."""
        return self._tables

    def contacts(self) -> Contacts:
        """Whom notices reach."""
        return self._contacts.contents

    def terms(self, now_ms: int) -> Terms:
        """By what tickets are clocked."""
        return Terms(self._in_force.contracts, self._tables, now_ms, self._kept)

    def contracts_of_files(self) -> Contracts:
        """Those of the files alone."""
        return self._contracts.contents

    @property
    def problems(self) -> list[RuleProblem]:
        """Why a file is not in force, and contracts with nobody."""
        return [
            *self._processes.problems(_of_lifecycle),
            *self._decisions.problems(_of_table),
            *self._contracts.problems(_of_contract),
            *self._in_force.problems,
            *self._contacts.problems(_of_contact),
            *self._strange,
        ]

    def reload(self) -> None:
        """Look at the folders, and put what has changed in force."""
        had = self.problems
        self._processes.look()
        self._contacts.look()
        has_new_tables, has_new_contracts = self._decisions.look(), self._look_at_contracts()
        if has_new_tables or has_new_contracts:
            self._kept = {}
            # They are asked of new contracts as well: which day and hour is one of business, those say.
            self._tables = Tables(self._decisions.contents, is_open=partial(is_open, self._in_force.contracts))
        self._strange = [*self._strangers(), *self._missing_teams()]
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

    def _look_at_contracts(self) -> bool:
        """Whether others are in force, of files or of the database. One that does not answer is asked again."""
        self._contracts.look()
        self._keeping.look()
        of = self._contracts.contents, self._keeping.documents
        if of[0] is self._merged_of[0] and of[1] is self._merged_of[1]:
            return False
        self._in_force, self._merged_of = merge(*of), of
        return True

    def _strangers(self) -> Iterator[RuleProblem]:
        there = self._clients()
        folder = "" if self._contracts.folder is None else self._contracts.folder.name
        for client, contracts in self._contracts.contents.items():
            if client not in there:
                reason = f"there is no client {client!r}: name one of tocsin-server client list"
                yield RuleProblem(file=folder, rule=contracts[0].id, reason=reason)

        for place in self._contacts.contents:
            if place.client and place.client not in there:
                reason = f"there is no client {place.client!r}: name one of tocsin-server client list"
                yield RuleProblem(file=contacts.FILE, rule=place.role, reason=reason)

    def _missing_teams(self) -> Iterator[RuleProblem]:
        return missing_teams(self._decisions.contents, self._in_force.contracts, self._teams())


def _of_lifecycle(wrong: LifecycleError) -> RuleProblem:
    return RuleProblem(file=wrong.file, reason=f"line {wrong.line}: {wrong.reason}")


def _of_table(wrong: DecisionFileError) -> RuleProblem:
    return RuleProblem(file=wrong.file, reason=f"line {wrong.line}, {wrong.column}: {wrong.reason}")


def _of_contact(wrong: ContactsError) -> RuleProblem:
    return RuleProblem(file=wrong.file, reason=f"line {wrong.line}: {wrong.reason}")


def _of_contract(wrong: ContractFileError) -> RuleProblem:
    return RuleProblem(file=Path(wrong.file).name, rule=wrong.key, reason=f"line {wrong.line}: {wrong.reason}")
