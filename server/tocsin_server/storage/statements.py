"""Statements that each database spells its own way."""

from sqlalchemy import Table, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session


def insert_or(session: Session, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An insert that can be told what to do on a conflict."""
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


_SHOW_ONLY = text("SELECT set_config('tocsin.clients', :clients, true)")


def show_only(session: Session, clients: str) -> None:
    """See the rows of these clients, ids with commas between or `all`, for the rest of the transaction.

    SQLite has nothing of the kind, and shows all.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(_SHOW_ONLY, {"clients": clients})
