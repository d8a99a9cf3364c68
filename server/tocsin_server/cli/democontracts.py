"""The contracts of the demo's clients: what each is promised, so that its tickets have clocks.

Whatever is urgent is clocked day and night, so that clocks are seen to run whenever somebody looks.
"""

from dataclasses import asdict, dataclass
from string import Template

from sqlmodel import Session

from tocsin_server.access.auditlog import record
from tocsin_server.cli.writing import author, operator
from tocsin_server.desk.kept import draft_of_text, keep, kept_deed, newest_of
from tocsin_server.sla.register import NO_CONTRACTS

_TEXT = Template("""\
contract: $id
client: $client
title: $title (simulated)
zone: $zone
currency: EUR

pause_reasons:
  customer: client
  vendor: supplier
  approval: client
  schedule: nobody

calendars:
  - name: always
    zone: $zone
    hours: always
  - name: office hours
    zone: $zone
    hours:
      - {days: monday-friday, times: ["$hours"]}
    holidays:
      - {name: New Year's Day, date: 01-01}
      - {name: Labour Day, date: 05-01}
      - {name: Christmas, from: 12-25, to: 12-26}

agreements:
  - name: $sla
    type: sla
    calendar: office hours
    targets:
      1: {calendar: always, ack: $ack1, first_response: 30m, resolve: 4h, update: 1h}
      2: {calendar: always, ack: 30m, first_response: 1h, resolve: 8h}
      3: {ack: 2h, first_response: 4h, resolve: 20h}
      4: {ack: 4h, first_response: 8h, resolve: 50h}
    pauses:
      resolve: [customer, approval, schedule]
      update: [customer]
    thresholds: [50%, 75%, 90%, 100%]

versions:
  - from: 2020-01-01
    notice_days: 90
    renewal: {kind: tacit, months: 12}
    lines:
      - item: server
        unit: server
        price: 95.00
        per: month
        quantity: {source: inventory, of: server}
        sla: $sla
      - item: desktop
        unit: desktop
        price: 18.50
        per: month
        quantity: {source: inventory, of: desktop}
        sla: $sla
      - item: servicedesk
        unit: ticket
        price: 14.50
        per: month
        quantity: {source: tickets}
        sla: $sla
""")


@dataclass(frozen=True, slots=True)
class _Promised:
    title: str
    zone: str
    hours: str
    sla: str
    ack1: str
    """Within which time what is worst is acknowledged."""


_CONTRACTS = {
    "acme": _Promised("Servers and workplaces", "Europe/Berlin", "08:00-18:00", "gold", "5m"),
    "globex": _Promised("Infogérance", "Europe/Paris", "08:30-18:30", "silver", "15m"),
    "initech": _Promised("Managed infrastructure", "Europe/London", "09:00-17:30", "silver", "15m"),
    "soylent": _Promised("Laboratori e uffici", "Europe/Rome", "08:00-20:00", "gold", "5m"),
    "hooli": _Promised("Plataforma", "Europe/Madrid", "09:00-19:00", "bronze", "30m"),
}


def contract_text(client: str) -> str:
    """The document of one of the clients."""
    return _TEXT.substitute(asdict(_CONTRACTS[client]), id=f"{client.upper()}-DEMO", client=client)


def keep_contracts(session: Session, now_ms: int) -> None:
    """Keep those that are not there in any version: one that somebody has changed stays so."""
    for client in _CONTRACTS:
        draft = draft_of_text("demo", contract_text(client))
        if newest_of(session, draft.contract.id) is None:
            kept = keep(session, draft, versions=(), files=NO_CONTRACTS, author=author(), now_ms=now_ms)
            record(session, kept_deed(kept.document, by=operator()))
