"""The tables of people, their clients, how they sign in, what they were answered, and of the audit log.

Tokens and recovery codes are kept as their SHA-256 only, secrets of one-time codes sealed (`vault.py`).
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, exists
from sqlmodel import Field, SQLModel, col

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
    all_clients: bool = False
    """They see every client, those that are added later too; otherwise those of `PersonClient`."""
    mail: str = ""
    """Where notices reach them; empty where they get none."""


class PersonClient(SQLModel, table=True):
    """A client that somebody sees."""

    __tablename__ = "person_client"
    person_id: int = Field(foreign_key="person.id", primary_key=True, sa_type=RowId)
    client_id: int = Field(foreign_key="client.id", primary_key=True, index=True, sa_type=RowId)


class LoginSession(SQLModel, table=True):
    """One signed-in console."""

    __tablename__ = "login_session"
    digest: str = Field(primary_key=True)
    person_id: int = Field(foreign_key="person.id", index=True, sa_type=RowId)
    created_ms: int = Field(sa_type=Millis)
    used_ms: int = Field(sa_type=Millis)
    expires_ms: int | None = Field(default=None, sa_type=Millis)
    """None is a session that never ends by itself."""
    source: str = ""
    """The address that it was begun from."""


class TotpRow(SQLModel, table=True):
    """Somebody's one-time codes: the secret in force, and one that waits for its first code."""

    __tablename__ = "totp"
    person_id: int = Field(
        sa_column=Column(RowId, ForeignKey("person.id"), primary_key=True, autoincrement=False)
    )
    sealed: str | None = None
    """None until a first code has shown that the person's device has the secret."""
    since_ms: int | None = Field(default=None, sa_type=Millis)
    last_step: int = Field(default=0, sa_type=BigInteger)
    """Of codes that were used, the latest's time-step: neither it nor one before is taken again."""
    pending: str | None = None
    pending_ms: int | None = Field(default=None, sa_type=Millis)


HAS_CODES = exists().where(col(TotpRow.person_id) == col(PersonRow.id), col(TotpRow.sealed).is_not(None))
"""Of a person who is asked for: whether their one-time codes are asked for when they sign in."""


class RecoveryCode(SQLModel, table=True):
    """One of the codes for when the device is lost; one that was used is removed."""

    __tablename__ = "recovery_code"
    digest: str = Field(primary_key=True)
    person_id: int = Field(foreign_key="person.id", index=True, sa_type=RowId)


class ApiTokenRow(SQLModel, table=True):
    """A program's way in, as its person and for what its scopes say."""

    __tablename__ = "api_token"
    id: int | None = Field(default=None, primary_key=True, sa_type=RowId)
    digest: str = Field(unique=True)
    person_id: int = Field(foreign_key="person.id", index=True, sa_type=RowId)
    name: str
    scopes: str
    """Words with a space between them."""
    created_ms: int = Field(sa_type=Millis)
    expires_ms: int = Field(sa_type=Millis)
    used_ms: int | None = Field(default=None, sa_type=Millis)
    revoked_ms: int | None = Field(default=None, sa_type=Millis)


class TryRow(SQLModel, table=True):
    """How signing in has gone of late (`access/attempts.py`)."""

    __tablename__ = "sign_in_try"
    login: str = Field(primary_key=True)
    """A keyed digest, since what is typed there may be a password; empty for all logins of an address."""
    source: str = Field(primary_key=True)
    """The address; empty for all addresses of a login."""
    failures: int
    failed_ms: int = Field(sa_type=Millis)
    succeeded_ms: int | None = Field(default=None, sa_type=Millis)
    until_ms: int = Field(index=True, sa_type=Millis)
    """When the row means nothing any longer."""


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


GRANTS = PersonClient.metadata.tables["person_client"]
AUDIT = AuditRow.metadata.tables["audit"]
CHECKPOINTS = CheckpointRow.metadata.tables["audit_checkpoint"]
ANSWERS = AnswerRow.metadata.tables["kept_answer"]
