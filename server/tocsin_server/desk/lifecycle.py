"""The lawful life of tickets as data: which act is lawful in which states, for each kind of ticket.

Read from `processes/lifecycle.yml` of the configuration, strictly: a life in which a ticket could never be
solved, or could leave `closed`, is refused with its line. What states cannot say, guards say (`guard.py`).
Alerts do not ask here: no file can stop the bell.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import yaml

from tocsin_protocol.vocabulary import OPEN_TICKET_STATES, TicketAct, TicketKind, TicketState
from tocsin_server.desk.guard import BadGuard, Case, Guard, expression
from tocsin_server.errors import Conflict, Unprocessable
from tocsin_server.yaml_files import FileErrors, read_text
from tocsin_server.yaml_nodes import BadYaml, Fields, composed, line_of, scalar

FILE = "lifecycle.yml"
MAX_WAITS = 16
MAX_WORD = 32
MAX_GUARDS = 50
NO_LIFECYCLE = "no lifecycle is in force: tocsin-server doctor says what is wrong with processes/lifecycle.yml"
REMEDY = "mend the file, or take it away: then the shipped one is in force"

Moves = Mapping[TicketAct, frozenset[TicketState]]
"""For each act, the states in which it is lawful."""

LEADS_TO: Mapping[TicketAct, TicketState] = {
    TicketAct.TAKE: TicketState.IN_PROGRESS,
    TicketAct.RELEASE: TicketState.NEW,
    TicketAct.WAIT: TicketState.PENDING,
    TicketAct.RESUME: TicketState.IN_PROGRESS,
    TicketAct.RESOLVE: TicketState.SOLVED,
    TicketAct.REOPEN: TicketState.IN_PROGRESS,
    TicketAct.CLOSE: TicketState.CLOSED,
}
W = TypeVar("W", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class LifecycleError:
    """Why the file was refused."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Course:
    """What is lawful for one kind of ticket. Without moves, nothing is."""

    moves: Moves = field(default_factory=dict)
    waits_for: Sequence[str] = ()
    guards: Sequence[Guard] = ()
    """Those of this kind."""
    case: Case = field(default_factory=dict)
    """What they are asked about."""

    def after(self, act: TicketAct, state: TicketState, *, name: str) -> TicketState:
        """Where an act leads; raises `Conflict`, with what can be done instead, where it may not be."""
        if state not in self.moves.get(act, ()):
            raise Conflict(f"{name} is {_spoken(state)}", remedy=_instead(self.moves, act, state))
        for guard in self.guards:
            if guard.act is act:
                guard.require(self.case, name=name)
        return LEADS_TO[act]

    def reason(self, word: str) -> str:
        """What a ticket waits for; raises `Unprocessable` for a word that is not the file's."""
        if word not in self.waits_for:
            raise Unprocessable(
                f"a ticket cannot wait for {word[:MAX_WORD]!r}", remedy=f"choose {' or '.join(self.waits_for)}"
            )
        return word


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """What the file says. Of a kind that it does not know, nothing is lawful."""

    waits_for: Sequence[str] = ()
    moves: Mapping[TicketKind, Moves] = field(default_factory=dict)
    guards: Sequence[Guard] = ()

    def of(self, kind: TicketKind, case: Case | None = None) -> Course:
        """What is lawful for this kind. Guards are asked about the `case`; without one they forbid."""
        guards = [guard for guard in self.guards if kind in guard.kinds]
        return Course(self.moves.get(kind, {}), self.waits_for, guards, case or {})


def _instead(moves: Moves, act: TicketAct, state: TicketState) -> str:
    if state is TicketState.CLOSED:
        return "open a new ticket that names it"
    if state in moves.get(TicketAct.REOPEN, ()):
        return f"reopen it to {act.value} it"
    lawful = [each.value for each, states in moves.items() if state in states]
    return f"what can be done with it: {', '.join(lawful)}" if lawful else NO_LIFECYCLE


def _spoken(state: TicketState) -> str:
    return state.value.replace("_", " ")


def load_lifecycle(folder: Path) -> Lifecycle:
    """What the folder's file says; raises `FileErrors`. `OSError` is the caller's."""
    file = folder / FILE
    try:
        return _read(composed(read_text(file)))
    except BadYaml as wrong:
        raise FileErrors([LifecycleError(FILE, wrong.line, wrong.reason)], remedy=REMEDY) from wrong


