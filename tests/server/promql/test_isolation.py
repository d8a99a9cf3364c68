"""One evaluation serves all clients, and each gets exactly what it would get alone."""

import math

from hypothesis import given, settings
from tests.examples import share
from tests.server.promql.expressions import CLIENTS, EXPRESSIONS, series
from tests.server.promql.worlds import NOW, STEP

from tocsin_server.promql import Vector, evaluate, evaluate_range, parse
from tocsin_server.series.fixed import FixedSource


def seen(vector: Vector, client: int) -> tuple[dict, str | None]:
    rows = {
        (row.host_id, *sorted(row.labels.items())): repr(row.value)
        for row in vector.rows()
        if row.client_id == client
    }
    return rows, vector.failures.get(client)


@settings(max_examples=share(80))
@given(series(), EXPRESSIONS)
def test_all_clients_together_get_what_each_gets_alone(rows: list[tuple], text: str) -> None:
    expression = parse(text)

    together = evaluate(expression, FixedSource.from_series(rows, clients=CLIENTS), NOW)

    for client in CLIENTS:
        own = FixedSource.from_series([row for row in rows if row[0] == client], clients=[client])
        assert seen(evaluate(expression, own, NOW), client) == seen(together, client)


@settings(max_examples=share(40))
@given(series(), EXPRESSIONS)
def test_what_is_remembered_on_labels_changes_no_later_answer(rows: list[tuple], text: str) -> None:
    expression = parse(text)
    asked_often = FixedSource.from_series(rows, clients=CLIENTS)

    for at_ms in range(NOW - 6 * STEP, NOW + 2 * STEP, STEP):
        fresh = FixedSource.from_series(rows, clients=CLIENTS)
        remembered, anew = evaluate(expression, asked_often, at_ms), evaluate(expression, fresh, at_ms)
        assert [seen(remembered, client) for client in CLIENTS] == [seen(anew, client) for client in CLIENTS]


@settings(max_examples=share(40))
@given(series(), EXPRESSIONS)
def test_a_range_holds_the_results_of_its_instants(rows: list[tuple], text: str) -> None:
    expression, source = parse(text), FixedSource.from_series(rows, clients=CLIENTS)
    start = NOW - 3 * STEP

    lines = evaluate_range(expression, source, start_ms=start, end_ms=NOW, step_ms=STEP)

    drawn = {
        (line.client_id, *sorted(line.labels.items()), start + step * STEP): value
        for line in lines
        for step, value in enumerate(line.values.tolist())
        if not math.isnan(value)
    }
    instants = {
        (row.client_id, *sorted(row.labels.items()), at_ms): row.value
        for at_ms in range(start, NOW + 1, STEP)
        for row in evaluate(expression, source, at_ms).rows()
        if not math.isnan(row.value)
    }
    assert instants == drawn
