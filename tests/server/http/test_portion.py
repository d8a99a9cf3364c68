"""Who sees some of the clients gets from the head what they would get if the others were not there."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share
from tests.server.promql.expressions import EXPRESSIONS
from tests.server.promql.worlds import NOW, STEP

from tocsin_protocol.vocabulary import SeriesKind
from tocsin_server.http.portion import Portion
from tocsin_server.promql import Vector, evaluate, parse
from tocsin_server.series.head import Head
from tocsin_server.series.schema import Schema, SeriesEntry

CLIENTS = (3, 5, 8)
ENTRIES = tuple(
    SeriesEntry(name, SeriesKind.GAUGE, (("x", x), ("y", "1"))) for name in "abc" for x in ("1", "2")
)
Estate = dict[int, list[float]]
"""By host what it has sent, twice; a host's client is among `CLIENTS` by its number."""

ESTATES: st.SearchStrategy[Estate] = st.dictionaries(
    st.integers(0, 5),
    st.lists(st.floats(-10, 10), min_size=2 * len(ENTRIES), max_size=2 * len(ENTRIES)),
    max_size=5,
)


def client_of(host_id: int) -> int:
    return CLIENTS[host_id % len(CLIENTS)]


def head_of(estate: Estate) -> Head:
    head = Head()
    head.require({"": 60_000})
    for host_id, values in estate.items():
        head.enlist(host_id, client_id=client_of(host_id), target={"instance": f"host-{host_id}"})
        matrix = np.array(values).reshape(2, len(ENTRIES))
        head.apply(host_id, Schema(1, "", ENTRIES), [NOW - STEP, NOW], matrix)
    return head


def told(vector: Vector) -> tuple[list[object], dict[int, str]]:
    rows = [(row.client_id, row.host_id, sorted(row.labels.items()), repr(row.value)) for row in vector.rows()]
    return sorted(rows, key=repr), dict(vector.failures)


@settings(max_examples=share(80))
@given(ESTATES, EXPRESSIONS, st.sets(st.sampled_from(CLIENTS)))
def test_a_portion_is_what_there_would_be_without_the_others(estate: Estate, text: str, seen: set[int]) -> None:
    own = {host_id: values for host_id, values in estate.items() if client_of(host_id) in seen}
    expression = parse(text)

    portion = evaluate(expression, Portion(head_of(estate), seen), NOW)

    assert told(portion) == told(evaluate(expression, head_of(own), NOW))
