"""Files that appear under their names whole and durable, and what an operator is told where they cannot."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tocsin_server.durable import sync
from tocsin_server.errors import Misconfigured


@contextlib.contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """A backup's file for reading."""
    with failing_in_a_line(path), path.open("rb") as file:
        yield file


@contextlib.contextmanager
def appearing(path: Path) -> Iterator[IO[bytes]]:
    """A file that gets its name when this ends well, and is gone when it does not."""
    part = path.with_name(path.name + ".part")
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Misconfigured(f"{part} is being written by another backup", remedy="wait for it") from error
        try:
            _require_absent(path)  # first: what has just been locked may have got that name meanwhile
            os.fchmod(descriptor, 0o600)
            file.truncate(0)  # what one that was killed has left
            yield file
            _require_absent(path)
            part.rename(path)
        except BaseException:  # whatever it was goes on up; no half a file is left
            part.unlink(missing_ok=True)
            raise
    sync(path.parent)


def _require_absent(path: Path) -> None:
    if os.path.lexists(path):
        raise Misconfigured(f"{path} is there already", remedy="choose another name: nothing is overwritten")


@contextlib.contextmanager
def failing_in_a_line(path: Path) -> Iterator[None]:
    """What the system says of a file or folder, in a line."""
    try:
        yield
    except OSError as error:
        named = error.filename or path
        raise Misconfigured(
            f"{named} cannot be used ({error.strerror})",
            remedy="look at the path, its owner and its free space",
        ) from error
