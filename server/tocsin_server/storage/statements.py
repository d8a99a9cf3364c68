"""Statements that each database spells its own way."""

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session


def insert_or(session: Session, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An insert that can be told what to do on a conflict."""
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
