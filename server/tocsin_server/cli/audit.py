"""`audit`: what was done by whom, and whether that record is whole; beside the running server or without."""

import argparse
import contextlib
import json
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import structlog
from sqlmodel import Session, select

from tocsin_server.access.audit import Act, Entry
from tocsin_server.access.auditlog import entries, head_of, kept_checkpoints, latest
from tocsin_server.access.checkpoints import FILE, Checkpoint, is_signed, read
from tocsin_server.access.verification import Verdict, verdict
from tocsin_server.cli.command import Commands, Options, command, from_one, group, moment_ms
from tocsin_server.cli.query import columns, shown
from tocsin_server.clock import moment
from tocsin_server.datafolder import look
from tocsin_server.desk.attested import first_altered
from tocsin_server.errors import Misconfigured
from tocsin_server.estate.clients import client_named
from tocsin_server.estate.identity import KEY_FILE, open_identity
from tocsin_server.estate.store import Client

VERIFY_EXAMPLES = """\
examples:
  tocsin-server audit verify
  tocsin-server audit verify --against /mnt/elsewhere/audit.checkpoints
  tocsin-server audit verify --json

The status is 0 where the log is whole, 1 where it is not, and the first broken place is said. What was cut off
or made anew with the server's own key shows only against a copy of its checkpoints that is kept elsewhere.
"""
LIST_EXAMPLES = """\
examples:
  tocsin-server audit list
  tocsin-server audit list --client acme --since 2026-11-26T22:00Z
  tocsin-server audit list --actor alice --act ticket.solved --limit 1000 --json

The newest are last. `nobody` is who has not shown that they are who they say.
"""
ISOLATION_EXAMPLES = """\
examples:
  tocsin-server audit isolation
  tocsin-server audit isolation --json

Two clients are generated in a folder that is thrown away, and people of the first, one of each role, ask every
route of this version about both. Your own data is not looked at. The status is 0 where nothing of the second
was learnt, 1 where something was.
"""
MOST = 100
TELL_EVERY = 20_000
_HEADING = ("id", "at", "by", "act", "of", "client", "from", "details")


def add_commands(commands: Commands) -> None:
    """`audit verify, audit list, audit isolation`."""
    words = group(commands, "audit")
    whole = command(words, "verify", _verify, "say whether the audit log is whole", examples=VERIFY_EXAMPLES)
    whole.add_argument(
        "--against",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help=f"a copy of {FILE} that was kept elsewhere; again for more",
    )
    whole.add_argument("--json", action="store_true", help="what was found as JSON")
    listing = command(words, "list", _list, "list what was done, the newest last", examples=LIST_EXAMPLES)
    listing.add_argument("--client", metavar="SLUG", help="what was done to this client's")
    listing.add_argument("--actor", metavar="NAME", help="what this one did")
    listing.add_argument("--act", type=_act, metavar="ACT", help="such as ticket.solved")
    listing.add_argument("--since", type=moment_ms, metavar="TIME", help="such as 2026-11-26T22:00Z")
    listing.add_argument(
        "--limit", type=from_one, default=MOST, metavar="N", help="so many of them (default %(default)s)"
    )
    listing.add_argument("--json", action="store_true", help="with digests, as JSON")
    proving = command(
        words,
        "isolation",
        _isolation,
        "prove that who sees one client learns nothing of another",
        data=False,
        examples=ISOLATION_EXAMPLES,
    )
    proving.add_argument("--json", action="store_true", help="what was found as JSON")


# -- verify


def _verify(options: Options) -> int:
    # Before the database is looked at: what has been signed by then stands in it.
    claimed = [*read(options.data / FILE, missing_ok=True), *_claims(options.against)]
    found = look(options.data, partial(_judged, data=options.data, claimed=claimed))
    print(json.dumps(_as_json(found), indent=2) if options.json else _said(found))
    return 0 if found.fault is None else 1


def _claims(copies: Iterable[Path]) -> Iterator[Checkpoint]:
    for path in copies:
        yield from read(path)


def _judged(session: Session, *, data: Path, claimed: Sequence[Checkpoint]) -> Verdict:
    checkpoints = {*kept_checkpoints(session), *claimed}
    public_key = _public_key(data) if checkpoints else b""
    most = head_of(session).id
    with contextlib.closing(entries(session)) as log:
        found = verdict(_telling(log, most), checkpoints, partial(is_signed, public_key=public_key))
    if found.fault is None:
        with contextlib.closing(entries(session)) as log:
            found = found._replace(fault=first_altered(session, _telling(log, most)))
    return found


