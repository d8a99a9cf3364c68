"""Teams and who is in them, on each database."""

from collections.abc import Callable
from typing import TypeVar

import pytest
from sqlmodel import Session, select
from tests.lifecycle import TABLES
from tests.server.desk.world import ALICE, BOB, NOW
from tests.server.sla.contracts import contract

from tocsin_protocol.vocabulary import Role, TeamAssign
from tocsin_server.access.standing import disable
from tocsin_server.access.store import PersonRow
from tocsin_server.desk import teams
from tocsin_server.desk.named import missing_teams
from tocsin_server.desk.store import TeamMemberRow
from tocsin_server.desk.teams import Member, MemberWish, Team, Wish
from tocsin_server.errors import Conflict, NotFound, TocsinError, Unprocessable
from tocsin_server.storage.engine import Storage

T = TypeVar("T")
Do = Callable[[Callable[[Session], T]], T]


@pytest.fixture
def do(storage: Storage) -> Do:
    """Servers, in which nobody is yet."""
    storage.write(lambda s: teams.add_team(s, "servers", Wish(name="Server team"), NOW))
    return storage.write


def test_a_team_is_told_with_those_who_are_in_it_leads_first(do: Do) -> None:
    do(lambda s: teams.join(s, "servers", "alice", MemberWish(most_open=5), NOW))
    do(lambda s: teams.join(s, "servers", "bob", MemberWish(is_lead=True, away_until_ms=NOW + 1), NOW + 7))

    assert do(lambda s: teams.team(s, "servers")) == Team(
        "servers",
        "Server team",
        "",
        TeamAssign.NONE,
        (
            Member("bob", "Bob", is_lead=True, since_ms=NOW + 7, away_until_ms=NOW + 1),
            Member("alice", "Alice", since_ms=NOW, most_open=5),
        ),
    )


def test_what_is_not_wished_for_stays(do: Do) -> None:
    do(lambda s: teams.change_team(s, "servers", Wish(mail="servers@example.net", assign=TeamAssign.LOAD)))
    do(lambda s: teams.change_team(s, "servers", Wish(name="Servers")))
    do(lambda s: teams.join(s, "servers", "alice", MemberWish(is_lead=True, most_open=3), NOW))
    do(lambda s: teams.change_member(s, "servers", "alice", MemberWish(away_until_ms=NOW + 5)))

    found = do(lambda s: teams.team(s, "servers"))

    assert (found.name, found.mail, found.assign) == ("Servers", "servers@example.net", TeamAssign.LOAD)
    assert found.members == (
        Member("alice", "Alice", is_lead=True, since_ms=NOW, away_until_ms=NOW + 5, most_open=3),
    )


def test_nought_is_back_again_and_without_a_limit(do: Do) -> None:
    do(lambda s: teams.join(s, "servers", "alice", MemberWish(away_until_ms=NOW, most_open=3), NOW))

    now = do(lambda s: teams.change_member(s, "servers", "alice", MemberWish(away_until_ms=0, most_open=0)))

    assert (now.away_until_ms, now.most_open) == (None, None)


def test_who_leaves_and_comes_back_is_written_down_twice(do: Do) -> None:
    do(lambda s: teams.join(s, "servers", "alice", MemberWish(), NOW))
    do(lambda s: teams.leave(s, "servers", "alice", NOW + 1))

    assert do(lambda s: teams.team(s, "servers")).members == ()

    do(lambda s: teams.join(s, "servers", "alice", MemberWish(), NOW + 2))
    rows = do(lambda s: [(row.since_ms, row.until_ms) for row in s.exec(select(TeamMemberRow))])
    assert sorted(rows) == [(NOW, NOW + 1), (NOW + 2, None)]


def test_the_teams_that_somebody_is_in_can_be_asked_for(do: Do) -> None:
    do(lambda s: teams.add_team(s, "network", Wish(), NOW))
    do(lambda s: teams.join(s, "network", "bob", MemberWish(), NOW))
    do(lambda s: teams.join(s, "servers", "bob", MemberWish(), NOW))
    do(lambda s: teams.leave(s, "servers", "bob", NOW))

    assert [each.slug for each in do(teams.teams)] == ["network", "servers"]
    assert [each.slug for each in do(lambda s: teams.teams(s, person_id=BOB.id))] == ["network"]
    assert do(lambda s: teams.teams(s, person_id=ALICE.id)) == []


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda s: teams.add_team(s, "servers", Wish(), NOW), Conflict("there is a team 'servers' already")),
        (lambda s: teams.add_team(s, "Our Team", Wish(), NOW), Unprocessable("'Our Team' cannot be the slug")),
        (lambda s: teams.team(s, "network"), NotFound("there is no team 'network'")),
        (
            lambda s: teams.change_team(s, "servers", Wish(mail="a@b.c\nBcc: d@e.f")),
            Unprocessable("is no mail address"),
        ),
        (lambda s: teams.join(s, "servers", "dora", MemberWish(), NOW), NotFound("there is no login 'dora'")),
        (lambda s: teams.leave(s, "servers", "alice", NOW), NotFound("alice is not in servers")),
        (lambda s: MemberWish(most_open=-1), Unprocessable("nobody has at most -1 open tickets")),
    ],
)
def test_what_cannot_be_is_refused(do: Do, act: Callable[[Session], object], error: TocsinError) -> None:
    with pytest.raises(type(error)) as refused:
        do(act)

    assert error.message in refused.value.message
    assert refused.value.remedy


def test_nobody_is_in_a_team_twice(do: Do) -> None:
    do(lambda s: teams.join(s, "servers", "alice", MemberWish(), NOW))

    with pytest.raises(Conflict, match="alice is in servers already"):
        do(lambda s: teams.join(s, "servers", "alice", MemberWish(), NOW))


def test_who_is_disabled_or_may_only_read_joins_no_team(do: Do) -> None:
    def dora_reads(session: Session) -> None:
        session.add(PersonRow(login="dora", name="Dora", role=Role.VIEWER, password_hash="", created_ms=NOW))
        disable(session, "alice", NOW)

    do(dora_reads)

    for login, why in (("dora", "may not work on tickets as viewer"), ("alice", "is disabled")):
        with pytest.raises(Conflict, match=f"{login} {why}"):
            do(lambda s, login=login: teams.join(s, "servers", login, MemberWish(), NOW))


def test_teams_that_are_named_and_not_there_are_told_of_once_there_are_teams() -> None:
    contracts = {"acme": (contract(),)}
    rows = {row.answer[0] for row in TABLES["routing"].table.rows}

    assert list(missing_teams(TABLES, contracts, ())) == []
    told = list(missing_teams(TABLES, contracts, rows - {"network"}))
    assert [(each.file, each.rule) for each in told] == [
        ("routing.csv", "network"),
        ("contracts", "ACME-1"),
        ("contracts", "ACME-1"),
    ]
    assert told[0].reason.startswith("there is no team 'network'; there are ")
    assert told[1].reason.startswith("agreements/network: there is no team 'network team'; there are ")


def test_a_team_that_is_nearly_named_is_suggested() -> None:
    rows = {row.answer[0] for row in TABLES["routing"].table.rows}

    (told,) = missing_teams(TABLES, {}, rows - {"network"} | {"networks"})

    assert told.reason == "there is no team 'network'; did you mean 'networks'"
