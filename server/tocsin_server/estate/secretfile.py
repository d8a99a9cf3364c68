"""A secret that is made once and then kept in a file that only its owner reads."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from tocsin_server.durable import sync
from tocsin_server.errors import Misconfigured


def kept_secret(path: Path, make: Callable[[], bytes]) -> bytes:
    """What the file holds; where there is none, what `make` gives, whole and durable before it is seen.

    A command and the server may come here at once: the file is linked into place, so the first one wins and
    both read the same.
    """
    try:
        if not path.exists():
            _place(path, make())
        return path.read_bytes()
    except OSError as error:
        raise Misconfigured(
            f"{path} cannot be used ({error.strerror})",
            remedy="check who owns the data folder and its free space",
        ) from error


def _place(path: Path, secret: bytes) -> None:
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        os.link(part, path)
        sync(path.parent)
    except FileExistsError:
        pass  # somebody was first: theirs is the one
    finally:
        part.unlink(missing_ok=True)
