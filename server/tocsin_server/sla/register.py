"""The contracts that are in force: a folder of them, by client. All of its files count, or none.

A client has one contract at a time. Which one a ticket has is settled by the day of its creation.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from tocsin_server.sla.calendar import NeverOpen
from tocsin_server.sla.contract import Contract
from tocsin_server.sla.contractfile import load_contracts
from tocsin_server.yaml_files import Shelf

Contracts = Mapping[str, tuple[Contract, ...]]
"""By the client's slug."""
NO_CONTRACTS: Contracts = MappingProxyType({})


def by_client(folder: Path) -> Contracts:
    """The contracts of a folder; raises `ContractFileErrors`, and `OSError` for the folder."""
    found: defaultdict[str, list[Contract]] = defaultdict(list)
    for contract in load_contracts(folder):
        found[contract.client].append(contract)
    return MappingProxyType({client: tuple(theirs) for client, theirs in found.items()})


def with_others(contracts: Contracts, others: Iterable[Contract]) -> Contracts:
    """The same and some more."""
    found = defaultdict(list, {client: list(theirs) for client, theirs in contracts.items()})
    for contract in others:
        found[contract.client].append(contract)
    return MappingProxyType({client: tuple(theirs) for client, theirs in found.items()})


def contract_at(contracts: Contracts, client: str, at_ms: int) -> Contract | None:
    """The client's contract on the day of that moment."""
    theirs = contracts.get(client, ())
    return next((contract for contract in theirs if contract.version_at(at_ms) is not None), None)


def is_open(contracts: Contracts, client: str, at_ms: int) -> bool:
    """Whether it is business hours with a client: a calendar of its contract is open, of those that close.

    Always, where there is none of them.
    """
    contract = contract_at(contracts, client, at_ms)
    if contract is None:
        return True
    try:
        closing = [each for each in contract.calendars.values() if each.closes_about(at_ms)]
        return not closing or any(each.is_open(at_ms) for each in closing)
    except NeverOpen:  # a year that is not drawn
        return True


def contract_shelf(find: Callable[[], Path | None]) -> Shelf[Contracts]:
    """The contracts as they were read last without a mistake; `look` reads what has changed."""
    return Shelf(find, by_client, NO_CONTRACTS, files=_files)


def _files(folder: Path) -> list[Path]:
    """A contract may name calendars beside it."""
    return sorted(path for path in folder.iterdir() if path.is_file())
