"""Somebody at a shell who types one word's commands, with a data folder and a clock of their own."""

import shlex
from pathlib import Path

import pytest

from tocsin_server import cli
from tocsin_server.clock import FakeClock


class Operator:
    """At 22:13:20 of 14 November 2023, unless the clock is moved."""

    def __init__(self, word: str, data: Path, clock: FakeClock, capsys: pytest.CaptureFixture[str]) -> None:
        self.data = data
        self.clock = clock
        self._word = word
        self._capsys = capsys

    def tries(self, line: str) -> tuple[int, str, str]:
        """Status, what is printed, and what is said of errors."""
        return self.without_data(f"{line} --data {shlex.quote(str(self.data))}")

    def without_data(self, line: str) -> tuple[int, str, str]:
        """The same of a command that works on no data folder."""
        try:
            status = cli.main([self._word, *shlex.split(line)])
        except SystemExit as refused:
            status = int(refused.code or 0)
        return status, *self._capsys.readouterr()

    def types(self, line: str) -> str:
        """A command that works; what it prints."""
        status, out, err = self.tries(line)
        assert (status, err) == (0, "")
        return out

    def fails(self, line: str) -> str:
        """A command that cannot be done; the last line of what is said."""
        status, out, err = self.tries(line)
        assert (status, out) == (2, "")
        return err.rstrip("\n").rpartition("\n")[2]
