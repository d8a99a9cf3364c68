from pathlib import Path

import pytest

from tocsin_agent.collectors.cpu import CpuCollector
from tocsin_agent.collectors.cpuinfo import CpuInfoCollector
from tocsin_agent.collectors.load import LoadCollector
from tocsin_protocol.vocabulary import SeriesKind


def collector(roots) -> CpuCollector:
    return CpuCollector(roots, ticks_per_second=100)


def replace(path: Path, old: str, new: str) -> None:
    # Written in place: a collector keeps the file open, as it keeps the kernel's.
    path.write_text(path.read_text().replace(old, new))


def test_each_processor_has_eight_modes_and_two_guest_modes(roots, told):
    values = told(collector(roots).collect())

    modes = {series for series in values if series.startswith("node_cpu_seconds_total{cpu=1")}
    assert len(modes) == 8
    assert values["node_cpu_seconds_total{cpu=0,mode=user}"] == 1.0
    assert values["node_cpu_seconds_total{cpu=1,mode=iowait}"] == 0.3
    assert values["node_cpu_seconds_total{cpu=1,mode=steal}"] == 0.04
    assert values["node_cpu_guest_seconds_total{cpu=0,mode=user}"] == 0.15
    assert values["node_cpu_guest_seconds_total{cpu=0,mode=nice}"] == 0.01


def test_the_sum_over_all_processors_is_left_to_the_query(roots, told):
    values = told(collector(roots).collect())

    assert not any("cpu=}" in series or "cpu=," in series for series in values)
    assert len([series for series in values if series.startswith("node_cpu_")]) == 20


def test_the_host_wide_numbers_come_from_the_same_read(roots, told):
    values = told(collector(roots).collect())

    assert values["node_intr_total"] == 273445
    assert values["node_context_switches_total"] == 438472
    assert values["node_forks_total"] == 6529
    assert values["node_boot_time_seconds"] == 1795522361
    assert values["node_procs_running"] == 2
    assert values["node_procs_blocked"] == 1


def test_processor_time_is_a_counter_and_running_processes_are_a_gauge(roots):
    kinds = {sample.name: sample.kind for sample in collector(roots).collect()}

    assert kinds["node_cpu_seconds_total"] is SeriesKind.COUNTER
    assert kinds["node_forks_total"] is SeriesKind.COUNTER
    assert kinds["node_procs_running"] is SeriesKind.GAUGE
    assert kinds["node_boot_time_seconds"] is SeriesKind.GAUGE


@pytest.mark.parametrize(
    ("iowait_now", "reported"),
    [
        ("29", 0.30),  # the kernel's accounting stepped back by a tick: no restart
        ("31", 0.31),
        ("30", 0.30),
    ],
)
def test_a_small_step_back_is_held(own_roots, told, iowait_now, reported):
    cpu = collector(own_roots)
    told(cpu.collect())
    replace(own_roots.proc / "stat", "2000 30 3", f"2000 {iowait_now} 3")

    values = told(cpu.collect())

    assert values["node_cpu_seconds_total{cpu=1,mode=iowait}"] == reported


def test_a_restarted_counter_is_reported_as_it_is(own_roots, told):
    cpu = collector(own_roots)
    told(cpu.collect())
    replace(own_roots.proc / "stat", "cpu1 200 6 110 2000", "cpu1 200 6 110 1")

    values = told(cpu.collect())

    assert values["node_cpu_seconds_total{cpu=1,mode=idle}"] == 0.01


def test_an_old_kernel_with_fewer_columns_has_fewer_series(own_roots, told):
    (own_roots.proc / "stat").write_text("cpu0 100 4 90 2000\n")

    values = told(collector(own_roots).collect())

    assert len(values) == 4


def test_processors_are_described_by_what_their_architecture_tells(roots, told):
    values = told(CpuInfoCollector(roots).collect())

    assert (
        "node_cpu_info{cachesize=1024 KB,core=0,cpu=0,family=25,microcode=0x1000065,model=17,"
        "model_name=AMD EPYC,package=0,stepping=1,vendor=AuthenticAMD}"
    ) in values
    assert "node_cpu_info{cpu=1}" in values
    assert len(values) == 2


def test_load_has_three_averages(roots, told):
    values = told(LoadCollector(roots).collect())

    assert values == {"node_load1": 0.5, "node_load5": 0.25, "node_load15": 0.1}
