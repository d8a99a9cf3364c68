"""The writer gives a result back once it is durable, and one act's failure is its own."""

import contextlib
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlmodel import Session
from tests.databases import Mould

from tocsin_server.errors import Overloaded, Unavailable
from tocsin_server.storage import engine
from tocsin_server.storage.engine import Storage

ON_FILES = pytest.mark.parametrize("empty", ["sqlite"], indirect=True)


@pytest.fixture
def storage(empty: Mould, tmp_path: Path) -> Iterator[Storage]:
    with empty.copied(tmp_path) as where, Storage(where) as opened:
        opened.write(lambda session: session.execute(text("CREATE TABLE note (text VARCHAR UNIQUE)")) and None)
        yield opened


def put(word: str):
    def act(session: Session) -> str:
        session.execute(text("INSERT INTO note VALUES (:word)"), {"word": word})
        return word

    return act


def notes(storage: Storage) -> list[str]:
    return storage.read(lambda s: list(s.execute(text("SELECT text FROM note ORDER BY text")).scalars()))


@ON_FILES
def test_a_written_row_is_seen_by_another_process_at_once(storage: Storage) -> None:
    storage.write(put("bell"))

    with contextlib.closing(sqlite3.connect(storage.path)) as other:
        seen = other.execute("SELECT text FROM note").fetchall()
    assert seen == [("bell",)]


def test_what_a_killed_server_had_not_synced_is_synced_before_anybody_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = tmp_path / "left"
    with Storage(tmp_path / "tocsin.db") as storage:
        storage.write(lambda session: session.execute(text("CREATE TABLE note (text VARCHAR)")) and None)
        left.mkdir()
        for path in tmp_path.glob("tocsin.db*"):
            shutil.copy(path, left)
    synced: list[str] = []
    for call in ("fsync", "fdatasync"):
        monkeypatch.setattr(
            os, call, lambda descriptor: synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        )

    with Storage(left / "tocsin.db") as storage:
        assert notes(storage) == []

    assert synced == [str(left / "tocsin.db-wal"), str(left)]


def test_more_than_may_wait_is_sent_away_with_429_and_what_waits_is_done(
    empty: Mould, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "MAX_WAITING", 1)
    gate, is_writing = threading.Event(), threading.Event()
    with empty.copied(tmp_path) as where, Storage(where) as storage:
        under_way = storage.submit(lambda _session: is_writing.set() or gate.wait(10))
        assert is_writing.wait(10)
        waiting = storage.submit(lambda _session: "done")

        with pytest.raises(Overloaded, match="waiting for the database") as refused:
            storage.submit(lambda _session: None)
        gate.set()

        assert refused.value.status == 429
        assert under_way.result(10)
        assert waiting.result(10) == "done"


def test_a_failing_act_leaves_the_others_of_its_batch_alone(storage: Storage) -> None:
    gate = threading.Event()
    first = storage.submit(lambda _session: gate.wait(10))
    waiting = [storage.submit(act) for act in (put("a"), lambda _session: 1 / 0, put("b"))]
    gate.set()

    assert first.result(10)
    assert waiting[0].result(10) == "a"
    with pytest.raises(ZeroDivisionError):
        waiting[1].result(10)
    assert waiting[2].result(10) == "b"
    assert notes(storage) == ["a", "b"]


def count(session: Session) -> str:
    """Note how many notes there are."""
    number = session.execute(text("SELECT count(*) FROM note")).scalar_one()
    word = f"{number} notes"
    session.execute(text("INSERT INTO note VALUES (:word)"), {"word": word})
    return word


def test_what_comes_before_each_commit_sees_what_the_acts_have_written_and_is_kept_with_it(
    storage: Storage,
) -> None:
    heard: list[Any] = []
    storage.before_commit(count, heard.append)

    storage.write(put("a"))
    storage.write(put("b"))

    assert notes(storage) == ["1 notes", "3 notes", "a", "b"]
    assert [done.result() for done in heard] == ["1 notes", "3 notes"]


def test_a_mistake_before_a_commit_leaves_what_the_acts_have_written(storage: Storage) -> None:
    def half(session: Session) -> None:
        count(session)
        raise KeyError("half")

    heard: list[Any] = []
    storage.before_commit(half, heard.append)

    assert storage.write(put("bell")) == "bell"
    assert notes(storage) == ["bell"]
    assert isinstance(heard[0].exception(), KeyError)


