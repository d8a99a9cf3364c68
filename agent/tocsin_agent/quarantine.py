"""Frames that the server has refused for what they are: kept for whoever wants to know why, a few of them.

A file holds `msgpack([reason, schema, frame])`. There is no way back from here into the spool.
"""

import os

import msgpack

from tocsin_agent.frames import Frame
from tocsin_agent.report import say

MOST_FILES = 32
_SUFFIX = ".refused"


class Quarantine:
    """A folder of refused frames, the newest `MOST_FILES` of them."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def put(self, frame: Frame, schema: bytes, reason: str) -> None:
        """Keep it if the disk allows; the frame is lost to the server either way."""
        path = f"{self._folder}/{frame.epoch:020d}-{frame.seq:010d}{_SUFFIX}"
        say(f"the server refuses frame {frame.epoch}/{frame.seq} ({reason}): it is kept in {path}")
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            with open(path, "wb") as file:
                file.write(msgpack.packb((reason, schema, frame.packed)))
            for old in self._kept()[:-MOST_FILES]:
                os.unlink(f"{self._folder}/{old}")
        except OSError as error:
            say(f"the quarantine {self._folder} cannot be written: {error}")

    def count(self) -> int:
        """How many are kept."""
        try:
            return len(self._kept())
        except OSError:
            # Nothing has been refused yet.
            return 0

    def _kept(self) -> list[str]:
        return sorted(name for name in os.listdir(self._folder) if name.endswith(_SUFFIX))
