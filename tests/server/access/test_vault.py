"""What is sealed is opened by its own folder's key and for its own owner only."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_server.access.vault import Vault, vault_of
from tocsin_server.errors import Misconfigured
from tocsin_server.estate.identity import open_identity

VAULT = Vault(bytes(32))


@given(st.text(), st.text(st.characters(exclude_categories=["Cs"])))
def test_a_word_has_one_mark_and_another_word_another(word: str, secret: str) -> None:
    assert VAULT.mark(word) == VAULT.mark(word) != VAULT.mark(word + "x")
    assert VAULT.open(VAULT.seal(secret, "person 1"), "person 1") == secret


def test_a_row_that_was_given_anothers_secret_does_not_open_it() -> None:
    sealed = VAULT.seal("JBSWY3DPEHPK3PXP", "person 1")

    with pytest.raises(Misconfigured, match="sealed for person 2 cannot be opened"):
        VAULT.open(sealed, "person 2")


@pytest.mark.parametrize("sealed", ["", "§", "AAAA", "A" * 80])
def test_what_was_never_sealed_is_not_opened(sealed: str) -> None:
    with pytest.raises(Misconfigured, match="cannot be opened"):
        VAULT.open(sealed, "person 1")


def test_each_data_folder_has_a_vault_of_its_own_and_always_the_same(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, again, two = (vault_of(open_identity(tmp_path / name)) for name in ("one", "one", "two"))

    sealed = one.seal("secret", "person 1")
    assert again.open(sealed, "person 1") == "secret"
    assert one.mark("alice") != two.mark("alice")
    with pytest.raises(Misconfigured, match=r"identity\.key"):
        two.open(sealed, "person 1")


def test_it_shows_nothing_of_its_key() -> None:
    assert repr(Vault(b"k" * 32)) == "Vault(…)"