@ON_FILES
def test_a_transaction_that_ends_before_its_commit_was_none_for_its_acts_either(storage: Storage) -> None:
    def lose(session: Session) -> None:
        with contextlib.suppress(Exception):  # as one who hands his failures to a log
            session.connection().exec_driver_sql("ROLLBACK")

    storage.before_commit(lose, lambda _done: None)

    with pytest.raises(Unavailable):
        storage.write(put("bell"))
    assert notes(storage) == []


def test_an_act_that_nobody_waits_for_any_more_is_left_out_and_the_writer_goes_on(storage: Storage) -> None:
    gate = threading.Event()
    storage.submit(lambda _session: gate.wait(10))
    given_up = storage.submit(put("late"))

    assert given_up.cancel()
    gate.set()

    assert storage.submit(put("next")).result(10) == "next"
    assert notes(storage) == ["next"]


def test_an_act_that_fails_half_way_leaves_nothing_behind(storage: Storage) -> None:
    def half(session: Session) -> None:
        put("half")(session)
        raise KeyError("half")

    with pytest.raises(KeyError):
        storage.write(half)

    assert notes(storage) == []


def test_a_unique_value_that_is_there_already_is_the_acts_own_error(storage: Storage) -> None:
    storage.write(put("bell"))

    with pytest.raises(IntegrityError):
        storage.write(put("bell"))

    assert storage.write(put("book")) == "book"


def test_a_reader_cannot_write(storage: Storage) -> None:
    with pytest.raises((OperationalError, Unavailable), match=r"readonly|only be read"):
        storage.read(put("no"))

    assert notes(storage) == []


def test_a_reader_sees_one_moment(storage: Storage) -> None:
    def ask(session: Session) -> tuple[int, int]:
        count = text("SELECT count(*) FROM note")
        before = session.execute(count).scalar_one()
        storage.write(put("meanwhile"))
        return before, session.execute(count).scalar_one()

    assert storage.read(ask) == (0, 0)
    assert notes(storage) == ["meanwhile"]


async def test_the_event_loop_can_wait_for_a_write_and_a_read(storage: Storage) -> None:
    await storage.write_soon(put("soon"))

    assert await storage.read_soon(lambda s: s.execute(text("SELECT count(*) FROM note")).scalar_one()) == 1


@ON_FILES
def test_a_database_locked_by_another_program_is_named_and_the_writer_goes_on(storage: Storage) -> None:
    other = sqlite3.connect(storage.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with Storage(storage.path, busy_ms=50) as impatient:
        with pytest.raises(Unavailable, match="locked"):
            impatient.write(put("late"))
        other.execute("ROLLBACK")
        other.close()

        assert impatient.write(put("later")) == "later"


@ON_FILES
def test_a_reader_that_takes_its_time_holds_up_no_change(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin_server.storage.engine.CHECKPOINT_PAGES", 0)
    wal = storage.path.with_name(storage.path.name + "-wal")
    with contextlib.closing(sqlite3.connect(storage.path, isolation_level=None)) as backup:
        backup.execute("BEGIN")
        assert backup.execute("SELECT count(*) FROM note").fetchone() == (0,)

        began = time.monotonic()
        for number in range(20):
            storage.write(put(f"bell {number}"))
        took_s = time.monotonic() - began
        assert backup.execute("SELECT count(*) FROM note").fetchone() == (0,)

    assert took_s < 5  # one wait for readers takes 0.05 s; each change would wait 10 s
    assert wal.stat().st_size > 0
    monkeypatch.setattr(storage, "_checkpoint_after_s", 0.0)
    storage.write(put("afterwards"))
    storage.write(put("and folded in"))  # done once the first one's checkpoint is
    assert wal.stat().st_size <= 16 << 10


@ON_FILES
def test_the_journal_of_the_database_is_folded_in_by_the_writer(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin_server.storage.engine.CHECKPOINT_PAGES", 0)

    storage.write(put("x"))
    storage.write(put("y"))
    storage.close()

    with contextlib.closing(sqlite3.connect(storage.path)) as other:
        assert other.execute("SELECT count(*) FROM note").fetchone() == (2,)
