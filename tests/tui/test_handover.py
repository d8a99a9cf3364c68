"""A ticket is given to a team, to a person, to a supplier, or to several of them; not to nobody."""

import pytest

from tocsin_protocol.teams import Assign
from tocsin_tui.handover import handover, told


def test_what_is_left_empty_is_not_asked_for() -> None:
    assert handover(" network ", "", " ", " their switch ", has="servers") == Assign(
        team="network", text="their switch"
    )


def test_the_team_that_has_it_is_not_asked_for_again() -> None:
    assert handover("network", "bob", "", "", has="network") == Assign(person="bob")


@pytest.mark.parametrize("team", ["", " ", "network"])
def test_it_is_not_given_to_nobody(team: str) -> None:
    with pytest.raises(ValueError, match="name another team"):
        handover(team, "", "", "as I said", has="network")


def test_who_gets_it_is_said_in_words() -> None:
    assert told(Assign(team="network", person="bob", supplier="carrier")) == "to bob, network, carrier"
