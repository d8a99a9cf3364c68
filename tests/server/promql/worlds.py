"""Small worlds for the evaluator's tests: series, and results as plain values."""

from collections.abc import Mapping, Sequence

from tocsin_server.promql import evaluate, parse
from tocsin_server.series.fixed import FixedSource

ACME, OTHER = 1, 2
ATLAS = 7
NOW = 600_000
STEP = 10_000

Labels = Mapping[str, str]


def flat(name: str, value: float, *, client: int = ACME, host: int | None = ATLAS, **labels: str) -> tuple:
    """One fresh sample."""
    return client, host, {"__name__": name, **labels}, [NOW], [value]


def sampled(
    name: str,
    values: Sequence[float],
    *,
    until: int = NOW,
    client: int = ACME,
    host: int | None = ATLAS,
    **labels: str,
) -> tuple:
    """Samples ten seconds apart, the last of them at `until`."""
    times = [until - STEP * back for back in reversed(range(len(values)))]
    return client, host, {"__name__": name, **labels}, times, list(values)


def world(*series: tuple, clients: Sequence[int] = ()) -> FixedSource:
    return FixedSource.from_series(series, clients=clients)


def ask(source: FixedSource, text: str, at_ms: int = NOW) -> dict[tuple, float]:
    """The result as values by client and labels; no client may fail."""
    vector = evaluate(parse(text), source, at_ms)
    assert not vector.failures
    return {(row.client_id, *sorted(row.labels.items())): row.value for row in vector.rows()}


def only_value(source: FixedSource, text: str, at_ms: int = NOW) -> float:
    """The value of the one row there is."""
    (value,) = ask(source, text, at_ms).values()
    return value


def failures(source: FixedSource, text: str) -> Mapping[int, str]:
    return evaluate(parse(text), source, NOW).failures
