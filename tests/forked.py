"""Processes that are forked from one which has read the server's modules: to read them takes each a second.

That one is begun when the first of them is asked for, and ends with the tests. Each has its own environment and
files, and ends as an executed one would. This module is read in each: it imports little.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from multiprocessing.context import ForkServerContext
from pathlib import Path

LONGEST_S = 60.0


class Forked:
    """A process that runs `tocsin-server`, as `subprocess.Popen` would show it."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str], *, out: Path, err: Path) -> None:
        self._process = _nursery().Process(target=_live, args=(words, environment, out, err), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired("tocsin-server", timeout or 0)
        return status

    def send_signal(self, number: int, /) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


def done(words: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """A command that has ended, and what it has said."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        status = Forked(words, environment, out=out, err=err).wait(LONGEST_S)
        return subprocess.CompletedProcess(words, status, out.read_text(), err.read_text())


@cache
def _nursery() -> ForkServerContext:
    commands = import_module("tocsin_server.cli.words").WORDS
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(["__main__", *(f"tocsin_server.cli.{file}" for file in commands)])
    return made


def _live(words: Sequence[str], environment: Mapping[str, str], out: Path, err: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for number, path in ((1, out), (2, err)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, number)
        os.close(file)
    sys.exit(import_module("tocsin_server.cli").main(words))
