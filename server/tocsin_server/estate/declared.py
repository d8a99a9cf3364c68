"""Devices that files declare become hosts: made, changed and retired until the tables say what the files say.

    1. place      client, site and agent of each file; no name may be an enrolled host's
    2. parents    among the client's hosts and devices, without a circle
    3. compare    with the devices that there are; act on what differs

A file with a problem is left out whole: its devices stay as they are, and the other files are not held up. A
file that was left out may take parents away from another one, so 2 goes on until no file falls out. Enrolled
hosts are never touched: whether a host is a device is told by `prober_id`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

from sqlmodel import Session, col, delete, select

from tocsin_server.estate.devices import Device, SiteProbes
from tocsin_server.estate.store import Client, Host, HostParent, Site, known

_Key = tuple[int, str]
"""A client and the name of one of its hosts, in lower case."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file's devices are not in force."""

    file: str
    reason: str


@dataclass(slots=True)
class Settled:
    """How the tables came to say what the files say."""

    problems: list[Problem] = field(default_factory=list)
    books: dict[int, tuple[Device, ...]] = field(default_factory=dict)
    """Host → what its agent is to probe; nothing to probe for one that had devices at any time."""
    created: int = 0
    updated: int = 0
    retired: int = 0

    @property
    def has_changed(self) -> bool:
        """Whether the tables were changed."""
        return bool(self.created or self.updated or self.retired)


@dataclass(frozen=True, slots=True)
class _Placed:
    """A file whose client, site and agent are there."""

    file: SiteProbes
    client_id: int
    site_id: int
    prober_id: int

    def key(self, name: str) -> _Key:
        return self.client_id, name.lower()

    def devices(self) -> Iterator[tuple[_Key, Device]]:
        for device in self.file.devices:
            yield self.key(device.name), device


def settle_devices(session: Session, files: Sequence[SiteProbes], *, now_ms: int) -> Settled:
    """Make the tables say what the files say, within the caller's transaction."""
    tables = _Tables(session)
    kept = tables.named_by(files)
    placed, problems = _sound(files, kept, tables)
    settled = Settled(problems)
    _act(session, placed, kept, tables, settled, now_ms)
    settled.books = _books(placed, kept, tables)
    return settled


def problems_of(session: Session, files: Sequence[SiteProbes]) -> list[Problem]:
    """What would keep files from coming into force; changes nothing."""
    tables = _Tables(session)
    return _sound(files, tables.named_by(files), tables)[1]


class _Enrolled(NamedTuple):
    """A host with an agent of its own, as far as it matters here: there are many, and none is ever changed."""

    id: int
    client_id: int
    site_id: int
    name: str


_IS_DEVICE = col(Host.prober_id).is_not(None)
_ENROLLED = select(Host.id, Host.client_id, Host.site_id, Host.name).where(
    col(Host.retired_ms).is_(None), ~_IS_DEVICE
)


class _Tables:
    """What the database says now."""

    def __init__(self, session: Session) -> None:
        self.clients = {client.slug: known(client.id) for client in session.exec(select(Client))}
        self.sites = {(site.client_id, site.slug): known(site.id) for site in session.exec(select(Site))}
        enrolled = [_Enrolled(*row) for row in session.exec(_ENROLLED)]
        self.enrolled = {(host.client_id, host.name.lower()): host for host in enrolled}
        self._spelled = {(host.client_id, host.name): host for host in enrolled}
        devices = session.exec(select(Host).where(col(Host.retired_ms).is_(None), _IS_DEVICE)).all()
        self.devices = {(host.client_id, host.name): host for host in devices}
        self.probers = {prober_id for prober_id in session.exec(select(Host.prober_id).distinct()) if prober_id}
        """Every host whose agent ever had a device."""
        live: list[_Enrolled | Host] = [*enrolled, *devices]
        self._key_of = {known(host.id): (host.client_id, host.name.lower()) for host in live}
        self.parents: dict[int, set[int]] = {}
        for host_id, parent_id in session.exec(select(HostParent.host_id, HostParent.parent_id)):
            self.parents.setdefault(host_id, set()).add(parent_id)

    def agent_named(self, client_id: int, name: str) -> _Enrolled | None:
        """The enrolled host of that name; of two that differ in case only, the one that is spelled so."""
        return self._spelled.get((client_id, name)) or self.enrolled.get((client_id, name.lower()))

    def named_by(self, files: Iterable[SiteProbes]) -> dict[_Key, Host]:
        """The devices there are that a file names, with a problem or without."""
        keys = {
            (self.clients[file.client], device.name)
            for file in files
            if file.client in self.clients
            for device in file.devices
        }
        return {key: host for key, host in self.devices.items() if key in keys}

    def parents_of(self, host: Host) -> set[_Key]:
        """Its parents in service, by key."""
        parents = self.parents.get(known(host.id), set())
        return {self._key_of[parent_id] for parent_id in parents if parent_id in self._key_of}


def _sound(
    files: Sequence[SiteProbes], kept: Mapping[_Key, Host], tables: _Tables
) -> tuple[list[_Placed], list[Problem]]:
    """The files that can come into force, and why the others cannot."""
    places = [_place(file, tables) for file in files]
    placed = [place for place in places if isinstance(place, _Placed)]
    problems = [place for place in places if isinstance(place, Problem)]
    while found := _unsound(placed, kept, tables):
        problems.extend(Problem(file, reason) for file, reason in found.items())
        placed = [place for place in placed if place.file.file not in found]
    return placed, problems


