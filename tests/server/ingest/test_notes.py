"""What the journal's folder remembers between starts."""

from pathlib import Path

from tocsin_server.ingest.notes import read_note, write_note


def test_a_note_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_note(tmp_path, "late-judged", 17)

    assert read_note(tmp_path, "late-judged", -1) == 17


def test_a_note_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "late-judged").write_text("torn")

    assert read_note(tmp_path, "late-judged", -1) == -1
    assert read_note(tmp_path, "hours-written", 0) == 0
