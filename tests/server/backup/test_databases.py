"""A backup of either database is restored into the other, or into its own kind, and nothing is lost."""

import contextlib
import math
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session, select
from tests.postgres import Cluster
from tests.server.backup.desk import ROWS, file_in, lines_of, make_desk, rows_of, silent

from tocsin_server.backup.make import backup
from tocsin_server.backup.restore import restore
from tocsin_server.errors import Misconfigured
from tocsin_server.estate.clients import add_client
from tocsin_server.estate.identity import open_identity
from tocsin_server.estate.store import Client
from tocsin_server.storage.address import Address, engine
from tocsin_server.storage.dump import revision_of, tables_of
from tocsin_server.storage.migrate import newest, revision

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("postgres")]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A server's data folder, without its database."""
    folder = tmp_path / "data"
    folder.mkdir()
    open_identity(folder)
    return folder


def new(cluster: Cluster) -> Address:
    return Address.of(cluster.url(cluster.copy_of()))


@pytest.mark.parametrize("source", ["file", "postgres"])
@pytest.mark.parametrize("target", ["file", "postgres"])
@pytest.mark.parametrize("made_at", ["head", "0001"])
def test_every_row_comes_back_on_either_database(
    cluster: Cluster, data: Path, tmp_path: Path, source: str, target: str, made_at: str
) -> None:
    before = file_in(data) if source == "file" else new(cluster)
    after = Address.of_file(tmp_path / "again" / "tocsin.db") if target == "file" else new(cluster)
    make_desk(before, made_at)

    backup(data, before, tmp_path / "a.backup", now_ms=0, tell=silent)
    restore(tmp_path / "a.backup", tmp_path / "again", after, tell=silent)

    assert revision(after) == newest()
    assert lines_of(after).keys() >= lines_of(before).keys()
    assert len(lines_of(after)["host"].splitlines()) == ROWS
    if made_at == "head":
        assert lines_of(after) == lines_of(before)
        assert rows_of(after) == rows_of(before)


def test_new_rows_get_numbers_behind_the_restored_ones(cluster: Cluster, data: Path, tmp_path: Path) -> None:
    make_desk(file_in(data))
    backup(data, file_in(data), tmp_path / "a.backup", now_ms=0, tell=silent)
    after = new(cluster)
    restore(tmp_path / "a.backup", tmp_path / "again", after, tell=silent)

    writer = engine(after, read_only=False)
    with Session(writer) as session, session.begin():
        assert add_client(session, "globex", "Globex", 0).id == ROWS + 1
        assert len(session.exec(select(Client)).all()) == ROWS + 1
    writer.dispose()


def test_the_tables_are_left_as_the_migrations_make_them(cluster: Cluster, data: Path, tmp_path: Path) -> None:
    """No key stays deferrable, and the rows are shielded."""
    made, after = new(cluster), new(cluster)
    make_desk(made)
    backup(data, made, tmp_path / "a.backup", now_ms=0, tell=silent)
    restore(tmp_path / "a.backup", tmp_path / "again", after, tell=silent)

    def told(where: Address) -> tuple[list, list]:
        reader = engine(where, read_only=True)
        with reader.connect() as connection:
            keys = connection.execute(
                text("SELECT conname, condeferrable, condeferred FROM pg_constraint ORDER BY 1, 2, 3")
            ).all()
            shields = connection.execute(
                text("SELECT relname, relforcerowsecurity FROM pg_class WHERE relkind = 'r' ORDER BY 1")
            ).all()
        reader.dispose()
        return list(keys), list(shields)

    assert told(after) == told(made)
    assert ("ticket", True) in told(after)[1]


def test_a_database_that_holds_tables_is_left_alone(cluster: Cluster, data: Path, tmp_path: Path) -> None:
    there = new(cluster)
    make_desk(there)
    backup(data, there, tmp_path / "a.backup", now_ms=0, tell=silent)
    before = lines_of(there)

    with pytest.raises(Misconfigured, match="is not empty: nothing is overwritten: make a new one"):
        restore(tmp_path / "a.backup", tmp_path / "again", there, tell=silent)

    assert lines_of(there) == before
    assert not list(tmp_path.glob("again*"))


