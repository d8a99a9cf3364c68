"""The tests' own copies of PostgreSQL's database: who gets one that was lent before sees nothing of that."""

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session
from tests.databases import Mould

from tocsin_server.estate.clients import add_client
from tocsin_server.storage.engine import Storage

pytestmark = [
    pytest.mark.real,
    pytest.mark.usefixtures("empty"),
    pytest.mark.parametrize("empty", ["postgresql"], indirect=True),
]


def a_client(session: Session) -> int:
    return add_client(session, "acme", "Acme", now_ms=1).id or 0


def test_a_copy_that_is_lent_again_has_no_rows_of_before_and_counts_anew(empty: Mould, tmp_path: Path) -> None:
    with empty.copied(tmp_path) as first, Storage(first) as storage:
        number = storage.write(a_client)

    with empty.copied(tmp_path) as second, Storage(second) as storage:
        again = storage.write(a_client)

    assert second == first
    assert again == number > 0


def test_rows_that_it_was_made_with_are_there_again(empty: Mould, tmp_path: Path) -> None:
    with empty.filled(tmp_path, lambda storage: storage.write(a_client)) as mould:
        with mould.copied(tmp_path) as where, Storage(where) as storage:
            storage.write(lambda session: session.execute(text("DELETE FROM client")))
        with mould.copied(tmp_path) as where, Storage(where) as storage:
            slugs = storage.read(
                lambda session: session.execute(text("SELECT slug FROM client")).scalars().all()
            )

    assert slugs == ["acme"]


def test_a_copy_whose_tables_have_changed_is_not_lent_again(empty: Mould, tmp_path: Path) -> None:
    with empty.copied(tmp_path) as first, Storage(first) as storage:
        storage.write(lambda session: session.execute(text("ALTER TABLE client ADD COLUMN motto text")))

    with empty.copied(tmp_path) as second:
        assert second != first
