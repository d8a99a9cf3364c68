"""How full each file system is, in bytes and in inodes, and whether it answers at all.

A dead network mount never answers. It costs this reading its deadline once; from then on it is reported as
an error without being asked, until its first question has come back.
"""

import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from tocsin_agent.collectors.abandon import Abandonable
from tocsin_agent.collectors.kernel import KernelFile, Roots, readable
from tocsin_agent.collectors.mounts import Mount, is_watched, parse_mountinfo
from tocsin_agent.collectors.seldom import Seldom
from tocsin_agent.readings import Labels, Sample, gauge, labelled

HELP = {
    "node_filesystem_size_bytes": "Size of the file system.",
    "node_filesystem_free_bytes": "Free space, what is reserved for root included.",
    "node_filesystem_avail_bytes": "Free space for everybody but root.",
    "node_filesystem_files": "Inodes of the file system; 0 where it has no fixed number.",
    "node_filesystem_files_free": "Free inodes.",
    "node_filesystem_readonly": "Whether it is mounted read-only.",
    "node_filesystem_device_error": "Whether asking for its size failed; the label device_error says why.",
}
_OVERDUE = "mountpoint timeout"
_A_MINUTE_S = 60.0
_ANSWERED_FROM_MEMORY = frozenset({b"ext2", b"ext3", b"ext4", b"xfs", b"tmpfs", b"vfat"})
"""File systems that keep what statvfs asks in memory: they answer though their disk does not."""

Statvfs = Callable[[bytes], os.statvfs_result]


class _Watched(NamedTuple):
    key: str
    mount: Mount
    labels: Labels


class FilesystemCollector:
    """Asks every watched mount for its size, each within `deadline_s`.

    The mounts are those of process 1, which sees the host as its owner does; where the agent may not read
    that, its own. The kernel takes long to list them, so it is asked to when they have changed, and once a
    minute whatever it says.
    """

    name = "filesystem"

    def __init__(
        self, roots: Roots, *, exclude: str = "", deadline_s: float = 1.0, statvfs: Statvfs = os.statvfs
    ) -> None:
        self._mountinfo = KernelFile(f"{roots.proc}/1/mountinfo")
        self._own_mountinfo = KernelFile(f"{roots.proc}/self/mountinfo")
        self._exclude = re.compile(exclude) if exclude else None
        self._statvfs = statvfs
        self._askers: Abandonable[os.statvfs_result | OSError] = Abandonable("statvfs", deadline_s=deadline_s)
        self._watched = Seldom(self._list, every_s=_A_MINUTE_S)

    def collect(self) -> Iterator[Sample]:
        """Seven gauges a mount that answers, two for one that does not."""
        # The one of them that is not read is not open, and counts as changed.
        if self._mountinfo.has_changed() and self._own_mountinfo.has_changed():
            self._watched.forget()
        watched = self._watched.value()
        # Handing over to a thread and back costs more than asking: only who may hang is asked by one.
        answers = self._askers.run(
            {key: partial(self._ask, mount.path) for key, mount, _ in watched if _may_hang(mount)}
        )
        for key, mount, labels in watched:
            answer = answers.get(key) if _may_hang(mount) else self._ask(mount.path)
            if isinstance(answer, os.statvfs_result):
                yield from _answered(answer, mount, labels)
            else:
                yield from _failed((answer and answer.strerror) or _OVERDUE, mount, labels)

    def _list(self) -> list[_Watched]:
        return _watched(self._read_mountinfo(), self._exclude)

    def _read_mountinfo(self) -> bytes:
        try:
            return self._mountinfo.read()
        except (PermissionError, FileNotFoundError):
            return self._own_mountinfo.read()

    def _ask(self, path: bytes) -> os.statvfs_result | OSError:
        try:
            return self._statvfs(path)
        except OSError as error:
            return error


def _watched(content: bytes, exclude: re.Pattern[str] | None) -> list[_Watched]:
    """Several mounts may lie on one another with equal labels; what a path leads to is the last of them."""
    by_labels: dict[Labels, _Watched] = {}
    for mount in filter(is_watched, parse_mountinfo(content)):
        if exclude and exclude.search(readable(mount.path)):
            continue
        labels = _labels_of(mount)
        # The number is in the key, so that a new mount in a stuck one's place is asked.
        by_labels[labels] = _Watched(f"{mount.number.decode()} {readable(mount.path)}", mount, labels)
    return list(by_labels.values())


def _may_hang(mount: Mount) -> bool:
    return mount.fstype not in _ANSWERED_FROM_MEMORY


def _labels_of(mount: Mount, *, device_error: str = "") -> Labels:
    return labelled(
        device=readable(mount.device),
        mountpoint=readable(mount.path),
        fstype=readable(mount.fstype),
        device_error=device_error,
    )


def _answered(answer: os.statvfs_result, mount: Mount, labels: Labels) -> Iterator[Sample]:
    # POSIX counts blocks in f_frsize; f_bsize is what it likes to transfer, and differs on FUSE.
    block_bytes = answer.f_frsize
    yield gauge("node_filesystem_size_bytes", answer.f_blocks * block_bytes, labels)
    yield gauge("node_filesystem_free_bytes", answer.f_bfree * block_bytes, labels)
    yield gauge("node_filesystem_avail_bytes", answer.f_bavail * block_bytes, labels)
    yield gauge("node_filesystem_files", answer.f_files, labels)
    yield gauge("node_filesystem_files_free", answer.f_ffree, labels)
    # What the kernel itself has made read-only, after an error of the disk, is no change of mounts.
    is_read_only = mount.is_read_only or bool(answer.f_flag & os.ST_RDONLY)
    yield gauge("node_filesystem_readonly", is_read_only, labels)
    yield gauge("node_filesystem_device_error", 0, labels)


def _failed(reason: str, mount: Mount, labels: Labels) -> Iterator[Sample]:
    labels = _labels_of(mount, device_error=reason)
    yield gauge("node_filesystem_readonly", mount.is_read_only, labels)
    yield gauge("node_filesystem_device_error", 1, labels)
