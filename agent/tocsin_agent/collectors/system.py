"""What runs here: the kernel's name (uname) and the distribution's (os-release)."""

import os
import shlex
from collections.abc import Callable, Iterator

from tocsin_agent.collectors.kernel import Roots, read_once, readable
from tocsin_agent.collectors.seldom import Seldom
from tocsin_agent.readings import Sample, gauge, labelled

HELP = {
    "node_uname_info": "The kernel and the host's name; always 1.",
    "node_os_info": "The distribution; always 1.",
    "node_os_version": "Major and minor version of the distribution, as a number.",
}
_OS_LABELS = (
    *("build_id", "id", "id_like", "image_id", "image_version", "name", "pretty_name"),
    *("variant", "variant_id", "version", "version_codename", "version_id"),
)
_TEN_MINUTES_S = 600.0


class UnameCollector:
    """Asks uname(2); read seldom, though a host can be renamed while it runs."""

    name = "uname"

    def __init__(self, roots: Roots, *, uname: Callable[[], os.uname_result] = os.uname) -> None:
        self._domainname = f"{roots.proc}/sys/kernel/domainname"
        self._uname = uname
        self._sample = Seldom(self._read, every_s=_TEN_MINUTES_S)

    def collect(self) -> Iterator[Sample]:
        """One info metric."""
        yield self._sample.value()

    def _read(self) -> Sample:
        uname = self._uname()
        labels = labelled(
            sysname=uname.sysname,
            nodename=uname.nodename,
            release=uname.release,
            version=uname.version,
            machine=uname.machine,
            domainname=readable(read_once(self._domainname)).strip(),
        )
        return gauge("node_uname_info", 1, labels)


class OsReleaseCollector:
    """Reads /etc/os-release, or /usr/lib/os-release beside it; seldom, though a host can be upgraded."""

    name = "os"

    def __init__(self, roots: Roots) -> None:
        self._paths = (f"{roots.etc}/os-release", f"{roots.etc}/../usr/lib/os-release")
        self._samples = Seldom(lambda: list(self._read()), every_s=_TEN_MINUTES_S)

    def collect(self) -> list[Sample]:
        """One info metric, and the version where it is a number."""
        return self._samples.value()

    def _read(self) -> Iterator[Sample]:
        release = parse_os_release(readable(_read_first(self._paths)))
        texts = {label: release.get(label.upper(), "") for label in _OS_LABELS}
        yield gauge("node_os_info", 1, labelled(**texts))
        version = as_version(texts["version_id"])
        if version is not None:
            identity = labelled(id=texts["id"], id_like=texts["id_like"], name=texts["name"])
            yield gauge("node_os_version", version, identity)


def _read_first(paths: tuple[str, str]) -> bytes:
    first, second = paths
    try:
        return read_once(first)
    except FileNotFoundError:
        return read_once(second)


def parse_os_release(text: str) -> dict[str, str]:
    """The assignments of os-release(5), unquoted as a shell would; lines that are none are left out."""
    release = {}
    for line in text.splitlines():
        name, separator, value = line.strip().partition("=")
        if separator and not name.startswith("#"):
            release[name] = _unquoted(value)
    return release


def as_version(version_id: str) -> float | None:
    """`22.04` and `22.04.3` are 22.04; None where the version does not begin with a number."""
    numbers = version_id.split(".")[:2]
    if not all(number.isascii() and number.isdigit() for number in numbers):
        return None
    return float(".".join(numbers))


def _unquoted(value: str) -> str:
    try:
        return "".join(shlex.split(value, posix=True))
    except ValueError:
        return value
