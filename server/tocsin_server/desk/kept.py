"""Contracts that the database keeps, version for version, beside those of files.

    write     read as a file is, compared with what there is, kept as the next version with who and when
    look      the newest version of each, read once after it was written
    merge     files first: what a file has as well, or has its client at the same time, is told and not in force

A version is never changed and never removed: a contract ends by its own `to`.
"""

import contextlib
import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Row, func, select
from sqlmodel import Session

from tocsin_protocol.status import RuleProblem
from tocsin_server.access.audit import Act, Actor, Deed
from tocsin_server.desk.store import ContractDocument
from tocsin_server.errors import Conflict, Malformed, NotFound, Stale, TocsinError, Unprocessable, Wrong
from tocsin_server.estate.store import Client
from tocsin_server.sla.contract import Contract
from tocsin_server.sla.contractfile import ContractFileErrors, read_contract, read_contract_node
from tocsin_server.sla.document import nodes_of, text_of
from tocsin_server.sla.register import NO_CONTRACTS, Contracts, with_others
from tocsin_server.yaml_nodes import BadYaml

DATABASE = "database"
"""In place of a file's name."""
MOST_VERSIONS = 1000
"""Of one contract, that a page tells of: the newest."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_D = ContractDocument.metadata.tables["contract_document"].c
_CLIENTS = Client.metadata.tables["client"]
_ROWS = select(
    _D.contract, _D.client_id, _CLIENTS.c.slug.label("client"), _D.version, _D.text, _D.author, _D.at_ms
).join_from(_D.id.table, _CLIENTS, _CLIENTS.c.id == _D.client_id)
_NEWEST = select(func.max(_D.id)).group_by(_D.contract)
_LAST = select(func.max(_D.id))


class Document(NamedTuple):
    """A contract as it was kept, with who kept it and when."""

    contract: str
    client_id: int
    client: str
    version: int
    text: str
    author: str
    at_ms: int


class Kept(NamedTuple):
    """What is kept, and whether it was not before."""

    document: Document
    is_new: bool


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody wants to be kept: a contract that has been read, and the text it is kept as."""

    contract: Contract
    text: str


class Merged(NamedTuple):
    """What is in force of files and of the database, and why some is not."""

    contracts: Contracts = NO_CONTRACTS
    problems: Sequence[RuleProblem] = ()


# -- what is to be kept


def draft_of_text(file: str, text: str) -> Draft:
    """What a file's text declares; raises `ContractFileErrors`."""
    return Draft(read_contract(file, text, _nothing_beside), text)


def draft_of_document(document: object) -> Draft:
    """What a document declares; raises `Malformed` with the pointer of each thing that is wrong."""
    node, pointers = nodes_of(document)
    try:
        contract = read_contract_node(DATABASE, node, _nothing_beside)
    except ContractFileErrors as refused:
        wrong = [Wrong(each.reason, pointers[each.line - 1], each.key) for each in refused.errors]
        raise Malformed(
            "the contract is refused", wrong, remedy="docs/desk.md shows how to write one"
        ) from None
    return Draft(contract, text_of(document))


def keep(
    session: Session,
    draft: Draft,
    *,
    versions: Collection[int] | None,
    files: Contracts,
    author: str,
    now_ms: int,
) -> Kept:
    """Keep the draft as the next version of its contract; what is kept already in these words stays.

    One of `versions` has to be the newest, or there has to be none where they are empty; None is all the same.
    """
    contract = draft.contract
    _require_word(contract.id)
    _refuse_what_is_in_a_file(contract, files)
    client_id = _client_id(session, contract)
    was = newest_of(session, contract.id)
    _require_version(contract.id, was, versions)
    if was is not None and was.client_id != client_id:
        raise Conflict(
            f"contract {contract.id!r} is with another client",
            remedy="a contract with another client has another id",
        )
    if was is not None and was.text == draft.text:
        return Kept(was, is_new=False)
    _refuse_two_at_a_time(session, contract, files)
    row = ContractDocument(
        client_id=client_id,
        contract=contract.id,
        version=1 if was is None else was.version + 1,
        text=draft.text,
        author=author,
        at_ms=now_ms,
    )
    session.add(row)
    session.flush()
    kept = Document(row.contract, client_id, contract.client, row.version, row.text, author, now_ms)
    return Kept(kept, is_new=True)


def kept_deed(of: Document, *, by: Actor) -> Deed:
    """What the audit log is told: which version, and the digest of its text."""
    details = {"version": of.version, "sha256": hashlib.sha256(of.text.encode()).hexdigest()}
    return Deed(Act.CONTRACT_KEPT, of.contract, by=by, at_ms=of.at_ms, client_id=of.client_id, details=details)


def _require_word(contract_id: str) -> None:
    if not _ID.fullmatch(contract_id):
        raise Unprocessable(
            f"{contract_id[:80]!r} cannot be the id of a contract in the database",
            remedy="use 1 to 64 letters, digits and . _ -, beginning with a letter or digit",
        )


