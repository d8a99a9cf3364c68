"""The life of an alert: Prometheus's rules by golden vectors, and what must hold whatever is seen."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_protocol.vocabulary import AlertState
from tocsin_server.alerts.rules import OnNoData
from tocsin_server.alerts.state import ACTIVE, ALARMING, UNBORN, Life, Terms, advance
from tocsin_server.promql import Verdict

T, F, U = Verdict.TRUE, Verdict.FALSE, Verdict.UNKNOWN
WORDS = {
    "-": AlertState.INACTIVE,
    "p": AlertState.PENDING,
    "F": AlertState.FIRING,
    "u": AlertState.UNKNOWN,
    "R": AlertState.RESOLVED,
}


def lives(seen, terms, *, step_ms=1000, life=UNBORN):
    """Every life, one a second from second 0 on."""
    for index, verdict in enumerate(seen):
        life = advance(life, verdict, terms, index * step_ms)
        yield life


@pytest.mark.parametrize(
    ("seen", "terms", "states"),
    [
        # without `for` it fires at once, and again after it has been resolved
        ([T, T, F, F, T], Terms(), "FFRRF"),
        # `for` is reached when as much time has passed since the first true evaluation
        ([T, T, T, T], Terms(for_ms=2000), "ppFF"),
        # a pending alert vanishes at the first miss, and begins again
        ([T, T, F, T, T, T], Terms(for_ms=2000), "pp-ppF"),
        # what cannot be judged is a miss for a pending alert too
        ([T, U, T], Terms(for_ms=1000), "p-p"),
        # unknown keeps firing and says so, until it is seen true or false
        ([T, U, U, T, U, F], Terms(), "FuuFuR"),
        # a rule may rather go on firing without saying so, or resolve as Prometheus does
        ([T, U, U, F], Terms(on_no_data=OnNoData.FIRE), "FFFR"),
        ([T, U, U], Terms(on_no_data=OnNoData.RESOLVE), "FRR"),
        # keep_firing_for counts from the first miss, and a hit resets it
        ([T, F, F, F], Terms(keep_firing_for_ms=2000), "FFFR"),
        ([T, F, T, F, F, F], Terms(keep_firing_for_ms=2000), "FFFFFR"),
        # what is unknown has not been seen false: the count begins anew
        ([T, F, U, F, F, F], Terms(keep_firing_for_ms=2000), "FFuFFR"),
        ([T, U, U, U], Terms(keep_firing_for_ms=2000, on_no_data=OnNoData.RESOLVE), "FFFR"),
        # what never was true is nothing
        ([F, U, F], Terms(), "---"),
    ],
)
def test_golden_vectors(seen, terms, states):
    assert [WORDS[letter] for letter in states] == [life.state for life in lives(seen, terms)]


def test_moments_are_those_of_evaluations():
    life = UNBORN
    for at_ms, seen in [(5000, T), (6000, T), (7000, T), (9000, F), (10_000, F)]:
        life = advance(life, seen, Terms(for_ms=2000, keep_firing_for_ms=1000), at_ms)

    assert life == Life(AlertState.RESOLVED, active_ms=5000, fired_ms=7000, resolved_ms=10_000)


def test_an_alert_that_fires_again_is_a_new_life():
    first = advance(UNBORN, T, Terms(), 1000)
    resolved = advance(first, F, Terms(), 2000)

    assert advance(resolved, T, Terms(), 3000) == Life(AlertState.FIRING, active_ms=3000, fired_ms=3000)


VERDICTS = st.lists(st.sampled_from(Verdict), max_size=30)
TERMS = st.builds(
    Terms,
    for_ms=st.integers(0, 5000),
    keep_firing_for_ms=st.integers(0, 5000),
    on_no_data=st.sampled_from(OnNoData),
)


@given(VERDICTS, TERMS)
def test_only_a_condition_that_is_seen_false_resolves_unless_the_rule_says_otherwise(seen, terms):
    for index, (before, after) in enumerate(pairwise([UNBORN, *lives(seen, terms)])):
        if after.state is AlertState.RESOLVED and before.state is not AlertState.RESOLVED:
            assert before.state in ALARMING
            assert seen[index] is F or terms.on_no_data is OnNoData.RESOLVE


@given(VERDICTS, TERMS)
def test_nothing_fires_before_its_condition_was_true_for_long_enough(seen, terms):
    for index, (before, after) in enumerate(pairwise([UNBORN, *lives(seen, terms)])):
        if after.state is AlertState.FIRING and before.state not in ALARMING:
            held = terms.for_ms // 1000 + (terms.for_ms % 1000 > 0)
            assert index - held >= 0
            assert set(seen[index - held : index + 1]) == {T}


@given(VERDICTS, TERMS)
def test_a_life_carries_the_moments_that_its_state_has(seen, terms):
    for life in lives(seen, terms):
        assert (life.active_ms is not None) == (life.state is not AlertState.INACTIVE)
        assert (life.fired_ms is not None) == (life.state in {*ALARMING, AlertState.RESOLVED})
        assert (life.resolved_ms is not None) == (life.state is AlertState.RESOLVED)
        assert life.keep_firing_since_ms is None or life.state is AlertState.FIRING


@given(VERDICTS, TERMS)
def test_the_same_verdict_again_at_the_same_moment_changes_nothing(seen, terms):
    for index, life in enumerate(lives(seen, terms)):
        if life.state in ACTIVE:
            assert life == advance(life, seen[index], terms, index * 1000)
