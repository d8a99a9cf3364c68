"""Random series and expressions: what Debian's promtool 2.42 gives, tocsin gives."""

import os
from pathlib import Path

import pytest
from tests.conformance.differential import differences, expressions, ours, trials

from tocsin_server.promql import parse

pytestmark = pytest.mark.real

CHECKOUT = Path(__file__).parents[2]
CORPORA = Path(os.environ.get("TOCSIN_CORPORA", CHECKOUT / "../shared/corpora"))
RULES = [*sorted((CHECKOUT / "config/rules").glob("*.yml")), *sorted(CORPORA.glob("awesome-*/*.yml"))]
OWN = [
    "histogram_quantile(0.9, sum by (le, job) (rate(a_bucket[5m]))) > 0.2",
    "max_over_time(clamp(a, 10, 50)[5m:45s])",
    "sum_over_time((a > 20)[5m:30s] offset 1m)",
    'label_join(a, "c", "-", "job", "instance") * on (instance) group_left () count by (instance) (b)',
    'count_values by (job) ("v", round(a, 10))',
    "quantile_over_time(0.3, a[5m]) unless on (instance) (b > bool 50 == 1)",
    "topk by (job) (1, a) or bottomk by (job) (1, b)",
    "holds and ignoring (job) stddev by (instance) (a)",
    "predict_linear(a[5m], 600) - deriv(a[5m]) * 600",
    "absent(a{job='nobody'}) + absent_over_time(a{job='nobody'}[5m])",
    "resets(a_total[10m]) + changes(a[10m]) + idelta(a[5m]) + irate(a_total[5m])",
    "clamp(a, 10, 50) % 7 ^ 2 + (a atan2 b)",
    "day_of_week(a * 1e6) + hour(a * 1e6) + days_in_month(a * 1e7)",
    "avg without (instance) (a @ 200.5) + on () group_left () vector(scalar(sum(b)))",
    "stdvar_over_time(a[5m]) / avg_over_time(a[5m]) >= 0.1",
]


def test_both_find_the_same_rows_with_the_same_values(require):
    promtool = require("promtool", "prometheus")
    asked = list(trials([*expressions(RULES), *map(parse, OWN)], 400, seed=20))

    assert list(differences(asked, promtool)) == []
    assert sum(bool(ours(trial)) for trial in asked) > 100
