"""What a backup holds, and under which names.

    keys/NAME                      the server's secrets, as they lie in the data folder
    audit.checkpoints              where the audit log stood, signed
    journal/NNNNNNNN.seg           the journal's segments
    history/YYYY-MM-DD.db          a day of history, where the backup was asked to hold it
    database/TABLE/NNNNNN.jsonl    a table's rows, in pieces (`storage/dump.py`)
    MANIFEST.json                  last: the tables with their rows, and the size and SHA-256 of each member

It is a tar in gzip that any tar unpacks. Behind it stands the *seal*, an empty gzip member whose comment holds
the format's number and the SHA-256 of all bytes before it: so damage anywhere, in padding too, is noticed by
one pass over the file, before anything is inflated.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tocsin_server.access import checkpoints, scrape
from tocsin_server.estate import identity
from tocsin_server.series.history.days import HISTORY

FORMAT = 1
BLOCK = 512
"""A tar's."""
CHUNK = 1 << 18

SECRETS = (identity.KEY_FILE, identity.TLS_FILE, scrape.FILE)
"""What lies in a data folder and cannot be made again: agents and Prometheus know the server by it."""

SIGNED = checkpoints.FILE
KEYS, JOURNAL, DAYS, DATABASE, MANIFEST = "keys/", "journal/", f"{HISTORY}/", "database/", "MANIFEST.json"
_NAMES = re.compile(
    rf"keys/({'|'.join(map(re.escape, SECRETS))})|{re.escape(SIGNED)}|journal/[0-9]{{8}}\.seg"
    rf"|{DAYS}[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}\.db"
    r"|database/[a-z][a-z0-9_]{0,62}/[0-9]{6}\.jsonl|MANIFEST\.json"
)

_SEAL = re.compile(rb"tocsin-backup format=([0-9]{3}) sha256=([0-9a-f]{64})")
_SEAL_HEAD = b"\x1f\x8b\x08\x10\x00\x00\x00\x00\x00\xff"
_SEAL_TAIL = b"\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"

Tell = Callable[[str, int], None]
"""Told what is being done and how many bytes of it have been, for whoever waits."""


class MemberFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the manifest says of a member."""

    name: str
    size: int
    sha256: str


class TableFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the manifest says of a table."""

    name: str
    columns: tuple[str, ...]
    rows: int


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a backup says of itself."""

    format: int
    tocsin: str
    revision: str
    made_ms: int
    tables: tuple[TableFacts, ...]
    members: tuple[MemberFacts, ...]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)

    @property
    def bytes(self) -> int:
        """What a folder needs to take it all."""
        return sum(member.size for member in self.members)


@dataclass(frozen=True, slots=True)
class Report:
    """What has been written or read."""

    path: Path
    manifest: Manifest
    bytes: int
    seconds: float

    @property
    def text(self) -> str:
        """One line for people."""
        made = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(self.manifest.made_ms / 1000))
        return (
            f"{self.path}: {self.manifest.rows} rows in {len(self.manifest.tables)} tables, {self.bytes} bytes,"
            f" {self.seconds:.1f} s, revision {self.manifest.revision}, made {made}"
        )


def is_member(name: str) -> bool:
    """Whether a member may have this name: no other is ever read or written."""
    return _NAMES.fullmatch(name) is not None


def piece_name(table: str, number: int) -> str:
    """Where a piece of a table stands."""
    return f"{DATABASE}{table}/{number:06d}.jsonl"


def table_of(piece: str) -> str:
    """The table that a piece belongs to."""
    return piece.removeprefix(DATABASE).rpartition("/")[0]


def seal(sha256: str, number: int = FORMAT) -> bytes:
    """The last bytes of a file whose bytes before have this SHA-256."""
    return _SEAL_HEAD + f"tocsin-backup format={number:03d} sha256={sha256}".encode() + _SEAL_TAIL


SEAL_BYTES = len(seal("0" * 64))


def sealed(last: bytes) -> tuple[int, str] | None:
    """Format and SHA-256 that a file's last bytes tell; nothing where they are no seal."""
    said = _SEAL.fullmatch(last[len(_SEAL_HEAD) : -len(_SEAL_TAIL)])
    if said is None or last != seal(said[2].decode(), int(said[1])):
        return None
    return int(said[1]), said[2].decode()
