"""Guards: an act is refused unless an expression holds; one that could go wrong is refused at load."""

import re
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.lifecycle import SHIPPED
from tests.server.desk.test_lifecycle import LAWFUL
from tests.server.desk.world import World

from tocsin_protocol.vocabulary import TicketAct, TicketKind, TicketState
from tocsin_server.config import CHECKOUT
from tocsin_server.desk import work
from tocsin_server.desk.guard import EXAMPLE, BadGuard, Case, Guard, expression
from tocsin_server.desk.lifecycle import Lifecycle, load_lifecycle
from tocsin_server.errors import Conflict
from tocsin_server.yaml_files import FileErrors


def guarded(folder: Path, guards: str) -> Lifecycle:
    """What a file says that has one lifecycle and these guards."""
    acts = ", ".join(f"{act}: {states}" for act, states in LAWFUL.items())
    lives = f"  - kinds: [{', '.join(TicketKind)}]\n    acts: {{{acts}}}"
    (folder / "lifecycle.yml").write_text(f"waits_for: [customer]\nlifecycles:\n{lives}\nguards:\n{guards}")
    return load_lifecycle(folder)


def only(lifecycle: Lifecycle) -> Guard:
    (guard,) = lifecycle.guards
    return guard


CAUSE = """
  - act: resolve
    kinds: [problem]
    requires: act.text != ""
    because: its cause is not written down
    remedy: say what it was
"""


def test_an_act_whose_guard_does_not_hold_is_refused_in_the_words_of_the_file(tmp_path: Path) -> None:
    course = guarded(tmp_path, CAUSE).of(TicketKind.PROBLEM, EXAMPLE)

    with pytest.raises(Conflict) as refused:
        course.after(TicketAct.RESOLVE, TicketState.NEW, name="ticket 7")
    assert str(refused.value) == "ticket 7: its cause is not written down: say what it was"


def test_a_guard_that_holds_is_not_noticed(tmp_path: Path) -> None:
    case = {**EXAMPLE, "act": {"text": "a full disk", "reason": ""}}

    course = guarded(tmp_path, CAUSE).of(TicketKind.PROBLEM, case)

    assert course.after(TicketAct.RESOLVE, TicketState.NEW, name="ticket 7") is TicketState.SOLVED


def test_a_guard_is_for_its_act_and_its_kinds(tmp_path: Path) -> None:
    life = guarded(tmp_path, CAUSE)

    resolved = life.of(TicketKind.INCIDENT, EXAMPLE).after(TicketAct.RESOLVE, TicketState.NEW, name="ticket 7")
    taken = life.of(TicketKind.PROBLEM, EXAMPLE).after(TicketAct.TAKE, TicketState.NEW, name="ticket 7")

    assert (resolved, taken) == (TicketState.SOLVED, TicketState.IN_PROGRESS)


def test_a_guard_without_kinds_is_for_all_of_them(tmp_path: Path) -> None:
    assert only(guarded(tmp_path, CAUSE.replace("    kinds: [problem]\n", ""))).kinds == frozenset(TicketKind)


def test_what_cannot_be_judged_is_forbidden(tmp_path: Path) -> None:
    course = guarded(tmp_path, CAUSE).of(TicketKind.PROBLEM)

    with pytest.raises(Conflict, match="its cause is not written down"):
        course.after(TicketAct.RESOLVE, TicketState.NEW, name="ticket 7")


@pytest.mark.parametrize(
    ("requires", "why"),
    [
        ("ticket.prio > 1", "ticket has no 'prio'; did you mean 'priority'"),
        ("true || ticket.prio > 1", "ticket has no 'prio'"),
        ("tickets.priority > 1", "nothing is called 'tickets'; did you mean 'ticket'"),
        ("ticket.priority", "it is neither true nor false but '1'"),
        ("ticket.title > 1", "it cannot be judged"),
        ('ticket.priority == 1 && ticket.title > 1 || ticket.state == "new"', "it cannot be judged"),
        ("now() > 1", "'now' may not be used here"),
        ('ticket["prio"] > 1', "may not be used here"),
        ("[1, 2].all(x, x > 0)", "nothing is called 'x'"),
        ("ticket.priority >", "it is not CEL"),
        ("", "needs 'requires'"),
        (" || ".join(["true"] * 100), "longer than 500 characters"),
    ],
)
def test_an_expression_that_could_go_wrong_is_refused_with_its_line(
    tmp_path: Path, requires: str, why: str
) -> None:
    with pytest.raises(FileErrors) as refused:
        guarded(tmp_path, f"  - act: close\n    requires: {requires!r}\n    because: so it is")

    assert re.match(rf"lifecycle.yml:\d+: .*{re.escape(why)}", refused.value.message)


