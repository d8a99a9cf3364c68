"""The host atlas as a tree of files, and what a collection is told from."""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tocsin_agent.collectors.kernel import Roots
from tocsin_agent.readings import Sample

FIXTURES = Path(__file__).parent / "fixtures"

Told = dict[str, float]


def _roots(atlas: Path) -> Roots:
    return Roots(proc=atlas / "proc", sys=atlas / "sys", etc=atlas / "etc")


@pytest.fixture
def roots() -> Roots:
    """The host of the fixtures, as it is."""
    return _roots(FIXTURES)


@pytest.fixture
def own_roots(tmp_path: Path) -> Roots:
    """A copy, so that a test may change the host under a collector's eyes."""
    return _roots(shutil.copytree(FIXTURES, tmp_path / "atlas"))


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
