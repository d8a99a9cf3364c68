"""The tables of people, their sessions, what they were answered, and the audit log.

A session's token is kept as its SHA-256 only.
"""

from sqlalchemy import Column, ForeignKey, Index
from sqlmodel import Field, SQLModel

from tocsin_protocol.vocabulary import Role
from tocsin_server.storage.columns import Millis, RowId, word


class PersonRow(SQLModel, table=True):
    """Somebody who signs in."""

    __tablename__ = "person"
    id: int | None = Field(default=None, primary_key=True, sa_type=RowId)
    login: str = Field(unique=True)
    name: str
    role: Role = Field(sa_type=word(Role))
    password_hash: str
    created_ms: int = Field(sa_type=Millis)
    disabled_ms: int | None = Field(default=None, sa_type=Millis)


class LoginSession(SQLModel, table=True):
    """One signed-in console."""

    __tablename__ = "login_session"
    digest: str = Field(primary_key=True)
    person_id: int = Field(foreign_key="person.id", index=True, sa_type=RowId)
    created_ms: int = Field(sa_type=Millis)
    used_ms: int = Field(sa_type=Millis)
    expires_ms: int | None = Field(default=None, sa_type=Millis)
    """None is a session that never ends by itself."""


class AnswerRow(SQLModel, table=True):
    """What somebody was answered under an idempotency key (`access/answers.py`)."""

    __tablename__ = "kept_answer"
    __table_args__ = (Index("kept_answer_latest", "person_id", "at_ms", "key"),)
    person_id: int = Field(foreign_key="person.id", primary_key=True, sa_type=RowId)
    key: str = Field(primary_key=True)
    fingerprint: str
    client_id: int | None = Field(default=None, foreign_key="client.id", sa_type=RowId)
    status: int
    body: bytes
    """Compressed."""
    at_ms: int = Field(index=True, sa_type=Millis)


class AuditRow(SQLModel, table=True):
    """One entry of the audit log; the database itself refuses to change or remove one (`access/audit.py`)."""

    __tablename__ = "audit"
    id: int = Field(sa_column=Column(RowId, primary_key=True, autoincrement=False))
    """Told by the chain: of two that would be the same one, the database refuses the second."""
    at_ms: int = Field(sa_type=Millis)
    party: str
    actor: str
    client_id: int | None = Field(default=None, foreign_key="client.id", sa_type=RowId)
    act: str
    subject: str
    details: str
    source: str
    previous: str
    digest: str


class CheckpointRow(SQLModel, table=True):
    """Where the audit log stood, signed; as its entries, never changed, never removed."""

    __tablename__ = "audit_checkpoint"
    entry_id: int = Field(
        sa_column=Column(RowId, ForeignKey("audit.id"), primary_key=True, autoincrement=False)
    )
    digest: str
    at_ms: int = Field(sa_type=Millis)
    signature: str


AUDIT = AuditRow.metadata.tables["audit"]
CHECKPOINTS = CheckpointRow.metadata.tables["audit_checkpoint"]
ANSWERS = AnswerRow.metadata.tables["kept_answer"]
