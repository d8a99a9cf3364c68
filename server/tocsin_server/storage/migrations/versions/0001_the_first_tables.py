"""The first tables: estate, people, alerts and their transitions, tickets and their events."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "client",
        sa.Column("id", _ID, nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("slug"),
    )
    op.create_table(
        "person",
        sa.Column("id", _ID, nullable=False),
        sa.Column("login", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column(
            "role",
            sa.Enum("admin", "technician", "viewer", name="role", native_enum=False, length=16),
            nullable=False,
        ),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("disabled_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("login"),
    )
    op.create_table(
        "login_session",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("person_id", _ID, nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["person.id"],
        ),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("ix_login_session_person_id", "login_session", ["person_id"], unique=False)

    op.create_table(
        "site",
        sa.Column("id", _ID, nullable=False),
        sa.Column("client_id", _ID, nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["client.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("client_id", "slug"),
    )
    op.create_table(
        "enrol_token",
        sa.Column("id", _ID, nullable=False),
        sa.Column("client_id", _ID, nullable=False),
        sa.Column("site_id", _ID, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "server", "desktop", "network", "application", name="hostkind", native_enum=False, length=16
            ),
            nullable=False,
        ),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_ms", sa.BigInteger(), nullable=True),
        sa.Column("agent_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["client.id"],
        ),
        sa.ForeignKeyConstraint(
            ["site_id"],
            ["site.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "host",
        sa.Column("id", _ID, nullable=False),
        sa.Column("client_id", _ID, nullable=False),
        sa.Column("site_id", _ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "server", "desktop", "network", "application", name="hostkind", native_enum=False, length=16
            ),
            nullable=False,
        ),
        sa.Column("job", sa.String(), nullable=False),
        sa.Column("os", sa.String(), nullable=False),
        sa.Column("enrolled_ms", sa.BigInteger(), nullable=False),
        sa.Column("retired_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["client.id"],
        ),
        sa.ForeignKeyConstraint(
            ["site_id"],
            ["site.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "host_name",
        "host",
        ["client_id", "name"],
        unique=True,
        sqlite_where=sa.text("retired_ms IS NULL"),
        postgresql_where=sa.text("retired_ms IS NULL"),
    )
    op.create_index("ix_host_client_id", "host", ["client_id"], unique=False)

    op.create_table(
        "agent",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("client_id", _ID, nullable=False),
        sa.Column("host_id", _ID, nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("enrolled_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["client.id"],
        ),
        sa.ForeignKeyConstraint(
            ["host_id"],
            ["host.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_agent_host_id", "agent", ["host_id"], unique=False)

    op.create_table(
        "alert",
        sa.Column("id", _ID, nullable=False),
        sa.Column("client_id", _ID, nullable=False),
        sa.Column("host_id", _ID, nullable=True),
        sa.Column("rule_key", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("alertname", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("expression", sa.String(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("row_labels", sa.JSON(), nullable=False),
        sa.Column("annotations", sa.JSON(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "inactive",
                "pending",
                "firing",
                "unknown",
                "resolved",
                name="alertstate",
                native_enum=False,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("active_ms", sa.BigInteger(), nullable=True),
        sa.Column("fired_ms", sa.BigInteger(), nullable=True),
        sa.Column("keep_firing_since_ms", sa.BigInteger(), nullable=True),
        sa.Column("resolved_ms", sa.BigInteger(), nullable=True),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["client.id"],
        ),
        sa.ForeignKeyConstraint(
            ["host_id"],
            ["host.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("client_id", "rule_key", "fingerprint"),
    )
    op.create_index("ix_alert_client_id", "alert", ["client_id"], unique=False)
    op.create_index("ix_alert_host_id", "alert", ["host_id"], unique=False)
    op.create_index("ix_alert_state", "alert", ["state"], unique=False)

    op.create_table(
        "ticket",
        sa.Column("id", _ID, nullable=False),
        sa.Column("client_id", _ID, nullable=False),
        sa.Column("site_id", _ID, nullable=True),
        sa.Column("host_id", _ID, nullable=True),
        sa.Column("key", sa.String(), nullable=True),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "new",
                "in_progress",
                "pending",
                "solved",
                "closed",
                name="ticketstate",
                native_enum=False,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("owner_id", _ID, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("human", sa.Boolean(), nullable=False),
        sa.Column("recovered_ms", sa.BigInteger(), nullable=True),
        sa.Column("confirm", sa.Boolean(), nullable=False),
        sa.Column("opened_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.Column("solved_ms", sa.BigInteger(), nullable=True),
        sa.Column("reopens", _ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["client.id"],
        ),
        sa.ForeignKeyConstraint(
            ["host_id"],
            ["host.id"],
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"],
            ["person.id"],
        ),
        sa.ForeignKeyConstraint(
            ["reopens"],
            ["ticket.id"],
        ),
        sa.ForeignKeyConstraint(
            ["site_id"],
            ["site.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_ticket_host_id", "ticket", ["host_id"], unique=False)
    op.create_index("ix_ticket_key", "ticket", ["key"], unique=False)
    op.create_index(
        "ticket_open_key",
        "ticket",
        ["client_id", "key"],
        unique=True,
        sqlite_where=sa.text("state NOT IN ('solved', 'closed') AND key IS NOT NULL"),
        postgresql_where=sa.text("state NOT IN ('solved', 'closed') AND key IS NOT NULL"),
    )
    op.create_index(
        "ticket_open_queue",
        "ticket",
        ["priority", "opened_ms", "id", "owner_id"],
        unique=False,
        sqlite_where=sa.text("state NOT IN ('solved', 'closed')"),
        postgresql_where=sa.text("state NOT IN ('solved', 'closed')"),
        postgresql_include=["client_id"],
    )
    op.create_index(
        "ticket_open_client",
        "ticket",
        ["client_id", "priority", "opened_ms", "id"],
        unique=False,
        sqlite_where=sa.text("state NOT IN ('solved', 'closed')"),
        postgresql_where=sa.text("state NOT IN ('solved', 'closed')"),
    )
    op.create_index("ticket_queue", "ticket", ["priority", "opened_ms", "id", "state"], unique=False)
    op.create_index(
        "ticket_client", "ticket", ["client_id", "priority", "opened_ms", "id", "state"], unique=False
    )
    op.create_index(
        "ticket_open_owner",
        "ticket",
        ["owner_id", "priority", "opened_ms", "id"],
        unique=False,
        sqlite_where=sa.text("state NOT IN ('solved', 'closed') AND owner_id IS NOT NULL"),
        postgresql_where=sa.text("state NOT IN ('solved', 'closed') AND owner_id IS NOT NULL"),
    )
    op.create_index(
        "ticket_owner",
        "ticket",
        ["owner_id", "priority", "opened_ms", "id", "state"],
        unique=False,
        sqlite_where=sa.text("owner_id IS NOT NULL"),
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "ticket_recovering",
        "ticket",
        ["recovered_ms"],
        unique=False,
        sqlite_where=sa.text("state NOT IN ('solved', 'closed') AND recovered_ms IS NOT NULL AND NOT confirm"),
        postgresql_where=sa.text(
            "state NOT IN ('solved', 'closed') AND recovered_ms IS NOT NULL AND NOT confirm"
        ),
    )

    op.create_table(
        "ticket_alert",
        sa.Column("ticket_id", _ID, nullable=False),
        sa.Column("alert_id", _ID, nullable=False),
        sa.Column("client_id", _ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"],
            ["alert.id"],
        ),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["client.id"],
        ),
        sa.ForeignKeyConstraint(
            ["ticket_id"],
            ["ticket.id"],
        ),
        sa.PrimaryKeyConstraint("ticket_id", "alert_id"),
    )
    op.create_index("ticket_alert_newest", "ticket_alert", ["alert_id", "ticket_id"], unique=False)

    op.create_table(
        "transition",
        sa.Column("id", _ID, nullable=False),
        sa.Column("client_id", _ID, nullable=False),
        sa.Column("alert_id", _ID, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column(
            "old",
            sa.Enum(
                "inactive",
                "pending",
                "firing",
                "unknown",
                "resolved",
                name="alertstate",
                native_enum=False,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column(
            "new",
            sa.Enum(
                "inactive",
                "pending",
                "firing",
                "unknown",
                "resolved",
                name="alertstate",
                native_enum=False,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("sample_ms", sa.BigInteger(), nullable=True),
        sa.Column("annotations", sa.JSON(), nullable=False),
        sa.Column("consumed_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["alert_id"],
            ["alert.id"],
        ),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["client.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_transition_alert_id", "transition", ["alert_id"], unique=False)
    op.create_index(
        "transition_waiting",
        "transition",
        ["id"],
        unique=False,
        sqlite_where=sa.text("consumed_ms IS NULL"),
        postgresql_where=sa.text("consumed_ms IS NULL"),
    )

    op.create_table(
        "ticket_event",
        sa.Column("id", _ID, nullable=False),
        sa.Column("client_id", _ID, nullable=False),
        sa.Column("ticket_id", _ID, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "opened",
                "alert_fired",
                "alert_unknown",
                "alert_resolved",
                "taken",
                "released",
                "commented",
                "recovered",
                "solved",
                "reopened",
                "closed",
                name="ticketeventkind",
                native_enum=False,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column(
            "actor_kind",
            sa.Enum("person", "rule", "system", name="actorkind", native_enum=False, length=16),
            nullable=False,
        ),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("transition_id", _ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["client.id"],
        ),
        sa.ForeignKeyConstraint(
            ["ticket_id"],
            ["ticket.id"],
        ),
        sa.ForeignKeyConstraint(
            ["transition_id"],
            ["transition.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("transition_id"),
    )
    op.create_index("ix_ticket_event_ticket_id", "ticket_event", ["ticket_id"], unique=False)
