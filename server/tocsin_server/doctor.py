"""`tocsin-server doctor`: what an operator would want to know before trusting this installation."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import DatabaseError

from tocsin_protocol.status import RuleProblem
from tocsin_server.alerts.rulefile import RuleFileErrors, load_rule_files
from tocsin_server.alerts.suppressionfile import Suppressions, load_suppressions
from tocsin_server.config import ServerConfig, find_config
from tocsin_server.datafolder import TABLES, database, look
from tocsin_server.decisions.folder import NO_DECIDERS, Deciders, load_for_desk
from tocsin_server.desk import contacts, kept
from tocsin_server.desk.contacts import NO_CONTACTS, Contacts, load_contacts
from tocsin_server.desk.kept import Document, merge
from tocsin_server.desk.lifecycle import Lifecycle, load_lifecycle
from tocsin_server.desk.named import missing_teams
from tocsin_server.desk.teams import team_slugs
from tocsin_server.errors import Misconfigured, TocsinError
from tocsin_server.estate.declared import Problem, problems_of
from tocsin_server.estate.devices import DeviceFileErrors, SiteProbes, load_device_files
from tocsin_server.listening import listen
from tocsin_server.mail.smtp import password
from tocsin_server.sla.register import NO_CONTRACTS, Contracts, by_client
from tocsin_server.storage.address import Address
from tocsin_server.storage.limits import first_line
from tocsin_server.storage.migrate import known, newest, of_later_version, revision
from tocsin_server.storage.standing import standing
from tocsin_server.yaml_files import FileErrors

T = TypeVar("T")

FREE_BYTES = 1 << 30
_SAFE_SQLITE = ((3, 51, 3), (3, 50, 7), (3, 44, 6))


class Colour(StrEnum):
    """How a finding is meant."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    colour: Colour
    thing: str
    said: str


def examine(data: Path, settings: ServerConfig, *, config: Path | None) -> list[Finding]:
    """Look at everything; nothing is changed."""
    return [
        _data_folder(data),
        *_database(data),
        _free_space(data),
        _port(settings),
        *_rules(config),
        *_probes(data, config),
        *_suppressions(config),
        *_lifecycle(config),
        *_decisions(config),
        *_contracts(config),
        *_kept(data, config),
        *_contacts(config),
        _mail(settings),
    ]


def sqlite(version: tuple[int, ...]) -> Finding:
    """Whether SQLite has the WAL-reset race (sqlite.org/wal.html#walresetbug); one writer avoids it."""
    shown = ".".join(str(part) for part in version)
    fixed = version >= _SAFE_SQLITE[0] or any(good <= version < (*good[:2], 99) for good in _SAFE_SQLITE[1:])
    if fixed:
        return Finding(Colour.GREEN, "sqlite", shown)
    return Finding(
        Colour.YELLOW,
        "sqlite",
        f"{shown} has the WAL-reset race; tocsin avoids it with one writer that alone checkpoints:"
        " let no other program write to the database while the server runs",
    )


def _data_folder(data: Path) -> Finding:
    if not data.is_dir():
        return Finding(Colour.RED, "data", f"{data} is not there: tocsin-server migrate --data {data}")
    if not os.access(data, os.W_OK):
        return Finding(Colour.RED, "data", f"{data} cannot be written by this user")
    if data.stat().st_mode & 0o077:
        return Finding(Colour.YELLOW, "data", f"{data} can be read by others: chmod 700 {data}")
    return Finding(Colour.GREEN, "data", str(data))


def _database(data: Path) -> Iterator[Finding]:
    try:
        where = database(data)
    except TocsinError as error:
        yield Finding(Colour.RED, "database", str(error))
        return
    try:
        yield _tables(where)
        yield from [sqlite(sqlite3.sqlite_version_info)] if where.is_sqlite else _postgresql(where)
    except DatabaseError as error:
        yield Finding(Colour.RED, "database", f"{where.shown}: {first_line(error)}")


def _tables(where: Address) -> Finding:
    had, shown = revision(where), where.shown
    if had == newest():
        return Finding(Colour.GREEN, "database", f"{shown} at {had}")
    if had is None:
        return Finding(Colour.YELLOW, "database", f"{shown} is empty; the server makes it at its first start")
    if had not in known():
        return Finding(Colour.RED, "database", str(of_later_version(where, had)))
    return Finding(
        Colour.YELLOW, "database", f"{shown} at {had}; the server brings it to {newest()} as it starts"
    )


def _postgresql(where: Address) -> Iterator[Finding]:
    seen = standing(where, TABLES)
    yield Finding(Colour.GREEN, "postgresql", seen.shown)
    for ill in seen.ills:
        yield Finding(Colour.RED, "postgresql", ill)
    for doubt in seen.doubts:
        yield Finding(Colour.YELLOW, "postgresql", doubt)


def _free_space(data: Path) -> Finding:
    place = data if data.exists() else Path("/")
    free = shutil.disk_usage(place).free
    colour = Colour.GREEN if free >= FREE_BYTES else Colour.RED
    return Finding(colour, "space", f"{free / (1 << 30):.1f} GiB free at {place}")


def _port(settings: ServerConfig) -> Finding:
    try:
        listen(settings).close()
    except Misconfigured as error:
        return Finding(Colour.YELLOW, "port", f"{error.message}: a running server, perhaps")
    return Finding(Colour.GREEN, "port", f"{settings.host}:{settings.port} is free")


def _rules(config: Path | None) -> Iterator[Finding]:
    folder = find_config("rules", config)
    if folder is None:
        yield Finding(Colour.RED, "rules", "no rules/ folder is found: give its parent with --config")
        return
    try:
        loaded = load_rule_files(sorted(folder.glob("*.y*ml")))
    except RuleFileErrors as errors:
        for error in errors.errors:
            yield Finding(Colour.RED, "rules", str(error))
        return
    yield Finding(Colour.GREEN, "rules", f"{len(loaded)} from {folder}")


