"""The agent's settings: one optional file, strictly read. What is not there has a default that works.

How often to collect is not among them: the server says it.
"""

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tocsin_agent.collectors.registry import Excludes, collector_names
from tocsin_agent.errors import Misconfigured
from tocsin_agent.spool import Limits
from tocsin_agent.state import HOST_SOCKET
from tocsin_protocol.wire import SPOOL_HOURS

ETC_FILE = "/etc/tocsin/agent.toml"


class AgentConfig(NamedTuple):
    """`agent.toml`. Every key is optional."""

    state: str = ""
    """The state folder; empty for the default."""
    socket: str = ""
    """Where people at this host ask the agent; empty for the default."""
    spool_mib: int = 256
    spool_hours: int = SPOOL_HOURS
    spool_min_free_mib: int = 1024
    """Free space that the spool leaves to the host; it leaves 5 % in any case."""
    key_days: int = 90
    """How old the agent's key becomes before it makes another; 0 for no end."""
    disabled_collectors: tuple[str, ...] = ()
    mount_points_exclude: str = ""
    disk_devices_exclude: str = ""
    network_devices_exclude: str = ""

    @property
    def limits(self) -> Limits:
        """How much the spool may hold."""
        return Limits(
            max_bytes=self.spool_mib << 20,
            max_age_ms=self.spool_hours * 3_600_000,
            min_free_bytes=self.spool_min_free_mib << 20,
        )

    @property
    def excludes(self) -> Excludes:
        """What the collectors leave out."""
        return Excludes(
            collectors=frozenset(self.disabled_collectors),
            mount_points=self.mount_points_exclude,
            disk_devices=self.disk_devices_exclude,
            network_devices=self.network_devices_exclude,
        )


def find_config(given: str | None) -> str | None:
    """The file to read: the given one, else /etc/tocsin/agent.toml where there is one."""
    if given is not None:
        return given
    return ETC_FILE if os.path.exists(ETC_FILE) else None


def read_config(path: str | None) -> AgentConfig:
    """Read `agent.toml`; raises `Misconfigured` with the file, the key and the remedy."""
    if path is None:
        return AgentConfig()
    import tomllib  # noqa: PLC0415 - most hosts have no file to read

    try:
        with open(path, "rb") as file:
            said = tomllib.load(file)
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read ({error.strerror}): check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path} is not TOML: {error}") from error
    values: dict[str, Any] = {}
    for key, value in said.items():
        check = _CHECKS.get(key)
        if check is None:
            raise Misconfigured(f"{path}: there is no key {key!r} ({_suggestion(key, AgentConfig._fields)})")
        try:
            values[key] = check(value)
        except ValueError as error:
            raise Misconfigured(f"{path}: {key!r} {error}, got {value!r}") from error
    return AgentConfig()._replace(**values)


def _whole_number(lowest: int, highest: int) -> Callable[[object], int]:
    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            raise ValueError(f"must be a whole number from {lowest} to {highest}")
        return value

    return check


def _path(example: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        if not isinstance(value, str) or not value.startswith(("/", "~")):
            raise ValueError(f'must be an absolute path such as "{example}"')
        return value

    return check


def _pattern(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a regular expression in quotes")  # noqa: TRY004 - told as the other mistakes
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"is not a regular expression ({error})") from error
    return value


def _collectors(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError('must be a list of names such as ["processes"]')
    known = collector_names()
    for name in value:
        if name not in known:
            raise ValueError(f"names no collector {name!r} ({_suggestion(name, known)})")
    return tuple(value)


_CHECKS: Mapping[str, Callable[[object], object]] = {
    "state": _path("/var/lib/tocsin-agent"),
    "socket": _path(HOST_SOCKET),
    "spool_mib": _whole_number(1, 65_536),
    "spool_hours": _whole_number(1, SPOOL_HOURS),
    "spool_min_free_mib": _whole_number(0, 1 << 20),
    "key_days": _whole_number(0, 3650),
    "disabled_collectors": _collectors,
    "mount_points_exclude": _pattern,
    "disk_devices_exclude": _pattern,
    "network_devices_exclude": _pattern,
}


def _suggestion(word: str, known: tuple[str, ...]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - needed for a mistake only

    near = get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else "there are: " + ", ".join(known)
