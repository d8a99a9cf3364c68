"""The versions of a contract with their lines, as its file declares them.

versions:
  - from: 2026-01-01
    to: 2028-12-31                     without it: until further notice
    notice_days: 90
    renewal: {kind: tacit, months: 12} or {kind: express, …}, {kind: none}
    lines:
      - item: server                   its name in the catalogue
        unit: server
        price: 95.00
        per: month                     or once, quarter, year
        quantity: {source: inventory, of: server}
        sla: gold
        credit: {target: resolve, at_risk: 10%, cap: 10%, tiers: [{below: 95%, credit: 50%}]}
"""

import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from itertools import pairwise

import yaml

from tocsin_server.sla.agreementfile import read_choice
from tocsin_server.sla.contract import CreditRule, Line, Period, Quantity, Renewal, Source, Tier, Version
from tocsin_server.sla.holidays import read_date
from tocsin_server.sla.terms import Agreement, AgreementType, ClockKind
from tocsin_server.yaml_nodes import BadYaml, Fields, Text, line_of

_VERSION = ("from", "to", "notice_days", "renewal", "lines")
_LINE = ("item", "unit", "price", "per", "quantity", "sla", "credit")
_NUMBER = re.compile(r"\d{1,12}(?:\.\d{1,6})?", re.ASCII)
_WHOLE = re.compile(r"\d{1,4}", re.ASCII)
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,4})?)%", re.ASCII)
_MEANT = {Source.INVENTORY: "a kind of host or device", Source.METRIC: "an expression"}
"""Which quantities have an 'of', and what it is."""


def read_version(node: yaml.Node, agreements: Iterable[Agreement]) -> Version:
    """A version, whose lines name these agreements; raises `BadYaml`."""
    fields = Fields(node, _VERSION, what="a version")
    from_day, to_day = read_date(fields.wanted("from"), "'from'"), _last_day(fields)
    if to_day is not None and to_day < from_day:
        raise BadYaml(fields.line, "'to' is before 'from'")
    renewal, months = _renewal(fields)
    slas = [each.name for each in agreements if each.type is AgreementType.SLA]
    lines = tuple(_line(each, slas) for each in fields.items("lines"))
    if not lines:
        raise BadYaml(fields.line, "a version needs 'lines'")
    twice = [item for item, again in pairwise(sorted(line.item for line in lines)) if item == again]
    if twice:
        raise BadYaml(fields.line, f"'lines' have the item {twice[0]!r} twice")
    return Version(from_day, to_day, _whole(fields, "notice_days"), renewal, months, lines)


def _last_day(fields: Fields) -> date | None:
    return read_date(fields.wanted("to"), "'to'") if fields.has("to") else None


def _renewal(fields: Fields) -> tuple[Renewal, int]:
    node = fields.node("renewal")
    if node is None:
        raise BadYaml(
            fields.line, "a version needs 'renewal', such as {kind: tacit, months: 12} or {kind: none}"
        )
    said = Fields(node, ("kind", "months"), what="'renewal'")
    kind = read_choice(said, "kind", Renewal)
    if kind is Renewal.NONE and said.has("months"):
        raise BadYaml(said.line, "'renewal' of kind none has no 'months'")
    months = 0 if kind is Renewal.NONE else _whole(said, "months")
    if kind is not Renewal.NONE and not months:
        raise BadYaml(said.line, "'months' of 'renewal' are 1 at least")
    return kind, months


def _line(node: yaml.Node, slas: list[str]) -> Line:
    fields = Fields(node, _LINE, what="a line")
    sla = fields.text("sla")
    if sla.text and sla.text not in slas:
        raise BadYaml(sla.line, f"'sla': there is no SLA {sla.text!r}; there are {', '.join(slas) or 'none'}")
    return Line(
        fields.wanted("item").text,
        fields.wanted("unit").text,
        _number(fields.wanted("price"), "'price'"),
        read_choice(fields, "per", Period),
        _quantity(fields),
        sla.text,
        _credit(fields),
    )


def _quantity(fields: Fields) -> Quantity:
    node = fields.node("quantity")
    if node is None:
        raise BadYaml(fields.line, "a line needs 'quantity', such as {source: fixed, count: 1}")
    said = Fields(node, ("source", "count", "of"), what="'quantity'")
    source = read_choice(said, "source", Source)
    if said.has("count") != (source is Source.FIXED):
        raise BadYaml(said.line, "'count' is what a quantity of source fixed has, and no other")
    if said.has("of") != (source in _MEANT):
        meant = " or ".join(f"{what} ({each})" for each, what in _MEANT.items())
        raise BadYaml(
            said.line, f"'of' says {meant}; {source} {'needs it' if source in _MEANT else 'has none'}"
        )
    count = _number(said.wanted("count"), "'count'") if source is Source.FIXED else None
    return Quantity(source, count, said.wanted("of").text if source in _MEANT else "")


def _credit(fields: Fields) -> CreditRule | None:
    node = fields.node("credit")
    if node is None:
        return None
    said = Fields(node, ("target", "at_risk", "cap", "tiers"), what="'credit'")
    if not fields.text("sla").text:
        raise BadYaml(said.line, "'credit' needs the line to have an 'sla'")
    tiers = tuple(map(_tier, said.items("tiers")))
    if not tiers or any(later.below >= earlier.below for earlier, later in pairwise(tiers)):
        raise BadYaml(said.line, "'credit' needs 'tiers', each 'below' less than the one before")
    at_risk, cap = (_share(said.wanted(name), name) for name in ("at_risk", "cap"))
    return CreditRule(read_choice(said, "target", ClockKind), at_risk, cap, tiers)


def _tier(node: yaml.Node) -> Tier:
    fields = Fields(node, ("below", "credit"), what="a tier")
    below, credit = (_share(fields.wanted(name), name) for name in ("below", "credit"))
    if not below:
        raise BadYaml(line_of(node), "'below' 0% is never")
    return Tier(below, credit)


def _share(text: Text, name: str) -> Decimal:
    found = _SHARE.fullmatch(text.text)
    share = Decimal(found[1]) if found else None
    if share is None or share > 100:
        raise BadYaml(text.line, f"{name!r} has to be a share such as 12.5%, up to 100%, got {text.text!r}")
    return share


def _number(text: Text, what: str) -> Decimal:
    if not _NUMBER.fullmatch(text.text):
        raise BadYaml(text.line, f"{what} has to be a number such as 95 or 95.50, got {text.text!r}")
    return Decimal(text.text)


def _whole(fields: Fields, name: str) -> int:
    text = fields.wanted(name)
    if not _WHOLE.fullmatch(text.text):
        raise BadYaml(text.line, f"{name!r} has to be a whole number, got {text.text!r}")
    return int(text.text)
