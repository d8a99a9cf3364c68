from tocsin_agent.collectors.memory import MemoryCollector
from tocsin_agent.collectors.pressure import PressureCollector
from tocsin_agent.collectors.vmstat import VmstatCollector
from tocsin_protocol.vocabulary import SeriesKind


def test_every_line_of_meminfo_is_a_gauge_in_bytes(roots, told):
    values = told(MemoryCollector(roots).collect())

    assert values["node_memory_MemTotal_bytes"] == 24684084 * 1024
    assert values["node_memory_Active_anon_bytes"] == 1568 * 1024
    assert len(values) == 8


def test_cached_is_the_kernels_without_reclaimable_slab(roots, told):
    values = told(MemoryCollector(roots).collect())

    assert values["node_memory_Cached_bytes"] == 284385 * 1024


def test_a_count_of_pages_has_no_unit_in_its_name(roots, told):
    values = told(MemoryCollector(roots).collect())

    assert values["node_memory_HugePages_Total"] == 3
    assert values["node_memory_Hugepagesize_bytes"] == 2048 * 1024


def test_vmstat_gives_paging_faults_and_kills_untyped(roots, told):
    samples = list(VmstatCollector(roots).collect())

    assert told(samples) == {
        "node_vmstat_pgpgin": 1432221,
        "node_vmstat_pgpgout": 586000,
        "node_vmstat_pswpin": 1,
        "node_vmstat_pswpout": 2,
        "node_vmstat_pgfault": 1795354,
        "node_vmstat_pgmajfault": 1115,
        "node_vmstat_oom_kill": 4,
    }
    assert {sample.kind for sample in samples} == {SeriesKind.UNTYPED}


def test_vmstat_finds_its_places_anew_when_lines_come(own_roots, told):
    vmstat = VmstatCollector(own_roots)
    told(vmstat.collect())
    path = own_roots.proc / "vmstat"
    path.write_text("nr_brand_new 77\n" + path.read_text())

    values = told(vmstat.collect())

    assert values["node_vmstat_oom_kill"] == 4


def test_pressure_is_told_in_seconds(roots, told):
    values = told(PressureCollector(roots).collect())

    assert {name: round(value, 6) for name, value in values.items()} == {
        "node_pressure_cpu_waiting_seconds_total": 6.134297,
        "node_pressure_io_waiting_seconds_total": 2.162183,
        "node_pressure_io_stalled_seconds_total": 2.057197,
        "node_pressure_memory_waiting_seconds_total": 3.0,
        "node_pressure_memory_stalled_seconds_total": 1.0,
    }