def test_one_that_is_stopped_leaves_the_database_empty(cluster: Cluster, data: Path, tmp_path: Path) -> None:
    make_desk(file_in(data))
    backup(data, file_in(data), tmp_path / "a.backup", now_ms=0, tell=silent)
    after, told = new(cluster), []

    def stop(said: str, _done: int) -> None:
        told.append(said)
        if told.count("database/ticket_event/000000.jsonl") == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(tmp_path / "a.backup", tmp_path / "again", after, tell=stop)

    reader = engine(after, read_only=True)
    with reader.connect() as connection:
        assert tables_of(connection) == []
        assert revision_of(connection) is None
    reader.dispose()
    restore(tmp_path / "a.backup", tmp_path / "again", after, tell=silent)
    assert rows_of(after) == rows_of(file_in(data))


def test_a_value_that_is_no_number_survives(cluster: Cluster, data: Path, tmp_path: Path) -> None:
    """PostgreSQL keeps it; SQLite has always kept nothing in its place."""
    made, after = new(cluster), new(cluster)
    make_desk(made)
    writer = engine(made, read_only=False)
    with writer.begin() as connection:
        connection.execute(text("UPDATE alert SET value = 'NaN' WHERE id = 1"))
    writer.dispose()

    backup(data, made, tmp_path / "a.backup", now_ms=0, tell=silent)
    restore(tmp_path / "a.backup", tmp_path / "again", after, tell=silent)

    reader = engine(after, read_only=True)
    with reader.connect() as connection:
        assert math.isnan(connection.execute(text("SELECT value FROM alert WHERE id = 1")).scalar_one())
    reader.dispose()


def test_a_folder_that_is_not_the_servers_is_not_saved(cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"identity\.key is not there: name the server's data folder"):
        backup(tmp_path, new(cluster), tmp_path / "a.backup", now_ms=0, tell=silent)


def test_a_database_that_cannot_be_reached_is_said_without_its_password(data: Path, tmp_path: Path) -> None:
    gone = Address.of("postgresql://tocsin:hush@127.0.0.1:1/desk")

    with pytest.raises(
        Misconfigured, match=r"postgresql://tocsin@127\.0\.0\.1:1/desk cannot be read"
    ) as refused:
        backup(data, gone, tmp_path / "a.backup", now_ms=0, tell=silent)

    assert "hush" not in str(refused.value)
    assert not list(tmp_path.glob("a.backup*"))


def test_a_connection_that_is_lost_is_not_called_damage(cluster: Cluster, data: Path, tmp_path: Path) -> None:
    make_desk(file_in(data))
    backup(data, file_in(data), tmp_path / "a.backup", now_ms=0, tell=silent)
    after, told = new(cluster), []

    def cut(said: str, _done: int) -> None:
        told.append(said)
        if told.count("database/ticket/000000.jsonl") == 2:
            cluster.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE usename = 'tocsin' AND application_name = 'tocsin'"
            )

    with pytest.raises(Misconfigured, match=r"the database postgresql://.* cannot be used"):
        restore(tmp_path / "a.backup", tmp_path / "again", after, tell=cut)

    assert not list(tmp_path.glob("again*"))
    restore(tmp_path / "a.backup", tmp_path / "again", after, tell=silent)
    assert rows_of(after) == rows_of(file_in(data))


def test_a_row_that_points_nowhere_is_refused(cluster: Cluster, data: Path, tmp_path: Path) -> None:
    make_desk(file_in(data))
    with contextlib.closing(sqlite3.connect(data / "tocsin.db")) as careless:
        careless.execute("UPDATE host SET prober_id = 99 WHERE id = 1")
        careless.commit()
    backup(data, file_in(data), tmp_path / "a.backup", now_ms=0, tell=silent)

    with pytest.raises(Misconfigured, match=r"is damaged \(a row points at one that is not there"):
        restore(tmp_path / "a.backup", tmp_path / "again", new(cluster), tell=silent)
