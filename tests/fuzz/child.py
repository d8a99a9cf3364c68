"""One target, fuzzed in a process of its own: `python -m tests.fuzz.child TARGET FOLDER SECONDS SEED`.

With atheris (`pip install atheris`) by what code each input reaches, without it by mutation alone. Whatever a
reader raises is kept and the next input follows; only what ends the process ends it.
"""

import importlib
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fuzz.finds import Finds, kind_of
from tests.fuzz.mutation import MOST_CHARACTERS, Mutator
from tests.fuzz.trace import Trace

MOST_VALUES = 10_000
"""Of a unit test's series: a million of them take as long as they take, and teach nothing."""
SLOW_S = 1.0
"""Of processor time: on a busy machine the clock says nothing."""


def watched(name: str, read: Callable[[str], None], trace: Trace, finds: Finds) -> Callable[[bytes], None]:
    """A reader whose inputs are traced, and whose errors and delays are kept."""

    def one(given: bytes) -> None:
        trace.begin(given)
        text = given.decode("utf-8", errors="replace")
        began = time.process_time()
        try:
            read(text)
        except BaseException as error:  # noqa: BLE001 - each is a find, a Rust panic too, which is no Exception
            finds.keep(name, kind_of(error), given, "".join(traceback.format_exception(error)))
        took = time.process_time() - began
        if took > SLOW_S:
            finds.keep(name, "slow", given, f"{took:.1f} s")

    return one


def main(name: str, folder: Path, seconds: float, seed: int, engine: str) -> None:
    atheris = importlib.import_module("atheris") if engine == "atheris" else None
    if atheris is None:
        targets = importlib.import_module("tests.fuzz.targets")
    else:
        with atheris.instrument_imports(include=["tocsin_server"]):
            targets = importlib.import_module("tests.fuzz.targets")
    importlib.import_module("tocsin_server.alerts.notation").MAX_VALUES = MOST_VALUES  # type: ignore[attr-defined]
    target = targets.TARGETS[name]
    one = watched(name, target.read, Trace(folder / f"{name}.trace"), Finds(folder / "finds"))
    mutator = Mutator(target.seeds(), target.words, seed)
    if atheris is None:
        mutate(mutator, one, seconds)
    else:
        cover(atheris, target, one, folder / f"{name}.corpus", seconds=seconds, seed=seed)


def mutate(mutator: Mutator, one: Callable[[bytes], None], seconds: float) -> None:
    """Input after input, until the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        one(mutator.text().encode("utf-8", errors="replace"))


def cover(
    atheris: Any, target: Any, one: Callable[[bytes], None], corpus: Path, *, seconds: float, seed: int
) -> None:
    """By coverage; half of the mutations are libFuzzer's, half are ours, which know the words."""
    corpus.mkdir(exist_ok=True)
    for number, text in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_text(text, encoding="utf-8", errors="replace")

    def ours(given: bytes, most: int, number: int) -> bytes:
        if number % 2:
            return bytes(atheris.Mutate(given, most))
        text = given.decode("utf-8", errors="replace") or " "
        return Mutator((text, *target.seeds()[number % 97 :: 97]), target.words, number).text().encode()[:most]

    options = [f"-max_total_time={max(1, round(seconds))}", f"-seed={seed}", f"-max_len={MOST_CHARACTERS}"]
    quiet = ["-timeout=60", "-rss_limit_mb=4096", "-print_final_stats=0", "-verbosity=0", "-detect_leaks=0"]
    atheris.Setup([sys.argv[0], *options, *quiet, str(corpus)], one, custom_mutator=ours)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
