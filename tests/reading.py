"""Tables and rules that are read again and again are read once by a process, until they change."""

from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

from tocsin_server.alerts import rulefile
from tocsin_server.decisions import folder


def read_once() -> None:
    """From now on. What is refused is read again, and refused again."""
    load_table, read_rules = folder.load_table, rulefile._read
    tables: dict[Hashable, Any] = {}
    rules: dict[Hashable, Any] = {}

    def table_once(files: folder.TableFiles) -> Any:
        return _once(tables, (files, *_contents(files.table, files.cases)), lambda: load_table(files))

    def rules_once(path: Path, errors: list[rulefile.RuleFileError]) -> Sequence[Any]:
        key = (path, *_contents(path))
        if key not in rules:
            before = len(errors)
            groups = read_rules(path, errors)
            if len(errors) > before:
                return groups
            rules[key] = groups
        return list(rules[key])

    folder.load_table = table_once
    rulefile._read = rules_once


def _once(kept: dict[Hashable, Any], key: Hashable, read: Callable[[], Any]) -> Any:
    if key not in kept:
        kept[key] = read()
    return kept[key]


def _contents(*paths: Path) -> list[bytes | None]:
    """What stands in them; nothing where that cannot be read."""
    return [path.read_bytes() if path.is_file() else None for path in paths]
