"""`python -m tests.fuzz`: every target, TOCSIN_FUZZ_S seconds in all; ends with 1 where anything was found."""

import os
import sys
import tempfile
from pathlib import Path

from tests.fuzz.campaign import engine, fuzz
from tests.fuzz.finds import Finds
from tests.fuzz.targets import TARGETS


def main(names: list[str]) -> int:
    seconds = float(os.environ.get("TOCSIN_FUZZ_S", "600"))
    folder = Path(tempfile.mkdtemp(prefix="tocsin-fuzz-"))
    using = os.environ.get("TOCSIN_FUZZ_ENGINE") or engine()
    _say(f"{seconds:g} s by {using}; what is found is kept in {folder / 'finds'}")
    for name in names or TARGETS:
        for tally in fuzz([name], folder, seconds=seconds / len(names or TARGETS), engine=using):
            said = f"{tally.executions:>12,} executions in {tally.seconds:.0f} s, {tally.deaths} deaths"
            _say(f"{tally.target:12} {said}")
    finds = Finds(folder / "finds").all()
    for told, given in finds:
        _say(f"\n{told.strip()}\ninput: {given[:2000]!r}")
    return 1 if finds else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
