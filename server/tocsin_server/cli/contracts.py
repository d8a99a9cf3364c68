"""`contract`: what there is of files and of the database, taken in and given out as YAML."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from sqlmodel import Session

from tocsin_protocol.contracts import ContractRow
from tocsin_server.access.auditlog import record
from tocsin_server.cli.command import Commands, Options, command, from_one, group
from tocsin_server.cli.query import columns, shown
from tocsin_server.cli.writing import author, operator, write
from tocsin_server.clock import SystemClock
from tocsin_server.config import find_config
from tocsin_server.datafolder import look
from tocsin_server.desk.kept import (
    DATABASE,
    Document,
    Kept,
    draft_of_text,
    history,
    keep,
    kept_deed,
    newest,
    version_of,
)
from tocsin_server.errors import Misconfigured, NotFound
from tocsin_server.http.contracts import contract_rows, version_view
from tocsin_server.sla.register import NO_CONTRACTS, Contracts, by_client
from tocsin_server.yaml_files import read_text
from tocsin_server.yaml_nodes import BadYaml

IMPORT_EXAMPLES = """\
examples:
  tocsin-server contract import acme.yml
  tocsin-server contract import acme.yml --version 3        (only where version 3 is the newest)

The file is read as those in config/contracts are, but for calendars in files beside it, and kept word for word
as the contract's next version. A running server has it in force within seconds. A contract that is in a file of
config/contracts is refused: it would be in two places.
"""
EXPORT_EXAMPLES = """\
examples:
  tocsin-server contract export ACME-2026 > acme.yml
  tocsin-server contract export ACME-2026 --version 2
"""
_HEADING = ("contract", "client", "where", "version", "by", "since", "title")


def add_commands(commands: Commands) -> None:
    """`contract list, import, export, versions`."""
    words = group(commands, "contract")
    listing = command(words, "list", _list, "what there is, and what of it is not in force")
    listing.add_argument("--json", action="store_true", help="as the API tells them")
    taking = command(words, "import", _import, "keep a file as the next version", examples=IMPORT_EXAMPLES)
    taking.add_argument("file", type=Path)
    taking.add_argument("--version", type=from_one, help="the version that it follows (default: any)")
    giving = command(words, "export", _export, "print a contract as YAML", examples=EXPORT_EXAMPLES)
    giving.add_argument("id")
    giving.add_argument("--version", type=from_one, help="of the database (default: the newest)")
    telling = command(words, "versions", _versions, "who has kept which versions of a contract")
    telling.add_argument("id")
    for each in (listing, taking, giving):
        each.add_argument("--config", type=Path, help="folder with contracts/ to look at")


def _list(options: Options) -> int:
    files = _of_files(options)
    rows = contract_rows(files, look(options.data, newest))
    if options.json:
        print(json.dumps(msgspec.to_builtins(rows), indent=2))
    else:
        print("".join(f"{line}\n" for line in lines(rows)), end="")
    return 0


def _import(options: Options) -> int:
    try:
        draft = draft_of_text(str(options.file), read_text(options.file))
    except BadYaml as error:
        raise Misconfigured(f"{options.file} {error.reason}") from error
    files, now_ms = _of_files(options), SystemClock().now_ms()

    def run(session: Session) -> Kept:
        versions = None if options.version is None else {options.version}
        kept = keep(session, draft, versions=versions, files=files, author=author(), now_ms=now_ms)
        if kept.is_new:
            record(session, kept_deed(kept.document, by=operator()))
        return kept

    of, is_new = write(options, run)
    print(f"contract {of.contract} of {of.client}, version {of.version}: kept{'' if is_new else ' already'}")
    return 0


def _export(options: Options) -> int:
    sys.stdout.write(_text(options))
    return 0


def _text(options: Options) -> str:
    if options.version is None:
        for contract in (each for theirs in _of_files(options).values() for each in theirs):
            if contract.id == options.id:
                return read_text(Path(contract.file))

    def ask(session: Session) -> Document | None:
        if options.version is not None:
            return version_of(session, options.id, options.version)
        return next(iter(history(session, options.id, limit=1)), None)

    return _found(look(options.data, ask), options).text


def _versions(options: Options) -> int:
    found = look(options.data, lambda session: history(session, options.id))
    _found(next(iter(found), None), options)
    views = [version_view(each) for each in found]
    rows = [(str(each.version), f"{each.kept_at:%Y-%m-%d %H:%M}Z", shown(each.author)) for each in views]
    print("".join(f"{line}\n" for line in columns([("version", "since", "by"), *rows])), end="")
    return 0


def lines(found: Sequence[ContractRow]) -> Iterator[str]:
    """A line for each, below a heading, and why one is not in force."""
    if not found:
        yield "there are no contracts yet: tocsin-server contract import FILE"
        return
    yield from columns([_HEADING, *map(_cells, found)])
    for row in found:
        if row.problem:
            yield shown(f"not in force: {row.id}: {row.problem}")


def _cells(row: ContractRow) -> tuple[str, ...]:
    if row.source != DATABASE:
        return shown(row.id), shown(row.client), row.source, "", "", "", shown(row.title)
    since = "" if row.kept_at is None else f"{row.kept_at:%Y-%m-%d}"
    return row.id, row.client, row.source, str(row.version), shown(row.author or ""), since, shown(row.title)


def _found(document: Document | None, options: Options) -> Document:
    if document is None:
        raise NotFound(
            f"the database has no such version of a contract {options.id!r}",
            remedy="tocsin-server contract list shows what there is",
        )
    return document


def _of_files(options: Options) -> Contracts:
    folder = find_config("contracts", options.config)
    try:
        return NO_CONTRACTS if folder is None else by_client(folder)
    except OSError as error:
        raise Misconfigured(f"{folder} cannot be read ({error.strerror})") from error
