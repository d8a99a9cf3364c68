"""Prometheus's own language tests, where they are at hand: every eval passes that asks for what tocsin has."""

import os
from pathlib import Path

import pytest
from tests.conformance.promqltest import Outcome, tally

pytestmark = pytest.mark.scenario

CHECKOUT = Path(__file__).parents[3]
CORPORA = Path(os.environ.get("TOCSIN_CORPORA", CHECKOUT / "../shared/corpora")) / "promqltest"
FLOORS = {
    "aggregators.test": 152,
    "at_modifier.test": 78,
    "collision.test": 2,
    "duration_expression.test": 8,
    "extended_vectors.test": 38,
    "fill-modifier.test": 46,
    "functions.test": 379,
    "histograms.test": 93,
    "literals.test": 25,
    "name_label_dropping.test": 30,
    "operators.test": 207,
    "range_queries.test": 17,
    "selectors.test": 31,
    "staleness.test": 17,
    "subquery.test": 32,
    "trig_functions.test": 19,
    "type_and_unit.test": 34,
}
"""How many evals of each file have passed once: what is skipped by mistake would go unseen."""


@pytest.mark.parametrize("name", sorted(FLOORS))
def test_every_eval_of_prometheus_that_needs_nothing_else_passes(name: str) -> None:
    path = CORPORA / name
    if not path.is_file():
        pytest.skip(f"{path} is not there; TOCSIN_CORPORA names the folder of corpora")

    counts, failed = tally(path)

    assert [f"{asked.line}: {asked.text}" for asked in failed] == []
    assert counts[Outcome.PASSED] >= FLOORS[name]