@pytest.mark.parametrize(
    ("guard", "missing"),
    [
        ("{requires: 'true', because: so it is}", "act"),
        ("{act: close, because: so it is}", "requires"),
        ("{act: close, requires: 'true'}", "because"),
    ],
)
def test_a_guard_says_what_it_forbids_and_why(tmp_path: Path, guard: str, missing: str) -> None:
    with pytest.raises(FileErrors, match=f"a guard needs '{missing}'"):
        guarded(tmp_path, f"  - {guard}")


def test_the_guards_that_the_shipped_file_gives_as_examples_can_be_taken(tmp_path: Path) -> None:
    assert CHECKOUT is not None
    shipped = (CHECKOUT / "processes" / "lifecycle.yml").read_text()
    given, _, comments = shipped.partition("# guards:\n")
    lines = comments.removesuffix("guards: []\n").splitlines()
    (tmp_path / "lifecycle.yml").write_text(
        given + "guards:\n" + "\n".join(line.removeprefix("#") for line in lines)
    )

    assert [guard.act for guard in load_lifecycle(tmp_path).guards] == [TicketAct.RESOLVE, TicketAct.CLOSE]
    assert not SHIPPED.guards


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["ticket", ".", "priority", "==", "1", "||", "(", ")", "!", '"'])).map("".join)
)
def test_any_text_is_an_expression_that_is_judged_or_is_refused(text: str) -> None:
    try:
        program = expression(text)
    except BadGuard:
        return
    assert isinstance(program.execute(dict(EXAMPLE)), bool)


class Seeing:
    """A program that holds, and keeps what it was asked about."""

    def __init__(self) -> None:
        self.case: dict[str, Any] = {}

    def execute(self, context: dict[str, Any], /) -> object:
        self.case = context
        return True

    def variables(self) -> list[str]:
        return []

    def functions(self) -> list[str]:
        return []


def shape(case: Case) -> dict[str, dict[str, type]]:
    return {of: {name: type(value) for name, value in fields.items()} for of, fields in case.items()}


def test_what_is_tried_when_the_file_is_read_has_the_shape_of_what_is_asked_when_somebody_acts(
    busy: World,
) -> None:
    seeing = Seeing()
    guard = Guard(TicketAct.RESOLVE, frozenset(TicketKind), "true", "", "", seeing)

    busy.act(work.resolve, 1, text="cleaned up", lifecycle=replace(SHIPPED, guards=[guard]))

    assert shape(seeing.case) == shape(EXAMPLE)


def make_busy(world: World) -> None:
    world.fire()
    world.consume()


@pytest.mark.parametrize(
    ("requires", "allowed"),
    [
        ('ticket.kind == "incident" && ticket.state == "new" && ticket.owner == ""', True),
        ('ticket.title != "" && ticket.minutes < 60', True),
        ('person.login == "alice" && person.role == "technician" && !person.owns', True),
        ("act.text.size() > 5", True),
        ("act.text.size() > 50", False),
        ("ticket.recovered", False),
    ],
)
def test_a_guard_sees_the_ticket_who_acts_and_what_they_say(
    busy: World, tmp_path: Path, requires: str, *, allowed: bool
) -> None:
    life = guarded(tmp_path, f"  - act: resolve\n    requires: '{requires}'\n    because: not so")

    with nullcontext() if allowed else pytest.raises(Conflict, match="not so"):
        busy.act(work.resolve, 1, text="cleaned up", lifecycle=life)
    assert busy.ticket().state is (TicketState.SOLVED if allowed else TicketState.NEW)
