"""PostgreSQL shows nothing to who does not say for whom, lets one write at a time, and may go and come back."""

import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from sqlmodel import Session, SQLModel
from tests.databases import differences
from tests.postgres import Cluster, running
from tests.server.desk.world import World
from tests.server.storage.test_migrate import ALERT, CLIENT, TRANSITION

from tocsin_server.access.auditlog import entries
from tocsin_server.access.verification import verdict
from tocsin_server.desk import texts
from tocsin_server.errors import Misconfigured, Unavailable, Unprocessable
from tocsin_server.storage.address import Address, engine
from tocsin_server.storage.engine import Storage
from tocsin_server.storage.limits import READERS
from tocsin_server.storage.migrate import migrate, newest, revision, upgrade
from tocsin_server.storage.postgres import WRITING
from tocsin_server.storage.standing import standing, tables_of_clients

pytestmark = [
    pytest.mark.real,
    pytest.mark.usefixtures("empty"),
    pytest.mark.parametrize("empty", ["postgresql"], indirect=True),
]

COUNT = text("SELECT count(*) FROM person")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin_server.storage.postgres.SERVING_MS", 100)


@pytest.fixture(autouse=True)
def each_connection_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """And none that is let go of stays open."""
    monkeypatch.setattr("tests.databases.as_new", lambda _: False)


@pytest.fixture
def address(storage: Storage) -> Address:
    return storage.address


@pytest.fixture
def plain(address: Address, storage: Storage) -> Iterator[psycopg.Connection]:
    """A connection of the role's own, past tocsin, to a database with Acme (1) and Globex (2)."""
    storage.write(World.people_and_places)
    with psycopg.connect(conninfo(address)) as connection:
        yield connection


def conninfo(address: Address, *, role: str = "tocsin") -> str:
    return f"host={address.url.query['host']} dbname={address.url.database} user={role}"


def hosts_seen(connection: psycopg.Connection, clients: str | None) -> list[int]:
    if clients is not None:
        connection.execute("SELECT set_config('tocsin.clients', %s, true)", [clients])
    return [row[0] for row in connection.execute("SELECT client_id FROM host ORDER BY client_id")]


def add_person(login: str):
    statement = text(
        "INSERT INTO person (login, name, role, password_hash, created_ms) VALUES (:login, '', 'viewer', '', 0)"
    )

    def act(session: Session) -> str:
        session.execute(statement, {"login": login})
        return login

    return act


def count(session: Session) -> int:
    return session.execute(COUNT).scalar_one()


def end_backends(address: Address, *, writing: bool) -> int:
    """What an operator, or a crash, does to our connections: to the one that writes, or to all; how many."""
    with psycopg.connect(conninfo(address, role="postgres"), autocommit=True) as operator:
        ended = operator.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename = 'tocsin'"
            " AND (NOT %s OR pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory'))",
            [writing],
        )
        return len(ended.fetchall())


# Row-level security


def test_rows_of_other_clients_are_not_seen(plain: psycopg.Connection) -> None:
    assert hosts_seen(plain, "1") == [1]


@pytest.mark.parametrize(
    ("clients", "seen"),
    [
        (None, []),  # nobody has said for whom: fail closed
        ("", []),
        ("all", [1, 2]),
        ("2,1", [1, 2]),
        ("3", []),
        ("12", []),  # 12 is neither 1 nor 2
        ("ALL", []),
        ("1 OR 2", []),
        ("{1,2}", []),
    ],
)
def test_a_transaction_sees_the_clients_that_it_names(
    plain: psycopg.Connection, clients: str | None, seen: list[int]
) -> None:
    assert hosts_seen(plain, clients) == seen


def test_what_one_transaction_was_shown_the_next_is_not(plain: psycopg.Connection) -> None:
    assert hosts_seen(plain, "all") == [1, 2]
    plain.commit()

    assert hosts_seen(plain, None) == []


