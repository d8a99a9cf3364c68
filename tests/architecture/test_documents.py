"""What the documents point at exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_PATH = re.compile(r"`((?:agent|server|tui|config|tests|bench|docs)/[\w./-]+)`")


def named_paths(document: Path) -> set[str]:
    """The paths in backticks below the top-level folders."""
    return {path for path in _PATH.findall(document.read_text()) if "NOUN" not in path}


@pytest.mark.parametrize(
    "name",
    [
        "docs/architecture.md",
        "docs/console.md",
        "docs/desk.md",
        "docs/faults.md",
        "docs/operations.md",
        "docs/postgresql.md",
        "docs/silences.md",
        "README.md",
        "CONTRIBUTING.md",
    ],
)
def test_every_file_that_a_document_names_exists(name: str) -> None:
    missing = {path for path in named_paths(ROOT / name) if not (ROOT / path).exists()}

    assert not missing


def test_the_map_names_a_file_for_every_step() -> None:
    steps = ["sample", "series", "rule", "alert", "transition", "ticket", "clock", "notice"]
    table = (ROOT / "docs" / "architecture.md").read_text()

    for step in steps:
        row = re.search(rf"^\| {step} \|.*$", table, flags=re.MULTILINE)
        assert row is not None, step
        assert _PATH.search(row.group()), step
