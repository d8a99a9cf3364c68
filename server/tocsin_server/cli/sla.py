"""`sla`: what a contract promises, and how the clocks of a ticket stand by it, each with its arithmetic."""

import argparse
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from sqlmodel import Session

from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.cli.command import AT, Commands, Options, command, from_one, group
from tocsin_server.cli.eventfile import A_MOMENT, load_events, moment_ms
from tocsin_server.cli.explained import as_json, lines
from tocsin_server.cli.query import shown
from tocsin_server.clock import SystemClock
from tocsin_server.config import DEFAULT_DATA, find_config
from tocsin_server.datafolder import look
from tocsin_server.decisions.folder import NO_DECIDERS, Tables, load_for_desk
from tocsin_server.desk.kept import Merged, merge, newest
from tocsin_server.desk.promised import Chosen, Promised, Terms, promised
from tocsin_server.desk.queue import ticket_row
from tocsin_server.errors import Misconfigured, TocsinError
from tocsin_server.sla.clock import clocks
from tocsin_server.sla.contract import Contract
from tocsin_server.sla.contractfile import ContractFileErrors, load_contract, load_contracts
from tocsin_server.sla.events import Event
from tocsin_server.sla.register import NO_CONTRACTS, by_client, is_open, with_others

T = TypeVar("T")

EXPLAIN_EXAMPLES = """\
examples:
  tocsin-server sla explain --ticket 42
  tocsin-server sla explain --ticket 42 --at 2026-06-08T09:30:00+02:00
  tocsin-server sla explain --contract contract.yml --events events.json --at 2026-06-08T09:30:00+02:00
  tocsin-server sla explain --contract contract.yml --events events.json --json

Every clock that the ticket has or had, with each segment of its time, why it is one, how much of it the
calendar is open, the deadline and the thresholds; in the calendar's own zone. Events later than --at have not
happened yet. A ticket is one of the data folder's, by the contracts as their files are now and as the item that
its timeline tells (the table's, where it tells none), whether or not the server runs. docs/desk.md has the
formats of both files and of the JSON. The status is 0 however the clocks stand, breached too, and 2 where a
file or an event cannot be taken or nothing is promised.
"""
CHECK_EXAMPLES = """\
examples:
  tocsin-server sla check
  tocsin-server sla check --data /var/lib/tocsin        (with those that its database keeps)
  tocsin-server sla check config/contracts/examples
"""


def add_commands(commands: Commands) -> None:
    """`sla explain, sla check`."""
    words = group(commands, "sla")
    explain = command(
        words,
        "explain",
        _explain,
        "say how each clock of a ticket stands, and how that is reckoned",
        data=False,
        examples=EXPLAIN_EXAMPLES,
    )
    which = explain.add_mutually_exclusive_group(required=True)
    which.add_argument("--ticket", type=_ticket, metavar="TICKET", help="a ticket's number")
    which.add_argument("--contract", type=Path, metavar="FILE", help="the contract, YAML")
    explain.add_argument("--events", type=Path, metavar="FILE", help="the ticket's events, JSON")
    explain.add_argument(
        "--data", type=Path, default=DEFAULT_DATA, help="data folder with the ticket (default %(default)s)"
    )
    explain.add_argument("--config", type=Path, help="folder with contracts/ and decisions/ for the ticket")
    explain.add_argument(AT, type=_moment_ms, metavar="TIME", help=f"{A_MOMENT} (default: now)")
    explain.add_argument("--json", action="store_true", help="the same for programs")
    check = command(
        words,
        "check",
        _check,
        "read contracts and say what is wrong",
        data=False,
        examples=CHECK_EXAMPLES,
    )
    check.add_argument(
        "files", type=Path, nargs="*", metavar="FILE", help="or a folder (default: config/contracts)"
    )
    check.add_argument("--config", type=Path, help="folder with contracts/ to look at")
    check.add_argument("--data", type=Path, help="data folder whose database keeps contracts, too")


