"""`decisions`: the desk's tables are read as the server reads them, tried on their cases, and asked why."""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tocsin_server.cli.command import Commands, Options, command, group
from tocsin_server.cli.query import columns, shown
from tocsin_server.config import find_config
from tocsin_server.decisions.casefile import Case, without_case
from tocsin_server.decisions.decider import Answer, Decider
from tocsin_server.decisions.domain import BadCell, Text, Value, spelled
from tocsin_server.decisions.explanation import Explanation, Verdict, explained
from tocsin_server.decisions.folder import TableFiles, load_decider, load_table, table_files
from tocsin_server.decisions.forms import misfits, missing_tables
from tocsin_server.decisions.sheet import DecisionFileError, DecisionFileErrors
from tocsin_server.decisions.table import FALLBACK, HitPolicy, Table
from tocsin_server.decisions.tablefile import OUTPUT, SUFFIX
from tocsin_server.doctor import counted
from tocsin_server.errors import Misconfigured, suggestion

FOLDER = "decisions"
CHECK_EXAMPLES = """\
examples:
  tocsin-server decisions check                        (the tables in force: those of the configuration)
  tocsin-server decisions check config/decisions
  tocsin-server decisions check --strict routing.csv

Whatever is wrong is told with file, line and column: a cell that cannot be read, a case without a row, rows
that contradict each other, a row that never decides, a case of NAME.test.csv that fails. Of a table that the
desk asks, what does not fit the desk is told too: that is a mistake in the configuration's own folder and with
--strict, else a warning. The status is 1 where there is a mistake.
"""
TEST_EXAMPLES = """\
examples:
  tocsin-server decisions test
  tocsin-server decisions test config/decisions/routing.csv

The cases of routing.csv stand in routing.test.csv beside it. The status is 1 where one fails, and where a table
has none.
"""
EXPLAIN_EXAMPLES = """\
examples:
  tocsin-server decisions explain priority impact=high urgency=low
  tocsin-server decisions explain routing kind=incident host_kind=server rule=FilesystemFull
  tocsin-server decisions explain my/routing.csv kind=request host_kind=none rule= --json

Each row is told, and in one that does not apply each cell that fails and on which value.
"""
_POLICIES: Mapping[HitPolicy, str] = {
    HitPolicy.UNIQUE: "one row applies, and decides",
    HitPolicy.FIRST: "the first row that applies decides",
    HitPolicy.ANY: "rows that apply agree, and the first is named",
    HitPolicy.COLLECT: "each row that applies answers",
    HitPolicy.SUM: "the sum of all rows that apply",
    HitPolicy.LEAST: "the least of all rows that apply",
    HitPolicy.GREATEST: "the greatest of all rows that apply",
}


def add_commands(commands: Commands) -> None:
    """`decisions check, decisions test, decisions explain`."""
    words = group(commands, "decisions")
    check = command(
        words, "check", _check, "read tables and say what is wrong", data=False, examples=CHECK_EXAMPLES
    )
    _add_files(check)
    check.add_argument("--strict", action="store_true", help="a warning fails too")
    _add_files(command(words, "test", _test, "try tables on their cases", data=False, examples=TEST_EXAMPLES))
    explain = command(
        words,
        "explain",
        _explain,
        "say what a table decides, and of each other row why it does not",
        data=False,
        examples=EXPLAIN_EXAMPLES,
    )
    explain.add_argument("table", metavar="TABLE", help=f"its name in the configuration, or its file *{SUFFIX}")
    explain.add_argument("inputs", nargs="*", metavar="INPUT=VALUE", help="each input of the table")
    explain.add_argument("--config", type=Path, help=f"folder with {FOLDER}/ to look at")
    explain.add_argument("--json", action="store_true", help="the decision and all rows as JSON")


def _add_files(to: argparse.ArgumentParser) -> None:
    to.add_argument(
        "files",
        type=Path,
        nargs="*",
        metavar="FILE",
        help=f"or a folder (default: the configuration's {FOLDER})",
    )
    to.add_argument("--config", type=Path, help=f"folder with {FOLDER}/ to look at")


def _check(options: Options) -> int:
    files, in_force = _meant(options)
    loaded, errors = _load(files)
    misfit = [error for each in loaded for error in misfits(each.files.name, each.decider.table)]
    if in_force:
        misfit += missing_tables({each.table.name for each in files})
    for each in loaded:
        print(shown(_summary(each)))
    for error in errors:
        print(shown(str(error)))
    fails = in_force or options.strict
    for error in misfit:
        print(shown(str(error) if fails else f"{error} (warning)"))
    rows = sum(len(each.decider.table.rows) for each in loaded)
    print(f"{counted(len(loaded), 'table')}, {counted(rows, 'row')}, {counted(_cases(loaded), 'case')}")
    return 1 if errors or (misfit and fails) else 0


def _test(options: Options) -> int:
    loaded, errors = _load(_meant(options)[0])
    for each in loaded:
        print(shown(_coverage(each)))
    for error in errors:
        print(shown(str(error)))
    return 0 if not errors and all(each.cases for each in loaded) else 1


