"""Migrations make exactly the tables that the code has, keep data, and happen wholly or not at all."""

import importlib
import sqlite3
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlmodel import Session, SQLModel
from tests.databases import differences

import tocsin_server.access.store
import tocsin_server.alerts.store
import tocsin_server.desk.store
import tocsin_server.estate.store  # noqa: F401 - its tables
from tocsin_protocol.tickets import TicketPage
from tocsin_server.access.auditlog import entries
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.access.verification import verdict
from tocsin_server.desk.filters import Filters
from tocsin_server.desk.queue import ticket_page
from tocsin_server.desk.store import TEXTS
from tocsin_server.desk.words import words
from tocsin_server.errors import Misconfigured
from tocsin_server.storage.migrate import migrate, newest, revision, upgrade
from tocsin_server.storage.sqlite import sqlite_engine

pytestmark = pytest.mark.scenario

CLIENT = "INSERT INTO client VALUES (1, 'acme', 'Acme', 0)"
ALERT = (
    "INSERT INTO alert (id, client_id, rule_key, fingerprint, alertname, severity, expression, labels,"
    " row_labels, annotations, state, changed_ms)"
    " VALUES (1, 1, 'r', 'f', 'Hot', '', 'e', '{}', '{}', '{}', 'firing', 0)"
)
TRANSITION = (
    "INSERT INTO transition (id, client_id, alert_id, at_ms, old, new, annotations)"
    " VALUES (1, 1, 1, 0, 'inactive', 'firing', '{}')"
)

TICKET = (
    "INSERT INTO ticket (id, client_id, title, kind, state, priority, severity, version, human, confirm,"
    " opened_ms, updated_ms, solved_ms)"
    " VALUES (1, 1, 'Hot', 'incident', 'solved', 2, '', 2, 1, 0, 0, 0, 0)"
)
COMMENT = (
    "INSERT INTO ticket_event (id, client_id, ticket_id, at_ms, kind, actor_kind, actor, text, data)"
    " VALUES (1, 1, 1, 0, 'commented', 'person', 'alice', 'cool again', '{}')"
)


