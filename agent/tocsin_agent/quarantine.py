"""Frames that the server has refused for what they are: kept for whoever wants to know why, a few of them.

A file holds `msgpack([reason, schema, frame])`. There is no way back from here into the spool.
"""

from pathlib import Path

import msgpack

from tocsin_agent.frames import Frame
from tocsin_agent.report import say

MOST_FILES = 32


class Quarantine:
    """A folder of refused frames, the newest `MOST_FILES` of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, frame: Frame, schema: bytes, reason: str) -> None:
        """Keep it if the disk allows; the frame is lost to the server either way."""
        path = self._folder / f"{frame.epoch:020d}-{frame.seq:010d}.refused"
        say(f"the server refuses frame {frame.epoch}/{frame.seq} ({reason}): it is kept in {path}")
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            path.write_bytes(msgpack.packb((reason, schema, frame.packed)))
            for old in sorted(self._folder.glob("*.refused"))[:-MOST_FILES]:
                old.unlink(missing_ok=True)
        except OSError as error:
            say(f"the quarantine {self._folder} cannot be written: {error}")