def test_rows_of_other_clients_can_be_neither_made_nor_changed_nor_taken(plain: psycopg.Connection) -> None:
    plain.execute("SELECT set_config('tocsin.clients', '1', true)")

    assert plain.execute("UPDATE host SET name = 'x' WHERE client_id = 2").rowcount == 0
    assert plain.execute("DELETE FROM host WHERE client_id = 2").rowcount == 0
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
        plain.execute("UPDATE site SET client_id = 2 WHERE client_id = 1")


def test_a_row_of_another_client_cannot_be_made(plain: psycopg.Connection) -> None:
    plain.execute("SELECT set_config('tocsin.clients', '1', true)")

    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
        plain.execute("INSERT INTO site (client_id, slug, name, created_ms) VALUES (2, 'oslo', 'Oslo', 0)")


def test_asking_without_row_level_security_is_refused_even_to_the_owner(plain: psycopg.Connection) -> None:
    plain.execute("SET LOCAL row_security = off")

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        plain.execute("SELECT * FROM host")


def test_the_role_cannot_put_itself_above_row_level_security(plain: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        plain.execute("ALTER ROLE tocsin BYPASSRLS")


def test_every_table_with_rows_of_clients_is_shielded(plain: psycopg.Connection) -> None:
    shielded = plain.execute(
        "SELECT relname FROM pg_class JOIN pg_policy ON polrelid = pg_class.oid"
        " WHERE relrowsecurity AND relforcerowsecurity AND polcmd = '*' AND polpermissive"
        " AND pg_get_expr(polqual, polrelid) = pg_get_expr(polwithcheck, polrelid)"
        " AND pg_get_expr(polqual, polrelid) LIKE '%tocsin.clients%'"
    ).fetchall()

    assert sorted(row[0] for row in shielded) == sorted(tables_of_clients(SQLModel.metadata))


def test_a_question_for_all_clients_is_planned_for_all_rows(plain: psycopg.Connection) -> None:
    plain.execute("SELECT set_config('tocsin.clients', 'all', true)")
    plain.execute(
        "INSERT INTO site (id, client_id, slug, name, created_ms)"
        " SELECT 10 + n, 1 + n % 2, 'site-' || n, '', 0 FROM generate_series(1, 1000) AS n"
    )
    plain.execute("ANALYZE site")

    (plan,) = plain.execute("EXPLAIN (FORMAT JSON) SELECT * FROM site").fetchone()

    assert plan[0]["Plan"]["Plan Rows"] > 900


def test_the_index_of_words_has_the_expression_that_is_asked_for(plain: psycopg.Connection) -> None:
    plain.execute("SET LOCAL enable_seqscan = off")

    asked = f"EXPLAIN SELECT 1 FROM ticket_text WHERE {texts._VECTOR} @@ 'a'::tsquery"  # noqa: S608 - ours

    assert "ticket_text_words" in str(plain.execute(asked).fetchall())


# How it stands


def test_a_plain_role_with_everything_forced_has_no_ills(address: Address) -> None:
    seen = standing(address, SQLModel.metadata)

    assert seen.ills == []
    assert "as tocsin" in seen.shown
    assert seen.doubts == [  # the tests' own server is run so
        "fsync is off: what was answered may be lost",
        "full_page_writes is off: what was answered may be lost",
    ]


def test_a_superuser_is_an_ill(address: Address) -> None:
    ills = standing(Address(address.url.set(username="postgres")), SQLModel.metadata).ills

    assert [ill[:32] for ill in ills] == ["the role postgres is a superuser"]


def test_a_table_that_is_not_forced_is_an_ill_with_the_line_to_type(
    plain: psycopg.Connection, address: Address
) -> None:
    plain.execute("ALTER TABLE ticket NO FORCE ROW LEVEL SECURITY")
    plain.execute("ALTER TABLE alert DISABLE ROW LEVEL SECURITY")
    plain.commit()

    ills = standing(address, SQLModel.metadata).ills

    assert [ill.split(":")[0] for ill in ills] == [
        "row-level security is not forced on alert",
        "row-level security is not forced on ticket",
    ]
    assert "ALTER TABLE ticket FORCE ROW LEVEL SECURITY" in ills[1]


def test_what_is_acked_is_durable_whatever_the_databases_default(
    plain: psycopg.Connection, address: Address
) -> None:
    plain.execute("ALTER ROLE tocsin SET synchronous_commit = off")
    plain.commit()
    try:
        with Storage(address) as storage:
            shown = storage.write(lambda session: session.execute(text("SHOW synchronous_commit")).scalar_one())
        doubts = standing(address, SQLModel.metadata).doubts
    finally:
        plain.execute("ALTER ROLE tocsin RESET synchronous_commit")
        plain.commit()

    assert shown == "on"
    assert "synchronous_commit is off: what was answered may be lost" in doubts


# One writes at a time


def test_of_two_programs_one_writes_at_a_time_and_the_other_waits(storage: Storage, address: Address) -> None:
    inside, leave = threading.Event(), threading.Event()

    def slow(session: Session) -> int:
        inside.set()
        assert leave.wait(10)
        add_person("alice")(session)
        return count(session)

    first = storage.submit(slow)
    assert inside.wait(10)
    with Storage(address) as other:
        second = other.submit(count)
        assert not second.done()
        leave.set()

        assert (first.result(10), second.result(10)) == (1, 1)


def test_whoever_never_ends_is_named_and_the_writer_goes_on(address: Address) -> None:
    with psycopg.connect(conninfo(address)) as other, Storage(address, busy_ms=50) as impatient:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [WRITING])
        waiting = [impatient.submit(add_person(login)) for login in ("alice", "bob")]
        for future in waiting:
            with pytest.raises(Unavailable, match="another program writes"):
                future.result(10)
        other.rollback()

        assert impatient.write(add_person("alice")) == "alice"