def _read(node: yaml.Node | None) -> Lifecycle:
    if node is None:
        raise BadYaml(1, "nothing is written here")
    fields = Fields(node, ("waits_for", "lifecycles", "guards"), what="the file")
    lawful: dict[TicketKind, Moves] = {}
    for each in fields.items("lifecycles"):
        for kind, its in _lifecycle(each):
            if kind in lawful:
                raise BadYaml(line_of(each), f"{kind.value!r} has a lifecycle already")
            lawful[kind] = its
    missing = [kind.value for kind in TicketKind if kind not in lawful]
    if missing:
        raise BadYaml(fields.line, f"no lifecycle is for {' or '.join(missing)}")
    return Lifecycle(list(_waits(fields)), lawful, list(_guards(fields)))


def _waits(fields: Fields) -> Iterator[str]:
    nodes = fields.items("waits_for")
    if not 0 < len(nodes) <= MAX_WAITS:
        raise BadYaml(fields.line, f"'waits_for' names 1 to {MAX_WAITS} things that a ticket can wait for")
    seen: set[str] = set()
    for node in nodes:
        word = scalar(node, "what a ticket waits for")
        if not word.isidentifier() or not word.islower() or not word.isascii() or len(word) > MAX_WORD:
            raise BadYaml(line_of(node), f"{word[:MAX_WORD]!r} is no word of small letters, such as 'customer'")
        if word in seen:
            raise BadYaml(line_of(node), f"{word!r} stands twice")
        seen.add(word)
        yield word


def _lifecycle(node: yaml.Node) -> Iterator[tuple[TicketKind, Moves]]:
    fields = Fields(node, ("kinds", "acts"), what="a lifecycle")
    kinds = [_word(TicketKind, each, "a kind of ticket") for each in fields.items("kinds")]
    if not kinds:
        raise BadYaml(fields.line, "a lifecycle needs 'kinds'")
    acts = Fields(_wanted(fields, "acts"), [act.value for act in TicketAct], what="'acts'")
    moves = {act: _lawful_in(acts, act) for act in TicketAct}
    _require_a_way_out(moves, acts.line)
    for kind in kinds:
        yield kind, moves


def _guards(fields: Fields) -> Iterator[Guard]:
    nodes = fields.items("guards")
    if len(nodes) > MAX_GUARDS:
        raise BadYaml(fields.line, f"'guards' are at most {MAX_GUARDS}")
    for node in nodes:
        its = Fields(node, ("act", "kinds", "requires", "because", "remedy"), what="a guard")
        requires = its.wanted("requires")
        try:
            program = expression(requires.text)
        except BadGuard as wrong:
            raise BadYaml(requires.line, f"'requires' of a guard: {wrong}") from wrong
        yield Guard(
            act=_word(TicketAct, _wanted(its, "act", what="a guard"), "an act"),
            kinds=frozenset(_word(TicketKind, each, "a kind of ticket") for each in its.items("kinds"))
            or frozenset(TicketKind),
            requires=requires.text,
            because=its.wanted("because").text,
            remedy=its.text("remedy").text,
            program=program,
        )


def _lawful_in(acts: Fields, act: TicketAct) -> frozenset[TicketState]:
    states = set()
    for node in acts.items(act.value):
        state = _word(TicketState, node, "a state")
        if state is TicketState.CLOSED:
            raise BadYaml(line_of(node), "nothing leads out of 'closed': a closed ticket is a record")
        if not _makes_sense(act, state):
            raise BadYaml(line_of(node), f"{act.value!r} makes no sense for a ticket that is {state.value!r}")
        states.add(state)
    return frozenset(states)


def _makes_sense(act: TicketAct, state: TicketState) -> bool:
    """Some acts are what they are called: one cannot reopen what is open, or resume what waits for nothing."""
    if act is TicketAct.RESUME:
        return state is TicketState.PENDING
    if act is TicketAct.REOPEN:
        return state is TicketState.SOLVED
    return act is TicketAct.CLOSE or state in OPEN_TICKET_STATES


def _require_a_way_out(moves: Moves, line: int) -> None:
    for state in (TicketState.NEW, TicketState.IN_PROGRESS, TicketState.PENDING):
        if not _can_be_solved(moves, state, frozenset()):
            raise BadYaml(line, f"a ticket that is {state.value!r} could never be solved")


def _can_be_solved(moves: Moves, state: TicketState, seen: frozenset[TicketState]) -> bool:
    ahead = {LEADS_TO[act] for act, states in moves.items() if state in states} - seen
    return TicketState.SOLVED in ahead or any(_can_be_solved(moves, each, seen | {state}) for each in ahead)


def _word(words: type[W], node: yaml.Node, what: str) -> W:
    said = scalar(node, what)
    try:
        return words(said)
    except ValueError:
        raise BadYaml(line_of(node), f"{said[:MAX_WORD]!r} is not {what}: {', '.join(words)}") from None


def _wanted(fields: Fields, name: str, *, what: str = "a lifecycle") -> yaml.Node:
    node = fields.node(name)
    if node is None:
        raise BadYaml(fields.line, f"{what} needs {name!r}")
    return node
