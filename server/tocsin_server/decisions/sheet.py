"""A CSV file of an operator's, strictly read: UTF-8 with or without a byte order mark, any line end.

Cells are stripped of the space around them. A line that is empty, or whose first cell begins with `#`, says
nothing.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from tocsin_server.yaml_files import FileErrors

MOST_BYTES = 1 << 20
MOST_LINES = 1000
MOST_COLUMNS = 64
MOST_CHARACTERS = 2000
"""In a cell."""
COMMENT = "#"
FILE = "file"
"""Where a message is about no column."""


@dataclass(frozen=True, slots=True)
class DecisionFileError:
    """One thing that is wrong in a file. `line` counts from 1; `column` is its name, or a word for it."""

    file: str
    line: int
    column: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.reason}"


class DecisionFileErrors(FileErrors[DecisionFileError]):
    """Files that were refused, with everything that is wrong in them."""


class Complaints:
    """What is wrong in a file that is being read: all that can be said is said together."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._errors: list[DecisionFileError] = []

    def add(self, line: int, column: str, reason: str) -> None:
        """Note one thing."""
        self._errors.append(DecisionFileError(self._file, line, column, reason))

    def end(self) -> None:
        """Raise `DecisionFileErrors` where something was noted: nothing more can be said."""
        if self._errors:
            raise DecisionFileErrors(self._errors)


class Line(NamedTuple):
    """A line that says something; its number counts from 1."""

    number: int
    cells: tuple[str, ...]


def read_sheet(file: str, content: bytes) -> tuple[Line, list[Line]]:
    """The header and the lines below, each as long as the header; raises `DecisionFileErrors`."""
    if len(content) > MOST_BYTES:
        raise _refused(file, 1, f"larger than {MOST_BYTES >> 10} KiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _refused(file, line, "not UTF-8: save it with that character set") from error
    lines = list(_lines(file, text))
    if not lines:
        raise _refused(file, 1, "empty: the first line is a header such as U,severity:string,=> team:string")
    header, *rest = lines
    width = len(header.cells)
    for each in rest:
        if len(each.cells) != width:
            reason = f"{len(each.cells)} cells under a header of {width}"
            raise _refused(
                file, each.number, f'{reason}: a list is one cell with quotes, such as "disk, memory"'
            )
    return header, rest


def _lines(file: str, text: str) -> Iterator[Line]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    number, count = 1, 0
    try:
        for record in reader:
            cells = tuple(cell.strip() for cell in record)
            if any(cells) and not cells[0].startswith(COMMENT):
                count += 1
                yield _checked(file, Line(number, cells), count)
            number = reader.line_num + 1
    except csv.Error as error:
        raise _refused(file, number, f"not CSV: {error}") from error


def _checked(file: str, line: Line, count: int) -> Line:
    if count > MOST_LINES:
        raise _refused(file, line.number, f"more than {MOST_LINES} lines")
    if len(line.cells) > MOST_COLUMNS:
        raise _refused(file, line.number, f"more than {MOST_COLUMNS} columns")
    for place, cell in enumerate(line.cells, 1):
        strange = next((character for character in cell if not character.isprintable()), None)
        if strange is not None:
            reason = f"a cell holds U+{ord(strange):04X}, which is not to be seen: type it anew"
            raise _refused(file, line.number, reason, f"column {place}")
        if len(cell) > MOST_CHARACTERS:
            raise _refused(file, line.number, f"more than {MOST_CHARACTERS} characters", f"column {place}")
    return line


def _refused(file: str, line: int, reason: str, column: str = FILE) -> DecisionFileErrors:
    return DecisionFileErrors([DecisionFileError(file, line, column, reason)])
