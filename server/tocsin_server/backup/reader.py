"""Reads a backup's file, and takes it for hostile until every byte is accounted for.

Nothing but plain files is let through, by our names only and in bounded sizes: whatever else a tar can hold
(links, devices, long names, sparse files) is refused by its header alone, and what inflates beyond measure is
given up.
"""

import contextlib
import hashlib
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from tocsin_server.backup.contents import (
    BLOCK,
    CHUNK,
    DATABASE,
    FORMAT,
    MANIFEST,
    SEAL_BYTES,
    Manifest,
    MemberFacts,
    Tell,
    is_member,
    sealed,
    table_of,
)
from tocsin_server.errors import Misconfigured
from tocsin_server.storage.dump import widths

MAX_WHOLE = 64 << 20
"""How large a key, a piece of a table or the manifest may be: they are read whole."""
_TIMES = 256
_INFLATED_FREE = 64 << 20
"""A file inflates to no more than this and so many times its size; rows alike do so thirty-fold."""


class Member(NamedTuple):
    """A member as it is read: its pieces once, in order, before the next member is asked for."""

    name: str
    size: int
    pieces: Iterator[bytes]

    def whole(self) -> bytes:
        """All of it; raises `ValueError` where it is too large for that."""
        if self.size > MAX_WHOLE:
            raise ValueError(f"{self.name} has {self.size} bytes")
        return b"".join(self.pieces)


class BackupReader:
    """A backup in an open file. Whatever is wrong with it is a `Misconfigured` that names the file."""

    def __init__(self, file: IO[bytes], path: Path, tell: Tell) -> None:
        self._file = file
        self._path = path
        self._tell = tell
        self.size = file.seek(0, 2)

    def verify(self) -> Manifest:
        """Read all of it, and compare it with what it says of itself."""
        self._require_seal()
        last, rows = b"", Counter[tuple[str, int]]()
        for member in self._members(seen := list[MemberFacts]()):
            with self._naming():
                if member.name.startswith(DATABASE):
                    for width, number in widths(member.whole()).items():
                        rows[table_of(member.name), width] += number
                elif member.name == MANIFEST:
                    last = member.whole()
        with self._naming():
            return _consistent(last, seen, rows)

    def members(self, manifest: Manifest) -> Iterator[Member]:
        """The members in order, each compared with the manifest as it ends; without the manifest itself."""
        told = iter(manifest.members)
        seen: list[MemberFacts] = []
        for member in self._members(seen):
            if seen and seen[-1] != next(told, None):
                raise self.damaged(f"{seen[-1].name} is not what it was")
            if member.name != MANIFEST:
                yield member
        if tuple(seen[:-1]) != manifest.members:
            raise self.damaged("it is not what it was")

    def damaged(self, said: str) -> Misconfigured:
        """What to raise where its content makes no sense."""
        return Misconfigured(f"{self._path} is damaged ({said})", remedy="use another backup")

    def _require_seal(self) -> None:
        """Every byte is as it was written, in a format that is known."""
        body = max(self.size - SEAL_BYTES, 0)
        self._file.seek(body)
        told = sealed(self._file.read(SEAL_BYTES))
        if told is None:
            raise Misconfigured(f"{self._path} is no backup, or has been cut off", remedy="use another one")
        number, sha256 = told
        if number != FORMAT:
            raise Misconfigured(
                f"{self._path} has format {number}, and this version reads {FORMAT}",
                remedy="use the version of tocsin that wrote it",
            )
        if self._digest(body) != sha256:
            raise self.damaged("its checksum is wrong")

    def _digest(self, size: int) -> str:
        sha, done = hashlib.sha256(), 0
        self._file.seek(0)
        while piece := self._file.read(min(CHUNK, size - done)):
            sha.update(piece)
            done += len(piece)
            self._tell("checksum", done)
        return sha.hexdigest()

    def _members(self, seen: list[MemberFacts]) -> Iterator[Member]:
        """All members; what each turned out to be is added to `seen` before the next."""
        tar = _Inflated(self._file, self.size - SEAL_BYTES)
        while True:
            with self._naming():
                info = _header(tar.exactly(BLOCK))
                if info is None:
                    tar.require_end()
                    return
            sha = hashlib.sha256()
            member = Member(info.name, info.size, self._pieces(tar, info, sha))
            yield member
            for _ in member.pieces:
                pass
            seen.append(MemberFacts(info.name, info.size, sha.hexdigest()))

    def _pieces(self, tar: "_Inflated", info: tarfile.TarInfo, sha: "hashlib._Hash") -> Iterator[bytes]:
        left = info.size
        with self._naming():
            while left:
                piece = tar.exactly(min(left, CHUNK))
                left -= len(piece)
                sha.update(piece)
                self._tell(info.name, info.size - left)
                yield piece
            tar.exactly(-info.size % BLOCK)

    @contextlib.contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, zlib.error, tarfile.HeaderError) as error:
            raise self.damaged(str(error)) from error


class _Inflated:
    """What the file holds before its seal, inflated, so much at a time as is asked for."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._left = size
        self._may = _INFLATED_FREE + _TIMES * size
        self._inflate = zlib.decompressobj(wbits=31)
        file.seek(0)

    def exactly(self, size: int) -> bytes:
        """The next bytes; raises `ValueError` where there are not so many."""
        pieces = []
        while size:
            piece = self._some(size)
            if not piece:
                raise ValueError("it ends too early")
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def require_end(self) -> None:
        """One more block of zeros, the end of the gzip member, and nothing behind it."""
        if any(self.exactly(BLOCK)) or self._some(1) or self._left or self._inflate.unused_data:
            raise ValueError("there is something behind its end")
        if not self._inflate.eof:
            raise ValueError("it ends too early")

    def _some(self, size: int) -> bytes:
        while not self._inflate.eof:
            packed = self._inflate.unconsumed_tail
            if not packed:
                packed = self._file.read(min(CHUNK, self._left))
                self._left -= len(packed)
            piece = self._inflate.decompress(packed, size)
            self._may -= len(piece)
            if self._may < 0:
                raise ValueError(f"it inflates to more than {_TIMES} times its size")
            if piece or not packed:
                return piece
        return b""


def _header(block: bytes) -> tarfile.TarInfo | None:
    """What a header says; nothing at the end of the tar. Raises `ValueError` for what is not ours."""
    if not any(block):
        return None
    info = tarfile.TarInfo.frombuf(block, "ascii", "strict")
    if info.type != tarfile.REGTYPE or info.size < 0:
        raise ValueError("it holds something else than plain files")
    if not is_member(info.name):
        raise ValueError(f"it holds a file of another name, {info.name[:80]!r}")
    return info


def _consistent(packed: bytes, seen: list[MemberFacts], rows: Counter[tuple[str, int]]) -> Manifest:
    """The manifest, where it tells of exactly what has been seen; else a `ValueError`."""
    if not seen or seen[-1].name != MANIFEST:
        raise ValueError("its manifest is missing")
    try:
        manifest = msgspec.json.decode(packed, type=Manifest)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"its manifest is none ({error})") from error
    if manifest.members != tuple(seen[:-1]) or len({member.name for member in seen}) != len(seen):
        raise ValueError("its files are not those of its manifest")
    told = Counter({(table.name, len(table.columns)): table.rows for table in manifest.tables if table.rows})
    if told != rows or len({table.name for table in manifest.tables}) != len(manifest.tables):
        raise ValueError("its rows are not as many as its manifest says")
    return manifest
