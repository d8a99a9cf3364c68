"""Bring a database to this version's tables; with its environment, the only place that knows Alembic.

All steps run in one transaction, which SQLite and PostgreSQL give to table definitions too: a migration that is
killed has not happened. A file that holds data is copied beside itself first. PostgreSQL's tables are changed
only while no server works with them, and a copy of them is their operator's to make (docs/postgresql.md).
"""

import sqlite3
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, event, text

from tocsin_server.errors import Misconfigured
from tocsin_server.storage.address import Address, engine

_SCRIPTS = Path(__file__).with_name("migrations")


def newest() -> str:
    """The revision that this version's tables have."""
    head = _scripts().get_current_head()
    if head is None:
        raise Misconfigured("this installation has no migrations", remedy="install tocsin again")
    return head


def revision(where: Address | Path) -> str | None:
    """The revision that a database has; nothing for an empty or absent one."""
    where = Address.of_file(where) if isinstance(where, Path) else where
    if where.is_sqlite and not where.path.exists():
        return None
    reader = engine(where, read_only=True)
    try:
        with reader.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        reader.dispose()


def migrate(where: Address | Path, metadata: MetaData) -> bool:
    """Bring a database to `newest()`; says whether anything had to be done.

    Raises `Misconfigured` where the database is newer than this program, and `Unavailable` where a server works
    with what would be changed.
    """
    where = Address.of_file(where) if isinstance(where, Path) else where
    had = revision(where)
    if had == newest():
        return False
    if had is not None and had not in known():
        raise of_later_version(where, had)
    if had is not None and where.is_sqlite:
        _copy(where.path, where.path.with_name(f"{where.path.name}.before-{newest()}"))
    _upgrade(where, metadata)
    return True


def upgrade(connection: Connection, metadata: MetaData, *, to: str = "head") -> None:
    """Bring a database to a revision, in the connection's own transaction."""
    config = _config()
    config.attributes["metadata"] = metadata
    config.attributes["connection"] = connection
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
    command.upgrade(config, to)


def check_keys_later(engine: Engine) -> None:
    """Let SQLite drop a table that a migration makes anew, whatever points at it; `require_keys` at the end.

    It has to be said before a transaction begins: sqlite.org/lang_altertable.html#otheralter.
    """
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys=OFF"))


def require_keys(connection: Connection) -> None:
    """Every key of SQLite's points at a row; raises `ValueError` where one does not."""
    astray = connection.execute(text("PRAGMA foreign_key_check")).first()
    if astray is not None:
        raise ValueError(f"a row of {astray[0]} points at a row of {astray[2]} that is not there")


def known() -> set[str]:
    """The revisions that this version can bring to its own."""
    return {script.revision for script in _scripts().walk_revisions()}


def of_later_version(where: Address, had: str) -> Misconfigured:
    """What is said of a database with a revision that is not known here."""
    return Misconfigured(
        f"the database {where.shown} has revision {had}, which this version does not know",
        remedy="run the version that wrote it, or a newer one",
    )


@cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.set_main_option("path_separator", "os")
    return config


def _upgrade(where: Address, metadata: MetaData) -> None:
    writer = engine(where, read_only=False, alone=True)
    if where.is_sqlite:
        check_keys_later(writer)
    try:
        with writer.connect() as connection, connection.begin():
            upgrade(connection, metadata)
            if where.is_sqlite:
                require_keys(connection)
    finally:
        writer.dispose()


def _copy(path: Path, to: Path) -> None:
    """An online, consistent copy by SQLite's own backup, whole or not there at all."""
    part = to.with_name(to.name + ".part")
    source, target = sqlite3.connect(path), sqlite3.connect(part)
    try:
        source.backup(target)
    finally:
        source.close()
        target.close()
    part.rename(to)
