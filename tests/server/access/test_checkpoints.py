"""The file of checkpoints: a line each, durable, and whatever is no checkpoint is refused with its line."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_server.access.checkpoints import FILE, Checkpoint, append, read
from tocsin_server.errors import Misconfigured, Unavailable

FIRST = Checkpoint(1, "ab" * 32, 1_700_000_000_000, "cd" * 64)
SECOND = FIRST._replace(entry_id=12, at_ms=1_700_000_300_000)


def test_what_is_appended_is_read_and_only_its_owner_may(tmp_path: Path) -> None:
    for checkpoint in (FIRST, SECOND):
        append(tmp_path / FILE, checkpoint)

    assert read(tmp_path / FILE) == [FIRST, SECOND]
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


@given(st.integers(0, len(SECOND.line)))
def test_what_a_power_cut_has_left_of_a_line_is_no_checkpoint_and_makes_way(
    tmp_path_factory: pytest.TempPathFactory, kept: int
) -> None:
    path = tmp_path_factory.getbasetemp() / FILE
    path.write_text(f"{FIRST.line}\n{SECOND.line[:kept]}")

    before = read(path)
    append(path, SECOND)

    assert before == [FIRST]
    assert read(path) == [FIRST, SECOND]


@pytest.mark.parametrize(
    "line",
    [
        "",
        FIRST.line.upper(),
        FIRST.line.replace(" ", "  ", 1),
        f"{FIRST.line} ",
        f"{FIRST.line}\r",
        f"0{FIRST.line}",
        FIRST.line[:-1],
        f"{'9' * 19}{FIRST.line[1:]}",
        "\x1b[31m",
    ],
)
def test_a_line_that_is_none_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / FILE).write_text(f"{FIRST.line}\n{line}\n{SECOND.line}\n", newline="")

    with pytest.raises(
        Misconfigured, match=rf"{FILE}, line 2, is no checkpoint: somebody has changed it"
    ) as error:
        read(tmp_path / FILE)
    assert str(error.value).isprintable()


def test_a_file_that_is_not_there_is_empty_or_named_as_it_is_asked(tmp_path: Path) -> None:
    assert read(tmp_path / FILE, missing_ok=True) == []
    with pytest.raises(Misconfigured, match=f"{FILE} is not there: name a copy"):
        read(tmp_path / FILE)


def test_a_file_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()

    with pytest.raises(Misconfigured, match="cannot be read"):
        read(tmp_path / FILE, missing_ok=True)
    with pytest.raises(Unavailable, match="cannot be written"):
        append(tmp_path / FILE, FIRST)
