"""`tocsin-server restore`: a backup becomes a data folder again, wholly or not at all. Nothing is overwritten.

    1. the file is read from end to end and compared with itself; nothing is written before
    2. keys, journal and database are put into a folder beside the one that is wanted
    3. keys and counts are checked, the tables are brought to this version, and everything is durable
    4. the folder gets its name

One that is killed leaves the folder beside, which the next one clears away. With PostgreSQL the database is
committed just before step 4; after one that is killed between the two, the next says that it is not empty.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from tocsin_server.backup.contents import DATABASE, DAYS, JOURNAL, KEYS, Manifest, Report, Tell, table_of
from tocsin_server.backup.files import failing_in_a_line, opened
from tocsin_server.backup.reader import BackupReader, Member
from tocsin_server.datafolder import TABLES, locked
from tocsin_server.durable import sync
from tocsin_server.errors import Misconfigured
from tocsin_server.storage.address import FILE, Address
from tocsin_server.storage.load import loading
from tocsin_server.storage.migrate import known

_SPARE_BYTES = 64 << 20
_LOCK = "lock"


def restore(path: Path, data: Path, where: Address, *, tell: Tell) -> Report:
    """Make the data folder `data`, and fill the database; raises `Misconfigured` with what to do."""
    began = time.monotonic()
    folder = data.resolve()
    _require_vacant(folder)
    with opened(path) as file:
        reader = BackupReader(file, path, tell)
        manifest = reader.verify()
        _require_known(manifest, path)
        with failing_in_a_line(folder), _appearing(folder, manifest) as part:
            _fill(part, Address.of_file(part / FILE) if where.is_sqlite else where, reader, manifest)
    return Report(data, manifest, manifest.bytes, time.monotonic() - began)


def _require_vacant(folder: Path) -> None:
    if os.path.ismount(folder):
        raise Misconfigured(f"{folder} is a mount point", remedy="name a folder below it with --data")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Misconfigured(
            f"{folder} is not empty: nothing is overwritten",
            remedy="stop the server that uses it and move it away, or name another folder with --data",
        )


def _require_known(manifest: Manifest, path: Path) -> None:
    if manifest.revision not in known():
        raise Misconfigured(
            f"{path} has a database of revision {manifest.revision!r}, which this version does not know",
            remedy=f"restore it with tocsin {manifest.tocsin}, which wrote it, or a newer one",
        )


@contextlib.contextmanager
def _appearing(folder: Path, manifest: Manifest) -> Iterator[Path]:
    """A folder that gets its name when this ends well, and is gone when it does not."""
    part = folder.with_name(f"{folder.name}.part-restore")
    if part.is_dir() and any(part.iterdir()) and not (part / _LOCK).exists():
        raise Misconfigured(f"{part} is in the way, and no restore has left it", remedy="move it away")
    with locked(part):
        try:
            _clear(part)
            _require_space(part, manifest)
            yield part
            _sync(part)
            part.rename(folder)
        except BaseException:  # whatever it was goes on up; no half a folder is left
            shutil.rmtree(part, ignore_errors=True)
            raise
    sync(folder.parent)


def _clear(part: Path) -> None:
    """Remove what one that was killed has left."""
    for left in part.iterdir():
        if left.is_dir():
            shutil.rmtree(left)
        elif left.name != _LOCK:
            left.unlink()


def _require_space(part: Path, manifest: Manifest) -> None:
    free = shutil.disk_usage(part).free
    if free < manifest.bytes + _SPARE_BYTES:
        raise Misconfigured(
            f"{part.parent} has {free >> 20} MiB free, and {manifest.bytes >> 20} MiB are to be restored",
            remedy="free space, or name another folder with --data",
        )


def _fill(part: Path, where: Address, reader: BackupReader, manifest: Manifest) -> None:
    columns = {table.name: table.columns for table in manifest.tables}
    (part / JOURNAL).mkdir(mode=0o700)
    if any(member.name.startswith(DAYS) for member in manifest.members):
        (part / DAYS).mkdir(mode=0o700)
    with loading(where, TABLES, manifest.revision) as load:
        try:
            for member in reader.members(manifest):
                if member.name.startswith(DATABASE):
                    table = table_of(member.name)
                    load.take(table, columns[table], member.whole())
                else:
                    _write(part / member.name.removeprefix(KEYS), member)
            load.finish({table.name: (table.columns, table.rows) for table in manifest.tables})
        except ValueError as error:
            raise reader.damaged(str(error)) from error


def _write(path: Path, member: Member) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(member.pieces)
        file.flush()
        os.fsync(descriptor)


def _sync(part: Path) -> None:
    if (database := part / FILE).exists():
        database.chmod(0o600)
        sync(database)
    for folder in (part / JOURNAL, part / DAYS):
        if folder.is_dir():
            sync(folder)
    sync(part)
