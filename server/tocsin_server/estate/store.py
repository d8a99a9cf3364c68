"""The estate's tables. Every row below a client carries `client_id`; a site's slug is unique in its client."""

from enum import StrEnum

from sqlalchemy import Column, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from tocsin_protocol.vocabulary import HostKind
from tocsin_server.storage.columns import Millis, RowId, partial_index, word


def known(row_id: int | None) -> int:
    """The id of a row that is in the database: it has one once it has been flushed."""
    if row_id is None:
        raise ValueError("a row that is not in the database yet has no id")
    return row_id


class Client(SQLModel, table=True):
    """A client organisation: the unit of isolation, of service level and of billing."""

    __tablename__ = "client"
    id: int | None = Field(default=None, primary_key=True, sa_type=RowId)
    slug: str = Field(unique=True)
    name: str
    created_ms: int = Field(sa_type=Millis)


class Site(SQLModel, table=True):
    """A place of a client's."""

    __tablename__ = "site"
    __table_args__ = (UniqueConstraint("client_id", "slug"),)
    id: int | None = Field(default=None, primary_key=True, sa_type=RowId)
    client_id: int = Field(foreign_key="client.id", sa_type=RowId)
    slug: str
    name: str
    created_ms: int = Field(sa_type=Millis)


class Host(SQLModel, table=True):
    """A watched thing. Its name is unique among the client's hosts that are not retired."""

    __tablename__ = "host"
    __table_args__ = (partial_index("host_name", "client_id", "name", unique=True, where="retired_ms IS NULL"),)
    id: int | None = Field(default=None, primary_key=True, sa_type=RowId)
    client_id: int = Field(foreign_key="client.id", index=True, sa_type=RowId)
    site_id: int = Field(foreign_key="site.id", sa_type=RowId)
    name: str
    kind: HostKind = Field(sa_type=word(HostKind))
    job: str
    """The target label `job`: `node` for a Linux host."""
    os: str = ""
    enrolled_ms: int = Field(sa_type=Millis)
    retired_ms: int | None = Field(default=None, sa_type=Millis)
    prober_id: int | None = Field(default=None, foreign_key="host.id", index=True, sa_type=RowId)
    """The host whose agent probes this one; nothing for a host with an agent of its own."""
    interval_s: int | None = None
    """How often its frames come, where that is not how often agents push."""


class HostParent(SQLModel, table=True):
    """What a host is reached through, such as the switch that it hangs on."""

    __tablename__ = "host_parent"
    host_id: int = Field(foreign_key="host.id", primary_key=True, sa_type=RowId)
    parent_id: int = Field(foreign_key="host.id", primary_key=True, sa_type=RowId)
    client_id: int = Field(foreign_key="client.id", sa_type=RowId)


class Requester(SQLModel, table=True):
    """Somebody of a client's who asks for things. Their address is theirs alone among those who are there."""

    __tablename__ = "requester"
    __table_args__ = (
        partial_index("requester_mail", "client_id", "mail", unique=True, where="left_ms IS NULL"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=RowId)
    client_id: int = Field(foreign_key="client.id", sa_type=RowId)
    site_id: int | None = Field(default=None, foreign_key="site.id", sa_type=RowId)
    name: str
    mail: str
    created_ms: int = Field(sa_type=Millis)
    left_ms: int | None = Field(default=None, sa_type=Millis)


class Agent(SQLModel, table=True):
    """Who pushes for a host. The server keeps public keys only; an id is never used again."""

    __tablename__ = "agent"
    id: str = Field(primary_key=True)
    client_id: int = Field(foreign_key="client.id", sa_type=RowId)
    host_id: int = Field(foreign_key="host.id", index=True, sa_type=RowId)
    public_key: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    version: str = ""
    enrolled_ms: int = Field(sa_type=Millis)
    revoked_ms: int | None = Field(default=None, sa_type=Millis)
    cloned_ms: int | None = Field(default=None, sa_type=Millis)
    """Since when it is in quarantine, because two hosts speak with its key."""
    former_key: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    """The public key that it had before this one."""
    former_until_ms: int | None = Field(default=None, sa_type=Millis)
    """Until when that is accepted as well."""


class AgentEventKind(StrEnum):
    """What may happen to an agent between its enrolment and its end."""

    CLONED = "cloned"
    RELEASED = "released"
    KEY_CHANGED = "key-changed"


class AgentEvent(SQLModel, table=True):
    """One thing that happened to an agent; never changed, never removed."""

    __tablename__ = "agent_event"
    id: int | None = Field(default=None, primary_key=True, sa_type=RowId)
    client_id: int = Field(foreign_key="client.id", sa_type=RowId)
    agent_id: str = Field(foreign_key="agent.id", index=True)
    at_ms: int = Field(sa_type=Millis)
    kind: AgentEventKind = Field(sa_type=word(AgentEventKind))
    actor: str
    """Who did it: a person at the server, or the server itself."""
    text: str = ""


class EnrolToken(SQLModel, table=True):
    """An invitation for one agent, known by the SHA-256 of its secret only."""

    __tablename__ = "enrol_token"
    id: int | None = Field(default=None, primary_key=True, sa_type=RowId)
    client_id: int = Field(foreign_key="client.id", sa_type=RowId)
    site_id: int = Field(foreign_key="site.id", sa_type=RowId)
    digest: str = Field(unique=True)
    kind: HostKind = Field(sa_type=word(HostKind))
    created_ms: int = Field(sa_type=Millis)
    expires_ms: int = Field(sa_type=Millis)
    used_ms: int | None = Field(default=None, sa_type=Millis)
    agent_id: str | None = None
