"""The tables of people and sessions. A session's token is kept as its SHA-256 only."""

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