def _explain(options: Options) -> int:
    try:
        decider = load_decider(_named(options))
    except DecisionFileErrors as refused:
        for error in refused.errors:
            print(shown(str(error)))
        return 1
    explanation = explained(decider, _inputs(decider.table, options.inputs))
    if options.json:
        print(json.dumps(as_json(explanation), indent=2))
    else:
        print("".join(f"{shown(line)}\n" for line in lines(explanation)), end="")
    return 0


class _Loaded(NamedTuple):
    """A table without a fault, and its cases, which it fulfils."""

    files: TableFiles
    decider: Decider
    cases: Sequence[Case]


def _meant(options: Options) -> tuple[list[TableFiles], bool]:
    """The files, and whether they are those of the configuration."""
    try:
        return table_files(options.files or [_folder(options)]), not options.files
    except OSError as error:
        raise Misconfigured(f"{error.filename} cannot be read ({error.strerror})") from error


def _folder(options: Options) -> Path:
    folder = find_config(FOLDER, options.config)
    if folder is None:
        raise Misconfigured(
            f"there is no folder {FOLDER} in the configuration", remedy="name files, or --config"
        )
    return folder


def _load(files: Sequence[TableFiles]) -> tuple[list[_Loaded], list[DecisionFileError]]:
    loaded: list[_Loaded] = []
    errors: list[DecisionFileError] = []
    for each in files:
        try:
            loaded.append(_Loaded(each, *load_table(each)))
        except DecisionFileErrors as refused:
            errors += refused.errors
    return loaded, errors


def _cases(loaded: Sequence[_Loaded]) -> int:
    return sum(len(each.cases) for each in loaded)


def _summary(each: _Loaded) -> str:
    table = each.decider.table
    parts = (counted(len(table.rows), "row"), counted(len(table.inputs), "input"))
    cases = counted(len(each.cases), "case") if each.cases else "no cases"
    return f"{each.files.name}: {table.label}, {table.policy}, {', '.join(parts)}, {cases}"


def _coverage(each: _Loaded) -> str:
    if not each.cases:
        return f"{each.files.cases_name}: is not there, so {each.files.name} is not tried"
    bare = without_case(each.decider.table, each.cases)
    said = f"; rows without a case: {', '.join(bare)}" if bare else ""
    return (
        f"{each.files.cases_name}: {counted(len(each.cases), 'case')} pass{'es' * (len(each.cases) == 1)}{said}"
    )


def _named(options: Options) -> TableFiles:
    """The file of a table, by its path or by its name in the configuration."""
    given: str = options.table
    if given.endswith(SUFFIX):
        return table_files([Path(given)])[0]
    folder = _folder(options)
    known = [files.table.stem for files in table_files([folder])]
    if given not in known:
        raise Misconfigured(f"there is no table {given[:60]!r} in {folder}{suggestion(given, known)}")
    return table_files([folder / f"{given}{SUFFIX}"])[0]


def _inputs(table: Table, words: Sequence[str]) -> dict[str, Value]:
    """What `name=value` says of each input; raises `Misconfigured`."""
    domains = dict(table.inputs)
    inputs: dict[str, Value] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or name not in domains:
            raise Misconfigured(f"{word[:60]!r} is no input=value of the table{suggestion(name, domains)}")
        if name in inputs:
            raise Misconfigured(f"{name!r} is said twice", remedy="say it once")
        try:
            inputs[name] = text if isinstance(domains[name], Text) else domains[name].literal(text)
        except BadCell as error:
            raise Misconfigured(f"{name}: {error}") from error
    missing = [str(column) for column in table.inputs if column.name not in inputs]
    if missing:
        raise Misconfigured(f"the table asks for {', '.join(missing)} too", remedy="say each as input=value")
    return inputs


def lines(of: Explanation) -> Iterator[str]:
    """What was asked, a line for each row, and what was decided."""
    table = of.table
    yield f"{table.label}, policy {table.policy}: {_POLICIES[table.policy]}"
    yield "  ".join(f"{name}={spelled(value)}" for name, value in of.inputs.items())
    yield ""
    yield from columns([(each.row.id, f"line {each.row.line}", _verdict(each, of)) for each in of.verdicts])
    yield ""
    for answer in of.decision.answers:
        yield f"{OUTPUT} {_answer(answer)}"


def _verdict(verdict: Verdict, of: Explanation) -> str:
    if verdict.decides:
        return "decides"
    if verdict.failures:
        return "; ".join(map(str, verdict.failures))
    if verdict.row.id == FALLBACK:
        return "would decide if no other row did"
    return f"applies, but {of.decision.rows[0]} decides"


def _answer(answer: Answer) -> str:
    return "  ".join(f"{name}={spelled(value)}" for name, value in answer.items())


def as_json(of: Explanation) -> dict[str, object]:
    """All of it for programs."""
    return {
        "table": of.table.name,
        "digest": of.table.digest,
        "policy": of.table.policy.value,
        "inputs": dict(of.inputs),
        "decision": {"rows": of.decision.rows, "outputs": [dict(answer) for answer in of.decision.answers]},
        "rows": [
            {
                "id": each.row.id,
                "line": each.row.line,
                "applies": each.applies,
                "decides": each.decides,
                "failed": [failure._asdict() for failure in each.failures],
            }
            for each in of.verdicts
        ],
    }
