"""kill -9 of a backup and of a restore: neither leaves anything that the next one stumbles over."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import insert
from tests.faults.oracle import said_by_sqlite
from tests.server.backup.desk import file_in, lines_of, make_desk

from tocsin_server.datafolder import TABLES
from tocsin_server.storage.address import engine

LOOPS = int(os.environ.get("TOCSIN_FAULT_LOOPS", "3"))
EVENTS = 20_000

pytestmark = pytest.mark.faults


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with so many rows that a backup and a restore of it take a while."""
    where = file_in(tmp_path / "data")
    make_desk(where)
    writer = engine(where, read_only=False)
    with writer.connect() as connection, connection.begin():
        events = TABLES.tables["ticket_event"]
        said = {"client_id": 1, "ticket_id": 1, "at_ms": 0, "kind": "comment", "actor_kind": "person"}
        connection.execute(
            insert(events), [said | {"actor": "alice", "text": "x" * 100, "data": {}} for _ in range(EVENTS)]
        )
    writer.dispose()
    return tmp_path / "data"


def killed(after_s: float, *words: str | Path) -> bool:
    """Whether the command was killed before it had ended."""
    command = subprocess.Popen([sys.executable, "-m", "tocsin_server", *words], stdout=subprocess.DEVNULL)
    try:
        assert command.wait(after_s) == 0
    except subprocess.TimeoutExpired:
        command.kill()
        command.wait(10)
        return True
    return False


def done(*words: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "tocsin_server", *words], check=True, timeout=60, capture_output=True)


def usual_s(*words: str | Path) -> float:
    """How long the command takes here."""
    began = time.monotonic()
    done(*words)
    return time.monotonic() - began


def test_a_killed_restore_leaves_the_folder_as_it_was_and_the_next_one_works(
    data: Path, tmp_path: Path
) -> None:
    path, again = tmp_path / "a.backup", tmp_path / "again"
    done("backup", path, "--data", data)
    usual = usual_s("restore", path, "--data", tmp_path / "first")
    chance, kills, halves = random.Random(LOOPS), 0, 0

    for loop in range(LOOPS):
        if killed(chance.uniform(usual * 0.4, usual), "restore", path, "--data", again):
            kills += 1
            halves += (tmp_path / "again.part-restore").exists()
        if again.exists():
            # Its name came just before the kill: then it is whole.
            assert said_by_sqlite(again / "tocsin.db") == "ok"
            again.rename(tmp_path / f"whole-{loop}")
    done("restore", path, "--data", again)

    assert LOOPS < 10 or kills >= halves > 0
    assert lines_of(file_in(again)) == lines_of(file_in(data))
    assert not (tmp_path / "again.part-restore").exists()


def test_a_killed_backup_leaves_no_file_of_that_name_and_the_next_one_works(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.backup"
    usual = usual_s("backup", tmp_path / "first.backup", "--data", data)
    chance, kills = random.Random(LOOPS), 0

    for _ in range(LOOPS):
        kills += killed(chance.uniform(usual * 0.4, usual), "backup", path, "--data", data)
        if path.exists():
            done("verify", path)
            path.unlink()
    done("backup", path, "--data", data)

    assert LOOPS < 10 or kills > 0
    done("verify", path)
    assert not (tmp_path / "a.backup.part").exists()
