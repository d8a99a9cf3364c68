"""The index of tickets' words: kept by whoever writes a ticket, in the same transaction, and asked by `queue`.

Each ticket has one line of words (`words.py`). On SQLite the table's triggers keep an FTS5 index of the lines,
which holds them no second time; PostgreSQL has a GIN index of them. Neither database parses a text: the words
of a line are taken as they are.

Row-level security does not look at the lines: it would keep PostgreSQL from their index, as `@@` might tell of
rows in its errors. Every question joins the tickets, which are shielded.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import BigInteger, ColumnElement, FromClause, column, select, table, text
from sqlmodel import Session

from tocsin_server.desk.store import TEXTS
from tocsin_server.desk.words import Said, Term, Token, line, marks, said, without_marks
from tocsin_server.estate.store import Host
from tocsin_server.storage.statements import insert_or

_HOSTS = Host.metadata.tables["host"]
_FTS = table("ticket_index", column("rowid", BigInteger))
_VECTOR = "array_to_tsvector(string_to_array(ticket_text.words, ' '))"
"""Word for word the expression of PostgreSQL's index."""


class Worded(NamedTuple):
    """A ticket that is about to have other words."""

    ticket_id: int
    client_id: int
    host_id: int | None
    title: str
    is_open: bool
    is_new: bool
    texts: Sequence[Said]


class Found(NamedTuple):
    """Where tickets with such words are: a table, their ids in it, and the condition."""

    table: FromClause
    id: ColumnElement[int]
    condition: ColumnElement[bool]


def write_texts(session: Session, tickets: Sequence[Worded]) -> None:
    """Write the words of tickets anew, those that they had among them."""
    if not tickets:
        return
    hosts = _names_of(session, {ticket.host_id for ticket in tickets if ticket.host_id is not None})
    had = _lines_of(session, [ticket.ticket_id for ticket in tickets if not ticket.is_new])
    rows = [
        {
            "ticket_id": ticket.ticket_id,
            "words": _line(ticket, hosts.get(ticket.host_id or 0, ""), had.get(ticket.ticket_id, "")),
        }
        for ticket in tickets
    ]
    statement = insert_or(session, TEXTS)
    session.execute(
        statement.on_conflict_do_update(index_elements=["ticket_id"], set_={"words": statement.excluded.words}),
        rows,
    )


def found(session: Session, terms: Iterable[Term]) -> Found:
    """Where the tickets are for which all these terms hold."""
    if session.get_bind().dialect.name == "sqlite":
        return Found(_FTS, _FTS.c.rowid, text("ticket_index MATCH :fts").bindparams(fts=_fts(terms)))  # type: ignore[arg-type]
    condition = text(f"{_VECTOR} @@ CAST(:words AS tsquery)").bindparams(words=_tsquery(terms))
    return Found(TEXTS, TEXTS.c.ticket_id, condition)  # type: ignore[arg-type]


def _line(ticket: Worded, host: str, had: str) -> str:
    known = [Said(ticket.title, public=True), Said(host, public=True)]
    return line(
        [
            *marks(ticket.ticket_id, ticket.client_id, is_open=ticket.is_open),
            *said(known),
            *(without_marks(had) if had else ()),
            *said(ticket.texts),
        ]
    )


def _names_of(session: Session, host_ids: Collection[int]) -> Mapping[int, str]:
    if not host_ids:
        return {}
    asked = select(_HOSTS.c.id, _HOSTS.c.name).where(_HOSTS.c.id.in_(host_ids))
    return {row.id: row.name for row in session.execute(asked)}


def _lines_of(session: Session, ids: Collection[int]) -> Mapping[int, str]:
    if not ids:
        return {}
    asked = select(TEXTS.c.ticket_id, TEXTS.c.words).where(TEXTS.c.ticket_id.in_(ids))
    return {row.ticket_id: row.words for row in session.execute(asked)}


def _fts(terms: Iterable[Term]) -> str:
    """FTS5's own words for it; a token has no quotation mark."""
    return " AND ".join(f"({' OR '.join(_fts_token(token) for token in term)})" for term in terms)


def _fts_token(token: Token) -> str:
    return f'"{token.text}"*' if token.beginning else f'"{token.text}"'


def _tsquery(terms: Iterable[Term]) -> str:
    return " & ".join(f"({' | '.join(_tsquery_token(token) for token in term)})" for term in terms)


def _tsquery_token(token: Token) -> str:
    return f"'{token.text}':*" if token.beginning else f"'{token.text}'"