def _place(file: SiteProbes, tables: _Tables) -> _Placed | Problem:
    """Where the file's devices are, unless client, site or agent is not there or a name is taken."""
    client_id = tables.clients.get(file.client)
    if client_id is None:
        return Problem(file.file, f"there is no client {file.client!r}: mend 'client', or add it")
    site_id = tables.sites.get((client_id, file.site))
    if site_id is None:
        return Problem(file.file, f"{file.client} has no site {file.site!r}: mend 'site', or add it")
    agent = tables.agent_named(client_id, file.agent)
    if agent is None or agent.site_id != site_id:
        where = f"{file.client} has no enrolled host {file.agent!r} at its site {file.site}"
        return Problem(file.file, f"{where}: mend 'agent', or enrol that host")
    for device in file.devices:
        if (client_id, device.name) in tables.enrolled:
            taken = f"{file.client} has an enrolled host {device.name!r}"
            return Problem(file.file, f"{taken}: give the device another name, or retire that host")
    return _Placed(file, client_id, site_id, agent.id)


def _unsound(placed: Sequence[_Placed], kept: Mapping[_Key, Host], tables: _Tables) -> dict[str, str]:
    """The files with a parent that is not there or that is reached through the device itself, and why."""
    named = {key for place in placed for key, _ in place.devices()}
    known_names = named | tables.enrolled.keys() | kept.keys()
    found = {}
    for place in placed:
        missing = _missing_parent(place, known_names)
        if missing:
            found[place.file.file] = missing
    return found or _circular(placed, kept, tables)


def _missing_parent(place: _Placed, known_names: set[_Key]) -> str:
    for _, device in place.devices():
        for parent in device.parents:
            if place.key(parent) not in known_names:
                return (
                    f"device {device.name!r}: {place.file.client} has no host and no device {parent!r}"
                    " to be its parent: mend 'parents', or declare it too"
                )
    return ""


def _circular(placed: Sequence[_Placed], kept: Mapping[_Key, Host], tables: _Tables) -> dict[str, str]:
    """The files with devices that are reached through each other in a circle."""
    graph = {key: tables.parents_of(host) for key, host in kept.items()}
    file_of = {}
    for place in placed:
        for key, device in place.devices():
            graph[key] = {place.key(parent) for parent in device.parents}
            file_of[key] = place.file.file
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle: list[_Key] = error.args[1]
        names = " → ".join(name for _, name in reversed(circle))
        reason = f"devices are parents of each other in a circle ({names}): mend 'parents'"
        return {file_of[key]: reason for key in circle if key in file_of}
    return {}


def _act(
    session: Session,
    placed: Sequence[_Placed],
    kept: Mapping[_Key, Host],
    tables: _Tables,
    settled: Settled,
    now_ms: int,
) -> None:
    """Change what differs."""
    rows = dict(kept)
    changed = set()
    for place in placed:
        for key, device in place.devices():
            row = rows.get(key)
            if row is None:
                row = rows[key] = Host(**_facts(place, device), enrolled_ms=now_ms)
                settled.created += 1
            elif _update(row, _facts(place, device)):
                changed.add(key)
            session.add(row)
    session.flush()
    for place in placed:
        for key, device in place.devices():
            wanted = {_id_of(place.key(parent), rows, tables) for parent in device.parents}
            if _set_parents(session, rows[key], wanted, had=tables.parents.get(known(rows[key].id), set())):
                changed.add(key)
    settled.updated = len(changed & kept.keys())
    for key in tables.devices.keys() - kept.keys():
        _retire(session, tables.devices[key], now_ms)
        settled.retired += 1
    session.flush()


def _facts(place: _Placed, device: Device) -> dict[str, Any]:
    """What the row of a device says."""
    return {
        "client_id": place.client_id,
        "site_id": place.site_id,
        "name": device.name,
        "kind": device.kind,
        "job": "snmp" if any(probe.kind == "snmp" for probe in device.probes) else "blackbox",
        "prober_id": place.prober_id,
        "interval_s": device.every_s,
    }


def _update(row: Host, facts: Mapping[str, Any]) -> bool:
    different = {name: value for name, value in facts.items() if getattr(row, name) != value}
    for name, value in different.items():
        setattr(row, name, value)
    return bool(different)


def _id_of(key: _Key, rows: Mapping[_Key, Host], tables: _Tables) -> int:
    row = rows.get(key)
    return tables.enrolled[key].id if row is None else known(row.id)


def _set_parents(session: Session, row: Host, wanted: set[int], *, had: set[int]) -> bool:
    host_id = known(row.id)
    gone = had - wanted
    if gone:
        session.exec(
            delete(HostParent).where(col(HostParent.host_id) == host_id, col(HostParent.parent_id).in_(gone))
        )
    for parent_id in wanted - had:
        session.add(HostParent(host_id=host_id, parent_id=parent_id, client_id=row.client_id))
    return wanted != had


def _retire(session: Session, device: Host, now_ms: int) -> None:
    """Take a device out of service, and off what it was reached through."""
    device.retired_ms = now_ms
    session.add(device)
    session.exec(delete(HostParent).where(col(HostParent.host_id) == known(device.id)))


def _books(
    placed: Sequence[_Placed], kept: Mapping[_Key, Host], tables: _Tables
) -> dict[int, tuple[Device, ...]]:
    """What each agent is to probe, less those of whom a file with a problem speaks: theirs stays as it is."""
    books = {place.prober_id: place.file.devices for place in placed}
    waiting = {host.prober_id for host in kept.values()} - books.keys()
    for prober_id in tables.probers - waiting:
        books.setdefault(prober_id, ())
    return books
