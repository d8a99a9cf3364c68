"""What an operator types, and reads."""

import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.server.backup.desk import ROWS, file_in, make_desk, rows_of

from tocsin_server import cli
from tocsin_server.backup.progress import Progress
from tocsin_server.datafolder import TABLES
from tocsin_server.storage.migrate import newest

pytestmark = pytest.mark.scenario

NUMBER = ROWS * len(TABLES.sorted_tables)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    make_desk(file_in(tmp_path / "data"))
    return tmp_path / "data"


def types(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    status = cli.main([str(word) for word in words])
    return status, *capsys.readouterr()


def test_a_backup_is_written_verified_and_restored(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, again = tmp_path / "a.backup", tmp_path / "again"

    saved = types(capsys, "backup", path, "--data", data)
    read = types(capsys, "verify", path)
    restored = types(capsys, "restore", path, "--data", again)

    tables = f"{NUMBER} rows in {len(TABLES.sorted_tables)} tables"
    assert saved[1].startswith(f"written and read again: {path}: {tables}, ")
    assert read[1].startswith(f"whole: {path}: {tables}, ")
    assert re.fullmatch(
        rf"restored: {again}: {tables}, \d+ bytes, .* s, revision .*, now {newest()}\n", restored[1]
    )
    assert [said[0] for said in (saved, read, restored)] == [0, 0, 0]
    assert [said[2] for said in (saved, read, restored)] == ["", "", ""]
    assert rows_of(file_in(again)) == rows_of(file_in(data))


def test_in_a_folder_of_backups_the_newest_are_kept(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    old = [folder / f"tocsin-2020010{day}T021500Z.backup" for day in (1, 2)]
    for path in old:
        path.touch()

    status, said, _ = types(capsys, "backup", folder, "--keep", "2", "--data", data)

    assert status == 0
    assert said.splitlines()[1:] == [f"removed: {old[0]}"]
    assert len(list(folder.iterdir())) == 2
    assert old[1] in folder.iterdir()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("backup", "a.backup", "--keep", "3"), "--keep is for a folder of backups, and a.backup is none"),
        (("backup", "absent/a.backup"), "absent/a.backup.part cannot be used (No such file or directory)"),
        (("verify", "absent"), "absent cannot be used (No such file or directory)"),
        (("verify", "data"), "data cannot be used (Is a directory)"),
        (("restore", "data/tocsin.db"), "data is not empty: nothing is overwritten"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    data: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(data.parent)
    place = [] if words[0] == "verify" else ["--data", "data"]

    status, out, err = types(capsys, *words, *place)

    assert (status, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_a_backup_of_nothing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = types(capsys, "backup", tmp_path / "a.backup", "--data", tmp_path)

    assert status == 2
    assert "tocsin.db is not there: name the server's data folder with --data" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.scenario
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_backup_without_a_trace(data: Path, tmp_path: Path, number: signal.Signals) -> None:
    """A pipe in the journal's place lets the signal come while the backup is under way."""
    (data / "journal").mkdir()
    os.mkfifo(data / "journal" / "00000001.seg")
    folder = tmp_path / "backups"
    folder.mkdir()
    backup = subprocess.Popen(
        [sys.executable, "-m", "tocsin_server", "backup", folder / "a.backup", "--data", data],
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 30
    while not list(folder.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)

    backup.send_signal(number)

    assert backup.communicate(timeout=20)[1] == b""
    assert backup.returncode == 130
    assert list(folder.iterdir()) == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_at_a_terminal_one_line_is_written_over_and_is_gone_at_the_end() -> None:
    now_s = iter([0.0, 0.1, 1.0, 1.0, 2.0, 2.0, 3.0])
    terminal = Terminal()
    progress = Progress(terminal, now_s=lambda: next(now_s))

    progress.tell("checksum", 0)
    progress.tell("journal/00000001.seg", 5 << 20)
    progress.tell("database/host", 1024)
    progress.end()

    assert terminal.getvalue().split("\r") == [
        "",
        "journal/00000001.seg 5120 KiB",
        "database/host 1 KiB".ljust(len("journal/00000001.seg 5120 KiB")),
        " " * len("database/host 1 KiB"),
        "",
    ]


def test_elsewhere_nothing_is_written() -> None:
    stream = io.StringIO()
    progress = Progress(stream)

    progress.tell("checksum", 0)
    progress.end()

    assert stream.getvalue() == ""
