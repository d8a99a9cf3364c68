"""Property tests take as many examples as TOCSIN_EXAMPLES says, each as long as it needs; and PostgreSQL."""

import gc
import itertools
import os
import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings
from tests.examples import EXAMPLES
from tests.missing import missing
from tests.postgres import Cluster, programs, running

os.environ.pop("TOCSIN_DATABASE", None)  # the tests' databases are the tests' own

TESTS = Path(__file__).parent
ORDER = os.environ.get("TOCSIN_ORDER", "")
PART = os.environ.get("TOCSIN_PART", "")
"""Such as `1/2`: which part of the files to run, and of how many."""
LEFT_OUT = os.environ.get("TOCSIN_LEFT_OUT", "")
"""Such as `real or screen`: a file that says of all its tests that they are this is no file of any part."""
COUNTED = "counted"
"""The property of a test that is said at the end."""

_FOLDERS = itertools.count()

settings.register_profile("tocsin", max_examples=EXAMPLES, deadline=None)
settings.load_profile("tocsin")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the files of other parts."""
    if not PART or not collection_path.name.startswith("test_") or collection_path.is_dir():
        return None
    return True if collection_path not in _own_files() else None


@cache
def _own_files() -> frozenset[Path]:
    """Of each folder large and small files by turns, so that the parts take about as long."""
    part, parts = map(int, PART.split("/"))
    read = [path for path in TESTS.rglob("test_*.py") if not _is_left_out(path)]
    read.sort(key=lambda path: (path.parent, path.stat().st_size, path))
    return frozenset(read[part - 1 :: parts])


def _is_left_out(path: Path) -> bool:
    """What such files import, the console's screens among it, takes longer than to look here."""
    if not LEFT_OUT:
        return False
    marks = "|".join(LEFT_OUT.split(" or "))
    all_are = rf"^pytestmark = \[?\s*pytest\.mark\.({marks})\b"
    return re.search(all_are, path.read_text(), re.MULTILINE) is not None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Draw an order of files and one within each, where that is said by a number.

    What waits for other programs comes in the first half: the rest fills the time, and none waits at the end.
    """
    if not ORDER:
        return
    draw = random.Random(ORDER)
    places = {path: draw.random() for path in dict.fromkeys(item.path for item in items)}
    early = {item.path for item in items if "xdist_group" in item.keywords}
    places |= {path: places[path] / 2 for path in early}
    items.sort(key=lambda item: (places[item.path], draw.random()))


def pytest_collection_finish() -> None:
    """Keep the collector off the tests themselves, which are many and never garbage: a sixth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """What is alive after one collection stays so: pytest looks five times more for what nobody has closed.

    And a process that ran a part of the tests prints nothing: it need not look which pictures it has not drawn.
    """
    gc.collect()
    gc.freeze()
    if hasattr(session.config, "workerinput"):
        session.config.pluginmanager.unregister(name="syrupy")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what the tests have counted, whichever processes they have run in, and though they succeed."""
    for outcome in ("passed", "failed"):
        for test in terminalreporter.getreports(outcome):
            for said in (text for what, text in test.user_properties if what == COUNTED):
                terminalreporter.write_line(said)


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Have a line said at the end."""
    return lambda text: request.node.user_properties.append((COUNTED, text))


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder as pytest's own, which looks through all there are for a number; it stays if the test fails.

    Its name is no longer than pytest's would be, for the sake of sockets.
    """
    name = re.sub(r"\W", "_", request.node.name)[:26]
    path = tmp_path_factory.getbasetemp() / f"{name}-{next(_FOLDERS)}"
    path.mkdir(0o700)
    failed = request.session.testsfailed
    yield path
    if request.session.testsfailed == failed:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """PostgreSQL, started when the first test of a process asks for it; skipped or failed as `require` does."""
    found = programs()
    if found is None:
        missing("PostgreSQL", "postgresql")
    with running(found) as started:
        yield started


@pytest.fixture
def small() -> Iterator[Path]:
    """A filesystem of 4 MiB that an agent watches, under a name short enough for a queue to show."""
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs needs root")
    folder = Path(tempfile.mkdtemp(prefix="bell-", dir="/tmp"))  # not in /dev, which agents leave out
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=False)
        folder.rmdir()
