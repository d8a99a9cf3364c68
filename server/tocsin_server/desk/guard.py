"""What has to hold for an act, where neither a list of states nor a table can say it: an expression in CEL.

    requires: act.text != "" || ticket.priority > 2

CEL (https://cel.dev) computes and cannot do anything else. Here it sees one ticket, who acts and what they
say, by the names in `EXAMPLE`; whatever else is named, is of the wrong type or is no yes or no is refused when
the file is read. A guard that cannot be judged all the same forbids its act.
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from tocsin_protocol.vocabulary import Role, Severity, TicketAct, TicketKind, TicketState
from tocsin_server.errors import Conflict, suggestion

_log = structlog.get_logger()

Case = Mapping[str, Mapping[str, Any]]
"""What an expression is asked about: `ticket`, `person` and `act`, each with its fields."""

EXAMPLE: Case = {
    "ticket": {
        "kind": TicketKind.INCIDENT.value,
        "state": TicketState.NEW.value,
        "priority": 3,
        "severity": Severity.WARNING.value,
        "impact": "",
        "urgency": "",
        "team": "",
        "owner": "",
        "waits_for": "",
        "title": "FilesystemFull on web-1",
        "recovered": False,
        "minutes": 90,
    },
    "person": {"login": "alice", "role": Role.TECHNICIAN.value, "owns": False},
    "act": {"text": "", "reason": ""},
}
"""`minutes` is the age, `recovered` whether it asks to be confirmed; a word that is not there is empty."""

MAX_EXPRESSION = 500
"""Characters: to read one takes as long as the square of its length."""
_OPERATORS = ("_&&_", "_||_", "!_", "_?_:_", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "@in")
_SUMS = ("_+_", "_-_", "_*_", "_/_", "_%_", "-_")
_OF_WORDS = ("size", "contains", "startsWith", "endsWith", "matches")
_FUNCTIONS = frozenset((*_OPERATORS, *_SUMS, *_OF_WORDS))
_TEXT = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""")
_FIELD = re.compile(r"\b(ticket|person|act)\b\s*\.\s*(\w+)")
_SAMPLES: Mapping[tuple[str, str], tuple[Any, ...]] = {
    ("ticket", "kind"): tuple(TicketKind),
    ("ticket", "state"): tuple(TicketState),
    ("ticket", "priority"): (1, 4),
    ("ticket", "owner"): ("", "alice"),
    ("ticket", "recovered"): (False, True),
    ("act", "text"): ("", "a word"),
}
"""What the fields are tried with at load, each with each: an error must not hide behind an `||`."""


class BadGuard(ValueError):
    """An expression that cannot be taken, and why."""


class Program(Protocol):
    """An expression that has been read."""

    def execute(self, context: dict[str, Any], /) -> object: ...
    def variables(self) -> list[str]: ...
    def functions(self) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Guard:
    """Forbids an act on tickets of its kinds, unless its expression holds."""

    act: TicketAct
    kinds: frozenset[TicketKind]
    requires: str
    because: str
    """What is told to whom it forbids."""
    remedy: str
    program: Program

    def require(self, case: Case, *, name: str) -> None:
        """Raises `Conflict` unless it holds in this case, `name` being the ticket's."""
        if not self._holds(case):
            raise Conflict(f"{name}: {self.because}", remedy=self.remedy)

    def _holds(self, case: Case) -> bool:
        try:
            return self.program.execute(dict(case)) is True
        except Exception as error:  # noqa: BLE001 - the library raises of all kinds; what is not known is no yes
            _log.error(f"{self.requires!r} cannot be judged: {error}", action="guard_undecided")
            return False


def expression(text: str) -> Program:
    """The program of an expression that has been tried on all kinds of cases; raises `BadGuard`."""
    if len(text) > MAX_EXPRESSION:
        raise BadGuard(f"it is longer than {MAX_EXPRESSION} characters")
    program = _compiled(text)
    _require_known_names(text, program)
    for case in _cases():
        _try(program, case)
    return program


def _compiled(text: str) -> Program:
    from cel import cel  # noqa: PLC0415 - its package costs half a second and 30 MB, and most files have no guard

    try:
        return cel.compile(text)
    except ValueError as error:
        raise BadGuard(f"it is not CEL: {_first_line(error)}") from error


def _require_known_names(text: str, program: Program) -> None:
    for name in program.variables():
        if name not in EXAMPLE:
            raise BadGuard(f"nothing is called {name!r}{suggestion(name, EXAMPLE)}")
    for function in program.functions():
        if function not in _FUNCTIONS:
            raise BadGuard(f"{function!r} may not be used here")
    for of, field in _FIELD.findall(_TEXT.sub("''", text)):
        if field not in EXAMPLE[of]:
            raise BadGuard(f"{of} has no {field!r}{suggestion(field, EXAMPLE[of])}")


def _cases() -> Iterator[Case]:
    for values in itertools.product(*_SAMPLES.values()):
        case = {of: dict(fields) for of, fields in EXAMPLE.items()}
        for (of, field), value in zip(_SAMPLES, values, strict=True):
            case[of][field] = str(value) if isinstance(value, str) else value
        yield case


def _try(program: Program, case: Case) -> None:
    try:
        answer = program.execute(dict(case))
    except Exception as error:  # the library raises of all kinds
        raise BadGuard(f"it cannot be judged: {_first_line(error)}") from error
    if not isinstance(answer, bool):
        raise BadGuard(f"it is neither true nor false but {str(answer)[:40]!r}")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
