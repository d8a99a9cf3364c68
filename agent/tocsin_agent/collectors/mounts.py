"""What is mounted where, from mountinfo (proc(5)), and what of it is worth watching.

A line: `36 35 98:0 /root /mount/point rw,noatime master:1 - ext4 /dev/sda1 rw,errors=continue`. The fields
before the lone hyphen are the mount's, those behind it the file system's. A blank in a field stands as `\\040`.
"""

import re
from typing import NamedTuple

_OCTAL = re.compile(rb"\\([0-3][0-7]{2})")
_UNWATCHED_MOUNTS = re.compile(
    rb"/(?:dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)(?:/|$)"
)
_UNWATCHED_TYPES = frozenset(
    (
        b"autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts devtmpfs fusectl hugetlbfs iso9660 "
        b"mqueue nsfs overlay proc procfs pstore rpc_pipefs securityfs selinuxfs squashfs erofs sysfs tracefs"
    ).split()
)


class Mount(NamedTuple):
    """One line of mountinfo, decoded; the path stays bytes, for it is what the kernel is asked by."""

    number: bytes
    path: bytes
    device: bytes
    fstype: bytes
    is_read_only: bool


def parse_mountinfo(content: bytes) -> list[Mount]:
    """Every mount, in the order they were made; lines that are not mountinfo's are left out."""
    mounts = (_parse_line(line) for line in content.splitlines())
    return [mount for mount in mounts if mount is not None]


def is_watched(mount: Mount) -> bool:
    """Whether it is neither the kernel's own furniture nor a container's layer."""
    return mount.fstype not in _UNWATCHED_TYPES and _UNWATCHED_MOUNTS.match(mount.path) is None


def decode_octal(field: bytes) -> bytes:
    r"""The field with `\040` and its like as the bytes they stand for."""
    return _OCTAL.sub(lambda match: bytes([int(match[1], 8)]), field) if b"\\" in field else field


def _parse_line(line: bytes) -> Mount | None:
    of_mount, _, of_filesystem = line.partition(b" - ")
    mount_fields, filesystem_fields = of_mount.split(b" "), of_filesystem.split(b" ")
    if len(mount_fields) < 6 or len(filesystem_fields) < 3:
        return None
    options = mount_fields[5].split(b",") + filesystem_fields[2].split(b",")
    return Mount(
        number=mount_fields[0],
        path=decode_octal(mount_fields[4]),
        device=decode_octal(filesystem_fields[1]),
        fstype=decode_octal(filesystem_fields[0]),
        is_read_only=b"ro" in options,
    )
