"""Where the database is, and that a password never shows."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_server.errors import Misconfigured
from tocsin_server.storage.address import Address, address


def test_without_the_variable_it_is_a_file_in_the_data_folder(tmp_path: Path) -> None:
    found = address(tmp_path, {"TOCSIN_DATABASE": " "})

    assert found.is_sqlite
    assert found.path == tmp_path / "tocsin.db"
    assert found.shown == str(tmp_path / "tocsin.db")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://desk:hush@db.example:5433/tocsin", "postgresql://desk@db.example:5433/tocsin"),
        ("postgresql+psycopg://desk:hush@db.example/tocsin", "postgresql://desk@db.example/tocsin"),
        ("postgresql:///tocsin?host=/run/postgresql", "postgresql:///run/postgresql/tocsin"),
        ("postgresql://desk@/tocsin?host=/run&password=hush", "postgresql://desk@/run/tocsin"),
    ],
)
def test_a_database_elsewhere_is_shown_without_its_password(tmp_path: Path, url: str, shown: str) -> None:
    found = address(tmp_path, {"TOCSIN_DATABASE": url})

    assert not found.is_sqlite
    assert found.shown == shown
    assert "hush" not in repr(found)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://desk:hush@db:hush/tocsin", "holds no URL"),
        ("hush", "holds no URL"),
        ("mysql://desk:hush@db/tocsin", "not PostgreSQL"),
        ("postgresql+asyncpg://desk:hush@db/tocsin", "not PostgreSQL"),
        ("postgresql://desk:hush@db", "no database"),
    ],
)
def test_what_is_no_address_is_refused_without_being_repeated(tmp_path: Path, url: str, said: str) -> None:
    with pytest.raises(Misconfigured, match=said) as refused:
        address(tmp_path, {"TOCSIN_DATABASE": url})

    assert "hush" not in str(refused.value)
    assert "TOCSIN_DATABASE" in str(refused.value)


@given(st.text())
def test_any_text_is_an_address_or_an_operators_matter(text: str) -> None:
    try:
        found = Address.of(text)
    except Misconfigured:
        return
    assert not found.is_sqlite
