"""`/api/v1/contracts…`: contracts of files and of the database; those are written here, version for version.

A contract is the document that its file would be (`sla/document.py`). Its version is its entity tag; whoever
writes says which one they have seen (`If-Match: "v3"`), and nothing for a contract that is to be new.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from litestar import Response, get, put
from litestar.params import JSONBody
from sqlmodel import Session

from tocsin_protocol.contracts import ContractPage, ContractRow, ContractVersion, ContractVersions
from tocsin_server.access.auditlog import record
from tocsin_server.access.permissions import Permission
from tocsin_server.access.scope import Scope
from tocsin_server.clock import moment
from tocsin_server.desk.kept import (
    DATABASE,
    Document,
    Draft,
    draft_of_document,
    history,
    keep,
    kept_deed,
    merge,
    newest,
    newest_of,
    title_of,
    version_of,
)
from tocsin_server.errors import Malformed, NotFound, Wrong
from tocsin_server.http.deps import Deps, Wired
from tocsin_server.http.etags import Tags, etag, read_tags
from tocsin_server.http.once import Done, once
from tocsin_server.http.permitted import needs
from tocsin_server.http.questions import MAX_ID, Slug, SlugInPath, Version
from tocsin_server.http.scoped import asked_soon
from tocsin_server.http.sessions import SignedIn, actor, scope_of
from tocsin_server.sla.contract import Contract
from tocsin_server.sla.document import document_of
from tocsin_server.sla.register import Contracts
from tocsin_server.yaml_files import read_text


@get("/contracts", opt=needs(Permission.INSPECT))
async def listed(deps: Wired, request: SignedIn, client: Slug = None) -> ContractPage:
    """Those that are in force, and those that are kept and are not, with the reason."""
    scope, clients = scope_of(request), _clients(deps)

    def ask(session: Session, _scope: Scope) -> list[ContractRow]:
        rows = contract_rows(deps.contracts_of_files(), newest(session))
        return [row for row in rows if scope.sees(clients.get(row.client)) and client in (None, row.client)]

    return ContractPage(contracts=await asked_soon(deps.storage, scope, ask))


@get("/contracts/{contract_id:str}", opt=needs(Permission.INSPECT))
async def one(
    deps: Wired, request: SignedIn, contract_id: SlugInPath, version: Version = None
) -> Response[dict[str, Any]]:
    """A contract as a document: as it is, or a version that was kept."""
    scope = scope_of(request)

    def ask(session: Session, _scope: Scope) -> Document | None:
        if version is not None:
            return version_of(session, contract_id, version)
        return newest_of(session, contract_id)

    of_file = _of_file(deps, scope, contract_id) if version is None else None
    if of_file is not None:
        text = await asyncio.to_thread(read_text, Path(of_file.file))
        return Response(_told(text))
    found = await asked_soon(deps.storage, scope, ask)
    if found is None or not scope.sees(found.client_id):
        raise _missing(contract_id)
    return Response(_told(found.text), headers={"etag": etag(found.version)})


@get("/contracts/{contract_id:str}/versions", opt=needs(Permission.INSPECT))
async def versions(deps: Wired, request: SignedIn, contract_id: SlugInPath) -> ContractVersions:
    """Who has kept which versions of it, and since when."""
    scope = scope_of(request)
    found = await asked_soon(deps.storage, scope, lambda session, _scope: history(session, contract_id))
    seen = [version_view(each) for each in found if scope.sees(each.client_id)]
    if not seen:
        raise _missing(contract_id)
    return ContractVersions(versions=seen)


@put("/contracts/{contract_id:str}", opt=needs(Permission.CONTRACT))
async def written(
    deps: Wired, request: SignedIn, contract_id: SlugInPath, data: JSONBody[dict[str, Any]]
) -> Response[ContractVersion]:
    """Keep this document as the contract's next version; it is in force within seconds."""
    draft = await asyncio.to_thread(_draft, contract_id, data)
    scope = scope_of(request)
    if not scope.sees(_clients(deps).get(draft.contract.client)):
        raise NotFound(f"there is no client {draft.contract.client[:80]!r}", remedy="name a client by its slug")
    act = partial(_keep, deps, request, draft, _wanted(request))
    done = await once(deps, request, act)
    return Response(done.answer, headers={"etag": etag(done.answer.version)})


def _draft(contract_id: str, document: object) -> Draft:
    draft = draft_of_document(document)
    if draft.contract.id != contract_id:
        wrong = Wrong(f"it is {draft.contract.id!r} and is sent to {contract_id!r}", "/contract", "contract")
        raise Malformed("the contract is refused", [wrong], remedy="send it to the path of its own id")
    return draft


def _keep(
    deps: Deps, request: SignedIn, draft: Draft, wanted: Collection[int], session: Session
) -> Done[ContractVersion, None]:
    now_ms = deps.clock.now_ms()
    kept = keep(
        session,
        draft,
        versions=wanted,
        files=deps.contracts_of_files(),
        author=request.user.login,
        now_ms=now_ms,
    )
    if kept.is_new:
        record(session, kept_deed(kept.document, by=actor(request)))
    return Done(version_view(kept.document), kept.document.client_id, None)


def _wanted(request: SignedIn) -> Collection[int]:
    """The versions of which one has to be there; none where the contract is to be new."""
    condition: Tags | None = read_tags("If-Match", request.headers.getall("if-match", []))
    if condition is None:
        return ()
    return range(1, MAX_ID) if condition.any else condition.versions()


def contract_rows(files: Contracts, documents: Sequence[Document]) -> list[ContractRow]:
    """What there is of both, by client and id, and why some of it is not in force."""
    problems = {each.rule: each.reason for each in merge(files, documents).problems}
    rows = [_file_row(each) for theirs in files.values() for each in theirs]
    rows += [_document_row(each, problems.get(each.contract, "")) for each in documents]
    return sorted(rows, key=lambda row: (row.client, row.id, row.source))


def version_view(of: Document) -> ContractVersion:
    """A version as it is told."""
    return ContractVersion(
        id=of.contract, client=of.client, version=of.version, author=of.author, kept_at=moment(of.at_ms)
    )


def _file_row(of: Contract) -> ContractRow:
    return ContractRow(
        id=of.id, client=of.client, title=of.title, source="file", version=None, author=None, kept_at=None
    )


def _document_row(of: Document, problem: str) -> ContractRow:
    return ContractRow(
        id=of.contract,
        client=of.client,
        title=title_of(of.text),
        source=DATABASE,
        version=of.version,
        author=of.author,
        kept_at=moment(of.at_ms),
        problem=problem,
    )


def _of_file(deps: Deps, scope: Scope, contract_id: str) -> Contract | None:
    """The contract of a file with this id, where its client is seen."""
    clients = _clients(deps)
    for contract in (each for theirs in deps.contracts_of_files().values() for each in theirs):
        if contract.id == contract_id and scope.sees(clients.get(contract.client)):
            return contract
    return None


def _clients(deps: Deps) -> Mapping[str, int]:
    return {client.slug: client.id for client in deps.estate.clients()}


def _told(text: str) -> dict[str, Any]:
    document = document_of(text)
    return document if isinstance(document, dict) else {}


def _missing(contract_id: str) -> NotFound:
    return NotFound(f"there is no contract {contract_id[:80]!r}", remedy="GET /api/v1/contracts lists them")


ROUTES = (listed, one, versions, written)