def _refuse_what_is_in_a_file(contract: Contract, files: Contracts) -> None:
    file = next((each.file for each in _each(files) if each.id == contract.id), None)
    if file is not None:
        raise Conflict(
            f"contract {contract.id!r} is in a file, {file}", remedy="change the file, or take it away first"
        )


def _client_id(session: Session, contract: Contract) -> int:
    found: int | None = session.execute(
        select(_CLIENTS.c.id).where(_CLIENTS.c.slug == contract.client)
    ).scalar()
    if found is None:
        raise NotFound(f"there is no client {contract.client[:80]!r}", remedy="name a client by its slug")
    return found


def _require_version(contract_id: str, was: Document | None, versions: Collection[int] | None) -> None:
    if versions is None or (was is None and not versions) or (was is not None and was.version in versions):
        return
    there = "is not there" if was is None else f"has version {was.version} by {was.author}"
    raise Stale(f"contract {contract_id!r} {there}", remedy="look at it again and name its version")


def _refuse_two_at_a_time(session: Session, contract: Contract, files: Contracts) -> None:
    """Of two contracts of a client at a time nobody could say which a ticket has."""
    for other in (*_each(files), *_readable(newest(session))):
        if other.id == contract.id:
            continue
        if other.client == contract.client and contract.meets(other):
            raise Conflict(
                f"{contract.client!r} has contract {other.id!r} at the same time",
                remedy="let one end before the other begins",
            )


def _readable(documents: Iterable[Document]) -> Iterator[Contract]:
    """What an earlier version has kept and this one cannot read is told elsewhere."""
    for document in documents:
        with contextlib.suppress(TocsinError):
            yield draft_of_text(DATABASE, document.text).contract


# -- what is kept


def newest(session: Session) -> list[Document]:
    """The newest version of each contract, by id."""
    return [_document(row) for row in session.execute(_ROWS.where(_D.id.in_(_NEWEST)).order_by(_D.contract))]


def newest_of(session: Session, contract_id: str) -> Document | None:
    """The newest version of one, nothing where it is not kept."""
    return next(iter(history(session, contract_id, limit=1)), None)


def history(session: Session, contract_id: str, *, limit: int = MOST_VERSIONS) -> list[Document]:
    """The versions of one contract, the newest first; none where it is not kept."""
    asked = _ROWS.where(_D.contract == contract_id).order_by(_D.version.desc()).limit(limit)
    return [_document(row) for row in session.execute(asked)]


def version_of(session: Session, contract_id: str, version: int) -> Document | None:
    """One version of a contract."""
    row = session.execute(_ROWS.where(_D.contract == contract_id, _D.version == version)).first()
    return None if row is None else _document(row)


def title_of(text: str) -> str:
    """The contract's title; empty where this version cannot read it."""
    try:
        return draft_of_text(DATABASE, text).contract.title
    except TocsinError:
        return ""


def _document(row: Row[Any]) -> Document:
    return Document._make(row)


# -- what is in force


def merge(files: Contracts, documents: Iterable[Document]) -> Merged:
    """Those of files, and of the database those that no file has and that have their client for themselves."""
    taken, problems = list(_each(files)), []
    added: list[Contract] = []
    for document in documents:
        try:
            contract = draft_of_text(DATABASE, document.text).contract
        except TocsinError as error:
            problems.append(_problem(document.contract, error.message))
            continue
        reason = _why_not(contract, taken)
        if reason:
            problems.append(_problem(contract.id, reason))
            continue
        taken.append(contract)
        added.append(contract)
    return Merged(with_others(files, added) if added else files, problems)


def _why_not(contract: Contract, others: Iterable[Contract]) -> str:
    for other in others:
        if other.id == contract.id:
            return f"it is in a file as well, {other.file}, which counts: take one of both away"
        if other.client == contract.client and contract.meets(other):
            return f"{contract.client!r} has {other.id!r} at the same time: let one end before the other begins"
    return ""


def _problem(contract_id: str, reason: str) -> RuleProblem:
    return RuleProblem(file=DATABASE, rule=contract_id, reason=reason)


def _each(contracts: Contracts) -> Iterator[Contract]:
    return (contract for theirs in contracts.values() for contract in theirs)


def _nothing_beside(_name: str) -> str:
    raise BadYaml(1, "a contract in the database has no file beside it: write its days out")


@dataclass(slots=True)
class Keeping:
    """The documents as they were read last; `look` reads them again once one has been added."""

    ask: Callable[[Callable[[Session], Any]], Any]
    documents: Sequence[Document] = ()
    _last: int | None = field(default=None)

    def look(self) -> bool:
        """Whether there are new ones."""
        last = self.ask(lambda session: session.execute(_LAST).scalar())
        if last == self._last:
            return False
        self.documents, self._last = self.ask(newest), last
        return True
