"""A contract's file, read strictly: everything that is wrong in it is told with file, line, key and remedy.

contract: HELIOS-2026         its id, in no other file
client: helios                the client's slug
title: Infogérance            what people call it
zone: Europe/Paris            where its days begin
currency: EUR
pause_reasons:                what a ticket may wait for: client, team, supplier, nobody
  awaiting_customer: client
calendars:  […]               `calendarfile.py`
agreements: […]               `agreementfile.py`
versions:   […]               `linefile.py`
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import yaml

from tocsin_server.sla.agreementfile import read_agreement
from tocsin_server.sla.calendarfile import read_calendar, read_zone
from tocsin_server.sla.contract import Contract, Version
from tocsin_server.sla.holidays import ReadText
from tocsin_server.sla.linefile import read_version
from tocsin_server.sla.terms import Agreement, AgreementType, WaitsFor
from tocsin_server.yaml_files import FileErrors, read_text, yaml_files
from tocsin_server.yaml_nodes import BadYaml, Fields, composed, line_of

MOST_ENTRIES = 1000
"""Of a list, such as a calendar's or a version's."""

_LISTS = ("calendars", "agreements", "versions")
_FIELDS = ("contract", "client", "title", "zone", "currency", "pause_reasons", *_LISTS)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ContractFileError:
    """One thing that is wrong in a file. `line` counts from 1; `key` is `list/name`, empty above the lists."""

    file: str
    line: int
    key: str
    reason: str

    def __str__(self) -> str:
        key = f", {self.key}" if self.key else ""
        return f"{self.file}:{self.line}{key}: {self.reason}"


class ContractFileErrors(FileErrors[ContractFileError]):
    """Files that were refused, with everything that is wrong in them."""


def load_contract(path: Path) -> Contract:
    """The contract of a file; raises `ContractFileErrors`."""
    try:
        text = read_text(path)
    except BadYaml as error:
        raise ContractFileErrors([ContractFileError(str(path), error.line, "", error.reason)]) from error
    return read_contract(str(path), text, lambda name: read_text(path.parent / name))


def load_contracts(paths: Sequence[Path] | Path) -> list[Contract]:
    """Files, or a folder of them; raises `ContractFileErrors` for all that is wrong, `OSError` for a folder."""
    loaded: dict[str, Contract] = {}
    of_client: defaultdict[str, list[Contract]] = defaultdict(list)
    errors: list[ContractFileError] = []
    for file in yaml_files(paths):
        try:
            contract = load_contract(file)
        except ContractFileErrors as refused:
            errors += refused.errors
            continue
        if contract.id in loaded:
            errors.append(
                ContractFileError(str(file), 1, "contract", f"{contract.id!r} is in another file too")
            )
        loaded[contract.id] = contract
        errors += _clashes(str(file), contract, of_client[contract.client])
        of_client[contract.client].append(contract)
    if errors:
        raise ContractFileErrors(errors)
    return list(loaded.values())


def _clashes(file: str, contract: Contract, others: Sequence[Contract]) -> Iterator[ContractFileError]:
    """Of two contracts at a time nobody could say which a ticket has."""
    for other in others:
        if contract.meets(other) and contract.id != other.id:
            reason = (
                f"{contract.client!r} has {other.id!r} at the same time: let one end before the other begins"
            )
            yield ContractFileError(file, 1, "versions", reason)


def read_contract(file: str, text: str, beside: ReadText) -> Contract:
    """The contract that a text declares, with the texts of files beside it; raises `ContractFileErrors`."""
    return _read(file, lambda: _document(text), beside)


def read_contract_node(file: str, node: yaml.Node, beside: ReadText) -> Contract:
    """The contract that a document of YAML declares; raises `ContractFileErrors`."""
    return _read(file, lambda: node, beside)


def _read(file: str, document: Callable[[], yaml.Node], beside: ReadText) -> Contract:
    reading = _Reading(file)
    contract = reading.contract(document, beside)
    if reading.errors or contract is None:
        raise ContractFileErrors(reading.errors)
    return contract


class _Reading:
    """A file being read: collects what is wrong and goes on with the next entry.

    A list is read once the one that it names things of is whole, so that no mistake is told twice.
    """

    def __init__(self, file: str) -> None:
        self.errors: list[ContractFileError] = []
        self._file = file

    def contract(self, document: Callable[[], yaml.Node], beside: ReadText) -> Contract | None:
        try:
            return self._contract(Fields(document(), _FIELDS, what="a contract"), beside)
        except BadYaml as error:
            self._refuse(error, "")
            return None

    def _contract(self, fields: Fields, beside: ReadText) -> Contract:
        client, reasons = fields.wanted("client").text, _pause_reasons(fields)
        calendars = self._named(fields, "calendars", lambda node: read_calendar(node, beside))
        agreements = self._named(
            fields, "agreements", lambda node: read_agreement(node, client, calendars, reasons)
        )
        _refuse_two_of_one_party(fields, agreements)
        return Contract(
            fields.wanted("contract").text,
            client,
            fields.wanted("title").text,
            read_zone(fields),
            _currency(fields),
            calendars,
            reasons,
            agreements,
            self._versions(fields, agreements),
            self._file,
        )

    def _named(self, fields: Fields, name: str, read: Callable[[yaml.Node], T]) -> dict[str, T]:
        """The entries of a list by their names, without those that are wrong."""
        found: dict[str, T] = {}
        for node in self._entries(fields, name):
            called = _name_of(node)
            if called in found:
                self._refuse(BadYaml(line_of(node), f"{called!r} stands twice"), f"{name}/{called}")
            try:
                found[called] = read(node)
            except BadYaml as error:
                self._refuse(error, f"{name}/{called}")
        return found

    def _versions(self, fields: Fields, agreements: Mapping[str, Agreement]) -> tuple[Version, ...]:
        found: list[Version] = []
        for number, node in enumerate(self._entries(fields, "versions"), 1):
            try:
                found.append(read_version(node, agreements.values()))
            except BadYaml as error:
                self._refuse(error, f"versions/{number}")
        for earlier, later in pairwise(found):
            if earlier.to_day is None or later.from_day <= earlier.to_day:
                reason = (
                    f"the version from {later.from_day} begins before the one before has ended: say 'to' there"
                )
                self._refuse(BadYaml(fields.line, reason), "versions")
        return tuple(found)

    def _entries(self, fields: Fields, name: str) -> Sequence[yaml.Node]:
        nodes = fields.items(name)
        if not nodes or len(nodes) > MOST_ENTRIES:
            raise BadYaml(fields.line, f"a contract has 1 to {MOST_ENTRIES} {name}, here are {len(nodes)}")
        return () if self.errors else nodes

    def _refuse(self, error: BadYaml, key: str) -> None:
        self.errors.append(ContractFileError(self._file, error.line, key, error.reason))


def _document(text: str) -> yaml.Node:
    document = composed(text)
    if document is None:
        raise BadYaml(1, "the file is empty: a contract needs 'contract', 'client' and the rest")
    return document


def _pause_reasons(fields: Fields) -> dict[str, WaitsFor]:
    reasons = {}
    for name, text in fields.texts("pause_reasons").items():
        try:
            reasons[name] = WaitsFor(text.text)
        except ValueError as error:
            raise BadYaml(
                text.line, f"{name!r} waits for one of {', '.join(WaitsFor)}, got {text.text!r}"
            ) from error
    return reasons


def _refuse_two_of_one_party(fields: Fields, agreements: Mapping[str, Agreement]) -> None:
    parties = sorted(each.counterparty for each in agreements.values() if each.type is not AgreementType.SLA)
    for party, again in pairwise(parties):
        if party == again:
            raise BadYaml(fields.line, f"two agreements have the counterparty {party!r}: which is meant")


def _currency(fields: Fields) -> str:
    text = fields.wanted("currency")
    if not _CURRENCY.fullmatch(text.text):
        raise BadYaml(text.line, f"'currency' is a code of three letters such as EUR, got {text.text!r}")
    return text.text


def _name_of(node: yaml.Node) -> str:
    """The name of an entry, whatever else may be wrong with it; empty where it has none."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    names = (value.value for key, value in pairs if key.value == "name" and isinstance(value, yaml.ScalarNode))
    return next(names, "")
