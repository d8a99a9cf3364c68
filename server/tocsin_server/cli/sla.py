"""`sla`: what a contract promises, and how the clocks of a ticket stand by it, each with its arithmetic."""

import argparse
import json
from pathlib import Path

from tocsin_server.cli.command import AT, Commands, Options, command, group
from tocsin_server.cli.eventfile import A_MOMENT, load_events, moment_ms
from tocsin_server.cli.explained import as_json, lines
from tocsin_server.cli.query import shown
from tocsin_server.clock import SystemClock
from tocsin_server.config import find_config
from tocsin_server.errors import Misconfigured, TocsinError
from tocsin_server.sla.clock import clocks
from tocsin_server.sla.contract import Contract
from tocsin_server.sla.contractfile import ContractFileErrors, load_contract, load_contracts

EXPLAIN_EXAMPLES = """\
examples:
  tocsin-server sla explain --contract contract.yml --events events.json --at 2026-06-08T09:30:00+02:00
  tocsin-server sla explain --contract contract.yml --events events.json --json

Every clock that the ticket has or had, with each segment of its time, why it is one, how much of it the
calendar is open, the deadline and the thresholds; in the calendar's own zone. Events later than --at have not
happened yet. docs/desk.md has the formats of both files and of the JSON. The status is 0 however the clocks
stand, breached too, and 2 where a file or an event cannot be taken.
"""
CHECK_EXAMPLES = """\
examples:
  tocsin-server sla check
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
    explain.add_argument("--contract", type=Path, required=True, metavar="FILE", help="the contract, YAML")
    explain.add_argument("--events", type=Path, required=True, metavar="FILE", help="the ticket's events, JSON")
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


def _explain(options: Options) -> int:
    at_ms = SystemClock().now_ms() if options.at is None else options.at
    try:
        contract = load_contract(options.contract)
        found = clocks(load_events(options.events), contract, at_ms)
    except TocsinError as error:  # it quotes what stands in files
        raise Misconfigured(shown(error.message), remedy=shown(error.remedy)) from error
    if options.json:
        print(json.dumps(as_json(contract, found, at_ms), indent=2))
    else:
        print("".join(f"{line}\n" for line in lines(contract, found, at_ms)), end="")
    return 0


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
    for contract in found:
        print(shown(_told(contract)))
    print(f"contracts: {len(found)}")
    return 0


def _told(contract: Contract) -> str:
    counts = (
        f"calendars {len(contract.calendars)}",
        f"agreements {len(contract.agreements)}",
        f"versions {len(contract.versions)}",
    )
    return f"{contract.id} of {contract.client}: {', '.join(counts)}"


def _moment_ms(text: str) -> int:
    try:
        return moment_ms(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not {A_MOMENT}") from error
