"""A contract for tests, with agreements of each type and each way."""

from functools import cache

from tocsin_server.sla.contract import Contract
from tocsin_server.sla.contractfile import read_contract

CONTRACT = """
contract: ACME-1
client: acme
title: Servers
zone: Europe/Paris
currency: EUR
pause_reasons: {awaiting_customer: client, awaiting_vendor: supplier}
calendars:
- {name: always, zone: Europe/Paris, hours: always}
- name: business
  zone: Europe/Paris
  hours: [{days: monday-friday, times: ["08:00-18:00"]}]
  holidays:
  - {name: Fête du Travail, date: 05-01}
  - {name: Lundi de Pentecôte, date: 2026-05-25}
agreements:
- name: gold
  type: sla
  calendar: business
  targets:
    1: {ack: 15m, first_response: 30m, resolve: 4h}
    2: {ack: 30m, first_response: 1h, resolve: 8h, update: 2h}
    3: {calendar: always, resolve: 24h}
    4: {ack: 0m}
  pauses: {resolve: [awaiting_customer], update: [awaiting_customer]}
  thresholds: [50%, 100%, 150%, 30m]
- name: iron
  type: sla
  calendar: business
  targets: {2: {ack: 5m, resolve: 6h}}
  on_change: from_change
- name: silver
  type: sla
  calendar: business
  targets: {2: {ack: 2h, resolve: 10h, update: 4h}}
  pauses: {resolve: [awaiting_vendor]}
  on_merge: earliest_start
- name: network
  type: ola
  counterparty: network team
  calendar: business
  targets: {1: {resolve: 2h}, 2: {ack: 20m, resolve: 5h}}
  pauses: {resolve: [awaiting_customer, awaiting_vendor]}
- name: systems
  type: ola
  counterparty: systems team
  calendar: business
  targets: {2: {ack: 10m, resolve: 5h}}
- name: lines
  type: uc
  counterparty: Télécom
  calendar: always
  targets: {2: {resolve: 4h}}
  pauses: {resolve: [awaiting_customer]}
versions:
- from: 2026-01-01
  notice_days: 90
  renewal: {kind: none}
  lines:
  - {item: server, unit: server, price: 95, per: month, quantity: {source: inventory, of: server}, sla: gold}
  - {item: desktop, unit: desktop, price: 20, per: month, quantity: {source: fixed, count: 3}, sla: silver}
  - {item: advice, unit: hour, price: 120, per: once, quantity: {source: time}}
"""


@cache
def contract() -> Contract:
    return read_contract("acme.yml", CONTRACT, lambda name: "")