def _explain(options: Options) -> int:
    at_ms = SystemClock().now_ms() if options.at is None else options.at
    try:
        asked = _of_files(options) if options.ticket is None else _of_ticket(options)
        found = clocks(asked.events, asked.contract, at_ms)
    except TocsinError as error:  # it quotes what stands in files
        raise Misconfigured(shown(error.message), remedy=shown(error.remedy)) from error
    if options.json:
        print(json.dumps(as_json(asked.contract, found, at_ms, asked.chosen), indent=2))
    else:
        print("".join(f"{line}\n" for line in lines(asked.contract, found, at_ms, asked.chosen)), end="")
    return 0


class _Asked(NamedTuple):
    """What is to be explained."""

    contract: Contract
    events: Sequence[Event]
    chosen: Sequence[Chosen] = ()


def _of_files(options: Options) -> _Asked:
    if options.events is None:
        raise Misconfigured("the ticket's events are missing", remedy="name their file with --events")
    return _Asked(load_contract(options.contract), load_events(options.events))


def _of_ticket(options: Options) -> _Asked:
    """The contract of a ticket and its events; raises `Misconfigured` where it has no clocks."""
    if options.events is not None:
        raise Misconfigured("a ticket has its own events", remedy="leave out --events")
    files = _read("contracts", options, by_client, NO_CONTRACTS)
    deciders = _read("decisions", options, load_for_desk, NO_DECIDERS)

    def ask(session: Session) -> tuple[str, Promised | None]:
        contracts = merge(files, newest(session)).contracts
        tables = Tables(deciders, is_open=partial(is_open, contracts))
        terms = Terms(contracts, tables, SystemClock().now_ms(), {})
        client = ticket_row(session, EVERYWHERE, options.ticket).client
        return client, promised(session, [options.ticket], terms).get(options.ticket)

    client, found = look(options.data, ask)
    if found is None or found.contract is None:
        why = f"there is no contract with {client}" if found is None else found.why
        raise Misconfigured(f"ticket {options.ticket} has no clocks: {why}")
    return _Asked(found.contract, found.events, found.chosen)


def _read(name: str, options: Options, load: Callable[[Path], T], nothing: T) -> T:
    folder = find_config(name, options.config)
    try:
        return nothing if folder is None else load(folder)
    except OSError as error:
        raise Misconfigured(f"{folder} cannot be read ({error.strerror})") from error


def _check(options: Options) -> int:
    folder = find_config("contracts", options.config)
    try:
        found = load_contracts(options.files or ([] if folder is None else folder))
    except OSError as error:
        raise Misconfigured(f"{error.filename} cannot be read ({error.strerror})") from error
    except ContractFileErrors as refused:
        for wrong in refused.errors:
            print(shown(str(wrong)))
        return 1
    merged = _with_kept(options, found)
    for contract in (each for theirs in merged.contracts.values() for each in theirs):
        print(shown(_told(contract)))
    print(f"contracts: {sum(map(len, merged.contracts.values()))}")
    for problem in merged.problems:
        print(shown(f"{problem.file}, {problem.rule}: {problem.reason}"))
    return 1 if merged.problems else 0


def _with_kept(options: Options, files: Sequence[Contract]) -> Merged:
    """Those of the database, too, where there is one."""
    of_files = with_others(NO_CONTRACTS, files)
    if options.data is None or options.files:
        return Merged(of_files)
    return look(options.data, lambda session: merge(of_files, newest(session)))


def _told(contract: Contract) -> str:
    counts = (
        f"calendars {len(contract.calendars)}",
        f"agreements {len(contract.agreements)}",
        f"versions {len(contract.versions)}",
    )
    return f"{contract.id} of {contract.client}: {', '.join(counts)}"


def _ticket(text: str) -> int:
    return from_one(text.removeprefix("#"))


def _moment_ms(text: str) -> int:
    try:
        return moment_ms(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not {A_MOMENT}") from error
