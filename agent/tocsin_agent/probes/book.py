"""The book of devices: what the server has declared that this agent is to probe, read strictly.

A book that is not what the contract says is refused whole, and the one before goes on. What a method thinks of
its own options is not known here: it is told when the method is made, as a failure of that probe alone.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgpack

from tocsin_agent.push import digest_of
from tocsin_protocol import wire

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_MOST_OPTIONS = 64


class Probe(NamedTuple):
    """One way to look at a device; `options` are its method's own."""

    name: str
    kind: str
    options: Mapping[str, object]


class Device(NamedTuple):
    """What is looked at, how often, in which ways."""

    name: str
    every_s: float
    probes: tuple[Probe, ...]


class Book(NamedTuple):
    """All devices of this agent; `digest` names this version of the book, empty only without devices."""

    digest: str
    devices: tuple[Device, ...]


class Misread(ValueError):
    """This is no book."""


def read_book(body: bytes) -> Book:
    """The book in the server's answer; raises `Misread` for any other bytes."""
    try:
        said = msgpack.unpackb(body)
    except (ValueError, RecursionError) as error:
        raise Misread(f"it is not msgpack ({type(error).__name__})") from error
    told = _list(_map(said, "the book").get("devices"), wire.MAX_DEVICES_PER_AGENT, "the devices")
    devices = tuple(_device(one) for one in told)
    if len({device.name.casefold() for device in devices}) < len(devices):
        raise Misread("a device is declared twice")
    digest = digest_of(said.get("digest"))
    if devices and not digest:
        raise Misread("it has no digest")
    return Book(digest, devices)


def _device(said: object) -> Device:
    told = _map(said, "a device")
    name = _name(told.get("name"), "a device")
    every_s = _interval_s(told.get("every_s"), name)
    declared = _list(told.get("probes"), wire.MAX_PROBES_PER_DEVICE, f"{name}'s probes")
    probes = tuple(_probe(one, name) for one in declared)
    if not probes or len({probe.name for probe in probes}) < len(probes):
        raise Misread(f"{name} has no probes, or two of one name")
    return Device(name, every_s, probes)


def _interval_s(said: object, device: str) -> float:
    # A boolean is a number to Python.
    if isinstance(said, int | float) and not isinstance(said, bool):
        every_s = float(said)
        if wire.SHORTEST_PROBE_S <= every_s <= wire.LONGEST_PROBE_S:
            return every_s
    raise Misread(f"{device} is not to be probed every {wire.SHORTEST_PROBE_S} to {wire.LONGEST_PROBE_S} s")


def _probe(said: object, device: str) -> Probe:
    told = _map(said, f"a probe of {device}")
    name = _name(told.pop("name", None), f"a probe of {device}")
    kind = _name(told.pop("kind", None), f"the kind of {device}'s probe {name}")
    if len(told) > _MOST_OPTIONS:
        raise Misread(f"{device}'s probe {name} has more than {_MOST_OPTIONS} options")
    return Probe(name, kind, told)


def _map(said: object, what: str) -> dict[str, Any]:
    if not isinstance(said, dict) or not all(isinstance(key, str) for key in said):
        raise Misread(f"{what} is not a map of names")
    return said


def _list(said: object, most: int, what: str) -> list[object]:
    if not isinstance(said, list) or len(said) > most:
        raise Misread(f"{what} are not a list of at most {most}")
    return said


def _name(said: object, what: str) -> str:
    if not isinstance(said, str) or not _NAME.fullmatch(said):
        raise Misread(f"{what} has no name of letters, digits, '.', '_' and '-'")
    return said
