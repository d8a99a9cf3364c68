"""How a PostgreSQL database stands towards what tocsin promises: a wall between clients, and durability."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, MetaData, bindparam, text

from tocsin_server.storage.address import Address, engine

OLDEST = 13
_ROLE = text("SELECT current_user, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
_OPEN_TABLES = text(
    "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')"
    " AND relname IN :names AND NOT (relrowsecurity AND relforcerowsecurity"
    " AND EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid)) ORDER BY relname"
).bindparams(bindparam("names", expanding=True))
# What a session begins with: our own raise synchronous_commit.
_LAX = text(
    "SELECT name FROM pg_settings WHERE name IN ('synchronous_commit', 'fsync', 'full_page_writes')"
    " AND reset_val = 'off' ORDER BY name"
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What was seen."""

    shown: str
    """Database, version and role; no password."""
    ills: Sequence[str]
    """What breaks a promise."""
    doubts: Sequence[str]
    """What may break one."""


def standing(where: Address, metadata: MetaData) -> Standing:
    """Look at the database; nothing is changed."""
    reader = engine(where, read_only=True)
    try:
        with reader.connect() as connection:
            version = connection.dialect.server_version_info or (0,)
            role, is_above = connection.execute(_ROLE).one()
            return Standing(
                shown=f"{where.shown}, PostgreSQL {'.'.join(map(str, version))} as {role}",
                ills=[*_ills(connection, metadata, version, role if is_above else "")],
                doubts=[f"{name} is off: what was answered may be lost" for name in _lax(connection)],
            )
    finally:
        reader.dispose()


def tables_of_clients(metadata: MetaData) -> list[str]:
    """The tables whose rows belong to one client each, and the clients' own."""
    return [
        table.name for table in metadata.sorted_tables if table.name == "client" or "client_id" in table.columns
    ]


def _ills(
    connection: Connection, metadata: MetaData, version: Sequence[int | str], above: str
) -> Iterator[str]:
    if int(version[0]) < OLDEST:
        yield f"PostgreSQL {version[0]} is too old: {OLDEST} or later is needed"
    if above:
        yield (
            f"the role {above} is a superuser or has BYPASSRLS, so row-level security does not hold for it:"
            " use a plain role that owns the database"
        )
    for table in connection.execute(_OPEN_TABLES, {"names": tables_of_clients(metadata)}).scalars():
        yield f"row-level security is not forced on {table}: ALTER TABLE {table} FORCE ROW LEVEL SECURITY"


def _lax(connection: Connection) -> Sequence[str]:
    return connection.execute(_LAX).scalars().all()
