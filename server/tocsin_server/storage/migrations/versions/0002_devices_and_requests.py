"""Devices that a site's agent probes, what a host is reached through, and tickets that ask for something."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("host") as host:
        host.add_column(sa.Column("prober_id", _ID, nullable=True))
        host.add_column(sa.Column("interval_s", sa.Integer(), nullable=True))
        host.create_foreign_key("fk_host_prober_id_host", "host", ["prober_id"], ["id"])
        host.create_index("ix_host_prober_id", ["prober_id"])
    op.create_table(
        "host_parent",
        sa.Column("host_id", _ID, nullable=False),
        sa.Column("parent_id", _ID, nullable=False),
        sa.Column("client_id", _ID, nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["host.id"]),
        sa.ForeignKeyConstraint(["parent_id"], ["host.id"]),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"]),
        sa.PrimaryKeyConstraint("host_id", "parent_id"),
    )
    op.add_column(
        "ticket",
        sa.Column(
            "kind",
            sa.Enum("incident", "request", name="ticketkind", native_enum=False, length=16),
            nullable=False,
            server_default="incident",
        ),
    )