def test_a_second_server_on_the_same_database_is_refused(address: Address) -> None:
    with Storage(address, alone=True):
        with pytest.raises(Unavailable, match="another server works with the database"):
            Storage(address, alone=True)
        with Storage(address) as command:
            assert command.write(add_person("alice")) == "alice"

    with Storage(address, alone=True) as next_one:
        assert next_one.read(count) == 1


def test_tables_are_not_changed_under_a_running_server(cluster: Cluster) -> None:
    address = Address.of(cluster.url(cluster.copy_of()))
    with Storage(address, alone=True), pytest.raises(Unavailable, match="another server works"):
        migrate(address, SQLModel.metadata)

    assert migrate(address, SQLModel.metadata)
    cluster.drop(str(address.url.database))


def test_the_migrated_tables_are_those_of_the_code(storage: Storage) -> None:
    assert storage.read(lambda session: differences(session.connection())) == []


def test_partial_indexes_are_partial(plain: psycopg.Connection) -> None:
    partial = plain.execute(
        "SELECT indexrelid::regclass::text FROM pg_index WHERE indpred IS NOT NULL"
    ).fetchall()

    assert sorted(row[0] for row in partial) == sorted(
        index.name
        for table in SQLModel.metadata.tables.values()
        for index in table.indexes
        if index.dialect_options["sqlite"]["where"] is not None
    )


@pytest.mark.faults
@pytest.mark.parametrize("after_s", [0.0, 0.02, 0.05, 0.1])
def test_a_killed_migration_has_happened_wholly_or_not_at_all(cluster: Cluster, after_s: float) -> None:
    name = cluster.copy_of()
    address = Address.of(cluster.url(name))

    command = [sys.executable, "-c", KILLED, cluster.url(name), str(after_s)]
    subprocess.run(command, check=False, timeout=60)

    assert revision(address) in (None, newest())
    migrate(address, SQLModel.metadata)
    assert revision(address) == newest()
    cluster.drop(name)