def _public_key(data: Path) -> bytes:
    """The server's; a new one would have signed nothing."""
    if not (data / KEY_FILE).exists():
        raise Misconfigured(
            f"{data / KEY_FILE} is not there", remedy="name the server's data folder with --data"
        )
    return bytes.fromhex(open_identity(data).public_key_hex)


def _telling(log: Iterable[Entry], most: int) -> Iterator[Entry]:
    """Says at a terminal how far it is."""
    is_seen = sys.stderr.isatty()
    for number, entry in enumerate(log, 1):
        if is_seen and number % TELL_EVERY == 0:
            print(f"entry {number} of {most}", end="\r", file=sys.stderr, flush=True)
        yield entry
    if is_seen:
        print(" " * 40, end="\r", file=sys.stderr, flush=True)


def _said(found: Verdict) -> str:
    signed = "not signed yet"
    if found.signed is not None:
        signed = f"signed up to entry {found.signed.entry_id} at {_when(found.signed.at_ms)}"
    number = found.head.id
    so_far = f"{number} {'entry' if number == 1 else 'entries'}, {signed}"
    return (
        f"whole: {so_far}"
        if found.fault is None
        else f"broken: {found.fault.said}\nthe chain holds for {so_far}"
    )


def _as_json(found: Verdict) -> dict[str, object]:
    signed, fault = found.signed, found.fault
    return {
        "whole": fault is None,
        "entries": found.head.id,
        "digest": found.head.digest,
        "signed": None if signed is None else {"entry": signed.entry_id, "at": _when(signed.at_ms)},
        "fault": None
        if fault is None
        else {"entry": fault.entry_id, "ill": fault.ill.value, "said": fault.said},
    }


# -- isolation


def _isolation(options: Options) -> int:
    from tocsin_server.isolation.proof import prove  # noqa: PLC0415 - it needs the whole server

    with _quiet():
        report = prove()
    print(json.dumps(report.as_json(), indent=2) if options.json else "\n".join(report.lines()))
    return 0 if report.is_proven else 1


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what a server tells of its work: here the report is the answer."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    try:
        yield
    finally:
        structlog.configure(**before)


# -- list


def _list(options: Options) -> int:
    found, slugs = look(options.data, partial(_found, options=options))
    if options.json:
        print(json.dumps([_entry(entry, slugs) for entry in found], indent=2))
    else:
        print("".join(f"{line}\n" for line in lines(found, slugs)), end="")
    return 0


def _found(session: Session, *, options: Options) -> tuple[list[Entry], dict[int | None, str]]:
    asked = latest(
        session,
        client_id=None if options.client is None else client_named(session, options.client).id,
        actor=options.actor,
        act=options.act,
        since_ms=options.since,
        limit=options.limit,
    )
    return asked, {client.id: client.slug for client in session.exec(select(Client))}


def lines(found: Sequence[Entry], slugs: dict[int | None, str]) -> Iterator[str]:
    """A line each, with a heading, in columns; harmless to a terminal."""
    rows = [_cells(entry, slugs) for entry in found]
    return columns([tuple(map(shown, row)) for row in ([_HEADING, *rows] if rows else [])])


def _cells(entry: Entry, slugs: dict[int | None, str]) -> tuple[str, ...]:
    return (
        str(entry.id),
        _when(entry.at_ms),
        f"{entry.party} {entry.actor}",
        str(entry.act),
        str(entry.subject),
        slugs.get(entry.client_id, ""),
        str(entry.source),
        str(entry.details),
    )


def _entry(entry: Entry, slugs: dict[int | None, str]) -> dict[str, object]:
    return {
        "id": entry.id,
        "at": _when(entry.at_ms),
        "party": entry.party,
        "actor": entry.actor,
        "act": entry.act,
        "subject": entry.subject,
        "client": slugs.get(entry.client_id),
        "source": entry.source,
        "details": _details(entry.details),
        "digest": entry.digest,
    }


def _details(text: str) -> object:
    """As they were recorded; where somebody has changed them since, the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _when(at_ms: int) -> str:
    """A time; where somebody has made it one that no calendar has, the number."""
    try:
        return f"{moment(at_ms):%Y-%m-%dT%H:%M:%SZ}"
    except (OverflowError, TypeError):
        return str(at_ms)


def _act(text: str) -> Act:
    try:
        return Act(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is none of {', '.join(Act)}") from error
