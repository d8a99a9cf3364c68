"""Checkpoints: where the audit log stood at a time, signed with the server's key.

    ENTRY DIGEST AT_MS SIGNATURE

is a line: the last entry's number, its digest, when that was, and an Ed25519 signature, in hexadecimal, of the
line `tocsin-audit-checkpoint-v1` with its newline and `ENTRY DIGEST AT_MS`. Each is a row of a table, and a
line of a file in the data folder, which whoever wants to be sure copies away: by a copy, a log that was cut or
made anew is found out even where that was done with the server's key.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey

from tocsin_server.access.audit import Head
from tocsin_server.durable import sync
from tocsin_server.errors import Misconfigured, Unavailable

FILE = "audit.checkpoints"
_DOMAIN = b"tocsin-audit-checkpoint-v1\n"
_LINE = re.compile(rb"([1-9][0-9]{0,17}) ([0-9a-f]{64}) ([0-9]{1,17}) ([0-9a-f]{128})")
_MOST_BYTES = 256
"""More than a line has."""


class Signer(Protocol):
    """The server's key."""

    def sign(self, message: bytes) -> bytes:
        """The signature of a message."""
        ...


class Checkpoint(NamedTuple):
    """One checkpoint, as it is kept; that it is one of this server's is for `is_signed` to say."""

    entry_id: int
    digest: str
    at_ms: int
    signature: str

    @property
    def line(self) -> str:
        return f"{self.entry_id} {self.digest} {self.at_ms} {self.signature}"


def signed(head: Head, *, at_ms: int, signer: Signer) -> Checkpoint:
    """A checkpoint of where the chain ends."""
    signature = signer.sign(_message(head.id, head.digest, at_ms))
    return Checkpoint(head.id, head.digest, at_ms, signature.hex())


def is_signed(checkpoint: Checkpoint, public_key: bytes) -> bool:
    """Whether the holder of this key has signed it."""
    message = _message(checkpoint.entry_id, checkpoint.digest, checkpoint.at_ms)
    try:
        VerifyKey(public_key).verify(message, bytes.fromhex(checkpoint.signature))
    except (CryptoError, ValueError, TypeError):
        return False
    return True


def append(path: Path, checkpoint: Checkpoint) -> None:
    """Add its line to the file, durably, in place of what a power cut has left of one. Raises `Unavailable`."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            file.truncate(_end_of_lines(file))
            file.seek(0, os.SEEK_END)
            file.write(f"{checkpoint.line}\n".encode())
            file.flush()
            os.fsync(descriptor)
        sync(path.parent)
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be written ({error.strerror})", remedy="look at its owner and the disk"
        ) from error


def read(path: Path, *, missing_ok: bool = False) -> list[Checkpoint]:
    """The checkpoints of a file, without a last line that is not whole; raises `Misconfigured`."""
    try:
        text = path.read_bytes()
    except FileNotFoundError as error:
        if missing_ok:
            return []
        raise Misconfigured(f"{path} is not there", remedy="name a copy of the server's checkpoints") from error
    except OSError as error:
        raise Misconfigured(
            f"{path} cannot be read ({error.strerror})", remedy="run this as the server's user"
        ) from error
    return list(_parsed(path, text[: text.rfind(b"\n") + 1]))


def _parsed(path: Path, lines: bytes) -> Iterator[Checkpoint]:
    for number, line in enumerate(lines.split(b"\n")[:-1], 1):
        said = _LINE.fullmatch(line)
        if said is None:
            raise Misconfigured(
                f"{path}, line {number}, is no checkpoint",
                remedy="somebody has changed it: compare it with a copy or a backup",
            )
        entry_id, digest, at_ms, signature = said.groups()
        yield Checkpoint(int(entry_id), digest.decode(), int(at_ms), signature.decode())


def _end_of_lines(file: IO[bytes]) -> int:
    size = file.seek(0, os.SEEK_END)
    start = file.seek(max(0, size - _MOST_BYTES))
    return start + file.read().rfind(b"\n") + 1


def _message(entry_id: int, digest: str, at_ms: int) -> bytes:
    return _DOMAIN + f"{entry_id} {digest} {at_ms}".encode("utf-8", "surrogatepass")
