"""What is restored is what was there, and a file says so of itself."""

import json
import stat
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.server.backup.desk import ROWS, file_in, lines_of, make_desk, rows_of, silent

from tocsin_protocol.vocabulary import SeriesKind
from tocsin_server.access.scrape import open_scrape_token
from tocsin_server.backup.contents import SECRETS, SIGNED
from tocsin_server.backup.make import backup, keep_newest, name_in, verify
from tocsin_server.backup.restore import restore
from tocsin_server.datafolder import TABLES
from tocsin_server.errors import Misconfigured
from tocsin_server.estate.identity import open_identity
from tocsin_server.series.history.days import HISTORY, Closing, Days
from tocsin_server.series.history.reader import Archive, Question, Wanted, Watched
from tocsin_server.series.history.stretches import Stretch
from tocsin_server.series.schema import SeriesEntry
from tocsin_server.storage.dump import revision_of
from tocsin_server.storage.migrate import newest
from tocsin_server.storage.sqlite import sqlite_engine

pytestmark = pytest.mark.scenario

SEGMENT = b"TOCSEG1\n" + bytes(range(256)) * 3000


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder of a server that has worked."""
    folder = tmp_path / "data"
    make_desk(file_in(folder))
    open_identity(folder)
    open_scrape_token(folder)
    (folder / SIGNED).write_text("a line\nand a torn")
    (folder / "journal").mkdir()
    (folder / "journal" / "00000007.seg").write_bytes(SEGMENT)
    (folder / "journal" / "00000008.seg").write_bytes(b"")
    (folder / "journal" / "lock").touch()
    return folder


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def save(data: Path, path: Path, *, with_history: bool = False):
    where = file_in(data)
    return backup(data, where, path, now_ms=1_800_000_000_000, tell=silent, with_history=with_history)


def test_rows_keys_and_journal_come_back_as_they_were(data: Path, tmp_path: Path) -> None:
    save(data, tmp_path / "a.backup")

    again = tmp_path / "deep" / "again"
    restore(tmp_path / "a.backup", again, file_in(tmp_path), tell=silent)

    assert rows_of(file_in(again)) == rows_of(file_in(data))
    assert {name: (again / name).read_bytes() for name in SECRETS} == {
        name: (data / name).read_bytes() for name in SECRETS
    }
    assert (again / "journal" / "00000007.seg").read_bytes() == SEGMENT
    assert names_in(again / "journal") == ["00000007.seg", "00000008.seg"]
    assert (again / SIGNED).read_bytes() == (data / SIGNED).read_bytes()
    assert names_in(again) == sorted(["journal", "lock", "tocsin.db", SIGNED, *SECRETS])
    assert names_in(again.parent) == ["again"]


def test_history_comes_back_where_it_was_asked_for(data: Path, tmp_path: Path) -> None:
    times, values = 1_699_999_200_000 + 10_000 * np.arange(360), np.arange(360.0)[None]
    stretch = Stretch((SeriesEntry("node_load1", SeriesKind.GAUGE, ()),), times, values)
    Days(data / HISTORY).write([Closing(1, 7, stretch)])
    question = Question(1, [Watched(7, {})], [Wanted("node_load1")], 0, 1 << 50)

    save(data, tmp_path / "without.backup")
    save(data, tmp_path / "with.backup", with_history=True)
    for name in ("without", "with"):
        restore(tmp_path / f"{name}.backup", tmp_path / name, file_in(data), tell=silent)

    ((*_, again_times, again),) = Archive(tmp_path / "with" / HISTORY).series(question)
    assert (again_times.tolist(), again.tolist()) == (times.tolist(), values[0].tolist())
    assert Archive(tmp_path / "without" / HISTORY).series(question) == []
    assert names_in(tmp_path) == ["data", "with", "with.backup", "without", "without.backup"]


def test_a_damaged_day_is_named_and_leaves_no_backup(data: Path, tmp_path: Path) -> None:
    (data / HISTORY).mkdir()
    (data / HISTORY / "2023-11-14.db").write_bytes(b"no database at all" * 100)

    with pytest.raises(Misconfigured, match=r"2023-11-14\.db is damaged"):
        save(data, tmp_path / "a.backup", with_history=True)

    assert names_in(tmp_path) == ["data"]


def test_only_its_owner_reads_a_backup_and_what_is_restored(data: Path, tmp_path: Path) -> None:
    save(data, tmp_path / "a.backup")
    restore(tmp_path / "a.backup", tmp_path / "again", file_in(data), tell=silent)

    assert stat.S_IMODE((tmp_path / "a.backup").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "again").stat().st_mode) == 0o700
    for name in (*SECRETS, "tocsin.db", "journal/00000007.seg"):
        assert stat.S_IMODE((tmp_path / "again" / name).stat().st_mode) == 0o600, name


def test_a_report_says_rows_bytes_time_and_revision(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.backup"
    made = save(data, path)

    read = verify(path, tell=silent)

    assert read.manifest == made.manifest
    assert read.bytes == made.bytes == path.stat().st_size
    rows = ROWS * len(TABLES.sorted_tables)
    assert made.text.startswith(
        f"{path}: {rows} rows in {len(TABLES.sorted_tables)} tables, {made.bytes} bytes, "
    )
    assert made.text.endswith(f" s, revision {newest()}, made 2027-01-15 08:00:00Z")


def test_any_tar_unpacks_a_backup(data: Path, tmp_path: Path) -> None:
    save(data, tmp_path / "a.backup")
    (tmp_path / "out").mkdir()

    subprocess.run(["tar", "-xzf", tmp_path / "a.backup", "-C", tmp_path / "out"], check=True, timeout=60)

    assert (tmp_path / "out" / "journal" / "00000007.seg").read_bytes() == SEGMENT
    assert (tmp_path / "out" / "database" / "client" / "000000.jsonl").read_bytes().count(b"\n") == ROWS


@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_an_older_dump_is_brought_to_this_versions_tables(tmp_path: Path, revision: str) -> None:
    make_desk(file_in(tmp_path / "old"), revision)
    save(tmp_path / "old", tmp_path / "a.backup")

    restore(tmp_path / "a.backup", tmp_path / "again", file_in(tmp_path), tell=silent)

    restored = sqlite_engine(tmp_path / "again" / "tocsin.db", read_only=True)
    with restored.connect() as connection:
        assert revision_of(connection) == newest()
    restored.dispose()
    now, before = (lines_of(file_in(tmp_path / where))["agent"].splitlines() for where in ("again", "old"))
    for line, old in zip(now, before, strict=True):
        assert json.loads(line)[: len(json.loads(old))] == json.loads(old)
    assert len(rows_of(file_in(tmp_path / "again"))["host"]) == ROWS


def test_a_backup_of_a_backup_has_the_same_rows(data: Path, tmp_path: Path) -> None:
    first = save(data, tmp_path / "a.backup")
    restore(tmp_path / "a.backup", tmp_path / "again", file_in(data), tell=silent)

    second = save(tmp_path / "again", tmp_path / "b.backup")

    assert second.manifest == first.manifest
    assert (tmp_path / "a.backup").read_bytes() == (tmp_path / "b.backup").read_bytes()


def test_a_backup_is_never_written_over_something(data: Path, tmp_path: Path) -> None:
    before = (data / "tocsin.db").read_bytes()

    with pytest.raises(Misconfigured, match="is there already: choose another name"):
        save(data, data / "tocsin.db")

    assert (data / "tocsin.db").read_bytes() == before
    assert not list(data.glob("*.part"))


def test_what_a_killed_backup_has_left_is_used_again(data: Path, tmp_path: Path) -> None:
    (tmp_path / "a.backup.part").write_bytes(b"half" * 100_000)
    (tmp_path / "a.backup.part").chmod(0o644)

    save(data, tmp_path / "a.backup")

    verify(tmp_path / "a.backup", tell=silent)
    assert stat.S_IMODE((tmp_path / "a.backup").stat().st_mode) == 0o600
    assert not (tmp_path / "a.backup.part").exists()


def test_whoever_stops_a_backup_finds_no_half_of_it(data: Path, tmp_path: Path) -> None:
    def stop(said: str, _done: int) -> None:
        if said.startswith("database/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup(data, file_in(data), tmp_path / "a.backup", now_ms=0, tell=stop)

    assert not list(tmp_path.glob("a.backup*"))


def test_a_link_that_lies_in_wait_is_not_followed(data: Path, tmp_path: Path) -> None:
    (tmp_path / "a.backup.part").symlink_to(data / "tocsin.db")

    with pytest.raises(Misconfigured, match=r"a\.backup\.part cannot be used"):
        save(data, tmp_path / "a.backup")


def test_a_folder_without_a_server_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="name the server's data folder with --data"):
        save(tmp_path, tmp_path / "a.backup")

    assert not (tmp_path / "tocsin.db").exists()
    assert not (tmp_path / "a.backup.part").exists()


def test_the_newest_are_kept_and_what_is_no_backup_is_left_alone(tmp_path: Path) -> None:
    made = [name_in(tmp_path, day * 86_400_000) for day in range(5)]
    for path in (*made, tmp_path / "tocsin.db", tmp_path / "mine.backup"):
        path.touch()

    removed = keep_newest(tmp_path, 2)

    assert removed == made[:3]
    assert sorted(tmp_path.iterdir()) == sorted([*made[3:], tmp_path / "tocsin.db", tmp_path / "mine.backup"])
