"""What a person at a terminal sees of a backup that takes its time: one line, written over and over."""

import time
from collections.abc import Callable
from typing import TextIO

_EVERY_S = 0.2


class Progress:
    """Told of every piece; says the last one now and then."""

    def __init__(self, stream: TextIO, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._is_seen = stream.isatty()
        self._now_s = now_s
        self._said_s = now_s()
        self._width = 0

    def tell(self, said: str, done: int) -> None:
        """So many bytes of this are done."""
        if self._is_seen and self._now_s() - self._said_s >= _EVERY_S:
            self._write(f"{said} {done >> 10} KiB")

    def end(self) -> None:
        """Leave the line empty."""
        if self._width:
            self._write("")
            self._stream.write("\r")
            self._stream.flush()

    def _write(self, line: str) -> None:
        self._stream.write(f"\r{line:<{self._width}}")
        self._stream.flush()
        self._width = len(line)
        self._said_s = self._now_s()
