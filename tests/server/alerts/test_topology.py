"""Who is cut off, and by whom: never by a ring of names alone, and quickly on large maps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_server.alerts.topology import MOST_CAUSES, unreachable

CORE, LEFT, RIGHT, ATLAS, BOREA = range(1, 6)
TREE = {LEFT: [CORE], RIGHT: [CORE], ATLAS: [LEFT, RIGHT], BOREA: [RIGHT]}


@pytest.mark.parametrize(
    ("down", "cut_off"),
    [
        (set(), {}),
        ({RIGHT}, {BOREA: (RIGHT,)}),
        ({LEFT, RIGHT}, {ATLAS: (LEFT, RIGHT), BOREA: (RIGHT,)}),
        # the top-most dead one is why, for those too that are down themselves
        ({CORE}, {LEFT: (CORE,), RIGHT: (CORE,), ATLAS: (CORE,), BOREA: (CORE,)}),
        ({CORE, LEFT, ATLAS}, {LEFT: (CORE,), RIGHT: (CORE,), ATLAS: (CORE,), BOREA: (CORE,)}),
        # who is no parent touches nobody
        ({ATLAS, BOREA}, {}),
        ({99}, {}),
    ],
)
def test_a_host_is_cut_off_when_all_its_parents_are_down_or_cut_off(down, cut_off):
    assert unreachable(TREE, down) == cut_off


def test_a_parent_of_which_nothing_more_is_known_counts():
    assert unreachable({ATLAS: [99]}, {99}) == {ATLAS: (99,)}


def test_a_host_without_parents_is_never_cut_off():
    assert unreachable({CORE: [], LEFT: [CORE]}, {CORE, LEFT}) == {LEFT: (CORE,)}


def test_who_is_heard_is_reached_whatever_the_map_says_and_so_is_who_is_behind_it():
    chain = {LEFT: [CORE], ATLAS: [LEFT], BOREA: [ATLAS]}

    assert unreachable(chain, {CORE}, heard={LEFT}) == {}
    assert unreachable(chain, {CORE, ATLAS}, heard={LEFT}) == {BOREA: (ATLAS,)}


@pytest.mark.parametrize("down", [{1}, {2}, {1, 2}, {1, 2, 3}, {3}])
def test_a_ring_that_nothing_leads_to_silences_nobody_in_it(down):
    ring = {1: [2], 2: [3], 3: [1]}

    assert unreachable(ring, down) == {}


def test_a_host_that_names_itself_is_not_silenced_by_itself():
    assert unreachable({1: [1]}, {1}) == {}
    assert unreachable({1: [1, 2]}, {1}) == {}
    assert unreachable({1: [1, 2]}, {2}) == {1: (2,)}


def test_who_is_behind_a_ring_is_cut_off_by_it():
    behind = {1: [2], 2: [1], 3: [1, 2], 4: [3]}

    assert unreachable(behind, {1}) == {}
    assert unreachable(behind, {1, 2}) == {3: (1, 2), 4: (1, 2)}
    assert unreachable({**behind, 5: [4, 9]}, {1, 2}) == {3: (1, 2), 4: (1, 2)}


def test_a_ring_behind_a_host_is_cut_off_by_it():
    ring = {1: [2, 9], 2: [1]}

    assert unreachable(ring, {9}) == {1: (9,), 2: (9,)}
    assert unreachable(ring, {1, 2}) == {2: (1,)}  # 1 is reached through 9, and dead


HOSTS = st.integers(0, 6)
MAPS = st.dictionaries(HOSTS, st.sets(HOSTS, max_size=3))
ORDERED = st.dictionaries(HOSTS, st.sets(HOSTS, max_size=3)).map(
    lambda parents: {host: {each for each in its if each < host} for host, its in parents.items()}
)


@given(ORDERED, st.sets(HOSTS))
def test_without_rings_it_is_the_rule_to_the_letter(parents, down):
    cut_off = {}
    for host in sorted(parents):
        if parents[host] and all(each in down or each in cut_off for each in parents[host]):
            cut_off[host] = set().union(*(cut_off.get(each, {each}) for each in parents[host]))

    assert {host: set(causes) for host, causes in unreachable(parents, down).items()} == cut_off


@given(MAPS, st.sets(HOSTS), st.sets(HOSTS))
def test_whoever_is_cut_off_has_a_dead_host_that_is_told(parents, down, heard):
    cut_off = unreachable(parents, down, heard=heard)

    for host, causes in cut_off.items():
        assert causes
        assert set(causes) <= down - set(cut_off)
        assert all(each in down or each in cut_off for each in parents[host])
        assert host not in heard


@given(MAPS, st.sets(HOSTS), HOSTS)
def test_another_death_saves_nobody_but_may_take_over(parents, down, host):
    assert set(unreachable(parents, down)) <= set(unreachable(parents, down | {host}))


@given(MAPS)
def test_nobody_is_cut_off_while_nobody_is_down(parents):
    assert unreachable(parents, set()) == {}


@pytest.mark.scenario
def test_a_hundred_thousand_hosts_are_told_in_one_pass():
    count = 100_000
    chain = {host: [host - 1, host - 2] for host in range(2, count)}
    fan = {host: [host % 500 + count, (host + 1) % 500 + count] for host in range(count)}
    ring = {host: [host - 1 or count] for host in range(1, count + 1)}

    assert len(unreachable(chain, {0, 1})) == count - 2
    assert len(unreachable(fan, set(range(count, count + 500)))) == count
    assert unreachable(ring, set(range(count))) == {}


def test_no_more_causes_are_told_than_a_reader_can_use():
    causes = unreachable({0: range(1, 100)}, set(range(1, 100)))[0]

    assert causes == tuple(range(1, MOST_CAUSES + 1))
