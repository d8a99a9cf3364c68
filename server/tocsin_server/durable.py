"""What has to be there after the power has gone."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Make a file durable, or the names in a folder: a file whose name is not is lost with all that is in it.

    Raises `OSError`.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
