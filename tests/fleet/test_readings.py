"""What simulated hosts read: the same for the same seed, counters that never fall, and troubles as scripted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.metrics import of_collectors

from tocsin_agent.collectors.registry import default_collectors
from tocsin_fleet.chance import word_of
from tocsin_fleet.incidents import EMPTYING_S, FIRST_KILL_S, KILL_EVERY_S, Incident, Kind, Script
from tocsin_fleet.machines import MODELS, Machines
from tocsin_fleet.readings import Readings
from tocsin_fleet.series import named, series_of
from tocsin_protocol.vocabulary import SeriesKind
from tocsin_protocol.wire import MAX_SERIES_PER_SCHEMA

NOON = 1_795_694_400.0
HOSTS = 5
TROUBLED, WELL = 1, 2

INSTANTS = st.floats(1.6e9, 2.2e9, allow_nan=False)
MODEL = st.sampled_from(MODELS)


def readings(*incidents: Incident, model=MODELS[0], seed: int = 1) -> Readings:
    words = np.array([word_of(seed, host) for host in range(HOSTS)], np.uint64)
    return Readings(Machines(model, words), np.arange(HOSTS), Script(incidents))


def read(told: Readings, name: str, at_s: float, host: int = TROUBLED, **labels: str) -> float:
    """One host's sample of the first series with this name and these labels."""
    samples = told.at(np.array([host]), np.array([at_s]))[0]
    return next(
        float(sample)
        for series, sample in zip(told.series, samples, strict=True)
        if series.name == name and labels.items() <= dict(series.labels).items()
    )


def available(told: Readings, at_s: float, host: int = TROUBLED) -> float:
    """The share of the data's file system that is free."""
    path = told._machines.model.mounts[1].path
    free = read(told, "node_filesystem_avail_bytes", at_s, host, mountpoint=path)
    return free / read(told, "node_filesystem_size_bytes", at_s, host, mountpoint=path)


def free_memory(told: Readings, at_s: float, host: int = TROUBLED) -> float:
    return read(told, "node_memory_MemAvailable_bytes", at_s, host) / read(
        told, "node_memory_MemTotal_bytes", at_s, host
    )


def idle(told: Readings, since_s: float, until_s: float, host: int = TROUBLED) -> float:
    """The share of the time in which the first processor had nothing to do."""
    name = "node_cpu_seconds_total"
    at = [read(told, name, at_s, host, cpu="0", mode="idle") for at_s in (since_s, until_s)]
    return (at[1] - at[0]) / (until_s - since_s)


@given(MODEL, INSTANTS)
def test_the_same_seed_gives_the_same_readings_alone_or_among_many(model, at_s: float) -> None:
    every = readings(model=model).at(np.arange(HOSTS), np.full(HOSTS, at_s))

    alone = [readings(model=model).at(np.array([host]), np.array([at_s]))[0] for host in range(HOSTS)]

    assert np.array_equal(every, np.stack(alone))


def test_another_seed_gives_other_readings() -> None:
    one, other = (readings(seed=seed).at(np.arange(HOSTS), np.full(HOSTS, NOON)) for seed in (1, 2))

    assert not np.array_equal(one, other)


@given(MODEL, INSTANTS, st.lists(st.floats(1.0, 3600.0), min_size=1, max_size=20))
def test_counters_never_fall_while_a_host_runs(model, start_s: float, steps: list[float]) -> None:
    troubles = [Incident(kind, TROUBLED, start_s, start_s + 900, 60) for kind in Kind]
    told = readings(*troubles, model=model)
    at_s = start_s + np.cumsum([0.0, *steps])
    rows = np.full(len(at_s), TROUBLED)
    runs = told.courses(rows, at_s)["booted"]

    samples = told.at(rows, at_s)[runs == runs[0]]

    counters = [series.kind is SeriesKind.COUNTER for series in told.series]
    assert np.all(np.diff(samples[:, counters], axis=0) >= 0)


@given(MODEL, INSTANTS)
def test_every_sample_is_a_number_and_none_is_negative(model, at_s: float) -> None:
    samples = readings(model=model).at(np.arange(HOSTS), np.full(HOSTS, at_s))

    assert np.isfinite(samples).all()
    assert (samples >= 0).all()


