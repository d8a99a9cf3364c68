"""`tocsin-server backup` and `verify`: beside a running server or without one, and nobody waits for it.

    keys        first: they never change
    signed      before the database: whatever the audit log has been signed for stands in it
    journal     its segments as they are: what was acked before the backup began stands in them. The last one is
                being appended to; its torn end is cut where the backup is restored, as after a power cut
    history     a copy of each day, where it is asked for; after the journal: what leaves that is here by then
    database    one transaction, which sees one moment, dumped a piece at a time

The database comes after the journal, so it knows every host that has frames there. The other way round, frames
of a host that enrolled meanwhile would lie in wait for whichever host gets its number after a restore.

The file has its name once it is whole, durable, and has been read again. It holds keys: for its owner alone.
"""

import contextlib
import os
import re
import tempfile
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import Connection, Table
from sqlalchemy.exc import DatabaseError

from tocsin_server.backup.contents import (
    CHUNK,
    DAYS,
    JOURNAL,
    KEYS,
    SECRETS,
    SIGNED,
    Report,
    TableFacts,
    Tell,
    piece_name,
)
from tocsin_server.backup.files import appearing, failing_in_a_line, opened
from tocsin_server.backup.reader import BackupReader
from tocsin_server.backup.writer import BackupWriter
from tocsin_server.errors import Misconfigured
from tocsin_server.estate.identity import KEY_FILE
from tocsin_server.ingest.segment import segment_paths
from tocsin_server.series.history.dayfile import DayFile
from tocsin_server.series.history.days import HISTORY, day_paths
from tocsin_server.series.history.errors import Damaged
from tocsin_server.storage.address import Address, engine
from tocsin_server.storage.dump import dump, revision_of, tables_of
from tocsin_server.storage.limits import first_line

_NAME = re.compile(r"tocsin-[0-9]{8}T[0-9]{6}Z\.backup")


def backup(
    data: Path, where: Address, path: Path, *, now_ms: int, tell: Tell, with_history: bool = False
) -> Report:
    """Write the backup `path`, which must not be there yet; raises `Misconfigured` with what to do."""
    began = time.monotonic()
    _require_server(data, where)
    with failing_in_a_line(path), appearing(path) as part:
        writer = BackupWriter(part, tell)
        _add_keys(writer, data)
        _add_signed(writer, data)
        _add_journal(writer, data / "journal")
        if with_history:
            _add_history(writer, data / HISTORY, path.parent)
        revision, tables = _add_database(writer, where)
        writer.finish(tocsin=version("tocsin"), revision=revision, made_ms=now_ms, tables=tables)
        part.flush()
        os.fsync(part.fileno())
        manifest = BackupReader(part, path, tell).verify()
    return Report(path, manifest, writer.written, time.monotonic() - began)


def name_in(folder: Path, now_ms: int) -> Path:
    """What a backup that is made now is called in a folder of backups: names sort by time."""
    return folder / time.strftime("tocsin-%Y%m%dT%H%M%SZ.backup", time.gmtime(now_ms / 1000))


def keep_newest(folder: Path, number: int) -> list[Path]:
    """Remove all but so many of the backups that `name_in` has named; those that are gone."""
    with failing_in_a_line(folder):
        made = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
        old = made[:-number]
        for path in old:
            path.unlink(missing_ok=True)
    return old


def verify(path: Path, *, tell: Tell) -> Report:
    """Read a whole backup and compare it with what it says of itself; nothing is restored."""
    began = time.monotonic()
    with opened(path) as file:
        reader = BackupReader(file, path, tell)
        return Report(path, reader.verify(), reader.size, time.monotonic() - began)


def _require_server(data: Path, where: Address) -> None:
    """Without its keys no agent knows a server again: beside PostgreSQL too it has to be the right folder."""
    needed = where.path if where.is_sqlite else data / KEY_FILE
    if not needed.exists():
        raise Misconfigured(f"{needed} is not there", remedy="name the server's data folder with --data")


def _add_keys(writer: BackupWriter, data: Path) -> None:
    for name in SECRETS:
        with contextlib.suppress(FileNotFoundError):  # a server that has never run has none yet
            secret = (data / name).read_bytes()
            writer.add(KEYS + name, len(secret), [secret])


def _add_signed(writer: BackupWriter, data: Path) -> None:
    with contextlib.suppress(FileNotFoundError):  # nothing has been signed yet
        signed = (data / SIGNED).read_bytes()
        writer.add(SIGNED, len(signed), [signed])


def _add_journal(writer: BackupWriter, folder: Path) -> None:
    for path in segment_paths(folder):
        with contextlib.suppress(FileNotFoundError), path.open("rb") as segment:  # swept away meanwhile
            size = os.fstat(segment.fileno()).st_size
            writer.add(JOURNAL + path.name, size, iter(partial(segment.read, CHUNK), b""))


def _add_history(writer: BackupWriter, folder: Path, beside: Path) -> None:
    """Each day as one moment has it, by way of a copy beside the backup: it may be written meanwhile."""
    for _, path in day_paths(folder) if folder.is_dir() else []:
        with tempfile.TemporaryDirectory(prefix=".tocsin-backup-", dir=beside) as place:
            copy = Path(place) / path.name
            try:
                with DayFile(path, read_only=True) as day:
                    day.copy(copy)
            except Damaged as damage:
                raise Misconfigured(damage.message, remedy=damage.remedy) from damage
            with copy.open("rb") as file:
                writer.add(DAYS + path.name, copy.stat().st_size, iter(partial(file.read, CHUNK), b""))


def _add_database(writer: BackupWriter, where: Address) -> tuple[str, list[TableFacts]]:
    reading = engine(where, read_only=True)
    try:
        with reading.connect() as connection, connection.begin():
            revision = revision_of(connection)
            if revision is None:
                raise Misconfigured(f"{where.shown} holds no tables", remedy="name the data folder with --data")
            return revision, [_add_table(writer, connection, table) for table in tables_of(connection)]
    except DatabaseError as error:
        raise Misconfigured(f"the database {where.shown} cannot be read ({first_line(error)})") from error
    finally:
        reading.dispose()


def _add_table(writer: BackupWriter, connection: Connection, table: Table) -> TableFacts:
    rows = 0
    for number, piece in enumerate(dump(connection, table)):
        writer.add(piece_name(table.name, number), len(piece.lines), [piece.lines])
        rows += piece.rows
    return TableFacts(str(table.name), tuple(str(column.name) for column in table.columns), rows)
