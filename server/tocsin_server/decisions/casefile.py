"""The cases beside a table: `routing.test.csv` says for each which rows decide.

    severity,rule,age,=> rows
    critical,FilesystemFull,5,disk
    info,SwapFilling,5,fallback

A column for each input of the table, in any order, and last the ids of the rows, with commas or spaces between
them where a table collects. A case that fails keeps its table out.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tocsin_server.decisions.decider import Decider
from tocsin_server.decisions.domain import BadCell, Domain, Value
from tocsin_server.decisions.explanation import explained
from tocsin_server.decisions.sheet import FILE, Complaints, Line, read_sheet
from tocsin_server.decisions.table import Table
from tocsin_server.errors import suggestion

SUFFIX = ".test.csv"
EXPECTED = "=> rows"


class Case(NamedTuple):
    """Inputs, and the ids of the rows that shall decide."""

    line: int
    inputs: Mapping[str, Value]
    rows: frozenset[str]


def read_cases(file: str, content: bytes, decider: Decider) -> list[Case]:
    """The cases of a file, all of which the table fulfils; raises `DecisionFileErrors`."""
    complaints = Complaints(file)
    header, lines = read_sheet(file, content)
    domains = dict(decider.table.inputs)
    _check_header(header, domains, complaints)
    complaints.end()
    cases = [_case(header, line, domains, complaints) for line in lines]
    _check_ids(cases, [row.id for row in decider.table.rows], complaints)
    complaints.end()
    for case in cases:
        _judge(case, decider, complaints)
    complaints.end()
    return cases


def without_case(table: Table, cases: Sequence[Case]) -> list[str]:
    """The ids of the rows that no case is about."""
    return [row.id for row in table.rows if not any(row.id in case.rows for case in cases)]


def _check_header(header: Line, domains: Mapping[str, Domain], complaints: Complaints) -> None:
    *names, last = header.cells
    for name in names:
        if name not in domains:
            complaints.add(header.number, name, f"the table has no such input{suggestion(name, domains)}")
        elif names.count(name) > 1:
            complaints.add(header.number, name, "stands twice in the header")
    for name in domains:
        if name not in names:
            complaints.add(header.number, name, "is missing: a case says every input of the table")
    if last != EXPECTED:
        complaints.add(header.number, last, f"the last column is {EXPECTED!r}")


def _case(header: Line, line: Line, domains: Mapping[str, Domain], complaints: Complaints) -> Case:
    inputs = {}
    for name, cell in zip(header.cells[:-1], line.cells, strict=False):
        try:
            inputs[name] = domains[name].literal(cell)
        except BadCell as error:
            complaints.add(line.number, name, str(error))
    return Case(line.number, inputs, frozenset(line.cells[-1].replace(",", " ").split()))


def _check_ids(cases: Sequence[Case], known: Sequence[str], complaints: Complaints) -> None:
    if not cases:
        complaints.add(1, FILE, "there is no case below the header")
    for case in cases:
        if not case.rows:
            complaints.add(case.line, EXPECTED, "no row is named: write its id")
        for row in sorted(case.rows - set(known)):
            complaints.add(case.line, EXPECTED, f"the table has no row {row!r}{suggestion(row, known)}")


def _judge(case: Case, decider: Decider, complaints: Complaints) -> None:
    explanation = explained(decider, case.inputs)
    decided = explanation.decision.rows
    if case.rows == set(decided):
        return
    missed = (
        verdict for verdict in explanation.verdicts if verdict.row.id in case.rows and not verdict.decides
    )
    reasons = [
        f"{verdict.row.id} fails on {verdict.failures[0]}"
        if verdict.failures
        else f"{verdict.row.id} applies too"
        for verdict in missed
    ]
    complaints.add(case.line, EXPECTED, "; ".join([f"{', '.join(decided)} decides", *reasons]))