def test_the_migrated_tables_are_those_of_the_code(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    migrate(path, SQLModel.metadata)

    engine = sqlite_engine(path, read_only=True)
    with engine.connect() as connection:
        found = differences(connection)
    engine.dispose()

    assert found == []


def test_a_second_migration_has_nothing_to_do(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"

    assert migrate(path, SQLModel.metadata)
    assert not migrate(path, SQLModel.metadata)
    assert revision(path) == newest()


def test_a_database_of_a_later_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    migrate(path, SQLModel.metadata)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()

    with pytest.raises(Misconfigured, match="9999"):
        migrate(path, SQLModel.metadata)


def test_hosts_with_agents_and_tickets_are_there_after_their_table_was_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    engine = sqlite_engine(path, read_only=False)
    with engine.connect() as connection, connection.begin():
        upgrade(connection, SQLModel.metadata, to="0001")
        for statement in (
            "INSERT INTO client VALUES (1, 'acme', 'Acme', 0)",
            "INSERT INTO site VALUES (1, 1, 'berlin', 'Berlin', 0)",
            "INSERT INTO host VALUES (1, 1, 1, 'atlas', 'server', 'node', '', 0, NULL)",
            "INSERT INTO agent VALUES ('a', 1, 1, x'00', '', 0, NULL)",
        ):
            connection.exec_driver_sql(statement)
    engine.dispose()

    assert migrate(path, SQLModel.metadata)

    with sqlite3.connect(path) as database:
        joined = database.execute("SELECT name, agent.id FROM host JOIN agent ON host_id = host.id").fetchall()
        astray = database.execute("PRAGMA foreign_key_check").fetchall()
    database.close()
    assert joined == [("atlas", "a")]
    assert astray == []


def test_alerts_that_were_there_before_were_found_in_time(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    engine = sqlite_engine(path, read_only=False)
    with engine.connect() as connection, connection.begin():
        upgrade(connection, SQLModel.metadata, to="0003")
        for statement in (CLIENT, ALERT, TRANSITION):
            connection.exec_driver_sql(statement)
    engine.dispose()

    assert migrate(path, SQLModel.metadata)

    with sqlite3.connect(path) as database:
        late = database.execute(
            "SELECT alert.late, transition.late FROM alert JOIN transition ON alert_id = alert.id"
        )
        assert late.fetchall() == [(0, 0)]
    database.close()


def test_alerts_that_were_there_before_are_not_withheld_and_not_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    engine = sqlite_engine(path, read_only=False)
    with engine.connect() as connection, connection.begin():
        upgrade(connection, SQLModel.metadata, to="0004")
        for statement in (CLIENT, ALERT, TRANSITION):
            connection.exec_driver_sql(statement)
    engine.dispose()

    assert migrate(path, SQLModel.metadata)

    with sqlite3.connect(path) as database:
        alert = database.execute(
            "SELECT suppressed, suppressed_ms, acknowledged_ms, acknowledged_by FROM alert"
        )
        assert alert.fetchall() == [("[]", None, None, None)]
        assert database.execute("SELECT withheld, redelivers FROM transition").fetchall() == [("[]", 0)]
    database.close()


def test_tickets_that_were_solved_before_do_not_close_and_what_was_said_was_internal(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    engine = sqlite_engine(path, read_only=False)
    with engine.connect() as connection, connection.begin():
        upgrade(connection, SQLModel.metadata, to="0010")
        for statement in (CLIENT, TICKET, COMMENT):
            connection.exec_driver_sql(statement)
    engine.dispose()

    assert migrate(path, SQLModel.metadata)

    with sqlite3.connect(path) as database:
        ticket = database.execute(
            "SELECT closes_ms, public FROM ticket JOIN ticket_event ON ticket_id = ticket.id"
        )
        assert ticket.fetchall() == [(None, 0)]
    database.close()


def test_tickets_that_were_there_before_are_found_by_their_words(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    engine = sqlite_engine(path, read_only=False)
    with engine.connect() as connection, connection.begin():
        upgrade(connection, SQLModel.metadata, to="0011")
        for statement in (CLIENT, TICKET, COMMENT, "UPDATE ticket SET title = 'Größe'"):
            connection.exec_driver_sql(statement)
    assert migrate(path, SQLModel.metadata)

    with Session(engine) as session:
        there = [
            session.execute(select(TEXTS.c.words)).scalar_one().split(),
            *(page.tickets[0].id for page in map(partial(_search, session), ("grosse", "cool again", "#1"))),
        ]
    engine.dispose()
    assert there == [["\ue0001", "\ue0011", "grosse", "\ue003cool", "\ue003again"], 1, 1, 1]


def _search(session: Session, text: str) -> TicketPage:
    return ticket_page(session, EVERYWHERE, Filters(state="all", text=text))


def test_a_migration_folds_words_as_the_desk_does() -> None:
    module = importlib.import_module("tocsin_server.storage.migrations.versions.0015_words_of_tickets")
    texts = ["Größe ≥ 3 \x1b[31m", "İstanbul ﬁle e\u0301", "soft\u00adhyphen 障害", "x" * 200]

    assert [module._words(text) for text in texts] == [words(text) for text in texts]


def test_agents_that_were_there_before_are_heard_with_the_key_they_have(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    engine = sqlite_engine(path, read_only=False)
    with engine.connect() as connection, connection.begin():
        upgrade(connection, SQLModel.metadata, to="0005")
        for statement in (
            CLIENT,
            "INSERT INTO site VALUES (1, 1, 'berlin', 'Berlin', 0)",
            "INSERT INTO host VALUES (1, 1, 1, 'atlas', 'server', 'node', '', 0, NULL, NULL, NULL)",
            "INSERT INTO agent VALUES ('a', 1, 1, x'00', '', 0, NULL)",
        ):
            connection.exec_driver_sql(statement)
    engine.dispose()

    assert migrate(path, SQLModel.metadata)

    with sqlite3.connect(path) as database:
        assert database.execute("SELECT * FROM agent").fetchall() == [
            ("a", 1, 1, b"\0", "", 0, None, None, None, None)
        ]
        assert database.execute("SELECT count(*) FROM agent_event").fetchall() == [(0,)]
    database.close()


@pytest.mark.parametrize(
    "there", [[], [CLIENT], ["INSERT INTO person VALUES (1, 'a', 'A', 'admin', '', 0, NULL)"]]
)
def test_the_audit_log_of_a_database_in_use_begins_by_saying_so(tmp_path: Path, there: list[str]) -> None:
    path = tmp_path / "desk.db"
    engine = sqlite_engine(path, read_only=False)
    with engine.connect() as connection, connection.begin():
        upgrade(connection, SQLModel.metadata, to="0007")
        for statement in there:
            connection.exec_driver_sql(statement)

    assert migrate(path, SQLModel.metadata)

    with Session(engine) as session:
        log = list(entries(session))
    engine.dispose()
    assert [(entry.id, entry.act, entry.party) for entry in log] == [(1, "log.begun", "server")] * len(there)
    assert verdict(log, [], lambda _: False).fault is None


_KILLED = """
import os, signal, sys, threading, time
from pathlib import Path
import tocsin_server.estate.store, tocsin_server.access.store
import tocsin_server.alerts.store, tocsin_server.desk.store
from sqlalchemy import select
from sqlmodel import Session, SQLModel
from tests.databases import differences
from tocsin_server.storage.migrate import migrate
print("ready", flush=True)
def end():
    time.sleep(float(sys.argv[2]))
    os.kill(os.getpid(), signal.SIGKILL)
threading.Thread(target=end, daemon=True).start()
migrate(Path(sys.argv[1]), SQLModel.metadata)
"""


@pytest.mark.faults
@pytest.mark.parametrize("after_s", [0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08])
def test_a_killed_migration_has_happened_wholly_or_not_at_all(tmp_path: Path, after_s: float) -> None:
    path = tmp_path / "desk.db"

    subprocess.run([sys.executable, "-c", _KILLED, str(path), str(after_s)], check=False, timeout=60)

    assert revision(path) in (None, newest())
    migrate(path, SQLModel.metadata)
    assert revision(path) == newest()
