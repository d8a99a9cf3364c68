import os

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share

from tocsin_agent.collectors.filefd import FileHandleCollector
from tocsin_agent.collectors.own import OwnCollector
from tocsin_agent.collectors.processes import ProcessesCollector
from tocsin_agent.collectors.system import OsReleaseCollector, UnameCollector, as_version, parse_os_release
from tocsin_agent.collectors.timex import TimexCollector


def test_processes_are_counted_by_state_with_their_threads(roots, told):
    values = told(ProcessesCollector(roots).collect())

    assert values == {
        "node_processes_pids": 5 - 2,
        "node_processes_threads": 3 + 1 + 4,
        "node_processes_state{state=S}": 2,
        "node_processes_state{state=Z}": 1,  # though it calls itself `evil) R (S`
        "node_processes_max_processes": 4194304,
        "node_processes_max_threads": 192000,
    }


def test_open_files_of_the_host_are_told_with_their_limit(roots, told):
    values = told(FileHandleCollector(roots).collect())

    assert values == {"node_filefd_allocated": 602, "node_filefd_maximum": 2466170}


def test_uname_is_one_info_metric(roots, told):
    uname = os.uname_result(("Linux", "atlas", "6.1.0", "#1 SMP", "x86_64"))
    collector = UnameCollector(roots, uname=lambda: uname)

    assert told(collector.collect()) == {
        "node_uname_info{domainname=(none),machine=x86_64,nodename=atlas,release=6.1.0,"
        "sysname=Linux,version=#1 SMP}": 1
    }


def test_the_distribution_is_read_unquoted(roots, told):
    values = told(OsReleaseCollector(roots).collect())

    assert values == {
        "node_os_info{id=debian,name=Debian GNU/Linux,pretty_name=Debian GNU/Linux 12 (bookworm),"
        "version=12 (bookworm),version_id=12}": 1,
        "node_os_version{id=debian,name=Debian GNU/Linux}": 12,
    }


def test_the_distribution_may_be_described_under_usr(own_roots, told):
    vendor = own_roots.etc.parent / "usr/lib"
    vendor.mkdir(parents=True)
    (own_roots.etc / "os-release").rename(vendor / "os-release")

    assert told(OsReleaseCollector(own_roots).collect())


@pytest.mark.parametrize(
    ("version_id", "version"),
    [("12", 12.0), ("22.04", 22.04), ("3.19.1", 3.19), ("", None), ("rolling", None), ("²", None)],
)
def test_a_version_is_its_first_two_numbers(version_id, version):
    assert as_version(version_id) == version


@settings(max_examples=share(100))
@given(st.text())
def test_any_os_release_is_read_without_a_word(text):
    parse_os_release(text)


@pytest.mark.parametrize(
    ("status", "offset_seconds"),
    [
        (0x2000, 0.0015),  # STA_NANO: the offset is in nanoseconds
        (0x0000, 1.5),  # and without it in microseconds
    ],
)
def test_the_clocks_offset_is_in_seconds_whatever_the_kernel_counts_in(told, status, offset_seconds):
    def adjtimex(timex):
        timex.offset, timex.status, timex.maxerror, timex.freq = 1_500_000, status, 250_000, 65_536
        return 0

    values = told(TimexCollector(adjtimex).collect())

    assert values["node_timex_offset_seconds"] == pytest.approx(offset_seconds)
    assert values["node_timex_maxerror_seconds"] == 0.25
    assert values["node_timex_frequency_adjustment_ratio"] == pytest.approx(1.000001)
    assert values["node_timex_sync_status"] == 1


def test_a_clock_that_nothing_keeps_is_told_so(told):
    time_error = 5

    values = told(TimexCollector(lambda timex: time_error).collect())

    assert values["node_timex_sync_status"] == 0


def test_the_agent_tells_what_it_costs(told):
    values = told(OwnCollector("1.2.3").collect())

    assert values["tocsin_agent_info{version=1.2.3}"] == 1
    assert values["tocsin_agent_resident_memory_bytes"] > 1 << 20
    assert values["tocsin_agent_cpu_seconds_total"] > 0
    assert values["tocsin_agent_start_time_seconds"] == psutil.Process().create_time()
