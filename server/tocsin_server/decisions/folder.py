"""The folder of decision tables: each `NAME.csv`, with its cases in `NAME.test.csv` where there are any.

A change is taken whole or not at all: one table that is wrong, or one case that fails, keeps in force the set
that was read before.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from tocsin_server.decisions import casefile, tablefile
from tocsin_server.decisions.casefile import Case, read_cases
from tocsin_server.decisions.decider import Decider
from tocsin_server.decisions.forms import misfits, missing_tables
from tocsin_server.decisions.sheet import FILE, MOST_BYTES, DecisionFileError, DecisionFileErrors
from tocsin_server.decisions.tablefile import read_table
from tocsin_server.yaml_files import Shelf

IsOpen = Callable[[str, int], bool]
"""Whether it is business hours with a client, by its slug, at a moment in epoch milliseconds."""


def always(_client: str, _at_ms: int) -> bool:
    """Where nothing says when anybody works."""
    return True


Deciders = Mapping[str, Decider]
"""Tables by their names, as a folder has them."""
NO_DECIDERS: Deciders = MappingProxyType({})


class Tables(Deciders):
    """Tables that are in force, with what they are told beside what is known of a ticket."""

    def __init__(self, deciders: Deciders, *, is_open: IsOpen) -> None:
        self._deciders = MappingProxyType(dict(deciders))
        self.is_open = is_open

    def __getitem__(self, name: str) -> Decider:
        return self._deciders[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._deciders)

    def __len__(self) -> int:
        return len(self._deciders)


NO_TABLES = Tables(NO_DECIDERS, is_open=always)


class TableFiles(NamedTuple):
    """The files of one table; `name` is what messages call the first."""

    table: Path
    name: str

    @property
    def cases(self) -> Path:
        return self.table.with_name(self.table.name.removesuffix(tablefile.SUFFIX) + casefile.SUFFIX)

    @property
    def cases_name(self) -> str:
        return self.name.removesuffix(tablefile.SUFFIX) + casefile.SUFFIX


def csv_files(folder: Path) -> list[Path]:
    """The `*.csv` of a folder, without those of its folders."""
    return sorted(path for path in folder.iterdir() if path.suffix == tablefile.SUFFIX and path.is_file())


def table_files(paths: Iterable[Path]) -> list[TableFiles]:
    """The tables that are meant: folders stand for theirs, and cases for the table beside them."""
    named = [
        (file, file.name) if path.is_dir() else (file, str(file))
        for path in paths
        for file in (csv_files(path) if path.is_dir() else [path])
    ]
    return list(dict.fromkeys(TableFiles(_tested(path), str(_tested(Path(name)))) for path, name in named))


def load_decider(files: TableFiles) -> Decider:
    """A table, whether or not it fulfils its cases; raises `DecisionFileErrors`."""
    return read_table(files.name, _content(files.table, files.name))


def load_table(files: TableFiles) -> tuple[Decider, Sequence[Case]]:
    """A table and the cases that it fulfils; raises `DecisionFileErrors`."""
    decider = load_decider(files)
    if not files.cases.exists():
        return decider, ()
    return decider, read_cases(files.cases_name, _content(files.cases, files.cases_name), decider)


def load_for_desk(folder: Path) -> Deciders:
    """All tables that the desk asks, and others, by name; raises `DecisionFileErrors`, and `OSError`."""
    tables: dict[str, Decider] = {}
    errors: list[DecisionFileError] = []
    for files in table_files([folder]):
        try:
            decider, _ = load_table(files)
        except DecisionFileErrors as refused:
            errors += refused.errors
            continue
        tables[decider.table.name] = decider
        errors += misfits(files.name, decider.table)
    errors += missing_tables({files.table.name for files in table_files([folder])})
    if errors:
        raise DecisionFileErrors(errors)
    return MappingProxyType(tables)


def desk_shelf(find: Callable[[], Path | None]) -> Shelf[Deciders]:
    """The desk's tables as they were read last without a mistake; `look` reads what has changed."""
    return Shelf(find, load_for_desk, NO_DECIDERS, files=csv_files)


def _tested(path: Path) -> Path:
    """The table, where the path is that of its cases."""
    if not path.name.endswith(casefile.SUFFIX):
        return path
    return path.with_name(path.name.removesuffix(casefile.SUFFIX) + tablefile.SUFFIX)


def _content(path: Path, name: str) -> bytes:
    """The file's bytes, or one more than a file may have."""
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        reason = f"cannot be read ({error.strerror})"
        raise DecisionFileErrors([DecisionFileError(name, 1, FILE, reason)]) from error
