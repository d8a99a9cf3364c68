"""The C library keeps one heap for all threads, and gives back what is free, where it is asked to."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import ctypes, threading
from tocsin_server import heap
{keep}
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
threads = [threading.Thread(target=lambda: libc.malloc(100_000)) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
file = libc.fopen({path!r}.encode(), b"w")
libc.malloc_info(0, ctypes.c_void_p(file))
libc.fclose(ctypes.c_void_p(file))
"""


def heaps(folder: Path, *, keep: str) -> int:
    """How many the C library has in a program whose threads have asked for memory."""
    path = folder / "heaps.xml"
    subprocess.run([sys.executable, "-c", PROGRAM.format(keep=keep, path=str(path))], check=True)
    return path.read_text().count("<heap nr=")


@pytest.mark.scenario
@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_all_threads_share_it(tmp_path: Path) -> None:
    assert heaps(tmp_path, keep="") > 1
    assert heaps(tmp_path, keep="heap.keep_one()") == 1


HOLES = """
import ctypes
from tocsin_server import heap
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
blocks = [libc.malloc(100_000) for _ in range(500)]
for block in blocks: ctypes.memset(block, 1, 100_000)
for block in blocks[:-1]: libc.free(ctypes.c_void_p(block))
{then}
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS")))
"""


def resident_kib(*, then: str) -> int:
    """What is left to a program that has freed 50 MB below one block that it keeps."""
    return int(subprocess.check_output([sys.executable, "-c", HOLES.format(then=then)]))


@pytest.mark.scenario
@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_what_is_free_below_what_is_not_goes_back_to_the_system() -> None:
    assert resident_kib(then="") - resident_kib(then="heap.give_back()") > 40_000
