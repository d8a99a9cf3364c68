"""What is recorded of a program is what it did, also where it was killed in the middle of a call."""

from pathlib import Path

import pytest
from tests.faults.disk import Remove
from tests.faults.recording import Recorder

pytestmark = pytest.mark.faults


def test_a_file_that_was_removed_as_the_program_was_killed_is_removed(tmp_path: Path) -> None:
    folder = (tmp_path / "spool").resolve()
    folder.mkdir()
    path = folder / "old.frames"
    path.write_bytes(b"frame")
    recorder = Recorder(folder)
    command = recorder.under()
    said = "".join(f"\\x{byte:02x}" for byte in str(path).encode())  # as -xx writes it

    path.unlink()
    Path(command[command.index("-o") + 1]).write_text(
        f'7 1.0 unlink("{said}" <unfinished ...>\n'
        "8 1.1 +++ killed by SIGKILL +++\n"
        "7 1.2 <... unlink resumed>) = ?\n"
        "7 1.3 +++ killed by SIGKILL +++\n"
    )
    recorder.take()

    assert [each.event for each in recorder.events] == [Remove("old.frames")]
