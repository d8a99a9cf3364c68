"""The operator's pass: new with every run, for the folder's owner only, and silent about its secret."""

import stat
from pathlib import Path

import pytest

from tocsin_server.access.operator import FILE, issue_pass, read_pass
from tocsin_server.errors import Misconfigured

URL = "http://127.0.0.1:8443"


def test_what_a_server_has_issued_is_read_by_who_reads_its_folder(tmp_path: Path) -> None:
    made = issue_pass(tmp_path, URL)

    assert read_pass(tmp_path) == made
    assert made.url == URL
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_each_run_has_a_pass_of_its_own_whatever_lay_there(tmp_path: Path) -> None:
    first = issue_pass(tmp_path, URL)
    (tmp_path / FILE).chmod(0o644)

    second = issue_pass(tmp_path, URL)

    assert first.token != second.token
    assert read_pass(tmp_path) == second
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_its_secret_is_not_shown(tmp_path: Path) -> None:
    made = issue_pass(tmp_path, URL)

    assert made.token not in f"{made} {made!r}"


def test_a_folder_in_which_no_server_has_run_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=f"no server has run on {tmp_path}: .*tocsin-server run --data"):
        read_pass(tmp_path)


@pytest.mark.parametrize("left", [b"", b"{}", b"\xff", b'{"url": 1, "token": "a"}'])
def test_a_pass_that_is_damaged_is_one_line(tmp_path: Path, left: bytes) -> None:
    (tmp_path / FILE).write_bytes(left)

    with pytest.raises(Misconfigured, match="is damaged: start the server again"):
        read_pass(tmp_path)


def test_a_folder_that_cannot_be_written_or_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be written"):
        issue_pass(tmp_path / "absent", URL)
    (tmp_path / FILE).mkdir()
    with pytest.raises(Misconfigured, match=r"cannot be read .*: run this as the server's user"):
        read_pass(tmp_path)
    with pytest.raises(Misconfigured, match="cannot be written"):
        issue_pass(tmp_path, URL)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
