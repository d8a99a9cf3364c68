"""The lifecycle comes into force whole or not at all, and what is wrong with it is told."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog.testing
from tests.lifecycle import SHIPPED

from tocsin_server.config import CHECKOUT
from tocsin_server.desk.lifecycle import Lifecycle
from tocsin_server.deskbook import Deskbook


@dataclass
class Shelf:
    """A folder, and the book of it."""

    folder: Path
    told: int = 0

    def __post_init__(self) -> None:
        self.book = Deskbook(self._find, changed=self._tell)

    def _find(self, name: str) -> Path | None:
        assert CHECKOUT is not None
        if name != self.folder.name:
            return CHECKOUT / name
        return self.folder if self.folder.exists() else None

    def _tell(self) -> None:
        self.told += 1

    def write(self, text: str) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "lifecycle.yml").write_text(text)
        self.book.reload()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "processes")


@pytest.fixture
def shipped() -> str:
    assert CHECKOUT is not None
    return (CHECKOUT / "processes/lifecycle.yml").read_text()


def test_what_a_file_says_is_in_force_once_it_is_read(shelf: Shelf, shipped: str) -> None:
    shelf.write(shipped)

    assert shelf.book.lifecycle() == SHIPPED
    assert (shelf.book.problems, shelf.told) == ([], 0)


def test_a_file_that_is_refused_leaves_the_last_good_one_in_force_and_is_told_once(
    shelf: Shelf, shipped: str
) -> None:
    shelf.write(shipped)

    with structlog.testing.capture_logs() as said:
        shelf.write("waits_for: [a]\nlifecycle: []")
        shelf.book.reload()

    assert shelf.book.lifecycle() == SHIPPED
    assert shelf.told == 1
    assert [line["action"] for line in said] == ["desk_file_refused"]
    (problem,) = shelf.book.problems
    assert (problem.file, problem.reason) == (
        "lifecycle.yml",
        "line 2: the file has no field 'lifecycle'; did you mean 'lifecycles'",
    )


def test_consoles_are_told_when_it_is_mended(shelf: Shelf, shipped: str) -> None:
    shelf.write("nonsense: 1")

    shelf.write(shipped)

    assert (shelf.book.problems, shelf.told) == ([], 2)


def test_without_a_file_nothing_is_lawful(shelf: Shelf) -> None:
    shelf.book.reload()

    assert shelf.book.lifecycle() == Lifecycle()
