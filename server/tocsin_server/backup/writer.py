"""Writes a backup's file, a member after the other: each is known in size before, none is whole in memory."""

import hashlib
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from typing import IO

import msgspec

from tocsin_server.backup.contents import (
    BLOCK,
    CHUNK,
    FORMAT,
    MANIFEST,
    SEAL_BYTES,
    Manifest,
    MemberFacts,
    TableFacts,
    Tell,
    seal,
)

_LEVEL = 4
"""Most of a journal is deflated already; of the rest a higher level makes little less, in twice the time."""


class BackupWriter:
    """A backup that is being written."""

    def __init__(self, file: IO[bytes], tell: Tell) -> None:
        self._file = file
        self._tell = tell
        self._deflate = zlib.compressobj(_LEVEL, wbits=31)
        self._sha = hashlib.sha256()
        self._members: list[MemberFacts] = []
        self.written = 0

    def add(self, name: str, size: int, pieces: Iterable[bytes]) -> None:
        """A member of exactly `size` bytes: what is too much is left out, what is missing is zeros."""
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o600
        self._put(info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict"))
        sha, done = hashlib.sha256(), 0
        for piece in _exactly(size, pieces):
            sha.update(piece)
            self._put(piece)
            done += len(piece)
            self._tell(name, done)
        self._put(bytes(-size % BLOCK))
        self._members.append(MemberFacts(name, size, sha.hexdigest()))

    def finish(self, *, tocsin: str, revision: str, made_ms: int, tables: Iterable[TableFacts]) -> None:
        """The manifest, the end of the tar, and the seal over everything."""
        manifest = Manifest(FORMAT, tocsin, revision, made_ms, tuple(tables), tuple(self._members))
        packed = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
        self.add(MANIFEST, len(packed), [packed])
        self._put(bytes(2 * BLOCK))
        self._write(self._deflate.flush())
        self._file.write(seal(self._sha.hexdigest()))
        self.written += SEAL_BYTES

    def _put(self, piece: bytes) -> None:
        self._write(self._deflate.compress(piece))

    def _write(self, packed: bytes) -> None:
        self._file.write(packed)
        self._sha.update(packed)
        self.written += len(packed)


def _exactly(size: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
    left = size
    for piece in pieces:
        yield piece[:left]
        left -= min(left, len(piece))
        if not left:
            return
    while left:
        zeros = bytes(min(left, CHUNK))
        left -= len(zeros)
        yield zeros
