"""Who is given a ticket: decided from what everybody has to do, and nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from tocsin_server.desk.load import WEIGHTS, Bearer, least_loaded
from tocsin_server.desk.standing import Technician

NOW = 1_700_000_000_000
ALICE, BOB, DORA = (Technician(n, login) for n, login in enumerate(("alice", "bob", "dora"), 1))

bearers = st.lists(
    st.builds(
        lambda number, open_, load, most, away, given_ms: Bearer(
            Technician(number, f"p{number:03}"), open_, load, most, away, given_ms
        ),
        st.integers(1, 999),
        st.integers(0, 9),
        st.integers(0, 30),
        st.none() | st.integers(1, 9),
        st.none() | st.integers(NOW - 2, NOW + 2),
        st.none() | st.integers(NOW - 9, NOW),
    ),
    unique_by=lambda bearer: bearer.who.id,
    max_size=12,
)


def chosen(*of: Bearer) -> Technician | None:
    bearer = least_loaded("servers", of, NOW).bearer
    return None if bearer is None else bearer.who


def test_who_has_the_least_to_do_is_given_it_and_it_is_said_what_the_others_have() -> None:
    choice = least_loaded("servers", [Bearer(ALICE, 1, 8), Bearer(BOB, 4, 5), Bearer(DORA, 6, 6)], NOW)

    assert choice.bearer is not None
    assert choice.bearer.who == BOB
    assert choice.why == "bob of servers has the least open load: 5 (others: dora 6, alice 8)"


def test_of_two_with_as_much_the_one_who_was_given_one_longest_ago_is_next() -> None:
    assert chosen(Bearer(ALICE, 1, 4, given_ms=NOW - 5), Bearer(BOB, 1, 4, given_ms=NOW - 9)) == BOB
    assert chosen(Bearer(ALICE, 1, 4, given_ms=NOW - 5), Bearer(BOB, 1, 4)) == BOB
    assert chosen(Bearer(BOB, 1, 4), Bearer(ALICE, 1, 4)) == ALICE


def test_who_is_away_is_given_none_until_they_are_back() -> None:
    assert chosen(Bearer(ALICE, away_until_ms=NOW + 1), Bearer(BOB, 9, 9)) == BOB
    assert chosen(Bearer(ALICE, away_until_ms=NOW), Bearer(BOB, 9, 9)) == ALICE


def test_who_has_as_many_as_they_may_have_is_given_none() -> None:
    assert chosen(Bearer(ALICE, 2, 2, most_open=2), Bearer(BOB, 9, 9)) == BOB
    assert chosen(Bearer(ALICE, 1, 1, most_open=2), Bearer(BOB, 9, 9)) == ALICE


def test_where_nobody_can_be_given_it_each_is_told_with_the_reason() -> None:
    away = Bearer(ALICE, away_until_ms=NOW + 60_000)

    choice = least_loaded("servers", [away, Bearer(BOB, 5, 20, most_open=5)], NOW)

    assert choice == (
        None,
        "nobody of servers can be given it: alice is away until 2023-11-14 22:14Z, bob has 5 open of at most 5",
    )
    assert least_loaded("servers", [], NOW).why == "nobody of servers can be given it: nobody is in it"


def test_a_reason_stays_short_however_many_are_in_the_team() -> None:
    many = [Bearer(Technician(n, f"p{n}"), load=n) for n in range(40)]

    assert least_loaded("servers", many, NOW).why.endswith("p7 7, p8 8, and 31 more)")


@given(of=bearers)
def test_nobody_with_less_to_do_is_passed_over_and_nobody_hindered_is_chosen(of: list[Bearer]) -> None:
    able = [bearer for bearer in of if not bearer.hindrance(NOW)]

    bearer = least_loaded("servers", of, NOW).bearer

    assert (bearer is None) == (not able)
    if bearer is not None:
        assert bearer in able
        assert bearer.load == min(each.load for each in able)
        assert least_loaded("servers", of[::-1], NOW).bearer == bearer


@given(of=bearers, priorities=st.lists(st.sampled_from(sorted(WEIGHTS)), max_size=40))
def test_however_many_come_nobody_is_given_more_than_they_may_have(
    of: list[Bearer], priorities: list[int]
) -> None:
    team = {bearer.who.id: bearer for bearer in of}
    for priority in priorities:
        bearer = least_loaded("servers", list(team.values()), NOW).bearer
        if bearer is not None:
            team[bearer.who.id] = bearer.with_one_more(priority, NOW)

    had = {bearer.who.id: bearer.open for bearer in of}
    assert all(
        each.most_open is None or each.open <= max(each.most_open, had[each.who.id]) for each in team.values()
    )