@given(MODEL, INSTANTS)
def test_a_host_without_trouble_has_room_everywhere(model, at_s: float) -> None:
    told = readings(model=model)

    assert available(told, at_s) > 0.4
    assert free_memory(told, at_s) > 0.2
    assert read(told, "node_load5", at_s) < model.cores


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_host_sends_what_an_agent_sends(model) -> None:
    known = of_collectors()
    families = tuple(name[:-1] for name in known if name.endswith("*"))

    series = named(series_of(model), "atlas", 7)

    names = [name for name, _, _ in series]
    assert not [name for name in names if name not in known and not name.startswith(families)]
    keys = [(name, tuple(sorted(labels.items()))) for name, _, labels in series]
    assert len(keys) == len(set(keys)) <= MAX_SERIES_PER_SCHEMA


def test_series_have_the_labels_and_the_kind_that_an_agent_gives_them() -> None:
    real: dict[str, set[object]] = {}
    for collector in default_collectors():
        for sample in collector.collect():
            real.setdefault(sample.name, set()).add((sample.kind, frozenset(dict(sample.labels))))

    shapes = [(name, kind, frozenset(labels)) for name, kind, labels in named(series_of(MODELS[0]), "atlas", 7)]

    # What one machine tells of its links and processors another does not.
    told = [shape for shape in shapes if shape[0] in real and not shape[0].endswith("_info")]
    assert len(told) > 200
    assert [shape for shape in told if shape[1:] not in real[shape[0]]] == []


def test_each_host_names_itself() -> None:
    own = [dict(labels) for name, _, labels in named(series_of(MODELS[0]), "atlas", 7) if "uname" in name]

    assert own[0]["nodename"] == "atlas"


def test_afternoons_of_working_days_are_busier_than_nights() -> None:
    told = readings()
    a_day_s = 86_400.0

    day = sum(idle(told, NOON + day * a_day_s, NOON + day * a_day_s + 7200) for day in range(3))
    night = sum(
        idle(told, NOON - (day + 0.5) * a_day_s, NOON - (day + 0.5) * a_day_s + 7200) for day in range(3)
    )

    assert day < night


def test_a_file_system_fills_and_is_emptied_as_scripted() -> None:
    told = readings(Incident(Kind.FILL, TROUBLED, NOON, NOON + 600, ramp_s=60))

    assert available(told, NOON - 1) > 0.4
    assert available(told, NOON + 60) < 0.03
    assert available(told, NOON + 599) < 0.03
    assert available(told, NOON + 600 + EMPTYING_S) > 0.4
    assert available(told, NOON + 300, WELL) > 0.4


def test_a_storm_leaves_the_processors_no_time_and_lets_tasks_wait() -> None:
    told = readings(Incident(Kind.STORM, TROUBLED, NOON, NOON + 1800))
    cores = MODELS[0].cores

    assert idle(told, NOON - 300, NOON) > 0.3
    assert idle(told, NOON + 60, NOON + 240) < 0.05
    assert read(told, "node_load5", NOON + 900) > 2 * cores
    assert read(told, "node_load5", NOON + 2700) < cores
    assert idle(told, NOON + 1800, NOON + 2100) > 0.3


def test_a_leak_takes_the_memory_and_a_restart_gives_it_back() -> None:
    told = readings(Incident(Kind.LEAK, TROUBLED, NOON, NOON + 900, ramp_s=90))
    stalled = "node_pressure_memory_stalled_seconds_total"

    assert free_memory(told, NOON + 90) < 0.05
    assert free_memory(told, NOON + 900 + EMPTYING_S) > 0.2
    assert read(told, stalled, NOON + 500) - read(told, stalled, NOON + 320) > 18


def test_a_service_that_flaps_is_killed_again_and_again() -> None:
    told = readings(Incident(Kind.FLAP, TROUBLED, NOON, NOON + FIRST_KILL_S + 2.5 * KILL_EVERY_S))

    kills = [
        read(told, "node_vmstat_oom_kill", NOON + after) for after in (0, FIRST_KILL_S, KILL_EVERY_S + 21, 9999)
    ]

    assert kills == [0, 1, 2, 3]
    assert free_memory(told, NOON + FIRST_KILL_S + 0.9 * KILL_EVERY_S) < free_memory(
        told, NOON + FIRST_KILL_S + 1
    )
