"""Where the desk's database is: a file in the data folder, or what TOCSIN_DATABASE names.

An address may hold a password: it shows itself without, and no message is made of the text it came from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from tocsin_server.errors import Misconfigured, TocsinError
from tocsin_server.storage import postgres, sqlite
from tocsin_server.storage.limits import BUSY_MS
from tocsin_server.storage.postgres import postgres_engine
from tocsin_server.storage.sqlite import sqlite_engine

VARIABLE = "TOCSIN_DATABASE"
FILE = "tocsin.db"
_REMEDY = f"set {VARIABLE} to postgresql://user:password@host:port/database, or not at all for a file"


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """One database."""

    url: URL

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """SQLite's, in that file."""
        return cls(URL.create("sqlite", database=str(path)))

    @classmethod
    def of(cls, text: str) -> Self:
        """PostgreSQL's, as a URL tells it; raises `Misconfigured` where the text is none."""
        try:
            url = make_url(text)
        except (ArgumentError, ValueError):
            raise Misconfigured(f"{VARIABLE} holds no URL of a database", remedy=_REMEDY) from None
        if url.drivername not in ("postgresql", "postgresql+psycopg"):
            raise Misconfigured(f"{VARIABLE} names a database that is not PostgreSQL", remedy=_REMEDY)
        if not url.database:
            raise Misconfigured(f"{VARIABLE} names a server but no database of it", remedy=_REMEDY)
        return cls(url.set(drivername="postgresql+psycopg"))

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def path(self) -> Path:
        """SQLite's file."""
        if not self.is_sqlite or self.url.database is None:
            raise ValueError(f"{self.shown} is no file")
        return Path(self.url.database)

    @property
    def shown(self) -> str:
        """What people are told: the file, or user, host and database. Never the password, wherever it stood."""
        if self.is_sqlite:
            return str(self.path)
        host = self.url.host or self.url.query.get("host") or ""
        place = host if isinstance(host, str) else ",".join(host)
        user = f"{self.url.username}@" if self.url.username else ""
        port = f":{self.url.port}" if self.url.port else ""
        return f"postgresql://{user}{place}{port}/{self.url.database}"

    def __repr__(self) -> str:
        return f"Address({self.shown})"


def address(data: Path, environ: Mapping[str, str]) -> Address:
    """Where the database of a data folder is."""
    text = environ.get(VARIABLE, "").strip()
    return Address.of(text) if text else Address.of_file(data / FILE)


def engine(where: Address, *, read_only: bool, busy_ms: int = BUSY_MS, alone: bool = False) -> Engine:
    """An engine on the database; `read_only` transactions refuse every write in the database itself.

    `busy_ms` is how long a transaction waits for another program's lock before it gives up. With `alone`, a
    connection is refused as `Unavailable` while a server works with the database; a file's folder has its lock.
    """
    if where.is_sqlite:
        return sqlite_engine(where.path, read_only=read_only, busy_ms=busy_ms)
    return postgres_engine(where.url, read_only=read_only, busy_ms=busy_ms, alone=alone)


def meaning(where: Address, error: DBAPIError) -> TocsinError | None:
    """What an error of the database says to the one who asked; nothing where it is a mistake of ours."""
    return sqlite.meaning(error) if where.is_sqlite else postgres.meaning(error)


def ends_transaction(where: Address, error: DBAPIError) -> bool:
    """Whether more is lost than the savepoint in which it came."""
    return sqlite.ends_transaction(error) if where.is_sqlite else postgres.ends_transaction(error)
