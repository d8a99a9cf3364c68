"""The file of a decision table: `routing.csv` is the table `routing`.

    F,severity:enum(critical|warning|info),rule:string,age:number,=> team:string
    # what nobody else takes is the service desk's
    disk,-,"FilesystemFull, FilesystemFilling",<= 60,servers
    fallback,-,-,-,servicedesk

The first cell is the hit policy, then come the inputs and the outputs with their types. Each row begins with
its id. Nothing is guessed: what is wrong is told with its line and column, and a table with a fault is none.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from tocsin_server.decisions.analysis import faults_of
from tocsin_server.decisions.axis import TooManyCases, axes_of
from tocsin_server.decisions.cell import ANY, Cell, parse_cell
from tocsin_server.decisions.decider import Decider
from tocsin_server.decisions.domain import BadCell, Numbers, Value, parse_domain
from tocsin_server.decisions.sheet import FILE, Complaints, Line, read_sheet
from tocsin_server.decisions.table import AGGREGATES, FALLBACK, Column, HitPolicy, Row, Table

OUTPUT = "=>"
"""Before the name of an output."""
SUFFIX = ".csv"
ID, POLICY = "id", "hit policy"
"""What the first column is called in messages, and the first cell of the header."""
_DIGITS = 12
"""Of the digest: enough to find the file's version in any history."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_ROW = re.compile(r"[A-Za-z0-9][\w.-]{0,63}", re.ASCII)
_COLUMN = re.compile(rf"(?P<output>{OUTPUT})?\s*(?P<name>[^:]*?)\s*:\s*(?P<type>.*)")
_POLICIES = (
    "U (one row), F (the first), A (any, all alike), C (all), C+, C< and C> (their sum, least, greatest)"
)


def read_table(file: str, content: bytes) -> Decider:
    """The table of a file of this name; raises `DecisionFileErrors` with everything that is wrong."""
    reading = _Reading(file)
    name = reading.table_name(file)
    header, lines = read_sheet(file, content)
    policy, inputs, outputs = reading.header(header)
    rows = reading.rows(lines, inputs, outputs)
    digest = hashlib.sha256(content).hexdigest()[:_DIGITS]
    return reading.proven(Table(name, digest, policy, inputs, outputs, rows))


class _Reading(Complaints):
    """The file of a table being read."""

    def table_name(self, file: str) -> str:
        """What the file is called, without its end."""
        name = PurePath(file).name.removesuffix(SUFFIX)
        if not _NAME.fullmatch(name):
            self.add(1, FILE, f"{name!r} is no name of a table: call it as sla_selection{SUFFIX} is called")
            self.end()
        return name

    def header(self, line: Line) -> tuple[HitPolicy, tuple[Column, ...], tuple[Column, ...]]:
        """The policy, the inputs and the outputs."""
        first, *cells = line.cells
        if not cells and ";" in first:
            self.add(line.number, POLICY, "cells are parted by semicolons: save it with commas")
            self.end()
        policy = self._policy(line.number, first)
        inputs: list[Column] = []
        outputs: list[Column] = []
        for cell in cells:
            self._column(line.number, cell, inputs, outputs)
        self.end()
        if not inputs or not outputs:
            missing = "=> output:type" if inputs else "input:type"
            self.add(line.number, POLICY, f"the header has no {missing}")
        for name, domain in outputs if policy in AGGREGATES else ():
            if not isinstance(domain, Numbers):
                self.add(line.number, name, f"{policy} wants outputs that are numbers, not {domain}")
        self.end()
        return policy, tuple(inputs), tuple(outputs)

    def rows(
        self, lines: Sequence[Line], inputs: tuple[Column, ...], outputs: tuple[Column, ...]
    ) -> tuple[Row, ...]:
        """The rows; at least one."""
        rows = [self._row(line, inputs, outputs) for line in lines]
        self._check_ids(rows)
        if not rows:
            self.add(1, POLICY, "there is no row below the header")
        self.end()
        return tuple(rows)

    def proven(self, table: Table) -> Decider:
        """The table, compiled, if it has no fault as a whole."""
        try:
            axes = axes_of(table)
            faults = faults_of(table, axes)
        except TooManyCases as error:
            self.add(1, POLICY, str(error))
            self.end()
            raise
        for row, reason in sorted(faults, key=lambda fault: 0 if fault.row is None else fault.row.line):
            self.add(1 if row is None else row.line, POLICY if row is None else ID, reason)
        self.end()
        return Decider(table, axes)

    def _policy(self, line: int, text: str) -> HitPolicy:
        try:
            return HitPolicy(text)
        except ValueError:
            self.add(line, POLICY, f"{text!r} is no hit policy: there are {_POLICIES}")
            return HitPolicy.UNIQUE

    def _column(self, line: int, cell: str, inputs: list[Column], outputs: list[Column]) -> None:
        place = f"column {len(inputs) + len(outputs) + 2}"
        said = _COLUMN.fullmatch(cell)
        if said is None:
            self.add(line, place, f"{cell!r} is no column: write name:type, or => name:type for an output")
            return
        name, is_output = said["name"], said["output"] is not None
        if not _NAME.fullmatch(name):
            self.add(line, place, f"{name!r} is no name: write small letters, digits and _")
        elif any(name == column.name for column in (*inputs, *outputs)):
            self.add(line, name, "stands twice in the header")
        elif outputs and not is_output:
            self.add(line, name, f"an input after an output: move it, or write {OUTPUT} {cell}")
        try:
            (outputs if is_output else inputs).append(Column(name, parse_domain(said["type"])))
        except BadCell as error:
            self.add(line, name, str(error))

    def _row(self, line: Line, inputs: Sequence[Column], outputs: Sequence[Column]) -> Row:
        row_id, *cells = line.cells
        tests = tuple(self._cells(line.number, inputs, cells))
        answer = tuple(self._values(line.number, outputs, cells[len(inputs) :]))
        return Row(row_id, line.number, tests, answer)

    def _cells(self, line: int, columns: Sequence[Column], cells: Sequence[str]) -> Iterator[Cell]:
        for column, cell in zip(columns, cells, strict=False):
            try:
                yield parse_cell(cell, column.domain)
            except BadCell as error:
                self.add(line, column.name, str(error))

    def _values(self, line: int, columns: Sequence[Column], cells: Sequence[str]) -> Iterator[Value]:
        for column, cell in zip(columns, cells, strict=True):
            try:
                yield column.domain.literal(cell)
            except BadCell as error:
                self.add(line, column.name, str(error))

    def _check_ids(self, rows: Sequence[Row]) -> None:
        lines: dict[str, int] = {}
        for row in rows:
            if not _ROW.fullmatch(row.id):
                self.add(row.line, ID, f"{row.id!r} is no id: write letters, digits, _ . and -")
            elif row.id in lines:
                self.add(row.line, ID, f"{row.id!r} is the id of line {lines[row.id]} too")
            lines[row.id] = row.line
            if row.id == FALLBACK and (row is not rows[-1] or not all(cell.is_any for cell in row.cells)):
                self.add(row.line, ID, f"{FALLBACK!r} is the last row, with {ANY} for each input")
