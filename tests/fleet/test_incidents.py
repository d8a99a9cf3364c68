"""What goes wrong when and where: a function of seed, hosts and beginnings."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from tocsin_fleet.incidents import ROUND_S, Incident, Kind, Member, Script, cast, scripted
from tocsin_protocol.vocabulary import HostKind

BEGUN = 1_795_694_400.0
CLIENTS = ("acme", "globex", "hooli")


def members(count: int = 30) -> list[Member]:
    return [
        Member(
            host,
            CLIENTS[host % 3],
            f"host-{host}",
            HostKind.DESKTOP if host % 5 == 4 else HostKind.SERVER,
        )
        for host in range(count)
    ]


def script(*begun_s: float, count: int = 30, seed: int = 1, until_s: float = BEGUN + ROUND_S) -> list[Incident]:
    return list(scripted(members(count), seed=seed, begun_s=begun_s or (BEGUN,), until_s=until_s))


def clients_of(incidents: Sequence[Incident]) -> set[str]:
    return {members()[incident.host].client for incident in incidents}


def test_the_same_seed_and_beginning_give_the_same_script() -> None:
    assert script() == script()
    assert script() != script(seed=2)


def test_everything_that_can_go_wrong_does_in_the_first_round() -> None:
    assert {incident.kind for incident in script()} == set(Kind)


def test_within_two_minutes_something_has_begun_at_each_of_three_clients() -> None:
    early = [incident for incident in script() if incident.start_s <= BEGUN + 120]

    assert clients_of(early) == set(CLIENTS)


def test_rounds_are_played_by_other_hosts() -> None:
    first, second = (
        {incident.host for incident in script(until_s=BEGUN + 2 * ROUND_S) if begins(incident) == number}
        for number in (0, 1)
    )

    assert first != second


def begins(incident: Incident) -> int:
    """In which round it begins."""
    return int((incident.start_s - BEGUN) // ROUND_S)


def test_a_longer_script_begins_as_the_shorter_one() -> None:
    shorter = [incident for incident in script() if incident.end_s < BEGUN + ROUND_S]

    longer = script(until_s=BEGUN + 5 * ROUND_S)

    assert set(shorter) <= set(longer)


def test_a_start_ends_what_the_one_before_has_begun() -> None:
    again_s = BEGUN + 100

    both = script(BEGUN, again_s, until_s=again_s + ROUND_S)

    former = [incident for incident in both if incident.start_s < again_s]
    assert former
    assert all(incident.end_s <= again_s for incident in former)
    assert [one for one in both if one.start_s >= again_s] == script(again_s, until_s=again_s + ROUND_S)


def test_a_fleet_without_hosts_has_no_incidents() -> None:
    assert script(count=0) == []


@given(st.integers(1, 400))
def test_more_hosts_have_more_incidents_and_never_anybody_elses(count: int) -> None:
    incidents = script(count=count)

    assert {incident.host for incident in incidents} <= set(range(count))
    assert len(incidents) >= 9 * max(1, count // 60)


def test_clients_are_hit_in_turn() -> None:
    order = cast(members(), HostKind.SERVER, 7)

    assert {member.client for member in order[:3]} == set(CLIENTS)
    assert {member.kind for member in order} == {HostKind.SERVER}


def test_a_host_is_silent_while_its_script_says_so() -> None:
    told = Script([Incident(Kind.SILENCE, 3, BEGUN, BEGUN + 60)])

    assert [told.is_silent(3, BEGUN + after) for after in (-1, 0, 59, 60)] == [False, True, True, False]
    assert not told.is_silent(4, BEGUN)
