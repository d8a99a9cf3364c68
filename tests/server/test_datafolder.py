"""One server has a data folder at a time; commands change its database beside it, all or nothing."""

import contextlib
import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from tocsin_server import cli
from tocsin_server.datafolder import TABLES, administer, database, locked, look, make_database
from tocsin_server.errors import Conflict, Misconfigured
from tocsin_server.estate.clients import add_client, client_named
from tocsin_server.estate.store import Client
from tocsin_server.storage.address import engine
from tocsin_server.storage.migrate import _scripts, known, newest, revision, upgrade
from tocsin_server.storage.sqlite import sqlite_engine


@pytest.fixture
def data(tmp_path: Path, empty_database: bytes) -> Path:
    """A folder with a migrated database."""
    database(tmp_path).path.write_bytes(empty_database)
    return tmp_path


def add(slug: str):
    return lambda session: add_client(session, slug, slug, 0).slug


def seen(session: Session) -> list[str]:
    return [client.slug for client in session.exec(select(Client))]


Made = Callable[[str], Path]


@pytest.fixture(scope="module")
def earlier_databases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A database of each earlier version, made of the one before."""
    path = tmp_path_factory.mktemp("earlier") / "tocsin.db"
    made = {}
    _, *earlier = (script.revision for script in _scripts().walk_revisions())
    for version in reversed(earlier):
        writer = sqlite_engine(path, read_only=False)
        with writer.connect() as connection, connection.begin():
            upgrade(connection, TABLES, to=version)
        writer.dispose()
        made[version] = path.read_bytes()
    return made


@pytest.fixture
def made_at(tmp_path: Path, earlier_databases: dict[str, bytes]) -> Made:
    """Writes the file of a database whose tables are those of an earlier version."""

    def make(version: str) -> Path:
        path = database(tmp_path).path
        path.write_bytes(earlier_databases[version])
        return path

    return make


def test_folder_and_database_are_made_for_their_owner_only_and_once(tmp_path: Path) -> None:
    data = tmp_path / "deep" / "data"

    assert make_database(data)
    assert not make_database(data)
    assert stat.S_IMODE(data.stat().st_mode) == 0o700


def test_a_place_where_no_folder_can_be_is_an_operators_matter(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(Misconfigured, match=r"cannot be used \(Not a directory\): choose another with --data"):
        make_database(tmp_path / "file" / "data")


def test_a_second_server_is_told_which_process_has_the_folder(tmp_path: Path) -> None:
    with (
        locked(tmp_path),
        pytest.raises(Misconfigured, match=f"in use by process {os.getpid()}"),
        locked(tmp_path),
    ):
        pass


def test_a_folder_that_was_let_go_can_be_had_again(tmp_path: Path) -> None:
    with locked(tmp_path):
        pass

    with locked(tmp_path):
        assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_a_folder_that_is_none_cannot_be_held(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()

    with pytest.raises(Misconfigured, match="cannot be used"), locked(tmp_path):
        pass


def test_a_change_by_a_command_is_there_when_it_returns(data: Path) -> None:
    assert administer(data, add("acme")) == "acme"

    assert administer(data, lambda session: client_named(session, "acme").slug) == "acme"


def test_a_command_that_fails_leaves_nothing_behind(data: Path) -> None:
    def add_twice(session: Session) -> None:
        add_client(session, "acme", "Acme", 0)
        add_client(session, "acme", "Acme", 0)

    with pytest.raises(Conflict):
        administer(data, add_twice)

    assert administer(data, lambda session: client_named(session, "acme", missing_ok=True)) is None


def test_without_a_database_the_line_to_type_is_said(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=f"tocsin-server migrate --data {tmp_path}"):
        administer(tmp_path, add("acme"))


def test_who_looks_is_told_the_line_to_type_where_there_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=f"no tables in .*: tocsin-server migrate --data {tmp_path}"):
        look(tmp_path, seen)

    assert not database(tmp_path).path.exists()


@pytest.mark.parametrize("earlier", sorted(known() - {newest()}))
def test_who_looks_at_a_database_of_an_earlier_version_is_told_to_migrate_it(
    tmp_path: Path, made_at: Made, earlier: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made_at(earlier)
    before = path.read_bytes()

    status = cli.main(["agent", "show", "acme", "atlas", "--data", str(tmp_path)])

    told, said = capsys.readouterr()
    assert (status, told) == (2, "")
    assert said == (
        f"tocsin-server: the database {path} is of an earlier version"
        f" (revision {earlier}, and {newest()} is needed): tocsin-server migrate --data {tmp_path}\n"
    )
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "words",
    [("silence", "list"), ("seal", "--client", "acme", "--host", "atlas"), ("agent", "show", "acme", "atlas")],
)
def test_a_command_that_looks_migrates_nothing(
    tmp_path: Path, made_at: Made, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    made_at("0005")

    assert cli.main([*words, "--data", str(tmp_path)]) == 2

    assert f"tocsin-server migrate --data {tmp_path}" in capsys.readouterr().err
    assert revision(database(tmp_path)) == "0005"


def test_who_looks_sees_what_is_there_once_it_is_migrated(tmp_path: Path, made_at: Made) -> None:
    made_at("0001")
    make_database(tmp_path)

    assert look(tmp_path, seen) == []


def test_who_looks_at_a_database_of_a_later_version_is_told_to_run_that(data: Path) -> None:
    with contextlib.closing(sqlite3.connect(database(data).path)) as later, later:
        later.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(Misconfigured, match=r"has revision 9999, .*: run the version that wrote it"):
        look(data, seen)


def test_who_looks_at_a_file_that_is_no_database_is_told_so(tmp_path: Path) -> None:
    database(tmp_path).path.write_bytes(b"not a database, but long enough to look like one" * 20)

    with pytest.raises(Misconfigured, match=r"tocsin\.db cannot be used \(file is not a database\)"):
        look(tmp_path, seen)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    database(tmp_path).path.write_bytes(
        b"not a database, only a file that is long enough to look like one" * 20
    )

    with pytest.raises(Misconfigured, match=r"tocsin\.db cannot be used \(file is not a database\)"):
        administer(tmp_path, add("acme"))


def test_a_database_that_somebody_holds_is_said_in_a_line(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "tocsin_server.datafolder.engine",
        lambda where, read_only: engine(where, read_only=read_only, busy_ms=10),
    )
    holder = sqlite3.connect(database(data).path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    try:
        with pytest.raises(Misconfigured, match=r"tocsin\.db cannot be used \(database is locked\)"):
            administer(data, add("acme"))
    finally:
        holder.close()


def test_a_command_may_work_beside_one_who_reads(data: Path) -> None:
    looking = engine(database(data), read_only=True)
    with Session(looking) as reader:
        before = reader.execute(text("SELECT count(*) FROM client")).scalar_one()
        administer(data, add("acme"))
        same = reader.execute(text("SELECT count(*) FROM client")).scalar_one()
    looking.dispose()

    assert (before, same) == (0, 0)
