"""The host atlas as a tree of files, and what a collection is told from."""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tocsin_agent.collectors.kernel import Roots
from tocsin_agent.readings import Sample

Told = dict[str, float]


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    """A copy of the fixtures, so that a test may change the host under a collector's eyes."""
    atlas = tmp_path / "atlas"
    shutil.copytree(Path(__file__).parent / "fixtures", atlas)
    return Roots(proc=atlas / "proc", sys=atlas / "sys", etc=atlas / "etc")


@pytest.fixture
def told() -> Callable[[Iterable[Sample]], Told]:
    """Samples as `name{label=value,…}` → value, refusing two samples of one series."""

    def tell(samples: Iterable[Sample]) -> Told:
        values: Told = {}
        for name, _, labels, value in samples:
            braced = ",".join(f"{label}={text}" for label, text in labels)
            series = f"{name}{{{braced}}}" if braced else name
            assert series not in values
            values[series] = value
        return values

    return tell
