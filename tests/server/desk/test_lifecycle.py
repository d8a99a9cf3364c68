"""Which acts are lawful is data, and a file that would lock a ticket in is refused with its line."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.lifecycle import COURSE, SHIPPED

from tocsin_protocol.vocabulary import TicketAct, TicketKind, TicketState
from tocsin_server.desk.lifecycle import LEADS_TO, Course, Lifecycle, load_lifecycle
from tocsin_server.errors import Conflict, Unprocessable
from tocsin_server.yaml_files import FileErrors

LAWFUL = {
    "take": "[new, pending]",
    "release": "[in_progress, pending]",
    "wait": "[new, in_progress]",
    "resume": "[pending]",
    "resolve": "[new, in_progress, pending]",
    "reopen": "[solved]",
    "close": "[solved]",
}
ALL = "[incident, request, problem, change]"


def written(
    folder: Path, acts: Mapping[str, str] = LAWFUL, *, kinds: str = ALL, waits: str = "[customer]"
) -> Lifecycle:
    """What a file says that has one lifecycle."""
    lines = [f"waits_for: {waits}", "lifecycles:", f"  - kinds: {kinds}", "    acts:"]
    lines += [f"      {act}: {states}" for act, states in acts.items()]
    return text(folder, "\n".join(lines))


def text(folder: Path, words: str) -> Lifecycle:
    (folder / "lifecycle.yml").write_text(words)
    return load_lifecycle(folder)


def test_the_shipped_lifecycle_lets_people_do_everything_in_some_state_of_every_kind() -> None:
    assert set(SHIPPED.moves) == set(TicketKind)
    assert all(SHIPPED.of(kind).moves[act] for kind in TicketKind for act in TicketAct)
    assert "customer" in SHIPPED.waits_for


def test_an_act_leads_where_its_name_says() -> None:
    assert COURSE.after(TicketAct.WAIT, TicketState.NEW, name="ticket 7") is TicketState.PENDING


@pytest.mark.parametrize(
    ("act", "state", "said"),
    [
        (TicketAct.TAKE, TicketState.SOLVED, "ticket 7 is solved: reopen it to take it"),
        (TicketAct.CLOSE, TicketState.IN_PROGRESS, "is in progress: what can be done with it: release, wait"),
        (TicketAct.REOPEN, TicketState.CLOSED, "is closed: open a new ticket that names it"),
    ],
)
def test_what_is_not_lawful_is_refused_with_what_is(act: TicketAct, state: TicketState, said: str) -> None:
    with pytest.raises(Conflict, match=said):
        COURSE.after(act, state, name="ticket 7")


def test_without_a_lifecycle_nothing_is_lawful_and_the_doctor_is_named() -> None:
    with pytest.raises(Conflict, match="doctor"):
        Lifecycle().of(TicketKind.CHANGE).after(TicketAct.TAKE, TicketState.NEW, name="ticket 7")


def test_a_ticket_waits_for_what_the_file_names_only() -> None:
    assert COURSE.reason("vendor") == "vendor"
    with pytest.raises(Unprocessable, match="cannot wait for 'godot': choose customer or vendor"):
        COURSE.reason("godot")


def test_kinds_may_live_differently(tmp_path: Path) -> None:
    strict = "  - kinds: [change]\n    acts: {take: [pending], wait: [new], resolve: [in_progress]}"
    usual = f"  - kinds: [incident, request, problem]\n    acts: {{resolve: {LAWFUL['resolve']}}}"

    found = text(tmp_path, f"waits_for: [approval]\nlifecycles:\n{strict}\n{usual}")

    assert found.of(TicketKind.CHANGE).moves[TicketAct.TAKE] == {TicketState.PENDING}
    assert found.of(TicketKind.REQUEST).moves[TicketAct.TAKE] == frozenset()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"waits": "[]"}, ":1: 'waits_for' names 1 to 16"),
        ({"waits": "[Customer]"}, ":1: 'Customer' is no word of small letters"),
        ({"waits": "[vendor, vendor]"}, ":1: 'vendor' stands twice"),
        ({"kinds": "[incident]"}, ":1: no lifecycle is for request or problem or change"),
        ({"kinds": "[incident, incident]"}, ":3: 'incident' has a lifecycle already"),
        ({"kinds": "[incidents]"}, ":3: 'incidents' is not a kind of ticket: incident, request"),
        ({"kinds": "[]"}, ":3: a lifecycle needs 'kinds'"),
        ({"acts": {**LAWFUL, "taek": "[new]"}}, ":12: 'acts' has no field 'taek'; did you mean 'take'"),
        ({"acts": {**LAWFUL, "take": "[knew]"}}, ":5: 'knew' is not a state: new, in_progress"),
        ({"acts": {**LAWFUL, "take": "new"}}, ":5: 'take' of 'acts' has to be a list"),
        ({"acts": {**LAWFUL, "take": "[solved]"}}, ":5: 'take' makes no sense for a ticket that is 'solved'"),
        ({"acts": {**LAWFUL, "resume": "[new]"}}, ":8: 'resume' makes no sense for a ticket that is 'new'"),
        ({"acts": {**LAWFUL, "reopen": "[new]"}}, ":10: 'reopen' makes no sense for a ticket that is 'new'"),
        ({"acts": {**LAWFUL, "reopen": "[closed]"}}, ":10: nothing leads out of 'closed'"),
        ({"acts": {"resolve": "[new, in_progress]"}}, ":5: a ticket that is 'pending' could never be solved"),
        (
            {"acts": {"wait": "[new]", "release": "[pending]", "resolve": "[in_progress]"}},
            "is 'new' could never",
        ),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_with_its_line(
    tmp_path: Path, wrong: Mapping[str, object], said: str
) -> None:
    with pytest.raises(FileErrors) as refused:
        written(tmp_path, **wrong)

    assert said in str(refused.value)
    assert "lifecycle.yml" in str(refused.value)
    assert "mend the file" in str(refused.value)


@pytest.mark.parametrize("words", ["", "[]", "waits_for: [a]\nlifecycles: [{kinds: [incident]}]"])
def test_an_empty_file_is_refused_too(tmp_path: Path, words: str) -> None:
    with pytest.raises(FileErrors):
        text(tmp_path, words)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileErrors, match="cannot be read"):
        load_lifecycle(tmp_path)


@given(
    st.dictionaries(
        st.sampled_from(TicketAct), st.frozensets(st.sampled_from(list(TicketState)), max_size=3), max_size=7
    )
)
def test_every_life_that_is_taken_can_end_from_wherever_it_is(
    tmp_path_factory: pytest.TempPathFactory, acts: dict[TicketAct, frozenset[TicketState]]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    said = {act.value: f"[{', '.join(sorted(states))}]" for act, states in acts.items()}
    try:
        course = written(folder, said or LAWFUL).of(TicketKind.INCIDENT)
    except FileErrors:
        return

    for state in TicketState:
        assert state is TicketState.CLOSED or TicketState.SOLVED in reached(course, state)


def reached(course: Course, state: TicketState) -> set[TicketState]:
    """Where acts can lead from here, by trying them all."""
    found = {state}
    for _ in TicketState:
        found |= {LEADS_TO[act] for act in TicketAct for each in found if each in course.moves[act]}
    return found
