"""Why a table decided as it did: each row, and which of its cells failed on which value.

Cells are asked one by one here, beside the index that decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tocsin_server.decisions.decider import Decider, Decision
from tocsin_server.decisions.domain import Value, spelled
from tocsin_server.decisions.table import Row, Table


class Failure(NamedTuple):
    """A cell that does not hold the value."""

    column: str
    value: Value
    cell: str

    def __str__(self) -> str:
        return f"{self.column}: {spelled(self.value)} is not {self.cell}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One row: what failed in it, which is nothing where it applies, and whether it decides."""

    row: Row
    failures: tuple[Failure, ...]
    decides: bool

    @property
    def applies(self) -> bool:
        return not self.failures


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision with a verdict on each row, in the file's order."""

    table: Table
    inputs: Mapping[str, Value]
    decision: Decision
    verdicts: tuple[Verdict, ...]


def explained(decider: Decider, inputs: Mapping[str, Value]) -> Explanation:
    """What the table says to these inputs, and why; raises `Unprocessable` as deciding does."""
    table, decision = decider.table, decider.decide(inputs)
    asked = {column.name: inputs[column.name] for column in table.inputs}
    verdicts = tuple(Verdict(row, failures(table, row, asked), row.id in decision.rows) for row in table.rows)
    return Explanation(table, asked, decision, verdicts)


def failures(table: Table, row: Row, inputs: Mapping[str, Value]) -> tuple[Failure, ...]:
    """The cells of a row that do not hold."""
    return tuple(
        Failure(column.name, inputs[column.name], cell.text)
        for column, cell in zip(table.inputs, row.cells, strict=True)
        if not cell.holds(inputs[column.name])
    )
