"""A host may send so many different series in an hour, however they come, and is told of which metric."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from bench.fleet import pack_schema
from hypothesis import given
from hypothesis import strategies as st
from tests.server.ingest.rig import Answer, Rig, RigAgent, enrolled, running

from tocsin_protocol import wire
from tocsin_protocol.vocabulary import SeriesKind
from tocsin_server.config import ServerConfig
from tocsin_server.ingest.cardinality import HOUR_S, REFUSES_S, Hour
from tocsin_server.series.schema import Schema, SeriesEntry

STEADY = [("node_load1", SeriesKind.GAUGE, {})]


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path) as made:
        yield made


@pytest_asyncio.fixture
async def atlas(rig: Rig) -> RigAgent:
    return await enrolled(rig)


def schema(number: int, *entries: tuple[str, int]) -> Schema:
    """Metrics with so many series each, of the values from `number` on."""
    series = [
        SeriesEntry(name, SeriesKind.GAUGE, (("pid", str(number + at)),))
        for name, count in entries
        for at in range(count)
    ]
    return Schema(hash(tuple(series)), "", tuple(series))


def churned(number: int, count: int = 400) -> bytes:
    """A schema whose values nobody has sent yet."""
    busy = [("app_requests", SeriesKind.GAUGE, {"id": f"{number}-{at}"}) for at in range(count)]
    return pack_schema([*STEADY, *busy])


async def churn(agent: RigAgent, numbers: range) -> list[Answer]:
    return [await agent.push(agent.frame(number, schema=churned(number))) for number in numbers]


def refused(rig: Rig) -> float | None:
    return rig.health.registry.get_sample_value("tocsin_series_refused_total", {"client": "acme"})


async def test_a_host_that_makes_up_series_is_refused_by_the_name_of_the_metric(
    rig: Rig, atlas: RigAgent
) -> None:
    answers = await churn(atlas, range(6))

    assert [answer.status for answer in answers] == [200] * 4 + [422] * 2
    assert answers[-1].said["type"] == "too-many-series"
    assert answers[-1].said["detail"] == (
        "atlas has sent more than 2000 different series in an hour: app_requests grows most"
    )
    assert "label" in answers[-1].said["remedy"]
    assert refused(rig) == 2 * 401


async def test_what_it_has_sent_so_far_is_taken_as_before(rig: Rig, atlas: RigAgent) -> None:
    await churn(atlas, range(6))

    answer = await atlas.push(atlas.frame(9, schema=churned(0)))

    assert answer.status == 200


async def test_another_host_of_the_same_client_is_not_concerned(rig: Rig, atlas: RigAgent) -> None:
    borea = await enrolled(rig, "borea")
    await churn(atlas, range(6))

    assert [answer.status for answer in await churn(borea, range(3))] == [200] * 3


async def test_after_an_hour_it_is_heard_again(rig: Rig, atlas: RigAgent) -> None:
    await churn(atlas, range(6))

    rig.clock.move(seconds=HOUR_S)
    await atlas.hello()

    assert (await churn(atlas, range(6, 7)))[0].status == 200


async def test_a_host_that_is_refused_is_not_silent_and_is_known_as_refused(rig: Rig, atlas: RigAgent) -> None:
    host = rig.estate.hosts()[0].id
    await churn(atlas, range(5))
    rig.clock.move(seconds=120)

    await churn(atlas, range(5, 6))

    assert rig.presence.is_up(host, rig.clock.now_ms())
    assert rig.cardinality.is_refused(host)
    rig.clock.move(seconds=REFUSES_S + 1)
    assert not rig.cardinality.is_refused(host)


async def test_nothing_of_a_refused_push_is_stored(rig: Rig, atlas: RigAgent) -> None:
    await churn(atlas, range(4))
    stored = rig.count("stored")

    await atlas.push(atlas.frame(90), atlas.frame(91, schema=churned(91)))

    assert rig.count("stored") == stored


def test_one_schema_however_often_it_is_told_counts_once() -> None:
    hour = Hour(0.0)

    assert [hour.take(schema(0, ("a", 10)), most=10) for _ in range(5)] == [""] * 5


def test_a_first_schema_that_is_too_large_is_refused_too() -> None:
    assert Hour(0.0).take(schema(0, ("a", 4), ("b", 7)), most=10) == "b"


def test_what_grows_most_is_named_and_not_what_is_largest() -> None:
    hour = Hour(0.0)
    hour.take(schema(0, ("large", 80)), most=100)
    for number in range(4):
        assert hour.take(schema(number, ("large", 80), ("busy", 5)), most=100) == ""

    assert hour.take(schema(50, ("large", 1), ("busy", 40)), most=100) == "busy"


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 10)), max_size=30), st.integers(1, 60))
def test_never_more_than_the_limit_are_taken_and_never_less_refused(
    told: list[tuple[int, int]], most: int
) -> None:
    hour, taken = Hour(0.0), set()
    for number, count in told:
        given_schema = schema(number, ("a", count))
        fresh = taken | set(given_schema.series)

        metric = hour.take(given_schema, most=most)

        assert bool(metric) is (len(fresh) > most)
        if not metric:
            taken = fresh
    assert len(taken) <= most


def test_the_limit_is_above_what_one_schema_may_have() -> None:
    assert ServerConfig().series_per_hour > wire.MAX_SERIES_PER_SCHEMA


def test_a_limit_that_would_refuse_everything_is_refused() -> None:
    with pytest.raises(ValueError, match="series_per_hour"):
        ServerConfig(series_per_hour=0)
