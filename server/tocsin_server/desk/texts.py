"""The index of tickets' words: kept by whoever writes a ticket, in the same transaction, and asked by `queue`.

Each ticket has one line of words (`words.py`). On SQLite the table's triggers keep an FTS5 index of the lines,
which holds them no second time; PostgreSQL has a GIN index of them. Neither database parses a text: the words
of a line are taken as they are.

FTS5 finds the newest first, and ends with the page, but for beginnings that are longer than it has an index
for. A GIN index finds all that there are, half a million for a frequent word. So there the newest numbers are
looked at first, then more, and then all the others: what is frequent has filled its page by then, and what is
not is few. Each number's block is in PostgreSQL's index for that, beside the words, in two sizes; a beginning,
which either index gathers from all words that begin so, is looked for row by row in the newest blocks.

Row-level security does not look at the lines: it would keep PostgreSQL from their index, as `@@` might tell of
rows in its errors. Every question joins the tickets, which are shielded.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    TextClause,
    and_,
    column,
    func,
    or_,
    select,
    table,
    text,
)
from sqlmodel import Session

from tocsin_server.desk.store import TEXTS
from tocsin_server.desk.words import Said, Term, Token, line, marks, narrows, said, without_marks
from tocsin_server.estate.store import Host
from tocsin_server.storage.statements import insert_or

_HOSTS = Host.metadata.tables["host"]
_FTS = table("ticket_index", column("rowid", BigInteger))
_BLOCK, _LARGE_BLOCK = "\ue004", "\ue005"
_BITS, _LARGE_BITS = 11, 16
_VECTOR = (
    "array_to_tsvector(string_to_array(ticket_text.words, ' ') || ARRAY["
    f"'{_BLOCK}' || (ticket_text.ticket_id >> {_BITS})::text,"
    f" '{_LARGE_BLOCK}' || (ticket_text.ticket_id >> {_LARGE_BITS})::text])"
)
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
    """Where tickets with such words are: a table, their ids in it, the condition, and what sorts them."""

    table: FromClause
    id: ColumnElement[int]
    condition: ColumnElement[bool]
    order: ColumnElement[int]


class Stretch(NamedTuple):
    """Numbers of tickets from one to another, and the blocks in which they are; of all that are left none."""

    first: int
    last: int
    blocks: Term = ()
    is_near: bool = False
    """It is short enough to look at each of its rows."""


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


def found(session: Session, terms: Sequence[Term], *, below: int | None = None) -> Iterator[Found]:
    """Where the tickets are for which all these terms hold, those with the highest numbers first.

    With `below`, of those with a lower number than that.
    """
    newest = session.execute(_NEWEST).scalar() if below is None else below - 1
    if session.get_bind().dialect.name == "sqlite":
        yield from _found_by_fts(terms, newest or 0)
        return
    for stretch in stretches(newest or 0):
        # Not sorted by the number itself: PostgreSQL would walk all of them, and trust to luck to end soon.
        yield Found(TEXTS, _ID, _condition(terms, stretch), _ID + 0)


def _found_by_fts(terms: Sequence[Term], newest: int) -> Iterator[Found]:
    """At once, but for beginnings that are longer than FTS5 has an index for: it gathers all that begin so.

    Of the newest such a one is looked for by as much of it as the index has, and then in the line itself.
    """
    last, long = newest, [term for term in terms if any(map(_is_long, term))]
    for stretch in stretches(newest) if long else ():
        if stretch.is_near:
            short = [tuple(_shortened(token) for token in term) for term in terms]
            both = _FTS.join(TEXTS, _FTS.c.rowid == _ID)
            within = _FTS.c.rowid.between(stretch.first, stretch.last)
            yield Found(
                both,
                _FTS.c.rowid,
                and_(_matches(short), within, *map(partial(_has, place=func.instr), long)),
                _FTS.c.rowid,
            )
            last = stretch.first - 1
    yield Found(_FTS, _FTS.c.rowid, and_(_matches(terms), _FTS.c.rowid <= last), _FTS.c.rowid)


def _matches(terms: Sequence[Term]) -> TextClause:
    return text("ticket_index MATCH :fts").bindparams(fts=_fts(terms))


def _is_long(token: Token) -> bool:
    return token.beginning and len(token.text) > _MOST_INDEXED


def _shortened(token: Token) -> Token:
    return token._replace(text=token.text[:_MOST_INDEXED]) if token.beginning else token


def stretches(newest: int) -> Iterator[Stretch]:
    """The numbers up to the newest, cut so that each stretch is some times as long as the one before."""
    last = newest
    for bits, mark, most, is_near in _STRETCHES:
        block = last >> bits
        first = (block - most + 1) << bits
        if first <= 0:
            break
        blocks = tuple(Token(f"{mark}{each}") for each in range(block, block - most, -1))
        yield Stretch(first, last, blocks, is_near)
        last = first - 1
    yield Stretch(0, last)


_STRETCHES = ((_BITS, _BLOCK, 2, True), (_BITS, _BLOCK, 6, True), (_LARGE_BITS, _LARGE_BLOCK, 2, False))
"""In how large blocks, how many of them, and whether they are near."""
_ID = TEXTS.c.ticket_id
_NEWEST = select(func.max(_ID))
_PADDED = " " + TEXTS.c.words + " "
_MOST_INDEXED = 6
"""Up to how many letters FTS5 has an index of beginnings."""


def _condition(terms: Sequence[Term], stretch: Stretch) -> ColumnElement[bool]:
    is_little = stretch.is_near or (bool(stretch.blocks) and any(map(narrows, terms)))
    by_row = [term for term in terms if is_little and any(token.beginning for token in term)]
    by_index = [term for term in (*terms, stretch.blocks) if term and term not in by_row]
    # A long stretch is not walked number by number: PostgreSQL would take each row's words apart to look.
    number = _ID if stretch.is_near else _ID + 0
    conditions = [number.between(stretch.first, stretch.last), *map(_has, by_row)]
    if by_index:
        conditions.append(text(f"{_VECTOR} @@ CAST(:words AS tsquery)").bindparams(words=_tsquery(by_index)))  # type: ignore[arg-type]
    return and_(*conditions)


def _has(term: Term, place: Callable[..., ColumnElement[int]] = func.strpos) -> ColumnElement[bool]:
    """The same, looked for in the line itself, by what the database calls the place of a text in another."""
    parts = (f" {token.text}" if token.beginning else f" {token.text} " for token in term)
    return or_(*(place(_PADDED, part) > 0 for part in parts))


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
