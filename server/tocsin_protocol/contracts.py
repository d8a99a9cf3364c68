"""Contracts as the server tells of them. In full each is what its file would be (`docs/desk.md`)."""

from datetime import datetime

from tocsin_protocol.messages import Message


class ContractRow(Message, frozen=True, kw_only=True):
    """A contract that is in force, or kept and not in force: `problem` says why."""

    id: str
    client: str
    title: str
    source: str
    """`file`, or `database`."""
    version: int | None
    """Of the database's, as are the next two."""
    author: str | None
    kept_at: datetime | None
    problem: str = ""


class ContractPage(Message, frozen=True, kw_only=True):
    contracts: list[ContractRow]


class ContractVersion(Message, frozen=True, kw_only=True):
    """A version that is kept, by whom and since when."""

    id: str
    client: str
    version: int
    author: str
    kept_at: datetime


class ContractVersions(Message, frozen=True, kw_only=True):
    versions: list[ContractVersion]
    """The newest first."""