KILLED = """
import os, signal, sys, threading, time
import tocsin_server.datafolder as folder
from tocsin_server.storage.address import Address
from tocsin_server.storage.migrate import migrate, newest, revision
def end():
    time.sleep(float(sys.argv[2]))
    os.kill(os.getpid(), signal.SIGKILL)
threading.Thread(target=end, daemon=True).start()
migrate(Address.of(sys.argv[1]), folder.TABLES)
"""


def test_a_database_of_a_later_version_is_refused_without_its_password(storage: Storage) -> None:
    storage.write(
        lambda session: session.execute(text("UPDATE alembic_version SET version_num = '9999'")) and None
    )

    with pytest.raises(Misconfigured, match="9999") as refused:
        migrate(Address(storage.address.url.set(password="hush")), SQLModel.metadata)

    assert "hush" not in str(refused.value)


# What it cannot hold, and what takes too long


@pytest.mark.parametrize("value", ["nul \0", 1 << 70])
def test_a_value_that_it_cannot_hold_is_the_askers_matter(storage: Storage, value: object) -> None:
    question = text("SELECT CAST(:value AS VARCHAR), CAST(:value AS BIGINT)")

    def ask(session: Session) -> object:
        return session.execute(question, {"value": value})

    with pytest.raises(Unprocessable, match="cannot hold such a value"):
        storage.read(ask)


def test_an_act_that_takes_too_long_leaves_the_others_of_its_batch_alone(storage: Storage) -> None:
    def endless(session: Session) -> None:
        session.execute(text("SET LOCAL statement_timeout = 50"))
        session.execute(text("SELECT pg_sleep(30)"))

    gate = threading.Event()
    storage.submit(lambda _session: gate.wait(10))
    waiting = [storage.submit(act) for act in (add_person("alice"), endless, add_person("bob"))]
    gate.set()

    assert waiting[0].result(10) == "alice"
    with pytest.raises(Unavailable, match="took longer"):
        waiting[1].result(10)
    assert waiting[2].result(10) == "bob"
    assert storage.read(count) == 2


# It goes and comes back


def test_acts_whose_connection_is_cut_are_refused_as_a_whole_and_the_next_succeeds(storage: Storage) -> None:
    def cut(session: Session) -> None:
        add_person("alice")(session)
        assert end_backends(storage.address, writing=True) == 1
        add_person("bob")(session)

    gate = threading.Event()
    storage.submit(lambda _session: gate.wait(10))
    waiting = [storage.submit(act) for act in (add_person("charlie"), cut, add_person("dora"))]
    gate.set()

    for future in waiting:
        with pytest.raises(Unavailable, match="cannot be reached") as refused:
            future.result(10)
        assert "by itself" in refused.value.remedy
    assert storage.read(count) == 0
    assert storage.write(add_person("alice")) == "alice"


def test_connections_that_were_cut_while_nobody_used_them_are_not_noticed(storage: Storage) -> None:
    assert storage.read(count) == 0
    storage.write(add_person("alice"))

    assert end_backends(storage.address, writing=False) == 2

    assert storage.read(count) == 1
    assert storage.write(add_person("bob")) == "bob"


def test_readers_that_were_all_cut_are_not_noticed(storage: Storage) -> None:
    together = threading.Barrier(READERS)

    def ask(session: Session) -> int:
        together.wait(10)
        return count(session)

    with ThreadPoolExecutor(READERS) as asking:
        before = list(asking.map(storage.read, [ask] * READERS))
        assert end_backends(storage.address, writing=False) == READERS
        after = list(asking.map(storage.read, [ask] * READERS))

    assert before == after == [0] * READERS


def test_a_server_that_lost_its_connection_is_still_the_only_one(address: Address) -> None:
    with Storage(address, alone=True) as server:
        server.write(add_person("alice"))
        end_backends(address, writing=True)
        server.write(add_person("bob"))

        with pytest.raises(Unavailable, match="another server"):
            Storage(address, alone=True)