def _probes(data: Path, config: Path | None) -> Iterator[Finding]:
    """The files of devices, and whether they fit the estate where there is one to ask."""
    folder = find_config("probes", config)
    try:
        files = () if folder is None else load_device_files(folder)
    except DeviceFileErrors as errors:
        for error in errors.errors:
            yield Finding(Colour.RED, "probes", str(error))
        return
    except OSError as error:
        yield Finding(Colour.RED, "probes", f"{folder} cannot be read ({error.strerror})")
        return
    problems = _misplaced(data, files)
    for problem in problems:
        yield Finding(Colour.RED, "probes", f"{problem.file}: {problem.reason}")
    if not problems:
        devices = sum(len(file.devices) for file in files)
        yield Finding(Colour.GREEN, "probes", f"{counted(devices, 'device')} in {counted(len(files), 'file')}")


def _misplaced(data: Path, files: Sequence[SiteProbes]) -> list[Problem]:
    try:
        if not files or revision(database(data)) != newest():
            return []
        return look(data, lambda session: problems_of(session, files))
    except (TocsinError, DatabaseError):
        return []  # the finding on the database has said so


def _files(
    thing: str,
    name: str,
    config: Path | None,
    load: Callable[[Path], T],
    told: Callable[[T], str],
    *,
    nothing: T | None = None,
) -> Iterator[Finding]:
    """What the files of the folder of this name say; without `nothing` it has to be there."""
    folder = find_config(name, config)
    try:
        found = nothing if folder is None else load(folder)
    except FileErrors as errors:
        yield from (Finding(Colour.RED, thing, str(error)) for error in errors.errors)
        return
    except OSError as error:
        yield Finding(Colour.RED, thing, f"{folder} cannot be read ({error.strerror})")
        return
    if found is None:
        yield Finding(Colour.RED, thing, f"no {name}/ folder is found: give its parent with --config")
        return
    yield Finding(Colour.GREEN, thing, f"{told(found)} from {folder or 'no folder'}")


def _suppressions(config: Path | None) -> Iterator[Finding]:
    def told(said: Suppressions) -> str:
        windows = counted(len(said.windows), "maintenance window")
        return f"{windows} and {counted(len(said.rules), 'inhibition rule')}"

    return _files("suppressions", "suppressions", config, load_suppressions, told, nothing=Suppressions())


def _lifecycle(config: Path | None) -> Iterator[Finding]:
    def told(lifecycle: Lifecycle) -> str:
        return f"{counted(len(lifecycle.moves), 'kind')} of tickets"

    return _files("lifecycle", "processes", config, load_lifecycle, told)


def _decisions(config: Path | None) -> Iterator[Finding]:
    def told(tables: Deciders) -> str:
        return counted(len(tables), "table")

    return _files("decisions", "decisions", config, load_for_desk, told)


def _contracts(config: Path | None) -> Iterator[Finding]:
    def told(contracts: Contracts) -> str:
        return counted(sum(map(len, contracts.values())), "contract")

    return _files("contracts", "contracts", config, by_client, told, nothing=NO_CONTRACTS)


def _kept(data: Path, config: Path | None) -> Iterator[Finding]:
    """Contracts and teams that the database keeps, beside what files say; nothing where it cannot be asked."""
    try:
        slugs, documents = _asked(data) if revision(database(data)) == newest() else (frozenset(), ())
        tables = _loaded(find_config("decisions", config), load_for_desk, NO_DECIDERS)
        contracts = _loaded(find_config("contracts", config), by_client, NO_CONTRACTS)
    except (TocsinError, DatabaseError, OSError):
        return  # the finding on the database or the files has said so
    merged = merge(contracts, documents)
    if documents:
        yield Finding(Colour.GREEN, "contracts", f"{counted(len(documents), 'contract')} in the database")
    for problem in merged.problems:
        yield Finding(Colour.RED, "contracts", _said(problem))
    missing = list(missing_teams(tables, merged.contracts, slugs))
    for problem in missing:
        yield Finding(Colour.YELLOW, "teams", _said(problem))
    if not missing:
        yield Finding(Colour.GREEN, "teams", counted(len(slugs), "team"))


def _said(problem: RuleProblem) -> str:
    return f"{problem.file}, {problem.rule}: {problem.reason}"


def _asked(data: Path) -> tuple[Collection[str], Sequence[Document]]:
    """The teams there are, and the contracts that the database keeps."""
    return look(data, lambda session: (team_slugs(session), kept.newest(session)))


def _contacts(config: Path | None) -> Iterator[Finding]:
    def told(found: Contacts) -> str:
        return counted(len(found), "contact")

    return _files("contacts", contacts.FILE, config, load_contacts, told, nothing=NO_CONTACTS)


def _mail(settings: ServerConfig) -> Finding:
    mail = settings.mail
    if not mail.host:
        return Finding(Colour.YELLOW, "mail", "no mail server in server.toml: notices go nowhere")
    try:
        if mail.user:
            password(mail)
    except Misconfigured as error:
        return Finding(Colour.RED, "mail", str(error))
    said = f"from {mail.sender} by {mail.host}:{mail.port}; tocsin-server notices test --to ADDRESS tries it"
    return Finding(Colour.GREEN, "mail", said)


def _loaded(folder: Path | None, load: Callable[[Path], T], nothing: T) -> T:
    return nothing if folder is None else load(folder)


def counted(count: int, what: str) -> str:
    """The number with its noun."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
