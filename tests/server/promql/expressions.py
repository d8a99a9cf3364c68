"""Random expressions over metrics `a`, `b`, `c` with labels `x` and `y`, and series to ask, for hypothesis."""

import math

from hypothesis import strategies as st
from tests.server.promql.worlds import NOW, STEP

from tocsin_server.series.arrays import stale

_MATCHERS = st.sampled_from(["", '{x="1"}', '{x!="1"}', '{y=~"1|2"}', '{x!~"2"}', '{y=""}'])
_SELECTORS = st.builds(
    "{}{}{}".format, st.sampled_from("abc"), _MATCHERS, st.sampled_from(["", "", " offset 1m"])
)
_RANGES = st.builds("{}{}[{}]".format, st.sampled_from("abc"), _MATCHERS, st.sampled_from(["1m", "35s"]))
_OVER_TIME = st.sampled_from(
    ["rate", "increase", "delta", "irate", "changes", "resets", "deriv", "sum_over_time", "min_over_time"]
)
_GROUPINGS = st.sampled_from(["", "by (x)", "by (y)", "without (x)", "by (x, y)", "without ()"])
_AGGREGATIONS = st.sampled_from(["sum", "avg", "min", "max", "count", "group", "stddev"])
_MATCHINGS = st.sampled_from(["", "on (x)", "ignoring (y)", "on ()", "on (x, y)"])
_GROUPED = st.sampled_from(
    ["on (x) group_left ()", "on (x) group_left (y)", "on () group_right ()", "ignoring (y) group_right (y)"]
)
_ARITHMETIC = st.sampled_from(["+", "-", "*", "/", "%", "^", "atan2"])
_COMPARISONS = st.sampled_from(["==", "!=", ">", "<", ">=", "<="])
_SCALARS = st.sampled_from(["1", "0.5", "-2", "time()", "scalar(a)", "scalar(sum(b))"])

LEAVES = st.one_of(
    _SELECTORS,
    st.builds("{}({})".format, _OVER_TIME, _RANGES),
    st.builds("absent({})".format, _SELECTORS),
    st.builds("vector({})".format, _SCALARS),
)


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} {} {} {})".format, inner, _ARITHMETIC, _MATCHINGS, inner),
        st.builds("({} {} {} {})".format, inner, _ARITHMETIC, _GROUPED, inner),
        st.builds("({} {} {} {})".format, inner, _COMPARISONS, _GROUPED, inner),
        st.builds(
            "({} {} {} {} {})".format, inner, _COMPARISONS, st.sampled_from(["", "bool"]), _MATCHINGS, inner
        ),
        st.builds("({} {} {})".format, inner, _COMPARISONS, _SCALARS),
        st.builds("({} {} {})".format, _SCALARS, _ARITHMETIC, inner),
        st.builds("({} {} {} {})".format, inner, st.sampled_from(["and", "or", "unless"]), _MATCHINGS, inner),
        st.builds("{} {} ({})".format, _AGGREGATIONS, _GROUPINGS, inner),
        st.builds("{} {} (2, {})".format, st.sampled_from(["topk", "bottomk"]), _GROUPINGS, inner),
        st.builds("quantile {} (0.4, {})".format, _GROUPINGS, inner),
        st.builds('count_values {} ("v", {})'.format, _GROUPINGS, inner),
        st.builds("{}(({})[2m:30s])".format, _OVER_TIME, inner),
        st.builds("max_over_time(({})[1m:20s] offset 30s)".format, inner),
        st.builds("({} {} fill_left(0) fill_right(1) {})".format, inner, _ARITHMETIC, inner),
        st.builds('label_join({}, "y", "-", "x", "y")'.format, inner),
        st.builds("histogram_quantile(0.5, {})".format, inner),
        st.builds("sort({})".format, inner),
        st.builds("-({})".format, inner),
        st.builds("clamp({}, 0, {})".format, inner, _SCALARS),
        st.builds("absent({})".format, inner),
        st.builds('label_replace({}, "y", "$1", "x", "(.*)")'.format, inner),
    )


EXPRESSIONS = st.recursive(LEAVES, _grown, max_leaves=5)


CLIENTS = (3, 5, 8)
STALE = float(stale(1)[0])

VALUES = st.sampled_from([0.0, 1.0, 2.0, 5.0, -1.0, math.nan, math.inf, STALE, STALE])
LABELS = st.fixed_dictionaries(
    {"__name__": st.sampled_from("abc")},
    optional={"x": st.sampled_from("12"), "y": st.sampled_from("12")},
)
SERIES = st.tuples(st.sampled_from(CLIENTS), LABELS, st.lists(VALUES, min_size=1, max_size=6))


@st.composite
def series(draw: st.DrawFn) -> list[tuple]:
    rows = {}
    for client, labels, values in draw(st.lists(SERIES, max_size=14)):
        times = [NOW - STEP * back for back in reversed(range(len(values)))]
        rows[client, *sorted(labels.items())] = (client, client * 10, labels, times, values)
    return list(rows.values())
