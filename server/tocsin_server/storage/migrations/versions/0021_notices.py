"""What people are told of tickets, by mail, and the addresses of those who sign in."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("person", sa.Column("mail", sa.String(), nullable=False, server_default=""))
    op.create_table(
        "notice",
        sa.Column("id", _Id, primary_key=True),
        sa.Column("client_id", _Id, sa.ForeignKey("client.id"), nullable=False),
        sa.Column("ticket_id", _Id, sa.ForeignKey("ticket.id"), nullable=False),
        sa.Column("event_id", _Id, sa.ForeignKey("ticket_event.id"), nullable=False),
        sa.Column("channel", sa.Enum("mail", "page", native_enum=False, length=16), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("decided", sa.String(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column(
            "state",
            sa.Enum("waiting", "sent", "failed", "nowhere", native_enum=False, length=16),
            nullable=False,
        ),
        sa.Column("next_ms", sa.BigInteger(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("tried_ms", sa.BigInteger(), nullable=True),
        sa.Column("sent_ms", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.UniqueConstraint("event_id", "channel", "recipient"),
    )
    _indices()
    op.create_table(
        "outbox_place",
        sa.Column("id", _Id, primary_key=True, autoincrement=False),
        sa.Column("event_id", _Id, nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        _shield()


def _indices() -> None:
    is_waiting, is_tried = sa.text("state = 'waiting'"), sa.text("tried_ms IS NOT NULL")
    op.create_index(
        "notice_waiting", "notice", ["next_ms"], sqlite_where=is_waiting, postgresql_where=is_waiting
    )
    op.create_index(
        "notice_of_recipient",
        "notice",
        ["recipient", "channel", "tried_ms"],
        sqlite_where=is_tried,
        postgresql_where=is_tried,
    )
    op.create_index("notice_message", "notice", ["message"])
    op.create_index("notice_made", "notice", ["made_ms"])


def _shield() -> None:
    """As the other tables of clients."""
    setting = "(SELECT current_setting('tocsin.clients', true))"
    is_asked_for = f"{setting} = 'all' OR client_id::text = ANY (string_to_array({setting}, ','))"
    op.execute("ALTER TABLE notice ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE notice FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY of_clients ON notice USING ({is_asked_for}) WITH CHECK ({is_asked_for})")
