import errno
import os
import subprocess
import threading
import time

import pytest

from tocsin_agent.collectors.collection import Collection
from tocsin_agent.collectors.filesystem import FilesystemCollector
from tocsin_agent.collectors.kernel import KernelFile, Roots
from tocsin_agent.collectors.load import LoadCollector

NAS = "device=nas:/export,fstype=nfs4,mountpoint=/mnt/nas"
ROOT = "device=/dev/sda1,fstype=ext4,mountpoint=/"
BLOCK = 4096


class Disks:
    """Answers statvfs for atlas; `dead` paths hang until `revive`, `broken` ones fail."""

    def __init__(self):
        self.dead: set[bytes] = set()
        self.broken: dict[bytes, int] = {}
        self.asked: list[bytes] = []
        self.revived = threading.Event()
        self.stuck: list[threading.Thread] = []

    def statvfs(self, path: bytes) -> os.statvfs_result:
        self.asked.append(path)
        if path in self.dead:
            self.stuck.append(threading.current_thread())
            self.revived.wait()
        if path in self.broken:
            raise OSError(self.broken[path], os.strerror(self.broken[path]), path)
        # f_bsize is what the file system likes to transfer, and not what blocks are counted in.
        return os.statvfs_result((1 << 20, BLOCK, 1000, 400, 300, 5000, 600, 500, 0, 255))

    def revive(self) -> None:
        """The kernel answers, and whoever has asked is back."""
        self.dead.clear()
        self.revived.set()
        for thread in self.stuck:
            thread.join()


@pytest.fixture
def disks():
    disks = Disks()
    yield disks
    disks.revive()


@pytest.fixture
def filesystem(own_roots, disks, monkeypatch):
    monkeypatch.setattr(KernelFile, "has_changed", lambda _: True)  # of a plain file poll(2) tells nothing
    return FilesystemCollector(own_roots, deadline_s=0.05, statvfs=disks.statvfs)


def test_a_file_system_tells_bytes_and_inodes(filesystem, told):
    values = told(filesystem.collect())

    assert values[f"node_filesystem_size_bytes{{{ROOT}}}"] == 1000 * BLOCK
    assert values[f"node_filesystem_free_bytes{{{ROOT}}}"] == 400 * BLOCK
    assert values[f"node_filesystem_avail_bytes{{{ROOT}}}"] == 300 * BLOCK
    assert values[f"node_filesystem_files{{{ROOT}}}"] == 5000
    assert values[f"node_filesystem_files_free{{{ROOT}}}"] == 600
    assert values[f"node_filesystem_readonly{{{ROOT}}}"] == 0
    assert values[f"node_filesystem_device_error{{{ROOT}}}"] == 0


def test_a_blank_in_a_mount_point_is_read_as_one_and_asked_as_one(filesystem, disks, told):
    values = told(filesystem.collect())

    assert values["node_filesystem_readonly{device=/dev/sdb1,fstype=xfs,mountpoint=/srv/my disk}"] == 1
    assert b"/srv/my disk" in disks.asked


def test_mounts_that_lie_on_one_another_are_asked_once(filesystem, disks, told):
    told(filesystem.collect())

    assert sorted(disks.asked) == [b"/", b"/data", b"/mnt/nas", b"/srv/my disk"]


def test_a_dead_mount_is_an_error_and_the_others_are_read(filesystem, disks, told):
    disks.dead.add(b"/mnt/nas")

    values = told(filesystem.collect())

    dead = "device=nas:/export,device_error=mountpoint timeout,fstype=nfs4,mountpoint=/mnt/nas"
    assert values[f"node_filesystem_device_error{{{dead}}}"] == 1
    assert not any(series.startswith("node_filesystem_size") and "nas" in series for series in values)
    assert values[f"node_filesystem_device_error{{{ROOT}}}"] == 0
    assert values[f"node_filesystem_avail_bytes{{{ROOT}}}"] == 300 * BLOCK


def test_local_disks_are_asked_without_a_thread(filesystem, disks, own_roots, told):
    mountinfo = own_roots.proc / "1/mountinfo"
    local = [line for line in mountinfo.read_text().splitlines() if "nfs4" not in line]
    mountinfo.write_text("\n".join(local) + "\n")
    before = threading.active_count()

    told(filesystem.collect())

    assert threading.active_count() == before


