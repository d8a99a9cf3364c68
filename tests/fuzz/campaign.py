"""A fuzzing campaign: each target for its share of the time, in a process that may die or hang of an input."""

import importlib.util
import subprocess
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.finds import Finds
from tests.fuzz.trace import Trace

HANG_S = 20.0
"""Of the clock: a process that is with one input for so long is ended."""
GRACE_S = 30.0
"""How long a process may take to start, and to end after its time."""
MOST_DEATHS = 20
"""Of one target: enough is known then."""
HOUSE = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of one target."""

    target: str
    executions: int
    seconds: float
    deaths: int


def engine() -> str:
    """atheris where it is installed, else mutation."""
    return "atheris" if importlib.util.find_spec("atheris") else "mutation"


def fuzz(names: Collection[str], folder: Path, *, seconds: float, engine: str, seed: int = 1) -> list[Tally]:
    """Fuzz these targets, `seconds` in all; what they find is in `folder / "finds"`."""
    return [
        _fuzz(name, folder, seconds=seconds / len(names), engine=engine, seed=seed + 1000 * number)
        for number, name in enumerate(names)
    ]


def _fuzz(name: str, folder: Path, *, seconds: float, engine: str, seed: int) -> Tally:
    """One target; a process that dies is followed by another as long as there is time."""
    finds, trace = Finds(folder / "finds"), Trace(folder / f"{name}.trace")
    began, deaths = time.monotonic(), 0
    while deaths < MOST_DEATHS and ((left := seconds - (time.monotonic() - began)) > 0.5 or not trace.count):
        ended = _run(name, folder, trace, seconds=max(1.0, left), engine=engine, seed=seed + deaths)
        if ended == "":
            break
        deaths += 1
        finds.keep(name, ended.split("\n", 1)[0], trace.last, ended)
    return Tally(name, trace.count, time.monotonic() - began, deaths)


def _run(name: str, folder: Path, trace: Trace, *, seconds: float, engine: str, seed: int) -> str:
    """One process; why it ended, which is empty where its time was over."""
    said = folder / f"{name}.said"
    with said.open("wb") as output:
        command = [sys.executable, "-m", "tests.fuzz.child", name, str(folder), str(seconds), str(seed), engine]
        child = subprocess.Popen(command, cwd=HOUSE, stdout=output, stderr=subprocess.STDOUT)
        is_hung = _is_hung(child, trace, seconds)
    if is_hung:
        return f"hangs for {HANG_S:.0f} s"
    if child.returncode:
        return f"ends with {child.returncode}\n{said.read_text(encoding='utf-8', errors='replace')[-4000:]}"
    return ""


def _is_hung(child: "subprocess.Popen[bytes]", trace: Trace, seconds: float) -> bool:
    """Wait for its end; one that hangs is killed."""
    began = moved = time.monotonic()
    count = trace.count
    while child.poll() is None:
        time.sleep(0.05)
        now = time.monotonic()
        if trace.count != count:
            count, moved = trace.count, now
        if (
            now - moved > HANG_S + (GRACE_S if moved == began else 0)
            or now - began > seconds + GRACE_S + HANG_S
        ):
            child.kill()
            child.wait()
            return True
    return False
