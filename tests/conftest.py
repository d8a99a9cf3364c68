"""Property tests take as many examples as TOCSIN_EXAMPLES says, each as long as it needs; and PostgreSQL."""

import gc
import os
import random
from collections.abc import Iterator

import pytest
from hypothesis import settings
from tests.examples import EXAMPLES
from tests.postgres import APT, Cluster, programs, running

os.environ.pop("TOCSIN_DATABASE", None)  # the tests' databases are the tests' own

settings.register_profile("tocsin", max_examples=EXAMPLES, deadline=None)
settings.load_profile("tocsin")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without pytest-randomly: draw an order of files and one within each, the same in all processes."""
    drawn_by = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    if drawn_by is None or config.pluginmanager.hasplugin("randomly"):
        return
    draw = random.Random(drawn_by)
    places = {path: draw.random() for path in dict.fromkeys(item.path for item in items)}
    items.sort(key=lambda item: (places[item.path], draw.random()))


def pytest_collection_finish() -> None:
    """Keep the collector off the tests themselves, which are many and never garbage: a sixth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def pytest_sessionfinish() -> None:
    """What is alive after one collection stays so: pytest looks five times more for what nobody has closed."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """PostgreSQL, started when the first test of a process asks for it; skipped or failed as `require` does."""
    found = programs()
    if found is None:
        reason = f"PostgreSQL is missing: {APT}"
        if os.environ.get("TOCSIN_REQUIRE_REAL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with running(found) as started:
        yield started
