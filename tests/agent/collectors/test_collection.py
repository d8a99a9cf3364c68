import os
import threading
from pathlib import Path

import psutil
import pytest

from tocsin_agent.collectors import HELP, Collection, default_collectors
from tocsin_agent.collectors.abandon import Abandonable
from tocsin_agent.collectors.kernel import KernelFile, Roots, readable
from tocsin_agent.collectors.seldom import Seldom
from tocsin_agent.readings import gauge, labelled

A_SECOND_MS = 1000


class Calm:
    name = "calm"

    def collect(self):
        yield gauge("calm", 1)


class Broken:
    name = "broken"

    def collect(self):
        yield gauge("before_it_broke", 1)
        raise ValueError("no such column")


class Hanging:
    name = "hanging"

    def __init__(self):
        self.let_go = threading.Event()
        self.times_asked = 0

    def collect(self):
        self.times_asked += 1
        self.let_go.wait()
        yield gauge("too_late", 1)


@pytest.fixture
def hanging():
    hanging = Hanging()
    yield hanging
    hanging.let_go.set()


def test_a_collection_tells_its_time_and_how_each_collector_fared(told):
    values = told(Collection([Calm()]).collect(1_500))

    assert values["node_time_seconds"] == 1.5
    assert values["calm"] == 1
    assert values["node_scrape_collector_success{collector=calm}"] == 1
    assert 0 <= values["node_scrape_collector_duration_seconds{collector=calm}"] < 1


def test_a_broken_collector_fails_alone_and_keeps_what_it_had(told):
    collection = Collection([Broken(), Calm()])

    values = told(collection.collect(A_SECOND_MS))

    assert values["before_it_broke"] == 1
    assert values["calm"] == 1
    assert values["node_scrape_collector_success{collector=broken}"] == 0
    assert collection.problems == {"broken": "ValueError: no such column"}


def test_a_hanging_collector_costs_its_own_deadline_only_and_only_once(told, hanging):
    collection = Collection([hanging, Calm()], deadline_s=0.05)

    for _ in range(3):
        values = told(collection.collect(A_SECOND_MS))

    assert values["calm"] == 1
    assert "too_late" not in values
    assert values["node_scrape_collector_success{collector=hanging}"] == 0
    assert hanging.times_asked == 1
    assert collection.problems == {"hanging": "did not answer within 0.05 s"}


def test_problems_are_those_of_the_last_collection(told, hanging):
    collection = Collection([hanging, Calm()], deadline_s=0.05)
    collection.collect(A_SECOND_MS)

    hanging.let_go.set()
    recovered = next(
        values for _ in range(1000) if "too_late" in (values := told(collection.collect(A_SECOND_MS)))
    )

    assert recovered["node_scrape_collector_success{collector=hanging}"] == 1
    assert collection.problems == {}


def test_more_series_than_a_frame_carries_leave_their_collector_out_whole(told):
    class Many:
        name = "many"

        def collect(self):
            return [gauge("many", 1, labelled(one=str(one))) for one in range(20)]

    collection = Collection([Many(), Calm()], most_series=20)

    values = told(collection.collect(A_SECOND_MS))

    assert values["calm"] == 1
    assert not any(series.startswith("many") for series in values)
    assert values["node_scrape_collector_success{collector=many}"] == 0
    assert "20 series" in collection.problems["many"]


def test_threads_left_behind_are_bounded():
    let_go = threading.Event()
    askers = Abandonable("bounded", deadline_s=0.01, most_stuck=2)

    results = askers.run({str(number): let_go.wait for number in range(5)})

    threads = [thread for thread in threading.enumerate() if thread.name == "bounded"]
    let_go.set()
    assert results == {}
    assert len(threads) == 2


def test_a_host_out_of_threads_is_read_again_when_it_has_some(monkeypatch, told):
    def start(self):
        raise RuntimeError("can't start new thread")

    collection = Collection([Calm()])
    with monkeypatch.context() as out_of_threads:
        out_of_threads.setattr(threading.Thread, "start", start)
        without = told(collection.collect(A_SECOND_MS))

    assert without["node_scrape_collector_success{collector=calm}"] == 0
    assert told(collection.collect(A_SECOND_MS))["calm"] == 1


