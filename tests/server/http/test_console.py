"""What the console asks about ties is what the server answers: the two speak of one thing by the same words."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from tests.server.http.rig import Rig
from tests.tui.hostile import HOSTILE

from tocsin_protocol.acts import NewTicket
from tocsin_protocol.tickets import TicketRow
from tocsin_protocol.vocabulary import LinkKind
from tocsin_tui.client import Client
from tocsin_tui.others import Others
from tocsin_tui.session import Session
from tocsin_tui.state import Link, LinkState
from tocsin_tui.ties import removable


@pytest.fixture
async def session(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Session]:
    """Alice's console on the server, without the stream of changes."""
    monkeypatch.setattr("tocsin_tui.others.TYPING_S", 0)
    transport = rig.client()._transport
    session = Session(
        lambda: Client("http://127.0.0.1:8443", token=rig.tokens["alice"], transport=transport),
        wall=lambda: datetime.now(UTC),
        monotonic=lambda: 0.0,
    )
    session.link = Link(LinkState.LIVE)
    yield session
    await session.aclose()


async def opened(session: Session, title: str, client: str = "acme") -> TicketRow:
    detail = await session.acts.open_ticket(NewTicket(client=client, title=title))
    assert detail is not None
    return detail.ticket


async def ties_of(session: Session, row: TicketRow) -> list[str]:
    detail = await session.dossiers.read_ticket(row.id)
    assert detail is not None
    return [f"{tie.tie.value} {tie.ticket}" for tie in detail.ties]


@pytest.mark.parametrize("kind", LinkKind)
@pytest.mark.parametrize("is_from_other", [False, True], ids=["from this", "from the other"])
async def test_a_link_is_taken_away_from_either_side(
    session: Session, kind: LinkKind, *, is_from_other: bool
) -> None:
    one, other = await opened(session, "one"), await opened(session, "other")
    assert await session.acts.link(one, kind=kind, other=other.id)
    near = other if is_from_other else one
    assert len(await ties_of(session, near)) == 1
    await ties_of(session, one if is_from_other else other)  # as the stream would have told of it

    done = await session.acts.untie(session.latest(near), session.dossiers.tickets[near.id].ties[0])

    assert done, session.notice
    assert (await ties_of(session, one), await ties_of(session, other)) == ([], [])


@pytest.mark.parametrize("is_from_other", [False, True], ids=["from this", "from the other"])
async def test_a_merge_is_taken_away_from_either_side(session: Session, *, is_from_other: bool) -> None:
    one, other = await opened(session, "one"), await opened(session, "other")
    assert await session.acts.merge(one, into=other.id)
    near = other if is_from_other else one
    assert await ties_of(session, near) == [
        f"absorbed {one.id}" if is_from_other else f"merged_into {other.id}"
    ]
    await ties_of(session, one if is_from_other else other)

    done = await session.acts.untie(session.latest(near), removable(session.dossiers.tickets[near.id])[0])

    assert done, session.notice
    assert (await ties_of(session, one), await ties_of(session, other)) == ([], [])
    assert session.latest(one).merged_into is None


async def test_others_are_found_by_what_was_said_on_them_and_never_of_another_client(session: Session) -> None:
    row, other = await opened(session, "one"), await opened(session, "other")
    theirs = await opened(session, "another", client="globex")
    for each in (other, theirs):
        await session.client.comment(each.id, "the zorkmid valve is stuck")
    others = Others(session, row)
    await others.ask("zorkm")

    assert [each.id for each in others.meant("zorkm").rows] == [other.id]
    assert others.other("zorkm") == (other.id, "other")
    await others.ask(f"#{theirs.id}")
    with pytest.raises(ValueError, match="is of globex, and this one of acme"):
        others.other(f"#{theirs.id}")
    await others.ask("#999")
    with pytest.raises(ValueError, match="no ticket 999"):
        others.other("#999")


async def test_for_a_merge_only_open_ones_are_found(session: Session) -> None:
    row, over = await opened(session, "one"), await opened(session, "it was the zorkmid")
    assert await session.acts.resolve(over, "")
    for is_open in (False, True):
        others = Others(session, row, is_open=is_open)
        await others.ask("zorkmid")

        assert [each.id for each in others.meant("zorkmid").rows] == ([] if is_open else [over.id])


@pytest.mark.parametrize("text", [*HOSTILE, "\ud800", "a " * 13, "%_'\";--", '"unclosed AND (NEAR'])
async def test_whatever_is_looked_for_is_answered_or_refused_in_words(session: Session, text: str) -> None:
    others = Others(session, await opened(session, "one"))
    await others.ask(text)

    assert others.found.asked == text
    assert not others.found.problem
    with pytest.raises(ValueError, match=r"."):
        others.other(text)
