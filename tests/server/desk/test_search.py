"""Tickets are found by their words, by whom they concern, and by nothing that a question smuggles in."""

import contextlib
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlmodel import Session
from tests.examples import share
from tests.lifecycle import TABLES
from tests.server.desk.test_queue import page
from tests.server.desk.world import ALICE, NOW, World

from tocsin_protocol.acts import NewTicket
from tocsin_protocol.vocabulary import TicketKind
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.desk import opening, work
from tocsin_server.desk.store import TEXTS
from tocsin_server.desk.texts import found
from tocsin_server.desk.words import terms
from tocsin_server.errors import NotFound, Unprocessable


def opened(world: World, title: str, **more: Any) -> int:
    new = NewTicket(**{"client": "acme", "title": title, "text": "", **more})
    return world.storage.write(
        lambda session: opening.open_ticket(
            session, EVERYWHERE, new, person=ALICE, now_ms=world.now_ms, tables=TABLES
        )
    ).ticket_id


def make_busy(world: World) -> None:
    """1 and 2 of alerts at Acme and Globex; 3 to 6 by hand, 5 at Globex, 6 solved."""
    world.fire(mountpoint="/a")
    world.fire(mountpoint="/a", client_id=2)
    world.consume()
    opened(world, "Drucker im Büro druckt nicht", text="The tray is jammed")
    opened(world, "VPN drops", host_id=1)
    opened(world, "VPN drops", client="globex")
    opened(world, "Mail is slow")
    world.act(work.comment, 4, text="Certificate has expired", public=True)
    world.act(work.resolve, 6, text="Queue flushed by hand")


def ids(world: World, text: str, **asked: Any) -> list[int]:
    return [row.id for row in page(world, text=text, **{"state": "all", **asked}).tickets]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("vpn", [5, 4]),  # the newest first
        ("VPN DROPS", [5, 4]),
        ("drops vpn", [5, 4]),
        ("vp", [5, 4]),
        ("v", []),  # one letter is a word, and no beginning
        ("vp drops", []),  # only the last one may be a beginning
        ("buro", [3]),
        ("BÜRO", [3]),
        ("bu\u0308ro", [3]),
        ("jammed", [3]),  # what it was opened with
        ("certificate expired", [4]),  # a comment
        ("flushed", [6]),  # a resolution
        ("atlas", [4, 2, 1]),  # the host
        ("atlas vpn", [4]),
        ("#3", [3]),
        ("3", [3]),
        ("#33", []),
        ("#3 vpn", []),
        ("full", [2, 1]),
        ("nothing like it", []),
        ("disk OR vpn", []),
        ("NOT vpn", []),
    ],
)
def test_a_ticket_is_found_by_its_words(busy: World, text: str, expected: list[int]) -> None:
    assert ids(busy, text) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"client": "acme"}, [4]),
        ({"client": "globex"}, [5]),
        ({"host_id": 1}, [4]),
        ({"owner": "alice"}, []),
        ({"kind": TicketKind.INCIDENT}, [5, 4]),
        ({"kind": TicketKind.REQUEST}, []),
        ({"priorities": [3]}, [5, 4]),
        ({"priorities": [1, 2]}, []),
        ({"since_ms": NOW}, [5, 4]),
        ({"since_ms": NOW + 1}, []),
        ({"state": "open"}, [5, 4]),
        ({"state": "solved"}, []),
    ],
)
def test_what_is_found_is_narrowed_as_the_queue_is(
    busy: World, asked: dict[str, Any], expected: list[int]
) -> None:
    assert ids(busy, "vpn", **asked) == expected


def test_a_client_that_is_not_there_has_nothing_to_look_for(busy: World) -> None:
    with pytest.raises(NotFound, match="initech"):
        ids(busy, "vpn", client="initech")


def test_a_ticket_that_is_solved_is_no_longer_among_the_open_ones_until_it_is_reopened(busy: World) -> None:
    busy.act(work.resolve, 4, text="renewed")
    assert ids(busy, "vpn", state="open") == [5]
    assert ids(busy, "vpn renewed", state="solved") == [4]

    busy.act(work.reopen, 4)
    assert ids(busy, "vpn renewed", state="open") == [4]


def test_what_alerts_repeat_is_written_once(busy: World) -> None:
    def line(session: Session) -> str:
        return session.execute(select(TEXTS.c.words).where(TEXTS.c.ticket_id == 1)).scalar_one()

    before = busy.storage.read(line)
    busy.fire(mountpoint="/a", annotations={"summary": "entirely other words"})
    busy.consume()

    assert busy.storage.read(line) == before


def test_what_was_said_among_technicians_is_not_found_for_a_client(busy: World) -> None:
    def asked(question: str) -> list[int]:
        def ask(session: Session) -> list[int]:
            (there,) = found(session, terms(question, clients=[1], is_public=True))
            rows = session.execute(select(there.id).select_from(there.table).where(there.condition))
            return list(rows.scalars())

        return busy.storage.read(ask)

    busy.act(work.comment, 4, text="the customer forgot to pay")

    assert asked("customer") == []
    assert asked("certificate") == [4]
    assert asked("vpn") == [4]
    assert ids(busy, "customer") == [4]


def test_who_sees_no_client_finds_nothing(busy: World) -> None:
    def ask(session: Session) -> list[int]:
        (there,) = found(session, terms("vpn", clients=[]))
        return list(session.execute(select(there.id).where(there.condition)).scalars())

    assert busy.storage.read(ask) == []


def test_pages_of_what_is_found_follow_one_another(world: World) -> None:
    for number in range(7):
        opened(world, f"Backup {number} failed")

    first = page(world, text="backup", limit=3)
    second = page(world, text="backup", limit=3, cursor=first.next)
    third = page(world, text="backup", limit=3, cursor=second.next)

    assert [[row.id for row in each.tickets] for each in (first, second, third)] == [[7, 6, 5], [4, 3, 2], [1]]
    assert third.next is None
    assert first.counts.open == 7


@pytest.mark.parametrize("cursor", ["1-2-3", "x", "-1", ""])
def test_a_cursor_of_the_queue_is_none_of_a_search(busy: World, cursor: str) -> None:
    if not cursor:
        assert ids(busy, "vpn", cursor=cursor) == [5, 4]
        return
    with pytest.raises(Unprocessable, match="no cursor here"):
        ids(busy, "vpn", cursor=cursor)


def test_any_question_is_answered_or_refused_in_words(busy: World) -> None:
    @settings(max_examples=share(150))
    @given(st.one_of(st.text(max_size=60), st.text("ab\"'*:&|!()<->\\^+#-{}%_ \x00é", max_size=30)))
    @example('" OR 1=1 --')
    @example("words: NEAR(a b)")
    @example("' | ''")
    @example("\\")
    @example("a:* & b")
    @example("\ud800")
    @example("#" + "9" * 18)
    @example("9" * 40)
    def check(text: str) -> None:
        with contextlib.suppress(Unprocessable):
            ids(busy, text or "?")

    check()
