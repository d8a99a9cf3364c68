"""The tickets of many years: a desk's people, places and tickets, written as plain rows.

BENCH_TICKETS tickets of 2,000 clients with ten hosts each, four events a ticket, over three years: one in
fifty is open, most of those are young, and a few clients have most of the tickets. Texts are made of words as
frequent as a language's.
"""

import os
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import insert, text, update
from sqlmodel import Session
from tests.places import add_places
from tests.processes import ServerProcess

from tocsin_protocol.vocabulary import ActorKind, Role, TicketEventKind, TicketKind, TicketState
from tocsin_server.access.store import PersonRow
from tocsin_server.clock import SystemClock
from tocsin_server.datafolder import TABLES
from tocsin_server.desk.store import EVENTS, TICKETS
from tocsin_server.desk.texts import Worded, write_texts
from tocsin_server.desk.words import Said
from tocsin_server.estate.store import Host
from tocsin_server.storage.address import Address
from tocsin_server.storage.engine import Storage
from tocsin_server.storage.migrate import migrate

TICKET_COUNT = int(os.environ.get("BENCH_TICKETS", "1000000"))
CLIENTS = 2000
_HOSTS_EACH, _PEOPLE = 10, 40
_FIRST_CLIENT = 100
_OPEN_SHARE = 0.02
_YEARS_MS = 3 * 365 * 86_400_000
_BATCH = 10_000
_TEAMS = ("servers", "network", "desktops", "applications")
_TITLES = (
    "/srv/{0} on {1} is full",
    "{1} is not reachable",
    "Backup of {1} failed",
    "Certificate of {1} expires",
    "Memory of {1} is used up",
    "{2} {3} does not {4}",
    "Printer {2} {3} is jammed",
    "Login of {2} {3} is refused",
)


def load(server: ServerProcess, where: Address) -> str:
    """Load it all; a technician's session."""
    token = server.prepare()["session"]
    migrate(where, TABLES)
    with Storage(where) as storage:
        storage.write(_estate)
        now_ms, chance, sentences = SystemClock().now_ms(), random.Random(7), _sentences(random.Random(11))
        for first in range(1, TICKET_COUNT + 1, _BATCH):
            tickets = [
                _ticket(number, now_ms, chance)
                for number in range(first, min(first + _BATCH, TICKET_COUNT + 1))
            ]
            storage.write(lambda session, rows=tickets: _write(session, rows, chance, sentences))  # type: ignore[misc]
        storage.write(_settle)
    return token


def _write(
    session: Session, tickets: Sequence[dict[str, Any]], chance: random.Random, sentences: Sequence[str]
) -> None:
    said = [[chance.choice(sentences) for _ in range(3)] for _ in tickets]
    session.execute(insert(TICKETS), tickets)
    session.execute(
        insert(EVENTS),
        [event for ticket, words in zip(tickets, said, strict=True) for event in _events(ticket, words)],
    )
    write_texts(
        session,
        [
            Worded(
                ticket_id=ticket["id"],
                client_id=ticket["client_id"],
                host_id=ticket["host_id"],
                title=ticket["title"],
                is_open=ticket["solved_ms"] is None,
                is_new=True,
                texts=[Said(sentence, public=False) for sentence in words],
            )
            for ticket, words in zip(tickets, said, strict=True)
        ],
    )


def _estate(session: Session) -> None:
    now_ms = SystemClock().now_ms()
    first = _FIRST_CLIENT
    session.execute(
        insert(PersonRow),
        [
            {
                "id": 100 + n,
                "login": f"person-{n}",
                "name": f"Person {n}",
                "role": Role.TECHNICIAN,
                "password_hash": "",
                "created_ms": now_ms,
            }
            for n in range(_PEOPLE)
        ],
    )
    clients = {first + n: f"client-{n + 1}" for n in range(CLIENTS)}
    hosts = {
        client * _HOSTS_EACH + host: (client, f"host-{client - first + 1}-{host}")
        for client in clients
        for host in range(_HOSTS_EACH)
    }
    add_places(session, clients, hosts, at_ms=now_ms)
    session.execute(
        update(Host).values(retired_ms=now_ms)
    )  # the desk is asked, and nothing is judged beside it


