"""What agents and the server send, read from the code that sends it: `python -m tests.metrics` writes the list.

Collectors have a text of help for every metric. Probes have none: theirs are the names that stand in the code.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tocsin_agent.collectors import delivery, memory, netstat, registry, sockstat, vmstat
from tocsin_agent.probes.ifmib import _SCALARS, COLUMNS
from tocsin_server.health import Health
from tocsin_server.series.noted import NOTED

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "config" / "metrics.txt"
HEAD = """\
# The metrics that tocsin's agents, probes and server send, for `tocsin-server rules check`.
# One a line; with * at its end a whole family. `python -m tests.metrics` writes this file from the code.
"""
_NAME = re.compile(r"(?:probe|tocsin)_[a-z0-9_]*[a-z0-9]")
_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
_MAKERS = {"gauge", "counter", "samples"}


def of_collectors() -> set[str]:
    """By name, and by prefix with a star."""
    prefixes = [each for module in (memory, netstat, sockstat, vmstat) for each in module.HELP_BY_PREFIX]
    return {*registry.HELP, *delivery.HELP, *(f"{prefix}*" for prefix in prefixes)}


def of_probes() -> set[str]:
    """The names that probes give their samples, and the columns of SNMP's tables."""
    folder = ROOT / "agent" / "tocsin_agent" / "probes"
    said = {name for file in folder.glob("*.py") for name in _written(ast.parse(file.read_text()))}
    columns = [each for column in COLUMNS for each in (column, column.narrow) if each is not None]
    return said | {column.name for column in columns} | {name for name, _ in _SCALARS}


def of_server() -> set[str]:
    """What stands at /metrics, and what the server notes of each host."""
    families = Health().registry.collect()
    return NOTED | {
        f"{family.name}{suffix}" for family in families for suffix in _SUFFIXES.get(family.type, ("",))
    }


def page() -> str:
    """The file as it has to be."""
    return HEAD + "".join(f"{name}\n" for name in sorted(of_collectors() | of_probes() | of_server()))


def _written(tree: ast.Module) -> Iterator[str]:
    """The first arguments of what makes samples."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node.func) in _MAKERS and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and _NAME.fullmatch(str(first.value)):
                yield str(first.value)


def _called(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


if __name__ == "__main__":
    LIST.write_text(page())