def test_a_server_whose_database_was_taken_meanwhile_writes_no_more(address: Address) -> None:
    with Storage(address, alone=True) as server:
        server.write(add_person("alice"))
        end_backends(address, writing=True)
        with Storage(address, alone=True) as usurper:
            with pytest.raises(Unavailable, match="another server works"):
                server.write(add_person("bob"))

            assert usurper.write(add_person("charlie")) == "charlie"
        assert server.write(add_person("dora")) == "dora"


def test_acts_while_backends_are_ended_fail_or_are_kept_and_nothing_between(storage: Storage) -> None:
    kept: list[str] = []
    ended = threading.Event()

    def work() -> None:
        for number in range(400):
            if ended.is_set():
                return
            with contextlib.suppress(Unavailable):
                kept.append(storage.write(add_person(f"person-{number}")))

    worker = threading.Thread(target=work)
    worker.start()
    for _ in range(15):
        end_backends(storage.address, writing=True)
    ended.set()
    worker.join(30)

    logins = storage.read(lambda session: set(session.execute(text("SELECT login FROM person")).scalars()))
    assert set(kept) <= logins
    assert storage.write(add_person("last")) == "last"


def test_alerts_that_were_there_before_were_found_in_time(cluster: Cluster) -> None:
    name = cluster.copy_of()
    address = Address.of(cluster.url(name))
    writer = engine(address, read_only=False)
    with writer.connect() as connection, connection.begin():
        upgrade(connection, SQLModel.metadata, to="0003")
        connection.execute(text("SELECT set_config('tocsin.clients', 'all', true)"))
        for statement in (CLIENT, ALERT, TRANSITION):
            connection.exec_driver_sql(statement)
    writer.dispose()

    assert migrate(address, SQLModel.metadata)

    with psycopg.connect(conninfo(address)) as plain:
        late = "SELECT alert.late, transition.late FROM alert JOIN transition ON alert_id = alert.id"
        assert plain.execute(late).fetchall() == []  # shielded as before
        plain.execute("SELECT set_config('tocsin.clients', '1', true)")
        assert plain.execute(late).fetchall() == [(False, False)]
    cluster.drop(name)


def test_the_audit_log_of_a_database_in_use_begins_by_saying_so_and_cannot_be_emptied(cluster: Cluster) -> None:
    name = cluster.copy_of()
    address = Address.of(cluster.url(name))
    writer = engine(address, read_only=False)
    with writer.connect() as connection, connection.begin():
        upgrade(connection, SQLModel.metadata, to="0007")
        connection.exec_driver_sql(CLIENT)
    writer.dispose()

    assert migrate(address, SQLModel.metadata)

    with Storage(address) as storage:
        log = storage.read(lambda session: list(entries(session)))
        with pytest.raises(DatabaseError, match="the audit log is only added to"):
            storage.write(lambda session: session.execute(text("TRUNCATE audit CASCADE")))
    assert [(entry.id, entry.act) for entry in log] == [(1, "log.begun")]
    assert verdict(log, [], lambda _: False).fault is None
    cluster.drop(name)


@pytest.fixture
def frail(cluster: Cluster) -> Iterator[Cluster]:
    """A server of a test's own, which it may crash."""
    with running(cluster.programs) as started:
        yield started


def test_a_server_that_crashes_loses_nothing_acked_and_is_found_again(frail: Cluster) -> None:
    address = Address.of(frail.url(frail.copy_of()))
    migrate(address, SQLModel.metadata)
    with Storage(address, alone=True) as storage:
        storage.write(add_person("alice"))
        frail.stop(signal.SIGQUIT)

        with pytest.raises(Unavailable, match="cannot be reached"):
            storage.write(add_person("bob"))
        with pytest.raises(Unavailable, match="cannot be reached"):
            storage.read(count)

        frail.start()
        assert storage.read(count) == 1
        assert storage.write(add_person("bob")) == "bob"
