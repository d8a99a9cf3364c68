"""A scope says whose rows are seen, to us and to the database; an empty one sees none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, literal, select

from tocsin_server.access.scope import EVERYWHERE, FEW, NOWHERE, Scope

CLIENTS = st.frozensets(st.integers(1, 3 * FEW), max_size=2 * FEW)
DATABASE = create_engine("sqlite://")


@given(clients=CLIENTS, asked=st.integers(1, 3 * FEW))
def test_a_row_is_within_where_its_client_is_one_of_them(clients: frozenset[int], asked: int) -> None:
    scope = Scope(clients)

    with DATABASE.connect() as connection:
        found = connection.execute(select(scope.within(literal(asked)))).scalar_one()

    assert bool(found) is scope.sees(asked) is (asked in clients)


@pytest.mark.parametrize(
    ("scope", "setting"),
    [(EVERYWHERE, "all"), (NOWHERE, ""), (Scope(frozenset({12, 3})), "3,12")],
)
def test_row_level_security_is_told_of_it(scope: Scope, setting: str) -> None:
    assert scope.setting == setting


def test_what_is_no_clients_is_for_who_sees_all() -> None:
    assert EVERYWHERE.sees(None)
    assert not Scope(frozenset({1})).sees(None)
    assert not NOWHERE.sees(1)
