"""Prometheus's own language tests, where they are at hand: every eval that uses only what tocsin supports."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.server.promql.promqltest import Eval, Loaded, agrees, answer, is_ours, questions

CHECKOUT = Path(__file__).parents[3]
CORPORA = Path(os.environ.get("TOCSIN_CORPORA", CHECKOUT / "../shared/corpora")) / "promqltest"
FLOORS = {
    "aggregators.test": 120,
    "at_modifier.test": 41,
    "functions.test": 204,
    "literals.test": 20,
    "operators.test": 144,
    "selectors.test": 31,
    "staleness.test": 17,
}
"""How many evals of each file must have been judged: what is skipped by mistake would pass unseen."""

UNCOMPENSATED = "sums are not compensated, so values that cancel at 1e100 take the small ones with them"
DIFFERENT = {
    ("aggregators.test", 'sum(data{test="ten"})'): UNCOMPENSATED,
    ("aggregators.test", 'avg(data{test="ten"})'): UNCOMPENSATED,
    ("functions.test", "sum_over_time(metric[2m])"): UNCOMPENSATED,
    ("functions.test", "avg_over_time(metric[2m])"): UNCOMPENSATED,
    ("functions.test", "avg_over_time(metric11[1m])"): UNCOMPENSATED,
    (
        "functions.test",
        'label_replace(testmetric, "\\xff", "", "src", "(.*)")',
    ): "the parser reads \\xff as a letter",
}


def _ours(path: Path) -> Iterator[tuple[Eval, Loaded]]:
    for asked, loaded in questions(path):
        if is_ours(asked, loaded) and (path.name, asked.text) not in DIFFERENT:
            yield asked, loaded


@pytest.mark.parametrize("name", sorted(FLOORS))
def test_every_supported_eval_of_prometheus_gives_prometheus_s_answer(name: str) -> None:
    path = CORPORA / name
    if not path.is_file():
        pytest.skip(f"{path} is not there; TOCSIN_CORPORA names the folder of corpora")

    judged = [(asked, agrees(asked, answer(asked, loaded.source()))) for asked, loaded in _ours(path)]

    assert [f"{asked.line}: {asked.text}" for asked, good in judged if not good] == []
    assert len(judged) >= FLOORS[name]
