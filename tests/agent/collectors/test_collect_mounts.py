import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share

from tocsin_agent.collectors.mounts import Mount, decode_octal, is_watched, parse_mountinfo


def octal(raw: bytes) -> bytes:
    """As the kernel writes a path: blanks, tabs, line feeds and backslashes in octal."""
    return b"".join(b"\\%03o" % byte if byte in b" \t\n\\" else bytes([byte]) for byte in raw)


@settings(max_examples=share(200))
@given(st.binary())
def test_what_the_kernel_escapes_is_read_back(raw):
    assert decode_octal(octal(raw)) == raw


@settings(max_examples=share(100))
@given(path=st.binary().filter(lambda raw: b"\r" not in raw), device=st.binary(), optional=st.booleans())
def test_a_path_of_any_bytes_survives_the_line(path, device, optional):
    device = device.replace(b"\r", b"") or b"none"
    tags = b"master:1 shared:2 " if optional else b""
    line = b"36 35 98:0 / /%b rw %b- ext4 %b rw" % (octal(path), tags, octal(device))

    mounts = parse_mountinfo(line)

    assert mounts == [Mount(b"36", b"/" + path, device, b"ext4", is_read_only=False)]


@settings(max_examples=share(100))
@given(st.binary())
def test_a_line_that_is_none_of_mountinfos_is_left_out_quietly(content):
    parse_mountinfo(content)


@pytest.mark.parametrize(
    ("of_mount", "of_filesystem", "is_read_only"),
    [
        (b"rw,relatime", b"rw,errors=remount-ro", False),  # not the word inside another option
        (b"ro,relatime", b"rw", True),  # mounted read-only
        (b"rw,relatime", b"ro", True),  # the kernel made the file system read-only after an error
    ],
)
def test_read_only_may_be_the_mounts_or_the_file_systems(of_mount, of_filesystem, is_read_only):
    line = b"36 35 98:0 / /data %b - ext4 /dev/sda1 %b" % (of_mount, of_filesystem)

    assert parse_mountinfo(line)[0].is_read_only is is_read_only


@pytest.mark.parametrize(
    ("path", "fstype", "watched"),
    [
        (b"/", b"ext4", True),
        (b"/home", b"ext4", True),
        (b"/run", b"tmpfs", True),
        (b"/devices", b"ext4", True),  # begins like /dev, but is another folder
        (b"/dev", b"tmpfs", False),
        (b"/dev/shm", b"tmpfs", False),
        (b"/run/credentials/systemd-sysusers.service", b"ramfs", False),
        (b"/var/lib/docker", b"ext4", True),
        (b"/var/lib/docker/overlay2/ab/merged", b"ext4", False),
        (b"/var/lib/containers/storage/overlay", b"ext4", False),
        (b"/mnt/cd", b"iso9660", False),
        (b"/snap/core/1", b"squashfs", False),
        (b"/boot/efi", b"vfat", True),
        (b"/mnt/nas", b"nfs4", True),
        (b"/merged", b"overlay", False),
    ],
)
def test_the_mounts_left_out_are_node_exporters(path, fstype, watched):
    mount = Mount(b"1", path, b"/dev/sda1", fstype, is_read_only=False)

    assert is_watched(mount) is watched
