"""Whoever fuzzes has to find what is there, and to outlive it."""

import os
import signal
import time

import pytest
from tests.fuzz import campaign, child
from tests.fuzz.campaign import engine, fuzz
from tests.fuzz.finds import Finds
from tests.fuzz.mutation import Mutator
from tests.fuzz.targets import TARGETS
from tests.fuzz.trace import Trace

SECONDS = float(os.environ.get("TOCSIN_FUZZ_S", "14"))


@pytest.mark.faults
@pytest.mark.timeout(SECONDS + 300)
@pytest.mark.parametrize("name", TARGETS)
def test_no_text_ends_a_reader_holds_it_up_or_raises_what_is_not_documented(name, tmp_path):
    (tally,) = fuzz(
        [name], tmp_path, seconds=SECONDS / len(TARGETS), engine=engine(), seed=time.time_ns() % 10**6
    )

    assert tally.executions > 0
    assert Finds(tmp_path / "finds").all() == []


def test_an_error_is_kept_once_with_the_shortest_input(tmp_path):
    finds, trace = Finds(tmp_path / "finds"), Trace(tmp_path / "trace")

    def read(text):
        raise ZeroDivisionError(text)

    one = child.watched("any", read, trace, finds)
    for text in (b"long", b"s", b"longer"):
        one(text)

    ((told, given),) = finds.all()
    assert told.startswith("any: ZeroDivisionError at test_campaign.py:")
    assert (given, trace.count) == (b"s", 3)


def test_an_input_that_takes_long_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(child, "SLOW_S", -1.0)
    finds = Finds(tmp_path / "finds")

    child.watched("any", len, Trace(tmp_path / "trace"), finds)(b"x")

    assert [told.split("\n")[0] for told, _ in finds.all()] == ["any: slow"]


@pytest.mark.peers
def test_an_input_that_ends_the_process_or_never_ends_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr(campaign, "HANG_S", 0.5)
    monkeypatch.setattr(campaign, "GRACE_S", 0.0)
    script = """
import os, sys, time
from pathlib import Path
from tests.fuzz.trace import Trace
trace = Trace(Path(sys.argv[2]) / f"{sys.argv[1]}.trace")
trace.begin(b"deadly" if trace.count == 0 else b"endless")
if trace.count == 1:
    os.kill(os.getpid(), 11)
time.sleep(60)
"""
    started = campaign.subprocess.Popen

    def start(command, **more):
        return started([command[0], "-c", script, *command[3:]], **more)

    monkeypatch.setattr(campaign.subprocess, "Popen", start)

    (tally,) = fuzz(["any"], tmp_path, seconds=4, engine="mutation")

    assert tally.executions == tally.deaths >= 2
    assert sorted((told.split("\n")[0], given) for told, given in Finds(tmp_path / "finds").all()) == [
        (f"any: ends with {-signal.SIGSEGV.value}", b"deadly"),
        ("any: hangs for 0 s", b"endless"),
    ]


@pytest.mark.scenario
def test_the_same_seed_draws_the_same_texts():
    target = TARGETS["template"]
    first, second = (Mutator(target.seeds(), target.words, 7) for _ in range(2))

    assert [first.text() for _ in range(20)] == [second.text() for _ in range(20)]