def test_a_dead_mount_is_asked_once_however_often_the_host_is_read(filesystem, disks, told):
    disks.dead.add(b"/mnt/nas")

    for _ in range(5):
        told(filesystem.collect())

    assert disks.asked.count(b"/mnt/nas") == 1
    assert disks.asked.count(b"/") == 5


def test_a_mount_that_comes_back_is_read_again(filesystem, disks, told):
    disks.dead.add(b"/mnt/nas")
    told(filesystem.collect())

    disks.revive()
    values = told(filesystem.collect())

    assert values[f"node_filesystem_avail_bytes{{{NAS}}}"] == 300 * BLOCK


def test_a_new_mount_in_a_dead_ones_place_is_asked(filesystem, disks, own_roots, told):
    disks.dead.add(b"/mnt/nas")
    told(filesystem.collect())
    disks.dead.clear()
    mountinfo = own_roots.proc / "1/mountinfo"
    mountinfo.write_text(mountinfo.read_text().replace("31 27 0:40", "99 27 0:40"))

    values = told(filesystem.collect())

    assert values[f"node_filesystem_device_error{{{NAS}}}"] == 0


def test_an_error_of_the_device_is_named(filesystem, disks, told):
    disks.broken[b"/data"] = errno.EIO

    values = told(filesystem.collect())

    data = "device=/dev/sdc1,device_error=Input/output error,fstype=ext4,mountpoint=/data"
    assert values[f"node_filesystem_device_error{{{data}}}"] == 1
    assert values[f"node_filesystem_readonly{{{data}}}"] == 1


def test_a_dead_mount_does_not_fail_the_collector_or_delay_the_others(own_roots, filesystem, disks, told):
    disks.dead.add(b"/mnt/nas")
    collection = Collection([filesystem, LoadCollector(own_roots)])

    values = told(collection.collect(1_000))

    assert values["node_scrape_collector_success{collector=filesystem}"] == 1
    assert values["node_load1"] == 0.5


def test_without_process_1s_mounts_the_agents_own_are_read(own_roots, disks, told):
    (own_roots.proc / "1/mountinfo").unlink()
    filesystem = FilesystemCollector(own_roots, statvfs=disks.statvfs)

    values = told(filesystem.collect())

    assert f"node_filesystem_size_bytes{{{ROOT}}}" in values


def test_what_is_mounted_and_unmounted_is_seen_at_once(small, told):
    filesystem = FilesystemCollector(Roots())

    def is_told() -> bool:
        return any(f"mountpoint={small}" in series for series in told(filesystem.collect()))

    before = is_told()
    subprocess.run(["umount", small], check=True)
    without = is_told()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", small], check=True)

    assert (before, without, is_told()) == (True, False, True)


def test_mounts_are_not_listed_again_unless_they_have_changed(own_roots, disks, told):
    filesystem = FilesystemCollector(own_roots, statvfs=disks.statvfs)
    told(filesystem.collect())
    (own_roots.proc / "1/mountinfo").write_text("")

    values = told(filesystem.collect())

    assert values[f"node_filesystem_avail_bytes{{{ROOT}}}"] == 300 * BLOCK


def test_once_a_minute_they_are_listed_whatever_the_kernel_tells(own_roots, disks, told, monkeypatch):
    filesystem = FilesystemCollector(own_roots, statvfs=disks.statvfs)
    told(filesystem.collect())
    (own_roots.proc / "1/mountinfo").write_text("")

    later_s = time.monotonic() + 60
    monkeypatch.setattr(filesystem._watched, "_monotonic", lambda: later_s)

    assert told(filesystem.collect()) == {}


def test_what_the_kernel_has_made_read_only_is_told_though_no_mount_has_changed(own_roots, disks, told):
    def statvfs(path: bytes) -> os.statvfs_result:
        return os.statvfs_result((*disks.statvfs(path)[:8], os.ST_RDONLY, 255))

    filesystem = FilesystemCollector(own_roots, statvfs=statvfs)

    assert told(filesystem.collect())[f"node_filesystem_readonly{{{ROOT}}}"] == 1
