"""The C library keeps one heap for all threads, where it is asked to in time."""

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
