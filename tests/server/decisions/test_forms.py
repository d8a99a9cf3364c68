"""A table of the desk's asks for what the desk knows, in its types, and answers what the desk wants."""

import pytest

from tocsin_protocol.vocabulary import TicketEventKind, TicketKind
from tocsin_server.decisions.forms import FORMS, misfits
from tocsin_server.decisions.tablefile import read_table
from tocsin_server.desk.standing import PRIORITIES


def told(text: str, name: str = "routing") -> list[str]:
    return list(map(str, misfits(f"{name}.csv", read_table(f"{name}.csv", text.encode()).table)))


def test_a_table_may_ask_for_less_than_is_known_and_in_any_order_of_words() -> None:
    assert told("U,kind:enum(problem|change|request|incident),=> team:string\nx,-,servers\n") == []


def test_a_table_that_the_desk_does_not_ask_is_as_it_likes() -> None:
    assert told("C,moon:string,=> tide:number\nx,-,1\n", "tides") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "U,clint:string,=> team:string\nx,-,y\n",
            "1:clint: the desk does not tell this; did you mean 'client'",
        ),
        ("U,rule:number,=> team:string\nx,-,y\n", "1:rule: is string at the desk, not number"),
        (
            "U,kind:enum(incident|request),=> team:string\nx,-,y\n",
            "1:kind: is enum(incident|request|problem|change) at the desk, not enum(incident|request)",
        ),
        (
            "U,rule:string,=> teams:string,=> team:string\nx,-,y,y\n",
            "1:teams: the desk does not ask for this; did",
        ),
        ("U,rule:string,=> team:number\nx,-,1\n", "1:team: is string at the desk, not number"),
        ("C,rule:string,=> team:string\nx,-,y\n", "1:hit policy: the desk asks 'routing' with U, F or A"),
    ],
)
def test_what_does_not_fit_is_told_with_its_column(text: str, said: str) -> None:
    (line,) = told(text)

    assert line.startswith(f"routing.csv:{said}")


def test_a_table_need_not_answer_with_all_words_that_the_desk_understands() -> None:
    table = "C,rule:string,=> to:enum(team|{}),=> by:enum(mail|none)\nx,-,team,mail\n"

    assert told(table.format("owner"), "notification") == []
    (line,) = told(table.format("boss"), "notification")
    assert line.startswith("notification.csv:1:to: is enum(team|owner|")


def test_an_output_that_the_desk_wants_is_missed() -> None:
    (line,) = told("U,impact:enum(high|medium|low),=> priority:integer(1..4)\nx,-,1\n", "priority")

    assert line == "priority.csv:1:reason: the desk wants => reason:string"


@pytest.mark.parametrize("policy", ["U", "C+"])
def test_who_is_told_is_collected(policy: str) -> None:
    outputs = "=> to:number,=> by:number" if policy == "C+" else "=> to:string,=> by:string"

    lines = told(f"{policy},rule:string,{outputs}\nx,-,1,1\n", "notification")

    assert "notification.csv:1:hit policy: the desk asks 'notification' with C" in lines


def test_forms_use_the_words_of_the_trade() -> None:
    kind, event, priority = (FORMS["notification"].told[name] for name in ("kind", "event", "priority"))

    assert all(kind.takes(word) for word in TicketKind)
    assert set(event.values) <= set(TicketEventKind)  # type: ignore[union-attr]
    assert [number for number in range(9) if priority.takes(number)] == list(PRIORITIES)
