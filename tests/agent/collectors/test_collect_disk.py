import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share

from tocsin_agent.collectors.disk import DiskCollector, is_whole_disk
from tocsin_agent.collectors.kernel import Roots


def test_a_disk_has_all_that_its_kernel_counts(roots, told):
    values = told(DiskCollector(roots).collect())

    sda = {series.removesuffix("{device=sda}"): value for series, value in values.items() if "sda" in series}
    assert sda == {
        "node_disk_reads_completed_total": 19654,
        "node_disk_reads_merged_total": 10050,
        "node_disk_read_bytes_total": 2830354 * 512,
        "node_disk_read_time_seconds_total": pytest.approx(7.928),
        "node_disk_writes_completed_total": 3501,
        "node_disk_writes_merged_total": 21036,
        "node_disk_written_bytes_total": 1089464 * 512,
        "node_disk_write_time_seconds_total": pytest.approx(2.067),
        "node_disk_io_now": 2,
        "node_disk_io_time_seconds_total": pytest.approx(3.188),
        "node_disk_io_time_weighted_seconds_total": pytest.approx(10.179),
        "node_disk_discards_completed_total": 3383,
        "node_disk_discards_merged_total": 23,
        "node_disk_discarded_sectors_total": 101264,
        "node_disk_discard_time_seconds_total": pytest.approx(0.176),
        "node_disk_flush_requests_total": 206,
        "node_disk_flush_requests_time_seconds_total": pytest.approx(0.007),
    }


def test_an_older_kernel_counts_no_discards_and_no_flushes(roots, told):
    values = told(DiskCollector(roots).collect())

    nvme = [series for series in values if "nvme0n1" in series]
    assert len(nvme) == 11
    assert not any("discard" in series or "flush" in series for series in nvme)


def test_partitions_loops_and_compressed_memory_are_left_out(roots, told):
    values = told(DiskCollector(roots).collect())

    devices = {series.partition("device=")[2].rstrip("}") for series in values}
    assert devices == {"sda", "nvme0n1"}


@pytest.mark.parametrize(
    ("device", "is_disk"),
    [
        ("sda", True),
        ("sda1", False),
        ("vdb12", False),
        ("xvda", True),
        ("hda3", False),
        ("nvme0n1", True),
        ("nvme0n1p2", False),
        ("mmcblk0p1", True),  # node_exporter counts it too
        ("dm-0", True),
        ("md127", True),
        ("sdaa1", True),  # as in node_exporter, whose pattern knows one letter only
        ("zram0", False),
        ("ram0", False),
        ("loop7", False),
        ("fd0", False),
        ("sr0", True),
    ],
)
def test_the_devices_left_out_are_node_exporters(device, is_disk):
    assert is_whole_disk(device) is is_disk


@settings(max_examples=share(50))
@given(columns=st.lists(st.integers(0, 2**64 - 1), max_size=30))
def test_any_number_of_columns_is_read_without_a_word(tmp_path_factory, columns):
    proc = tmp_path_factory.mktemp("proc")
    (proc / "diskstats").write_text(f"8 0 sda {' '.join(map(str, columns))}\n")

    samples = list(DiskCollector(Roots(proc=proc)).collect())

    assert len(samples) == (0 if len(columns) < 11 else min(len(columns), 17))
    assert all(sample.value >= 0 for sample in samples)
