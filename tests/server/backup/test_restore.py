"""A restore makes a new folder or none, and never touches what is there."""

import fcntl
from pathlib import Path

import pytest
from tests.server.backup.desk import file_in, make_desk, rows_of, silent

from tocsin_server.backup.make import backup
from tocsin_server.backup.restore import restore
from tocsin_server.errors import Misconfigured
from tocsin_server.estate.identity import open_identity

pytestmark = pytest.mark.scenario


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    make_desk(file_in(folder))
    open_identity(folder)
    backup(folder, file_in(folder), tmp_path / "a.backup", now_ms=0, tell=silent)
    return tmp_path / "a.backup"


def again(saved: Path, data: Path, tell=silent):
    return restore(saved, data, file_in(saved.parent), tell=tell)


@pytest.mark.parametrize("there", ["tocsin.db", "identity.key", "tls.pem", "journal", "anything"])
def test_a_folder_that_holds_something_is_left_alone(saved: Path, tmp_path: Path, there: str) -> None:
    data = tmp_path / "again"
    data.mkdir()
    (data / there).write_text("mine")

    with pytest.raises(Misconfigured, match="is not empty: nothing is overwritten: stop the server"):
        again(saved, data)

    assert [(path.name, path.read_text()) for path in data.iterdir()] == [(there, "mine")]


def test_an_empty_folder_is_filled(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir(mode=0o755)

    again(saved, tmp_path / "again")

    assert rows_of(file_in(tmp_path / "again")) == rows_of(file_in(tmp_path / "data"))


def test_a_link_to_an_empty_folder_is_filled_where_it_points(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "again").symlink_to("private")

    again(saved, tmp_path / "again")

    assert (tmp_path / "again").is_symlink()
    assert (tmp_path / "private" / "tocsin.db").exists()


def test_a_file_is_no_folder(saved: Path) -> None:
    with pytest.raises(Misconfigured, match="is not empty"):
        again(saved, saved)


def test_a_mount_point_cannot_be_renamed_over(saved: Path) -> None:
    with pytest.raises(Misconfigured, match="is a mount point: name a folder below it"):
        again(saved, Path("/proc"))


@pytest.mark.parametrize("at", ["checksum", "keys/identity.key", "database/host/000000.jsonl"])
def test_one_that_is_stopped_leaves_nothing(saved: Path, tmp_path: Path, at: str) -> None:
    told: list[str] = []

    def stop(said: str, _done: int) -> None:
        told.append(said)
        # Verifying reads everything once; the second time it is being written.
        if told.count(at) == (1 if at == "checksum" else 2):
            raise KeyboardInterrupt

    before = sorted(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        again(saved, tmp_path / "again", tell=stop)

    assert sorted(tmp_path.iterdir()) == before


def test_what_one_that_was_killed_has_left_is_cleared_away(saved: Path, tmp_path: Path) -> None:
    part = tmp_path / "again.part-restore"
    (part / "journal").mkdir(parents=True)
    for name in ("lock", "tocsin.db", "tocsin.db-wal", "journal/00000099.seg"):
        (part / name).write_bytes(b"half")

    again(saved, tmp_path / "again")

    assert not part.exists()
    assert not list((tmp_path / "again" / "journal").iterdir())
    assert rows_of(file_in(tmp_path / "again")) == rows_of(file_in(tmp_path / "data"))


def test_a_folder_of_that_name_that_no_restore_has_left_is_not_cleared(saved: Path, tmp_path: Path) -> None:
    part = tmp_path / "again.part-restore"
    part.mkdir()
    (part / "mine").touch()

    with pytest.raises(Misconfigured, match="is in the way, and no restore has left it"):
        again(saved, tmp_path / "again")

    assert (part / "mine").exists()


def test_two_restores_of_one_folder_do_not_meet(saved: Path, tmp_path: Path) -> None:
    part = tmp_path / "again.part-restore"
    part.mkdir()
    with (part / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Misconfigured, match="in use by process"):
            again(saved, tmp_path / "again")

    assert part.exists()


def test_a_disk_that_is_too_small_is_said_before(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: _Usage(1 << 20))

    with pytest.raises(Misconfigured, match="has 1 MiB free"):
        again(saved, tmp_path / "again")

    assert not (tmp_path / "again.part-restore").exists()


class _Usage:
    def __init__(self, free: int) -> None:
        self.free = free