def _ticket(number: int, now_ms: int, chance: random.Random) -> dict[str, Any]:
    """The later its number, the younger; of the open ones most are of the last weeks."""
    client = int(chance.random() ** 3 * CLIENTS)
    client_id, host = _FIRST_CLIENT + client, chance.randrange(_HOSTS_EACH)
    opened_ms = now_ms - round(_YEARS_MS * (1 - number / TICKET_COUNT)) - chance.randrange(3_600_000)
    is_young = number > TICKET_COUNT * 0.97
    is_open = chance.random() < (_OPEN_SHARE * 30 if is_young else _OPEN_SHARE / 10)
    owner = 100 + chance.randrange(_PEOPLE) if not is_open or chance.random() < 0.7 else None
    is_request = chance.random() < 0.3
    return {
        "id": number,
        "client_id": client_id,
        "site_id": client_id,
        "host_id": client_id * _HOSTS_EACH + host,
        "key": None if is_request else f"{number:032x}",
        "title": chance.choice(_TITLES).format(
            chance.randrange(100), f"host-{client + 1}-{host}", "Room", chance.randrange(400), "start"
        ),
        "kind": TicketKind.REQUEST if is_request else TicketKind.INCIDENT,
        "state": _state(owner) if is_open else TicketState.CLOSED,
        "priority": chance.choice((1, 2, 3, 3, 3, 4)),
        "severity": "" if is_request else "warning",
        "owner_id": owner,
        "team": chance.choice(_TEAMS),
        "version": 4,
        "human": True,
        "confirm": False,
        "opened_ms": opened_ms,
        "updated_ms": opened_ms + 7_200_000,
        "solved_ms": None if is_open else opened_ms + 7_200_000,
    }


def _state(owner: int | None) -> TicketState:
    return TicketState.NEW if owner is None else TicketState.IN_PROGRESS


def _events(ticket: Mapping[str, Any], said: Sequence[str]) -> Iterator[dict[str, Any]]:
    last = TicketEventKind.COMMENTED if ticket["solved_ms"] is None else TicketEventKind.SOLVED
    kinds = (TicketEventKind.OPENED, TicketEventKind.TAKEN, TicketEventKind.COMMENTED, last)
    texts = (said[0], "", said[1], said[2])
    for number, (kind, words) in enumerate(zip(kinds, texts, strict=True)):
        yield {
            "client_id": ticket["client_id"],
            "ticket_id": ticket["id"],
            "at_ms": ticket["opened_ms"] + number * 1_800_000,
            "kind": kind,
            "actor_kind": ActorKind.PERSON,
            "actor": "person-3",
            "text": words,
            "data": {},
            "public": False,
        }


def _sentences(chance: random.Random) -> list[str]:
    """Six to fourteen words each; of the vocabulary a few are met in every second sentence, most seldom."""
    parts = ("ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "zu", "pel", "dor", "kes", "rep", "tam")
    vocabulary = ["".join(chance.choice(parts) for _ in range(chance.randint(1, 4))) for _ in range(8000)]
    common = [
        "the",
        "it",
        "is",
        "was",
        "again",
        "after",
        "restart",
        "user",
        "says",
        "checked",
        "replaced",
        "cable",
        "service",
        "disk",
        "memory",
        "done",
    ]
    return [
        " ".join(
            chance.choice(common) if chance.random() < 0.5 else vocabulary[int(chance.random() ** 4 * 8000)]
            for _ in range(chance.randint(6, 14))
        )
        for _ in range(60_000)
    ]


def _settle(session: Session) -> None:
    """What a database finds out by itself within minutes, and its numbers go on from what was loaded."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("ANALYZE"))
        for name in ("ticket", "ticket_event"):
            session.execute(text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) FROM {name}"))  # noqa: S608
