"""What a desk in use has written before the newest migrations is there after them, on both databases."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import column, insert, table, text
from sqlmodel import SQLModel

from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.desk.filters import Filters
from tocsin_server.desk.queue import ticket_page
from tocsin_server.desk.store import FAR_MS
from tocsin_server.storage.address import Address, engine
from tocsin_server.storage.engine import Storage
from tocsin_server.storage.migrate import migrate, newest, revision, upgrade

pytestmark = pytest.mark.scenario

EARLIER = "0011"
TICKETS = 1200
"""More than words are written for at once."""
NUMBERS = range(1, TICKETS + 1)
_ALERT = {
    "id": 1,
    "client_id": 2,
    "rule_key": "r",
    "fingerprint": "f",
    "alertname": "Hot",
    "severity": "",
    "expression": "e",
    "labels": "{}",
    "row_labels": "{}",
    "annotations": "{}",
    "state": "firing",
    "changed_ms": 0,
}
_PERSON = {
    "id": 1,
    "login": "alice",
    "name": "Alice",
    "role": "technician",
    "password_hash": "",
    "created_ms": 0,
}


def _host(client: int) -> dict[str, Any]:
    names = {"name": "atlas", "kind": "server", "job": "node", "os": ""}
    return {"id": client, "client_id": client, "site_id": client, "enrolled_ms": 0, **names}


def _ticket(number: int) -> dict[str, Any]:
    client = 1 + number % 2
    return {
        "id": number,
        "client_id": client,
        "site_id": client,
        "host_id": client,
        "title": f"Größe {number}",
        "state": ("new", "pending", "solved", "closed")[number % 4],
        "priority": 2,
        "severity": "",
        "team": "servers",
        "owner_id": 1,
        "version": 2,
        "human": True,
        "confirm": False,
        "opened_ms": number,
        "updated_ms": number,
    }


def _comment(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "client_id": 1 + number % 2,
        "ticket_id": number,
        "at_ms": number,
        "kind": "commented",
        "actor_kind": "person",
        "actor": "alice",
        "text": f"cable c{number}",
        "data": "{}",
        "public": False,
    }


_ROWS: dict[str, list[dict[str, Any]]] = {
    "client": [
        {"id": number, "slug": slug, "name": slug, "created_ms": 0}
        for number, slug in ((1, "acme"), (2, "globex"))
    ],
    "site": [
        {"id": client, "client_id": client, "slug": "hq", "name": "HQ", "created_ms": 0} for client in (1, 2)
    ],
    "host": [_host(1), _host(2)],
    "person": [_PERSON],
    "login_session": [{"digest": "d", "person_id": 1, "created_ms": 0, "used_ms": 0}],
    "ticket": [_ticket(number) for number in NUMBERS],
    "ticket_event": [_comment(number) for number in NUMBERS],
    "alert": [_ALERT],
    "ticket_alert": [{"ticket_id": 1, "alert_id": 1, "client_id": 2}],
}
"""Tables as they were then, whatever they are in the code by now."""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def earlier(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Address]:
    """A database that an earlier version has worked with."""
    if request.param == "sqlite":
        where = Address.of_file(tmp_path / "tocsin.db")
        _fill(where)
        yield where
        return
    cluster = request.getfixturevalue("cluster")
    name = cluster.copy_of()
    where = Address.of(cluster.url(name))
    _fill(where)
    yield where
    cluster.drop(name)


def _fill(where: Address) -> None:
    writer = engine(where, read_only=False)
    with writer.connect() as connection, connection.begin():
        upgrade(connection, SQLModel.metadata, to=EARLIER)
        for name, rows in _ROWS.items():
            connection.execute(insert(table(name, *map(column, rows[0]))), rows)
    writer.dispose()


def test_people_go_on_as_they_were(earlier: Address) -> None:
    assert migrate(earlier, SQLModel.metadata)

    assert _asked(earlier, "SELECT login, all_clients, mail FROM person") == [("alice", True, "")]
    assert _asked(earlier, "SELECT person_id, source FROM login_session") == [(1, "")]


def test_tickets_have_to_do_with_no_other_and_nobody_has_looked_at_their_clocks(earlier: Address) -> None:
    assert migrate(earlier, SQLModel.metadata)

    assert _asked(
        earlier,
        "SELECT merged_into, parent_id, windows, supplier, requester_id, tells_ms, due_ms, version, team,"
        " count(*) FROM ticket GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9",
    ) == [(None, None, "", "", None, None, FAR_MS, 2, "servers", TICKETS)]
    assert _asked(earlier, "SELECT ticket_id, via_id, cut_off FROM ticket_alert") == [(1, None, False)]


def test_all_tickets_are_found_by_their_words(earlier: Address) -> None:
    assert migrate(earlier, SQLModel.metadata)

    _are_found(earlier)


@pytest.mark.faults
@pytest.mark.parametrize("batches", [1, 2])
def test_a_migration_that_is_killed_as_it_writes_words_happens_when_it_is_run_again(
    earlier: Address, batches: int
) -> None:
    command = [sys.executable, "-c", _KILLED, _named(earlier), str(batches)]
    ended = subprocess.run(command, check=False, timeout=60)

    assert ended.returncode == -9
    assert revision(earlier) == EARLIER
    assert migrate(earlier, SQLModel.metadata)
    assert revision(earlier) == newest()
    _are_found(earlier)


_KILLED = """
import os, signal, sys
from pathlib import Path
from alembic import op
import tocsin_server.datafolder as folder
from tocsin_server.storage.address import Address
from tocsin_server.storage.migrate import migrate
written, insert = [], op.bulk_insert
def die(table, rows):
    insert(table, rows)
    written.append(table.name)
    if len(written) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
op.bulk_insert = die
named = sys.argv[1]
migrate(Address.of(named) if "://" in named else Address.of_file(Path(named)), folder.TABLES)
"""


def _named(where: Address) -> str:
    return str(where.path) if where.is_sqlite else where.url.render_as_string(hide_password=False)


def _asked(where: Address, question: str) -> list[Any]:
    with Storage(where) as storage:
        return storage.read(lambda session: [tuple(row) for row in session.execute(text(question))])


def _are_found(where: Address) -> None:
    """Each by a word of its title and by one of its comment; and there are words of each."""
    with Storage(where) as storage:
        for number in (1, 2, 999, 1000, 1001, TICKETS):
            for words in (f"{number} grosse", f"c{number} cable", f"#{number}"):
                assert _search(storage, words) == [number], words
    assert _asked(where, "SELECT count(*) FROM ticket_text") == [(TICKETS,)]


def _search(storage: Storage, words: str) -> list[int]:
    asked = Filters(state="all", text=words)
    return [ticket.id for ticket in storage.read(lambda s: ticket_page(s, EVERYWHERE, asked)).tickets]
