"""A filter that is typed is completed with what is here, and says which of its words mean nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tui import scene

from tocsin_protocol.vocabulary import TicketKind
from tocsin_tui.completion import Hint, completed, hint, of_tickets
from tocsin_tui.filters import TICKET_KEYS, parse_filter, ticket_fields

ROWS = [
    scene.a_ticket(1, client="acme", team="servers"),
    scene.a_ticket(2, client="Nord", team="network", owner="bob"),
    scene.a_ticket(3, client="kiel", site="Bad Segeberg", waits_for="vendor"),
]


def hinted(text: str) -> Hint:
    return hint(text, TICKET_KEYS, lambda key: of_tickets(key, ROWS))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("te", ["team:"]),
        ("disk -pr", ["-priority:"]),
        ("team:", ["team:none", "team:network", "team:servers"]),
        ("team:n", ["team:none", "team:network"]),
        ("client:n", ["client:Nord"]),
        ("kind:in", ["kind:incident"]),
        ("kind:incident", []),  # it is there already
        ("priority:", ["priority:1", "priority:2", "priority:3", "priority:4"]),
        ("due:l", ["due:late"]),
        ("owner:", ["owner:me", "owner:none", "owner:bob"]),
        ("waits:", ["waits:vendor"]),
        ("site:b", ["site:berlin"]),  # and no Bad Segeberg: a space would end the word
        ("host:", []),
        ("xyz", []),
    ],
)
def test_the_last_word_can_become(text: str, words: list[str]) -> None:
    assert hinted(text).completions == words


def test_the_keys_that_are_asked_for_most_come_first() -> None:
    assert hinted("").completions[:6] == ["team:", "kind:", "priority:", "due:", "client:", "state:"]


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        ("tema:x", "tema: is no key, it is looked for as text · team: is one"),
        ("eth0:1", "eth0: is no key, it is looked for as text"),
        ("team:servres disk", "team:servres is nothing that is here · team:servers is near"),
        ("-kind:incidnt", "kind:incidnt is nothing that is here · kind:incident is near"),
        ("client:zzz", "client:zzz is nothing that is here"),
        ("priority:7", "priority:7 is nothing that is here"),
        ("due:soonish", "due:soonish is nothing that is here"),
        (
            "due:4h due:late due:12 team:none owner:me host:any client:ME 10:",
            "10: is no key, it is looked for as text",
        ),
    ],
)
def test_a_word_that_means_nothing_is_said_with_what_is_near(text: str, doubt: str) -> None:
    assert hinted(text).doubt == doubt


def test_what_has_no_key_is_looked_for_as_text() -> None:
    assert hinted("disk client:acme  -full tema:x").plain == "disk -full tema:x"
    assert hinted("client:acme ").plain == ""


def test_a_completed_key_waits_for_its_value_and_a_value_for_the_next_word() -> None:
    assert completed("disk te", "team:") == "disk team:"
    assert completed("disk team:s", "team:servers") == "disk team:servers "
    assert completed("", "kind:") == "kind:"


@given(st.text(max_size=40))
def test_whatever_is_typed_can_be_helped(text: str) -> None:
    for word in hinted(text).completions:
        assert completed(text, word).startswith(text.rpartition(" ")[0])


@pytest.mark.parametrize("kind", TicketKind)
def test_what_is_offered_narrows_to_what_it_says(kind: TicketKind) -> None:
    word = next(word for word in hinted("kind:").completions if word == f"kind:{kind.value}")
    wanted = parse_filter(word, keys=TICKET_KEYS, me="alice")

    assert [
        each for each in TicketKind if wanted.admits(ticket_fields(scene.a_ticket(kind=each), scene.NOW))
    ] == [kind]