def test_atlas_is_read_by_every_collector(roots, told):
    # What the fixtures cannot give (the clock, the agent itself) is this machine's own.
    collection = Collection(default_collectors(roots, version="0"))

    told(collection.collect(A_SECOND_MS))

    assert collection.problems == {}


def test_a_host_without_any_proc_fails_each_collector_and_raises_nothing(tmp_path, told):
    nowhere = Roots(proc=tmp_path / "proc", sys=tmp_path / "sys", etc=tmp_path / "etc")
    collection = Collection(default_collectors(nowhere))

    values = told(collection.collect(A_SECOND_MS))

    assert values["node_scrape_collector_success{collector=cpu}"] == 0
    assert values["node_scrape_collector_success{collector=filesystem}"] == 0
    assert "node_load1" not in values
    assert "FileNotFoundError" in collection.problems["meminfo"]


def test_garbage_under_proc_fails_collectors_and_raises_nothing(own_roots, told):
    for file in filter(Path.is_file, own_roots.proc.rglob("*")):
        file.write_bytes(b"\x00\xff garbage: -\n\n: 1 2 3 kB\ncpu0 x\n")

    values = told(Collection(default_collectors(own_roots)).collect(A_SECOND_MS))

    assert values["node_scrape_collector_success{collector=cpu}"] == 0


def test_every_metric_of_this_host_has_a_help_text():
    names = {sample.name for sample in Collection(default_collectors()).collect(A_SECOND_MS)}

    assert {name for name in names if name not in HELP} == set()


def test_our_readings_agree_with_psutils(told):
    values = told(Collection(default_collectors()).collect(A_SECOND_MS))

    disks = psutil.disk_io_counters(perdisk=True, nowrap=False)
    cpus = psutil.cpu_times(percpu=True)
    assert values["node_memory_MemTotal_bytes"] == psutil.virtual_memory().total
    assert values["node_boot_time_seconds"] == psutil.boot_time()
    assert values["node_cpu_seconds_total{cpu=0,mode=user}"] == pytest.approx(cpus[0].user, abs=5)
    for series, value in values.items():
        if series.startswith("node_disk_reads_completed_total"):
            device = series.partition("device=")[2].rstrip("}")
            assert value == pytest.approx(disks[device].read_count, rel=0.05, abs=500)


@pytest.mark.parametrize(("at_once", "asks"), [(True, 2), (False, 3)])
def test_a_file_is_read_to_its_end_and_asked_no_more_than_that_takes(tmp_path, monkeypatch, at_once, asks):
    content = b"x" * 100_000
    (tmp_path / "long").write_bytes(content)
    pread, asked = os.pread, []

    def counted(*of):
        asked.append(of)
        return pread(*of)

    monkeypatch.setattr(os, "pread", counted)

    assert KernelFile(str(tmp_path / "long"), at_once=at_once).read() == content
    assert len(asked) == asks


def test_a_kept_file_is_read_whole_and_from_its_start(tmp_path):
    path = tmp_path / "long"
    path.write_bytes(b"x" * 200_000)
    file = KernelFile(path)

    assert len(file.read()) == 200_000
    assert len(file.read()) == 200_000


def test_a_file_that_comes_later_is_found(tmp_path):
    file = KernelFile(tmp_path / "late")
    assert file.read_if_present() == b""

    (tmp_path / "late").write_bytes(b"here")

    assert file.read_if_present() == b"here"


def test_bytes_that_are_no_text_stay_distinguishable():
    assert readable(b"/mnt/\xff") != readable(b"/mnt/\xfe")


def test_what_is_read_seldom_is_remembered_in_between():
    now_s = [0.0]
    reads = iter(range(100))
    seldom = Seldom(lambda: next(reads), every_s=60, monotonic=lambda: now_s[0])

    taken = []
    for now_s[0] in (0.0, 59.9, 60.0, 61.0):
        taken.append(seldom.value())
    seldom.forget()

    assert taken == [0, 0, 1, 1]
    assert seldom.value() == 2


def test_labels_are_sorted_cut_and_never_empty():
    labels = labelled(b="é" * 1000, a="1", c="")

    assert [name for name, _ in labels] == ["a", "b"]
    assert len(dict(labels)["b"].encode()) == 1024
