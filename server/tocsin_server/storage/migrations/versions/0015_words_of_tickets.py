"""The words by which tickets are found, of those that there are as well; and their order by team and by kind.

They are folded here as that version of the desk did it (`desk/words.py`). PostgreSQL's index writes at once and
not when a list of what is new is full: whoever searches would read that list each time.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ROWS = 1000
_MAX_WORDS, _MAX_LETTERS = 2000, 64
_CLIENT, _NUMBER, _OPEN, _INTERNAL = "\ue000", "\ue001", "\ue002", "\ue003"
_TICKETS = sa.text(
    "SELECT ticket.id, ticket.client_id, ticket.title, ticket.state, host.name FROM ticket"
    " LEFT JOIN host ON host.id = ticket.host_id WHERE ticket.id > :after ORDER BY ticket.id LIMIT :rows"
)
_SAID = sa.text(
    "SELECT ticket_id, text, public FROM ticket_event WHERE ticket_id BETWEEN :first AND :last AND text <> ''"
    " AND (kind = 'opened' OR actor_kind = 'person') ORDER BY ticket_id, id"
)


def upgrade() -> None:
    order = ["priority", "opened_ms", "id", "state"]
    op.create_index("ticket_team", "ticket", ["team", *order])
    is_none = sa.text("kind != 'incident'")
    op.create_index("ticket_kind", "ticket", ["kind", *order], sqlite_where=is_none, postgresql_where=is_none)
    lines = op.create_table(
        "ticket_text",
        sa.Column("ticket_id", _Id, sa.ForeignKey("ticket.id"), primary_key=True, autoincrement=False),
        sa.Column("words", sa.String(), nullable=False),
    )
    if op.get_bind().dialect.name == "sqlite":
        _index_in_sqlite()
    for rows in _rows():
        op.bulk_insert(lines, rows)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE INDEX ticket_text_words ON ticket_text USING gin"
            " (array_to_tsvector(string_to_array(words, ' '))) WITH (fastupdate = off)"
        )


def _index_in_sqlite() -> None:
    op.execute(
        "CREATE VIRTUAL TABLE ticket_index USING fts5"
        " (words, content='ticket_text', content_rowid='ticket_id', detail=none, tokenize='ascii',"
        " prefix='2 3 4 5 6')"
    )
    forget = (
        "INSERT INTO ticket_index (ticket_index, rowid, words) VALUES ('delete', old.ticket_id, old.words);"
    )
    learn = "INSERT INTO ticket_index (rowid, words) VALUES (new.ticket_id, new.words);"
    for change, acts in (("INSERT", learn), ("DELETE", forget), ("UPDATE", f"{forget} {learn}")):
        op.execute(
            f"CREATE TRIGGER ticket_text_{change.lower()} AFTER {change} ON ticket_text BEGIN {acts} END"
        )


def _rows() -> Iterator[list[dict[str, Any]]]:
    bind, last = op.get_bind(), 0
    while tickets := bind.execute(_TICKETS, {"after": last, "rows": _ROWS}).all():
        first, last = tickets[0].id, tickets[-1].id
        told = bind.execute(_SAID, {"first": first, "last": last})
        texts = {ticket: list(rows) for ticket, rows in groupby(told, key=itemgetter(0))}
        yield [{"ticket_id": row.id, "words": _line(row, texts.get(row.id, []))} for row in tickets]


def _line(ticket: sa.Row[Any], texts: Sequence[sa.Row[Any]]) -> str:
    is_open = ticket.state not in ("solved", "closed")
    marks = [f"{_CLIENT}{ticket.client_id}", f"{_NUMBER}{ticket.id}", *([_OPEN] if is_open else ())]
    known = [*_words(ticket.title), *_words(ticket.name or "")]
    said = [("" if row.public else _INTERNAL) + word for row in texts for word in _words(row.text)]
    return " ".join([*dict.fromkeys([*marks, *known, *said])][:_MAX_WORDS])


class _Letters(dict[int, str]):
    def __missing__(self, code: int) -> str:
        letter = chr(code)
        category = unicodedata.category(letter)
        kept = letter if letter.isalnum() else "" if category[0] == "M" or category == "Cf" else " "
        self[code] = kept
        return kept


_LETTERS = _Letters()


def _words(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKD", text.casefold()).casefold()
    return [word[:_MAX_LETTERS] for word in folded.translate(_LETTERS).split()]
