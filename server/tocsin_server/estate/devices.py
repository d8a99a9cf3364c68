"""Devices as operators declare them in `config/probes/*.yml`, one file for each agent that probes.

    file → SiteProbes → Device → Probe → options (`options.py`)

All files are read together or none is. What is wrong is told with file, line, device and remedy. Nothing here
knows if client, site or agent are there: that is `declared.py`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

from tocsin_protocol.vocabulary import HostKind
from tocsin_protocol.wire import (
    LONGEST_PROBE_S,
    MAX_BODY_BYTES,
    MAX_DEVICES_PER_AGENT,
    MAX_PROBES_PER_DEVICE,
    PROBE_TIMEOUT_S,
    SHORTEST_PROBE_S,
)
from tocsin_server.estate.options import OPTIONS, Value, read_options
from tocsin_server.yaml_files import FileErrors, read_text, yaml_files
from tocsin_server.yaml_nodes import BadYaml, Fields, Text, composed, line_of, scalar

DEFAULT_EVERY_S = 30
MOST_PARENTS = 16
MOST_BOOK_BYTES = MAX_BODY_BYTES - 1024
"""Of what an agent is told in one answer."""

_FILE_FIELDS = ("client", "site", "agent", "devices")
_DEVICE_FIELDS = ("name", "kind", "every", "parents", "probes")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_EVERY = re.compile(r"([0-9]{1,4})(s|m)")
_UNIT_S = {"s": 1, "m": 60}


@dataclass(frozen=True, slots=True)
class Probe:
    """One way to look at a device."""

    kind: str
    name: str
    options: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Device:
    """What is probed. Names are in lower case, so that they differ in more than their case."""

    name: str
    kind: HostKind
    every_s: int
    parents: tuple[str, ...]
    probes: tuple[Probe, ...]


@dataclass(frozen=True, slots=True)
class SiteProbes:
    """What one file declares: the devices that the agent of the host `agent` probes."""

    file: str
    client: str
    site: str
    agent: str
    devices: tuple[Device, ...]


@dataclass(frozen=True, slots=True)
class DeviceFileError:
    """One thing that is wrong in a file. `line` counts from 1; `device` is empty above the devices."""

    file: str
    line: int
    device: str
    reason: str

    def __str__(self) -> str:
        device = f", device {self.device!r}" if self.device else ""
        return f"{self.file}:{self.line}{device}: {self.reason}"


class DeviceFileErrors(FileErrors[DeviceFileError]):
    """Files of devices that were refused, with everything that is wrong in them."""

    def __init__(self, errors: Sequence[DeviceFileError]) -> None:
        super().__init__(errors, remedy="tocsin-server probes check FILES shows them all")


def load_device_files(paths: Iterable[Path] | Path) -> tuple[SiteProbes, ...]:
    """Read files, and the `*.yml` and `*.yaml` directly in folders; raises `DeviceFileErrors`."""
    errors: list[DeviceFileError] = []
    found = (_read(path, errors) for path in yaml_files(paths))
    sites = tuple(site for site in found if site is not None)
    errors.extend(_twice(sites))
    if errors:
        raise DeviceFileErrors(errors)
    return sites


def packed(devices: Sequence[Device]) -> bytes:
    """The devices as `wire` tells them to an agent, the same bytes for the same devices."""
    return msgspec.msgpack.encode([_told(device) for device in devices])


def _told(device: Device) -> dict[str, Any]:
    probes = [{"kind": probe.kind, "name": probe.name, **probe.options} for probe in device.probes]
    return {"name": device.name, "every_s": device.every_s, "probes": probes}


def _read(path: Path, errors: list[DeviceFileError]) -> SiteProbes | None:
    reading = _FileReading(path, errors)
    try:
        document = composed(read_text(path))
        return None if document is None else reading.site(document)
    except BadYaml as error:
        reading.refuse(error)
        return None


class _FileReading:
    """One file being read: collects errors and goes on with the next device."""

    def __init__(self, path: Path, errors: list[DeviceFileError]) -> None:
        self._path = path
        self._errors = errors
        self._names: set[str] = set()

    def refuse(self, error: BadYaml, device: str = "") -> None:
        self._errors.append(DeviceFileError(str(self._path), error.line, device, error.reason))

    def site(self, document: yaml.Node) -> SiteProbes:
        fields = Fields(document, _FILE_FIELDS, what="a file of devices")
        client, site = _short(fields.wanted("client"), "client"), _short(fields.wanted("site"), "site")
        agent = _short(fields.wanted("agent"), "agent")
        nodes = fields.items("devices")
        if len(nodes) > MAX_DEVICES_PER_AGENT:
            raise BadYaml(
                fields.line, f"{len(nodes)} devices are more than the {MAX_DEVICES_PER_AGENT} of one agent"
            )
        found = (self._device(node) for node in nodes)
        devices = tuple(device for device in found if device is not None)
        if len(packed(devices)) > MOST_BOOK_BYTES:
            raise BadYaml(
                fields.line, f"the devices are more than {MAX_BODY_BYTES >> 20} MiB: use a second agent"
            )
        return SiteProbes(str(self._path), client, site, agent, devices)

    def _device(self, node: yaml.Node) -> Device | None:
        name = ""
        try:
            fields = Fields(node, _DEVICE_FIELDS, what="a device")
            name = self._new_name(fields.wanted("name"))
            return _device(fields, name)
        except BadYaml as error:
            self.refuse(error, name)
            return None

    def _new_name(self, said: Text) -> str:
        name = _checked_name(said.text, said.line)
        if name in self._names:
            raise BadYaml(said.line, f"{name!r} is declared twice in this file: leave one of them out")
        self._names.add(name)
        return name


def _device(fields: Fields, name: str) -> Device:
    every_s = _every_s(fields.text("every", f"{DEFAULT_EVERY_S}s"))
    nodes = fields.items("probes")
    if not 0 < len(nodes) <= MAX_PROBES_PER_DEVICE:
        raise BadYaml(
            fields.line,
            f"a device needs 'probes', a list of 1 to {MAX_PROBES_PER_DEVICE}, and has {len(nodes)}",
        )
    probes = tuple(_probe(node, every_s) for node in nodes)
    names = [probe.name for probe in probes]
    for twice in (one for one in names if names.count(one) > 1):
        raise BadYaml(fields.line, f"two probes are called {twice!r}: give one of them another 'name'")
    return Device(name, _kind(fields.wanted("kind")), every_s, _parents(fields, name), probes)


def _probe(node: yaml.Node, every_s: int) -> Probe:
    """A map of one entry, the kind and its options."""
    if not isinstance(node, yaml.MappingNode) or len(node.value) != 1:
        raise BadYaml(
            line_of(node), "a probe is one kind with its options, such as 'icmp: {address: 192.0.2.1}'"
        )
    entry = Fields(node, OPTIONS, what="a probe")
    kind = next(kind for kind in OPTIONS if entry.has(kind))
    said = entry.node(kind)
    if said is None:
        raise BadYaml(line_of(node), f"the probe {kind} has no options: it needs an address at least")
    fields = Fields(said, (*OPTIONS[kind], "name"), what=f"a probe {kind}")
    name = fields.text("name", kind)
    options = read_options(kind, fields)
    timeout_s = options.setdefault("timeout_s", min(PROBE_TIMEOUT_S, every_s - 1))
    if isinstance(timeout_s, int | float) and timeout_s >= every_s:
        raise BadYaml(fields.line, f"'timeout_s' {timeout_s} has to be below 'every', which is {every_s}s")
    return Probe(kind, _checked_name(name.text, name.line), options)


def _checked_name(name: str, line: int) -> str:
    if not _NAME.fullmatch(name):
        raise BadYaml(
            line,
            f"{name[:80]!r} is no name here: use 1 to 63 lower-case letters, digits, '.', '_' and '-',"
            " beginning with a letter or digit",
        )
    return name


def _short(said: Text, of: str) -> str:
    if len(said.text) > 253 or not said.text.isprintable():
        raise BadYaml(said.line, f"{of!r} has to be one line of at most 253 characters")
    return said.text


def _kind(said: Text) -> HostKind:
    kinds = [kind.value for kind in HostKind]
    if said.text not in kinds:
        raise BadYaml(said.line, f"'kind' has to be one of {', '.join(kinds)}, not {said.text[:40]!r}")
    return HostKind(said.text)


def _every_s(said: Text) -> int:
    form = _EVERY.fullmatch(said.text)
    every_s = int(form[1]) * _UNIT_S[form[2]] if form else 0
    if not SHORTEST_PROBE_S <= every_s <= LONGEST_PROBE_S:
        raise BadYaml(said.line, f"'every' has to be 5s to 10m, such as 30s, not {said.text[:40]!r}")
    return every_s


def _parents(fields: Fields, device: str) -> tuple[str, ...]:
    """What it is reached through, in the order given, each once."""
    nodes = fields.items("parents")
    if len(nodes) > MOST_PARENTS:
        raise BadYaml(fields.line, f"{len(nodes)} parents are more than {MOST_PARENTS}")
    names = [_short(Text(scalar(node, "a parent"), line_of(node)), "parents") for node in nodes]
    if device in (name.lower() for name in names):
        raise BadYaml(fields.line, f"{device!r} cannot be its own parent: leave it out of 'parents'")
    return tuple(dict.fromkeys(name for name in names if name))


def _twice(sites: Sequence[SiteProbes]) -> Iterator[DeviceFileError]:
    """What more than one file says: an agent has one file, a client one device of a name."""
    agents: dict[tuple[str, str, str], str] = {}
    devices: dict[tuple[str, str], str] = {}
    for site in sites:
        first = agents.setdefault((site.client, site.site, site.agent.lower()), site.file)
        if first != site.file:
            reason = f"{first} is of agent {site.agent!r} already: put the devices together there"
            yield DeviceFileError(site.file, 1, "", reason)
        for device in site.devices:
            first = devices.setdefault((site.client, device.name), site.file)
            if first != site.file:
                reason = f"{first} declares it already: a name is used once for each client"
                yield DeviceFileError(site.file, 1, device.name, reason)
