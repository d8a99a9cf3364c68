"""Both databases find what a list of tickets in memory has: the same ones, in the same order, page by page."""

import random
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, text
from sqlmodel import Session
from tests.examples import share
from tests.server.desk.world import NOW, World

from tocsin_protocol.vocabulary import TicketState
from tocsin_server.access.scope import EVERYWHERE, NOWHERE, Scope
from tocsin_server.desk.filters import Filters
from tocsin_server.desk.queue import ticket_page
from tocsin_server.desk.store import TICKETS
from tocsin_server.desk.texts import Worded, found, stretches, write_texts
from tocsin_server.desk.words import Said, terms
from tocsin_server.http.scoped import asked

CLIENTS = {1: "acme", 2: "globex"}
WORDS = ("printer", "print", "prism", "disk", "disks", "memory", "zu", "7", "29", "certificates")
TEAMS = ("network", "servers")
NEWEST = 300_000
SCOPES = (
    EVERYWHERE,
    Scope(frozenset({1, 2}), is_inside=True),
    Scope(frozenset({2}), is_inside=True),
    Scope(frozenset({1})),
    Scope(frozenset(range(1, 100)), is_inside=True),
    NOWHERE,
)


class Made(NamedTuple):
    """A ticket as the list has it."""

    id: int
    client_id: int
    title: tuple[str, ...]
    note: tuple[str, ...]
    is_open: bool
    priority: int
    team: str


class Asked(NamedTuple):
    """What is looked for, by whom, and how many make a page."""

    text: str
    state: str = "all"
    client_id: int | None = None
    team: str | None = None
    priorities: tuple[int, ...] = ()
    scope: Scope = EVERYWHERE
    limit: int = 10


def _made() -> list[Made]:
    """As many in each stretch of numbers, whose ends are among them."""
    chance = random.Random(5)
    ends = {end for each in stretches(NEWEST) for end in (max(each.first, 1), each.last)}
    within = {chance.randint(max(each.first, 1), each.last) for each in stretches(NEWEST) for _ in range(60)}
    return [
        Made(
            id=number,
            client_id=chance.choice((1, 1, 2)),
            title=tuple(chance.choices(WORDS, k=2)),
            note=tuple(chance.choices(WORDS, k=2)),
            is_open=chance.random() < 0.3,
            priority=chance.randint(1, 4),
            team=chance.choice(TEAMS),
        )
        for number in sorted(ends | within)
    ]


MADE = _made()


def make_busy(world: World) -> None:
    world.storage.write(_write)


def _write(session: Session) -> None:
    session.execute(insert(TICKETS), [_row(ticket) for ticket in MADE])
    write_texts(
        session,
        [
            Worded(
                ticket_id=ticket.id,
                client_id=ticket.client_id,
                host_id=None,
                title=" ".join(ticket.title),
                is_open=ticket.is_open,
                is_new=True,
                texts=[Said(" ".join(ticket.note), public=False)],
            )
            for ticket in MADE
        ],
    )


def _row(ticket: Made) -> dict[str, object]:
    return {
        "id": ticket.id,
        "client_id": ticket.client_id,
        "title": " ".join(ticket.title),
        "state": TicketState.NEW if ticket.is_open else TicketState.CLOSED,
        "priority": ticket.priority,
        "team": ticket.team,
        "opened_ms": NOW,
        "updated_ms": NOW,
    }


def _has(ticket: Made, asking: Asked) -> bool:
    words = asking.text.split()
    said = {*ticket.title, *(ticket.note if asking.scope.is_inside else ())}

    def has(word: str) -> bool:
        if word.startswith("#"):
            return word == f"#{ticket.id}"
        begins = len(word) > 1 and word == words[-1] and any(each.startswith(word) for each in said)
        return word in said or begins or word == str(ticket.id)

    return (
        asking.scope.sees(ticket.client_id)
        and asking.client_id in (None, ticket.client_id)
        and (asking.state == "all" or ticket.is_open == (asking.state == "open"))
        and asking.team in (None, ticket.team)
        and (not asking.priorities or ticket.priority in asking.priorities)
        and all(map(has, words))
    )


def _pages(world: World, asking: Asked) -> Iterator[list[int]]:
    filters = Filters(
        text=asking.text,
        state=asking.state,
        client=None if asking.client_id is None else CLIENTS[asking.client_id],
        team=asking.team,
        priorities=asking.priorities,
    )
    cursor: str | None = None
    while True:
        page = asked(
            world.storage,
            asking.scope,
            lambda session, scope, at=cursor: ticket_page(  # type: ignore[misc]
                session, scope, filters, limit=asking.limit, cursor=at
            ),
        )
        yield [ticket.id for ticket in page.tickets]
        cursor = page.next
        if cursor is None:
            return


_ONE = st.sampled_from(
    [*WORDS, "pri", "prin", "me", "ce", "p", "certific", "certificat", "#300000", "300000", "nothing"]
)
_ASKED = st.builds(
    Asked,
    text=st.lists(_ONE, min_size=1, max_size=3, unique=True).map(" ".join),
    state=st.sampled_from(["all", "open", "solved"]),
    team=st.sampled_from([None, *TEAMS]),
    priorities=st.sampled_from([(), (1,), (2, 4)]),
    scope=st.sampled_from(SCOPES),
    limit=st.integers(20, 150),
).flatmap(
    lambda asking: st.sampled_from([None, *filter(asking.scope.sees, CLIENTS)]).map(
        lambda client_id: asking._replace(client_id=client_id)
    )
)


def test_what_is_found_is_what_a_list_has_in_its_order(busy: World) -> None:
    @settings(max_examples=share(60))
    @given(_ASKED)
    @example(Asked("pri", limit=200))
    @example(Asked("29", limit=20))
    @example(Asked("memory pri", team="servers", priorities=(1,)))
    @example(Asked("certific", scope=SCOPES[3], limit=30))
    @example(Asked("zu", state="open", client_id=2, limit=7))
    def check(asking: Asked) -> None:
        expected = [ticket.id for ticket in reversed(MADE) if _has(ticket, asking)]

        pages = list(_pages(busy, asking))

        assert [number for page in pages for number in page] == expected
        assert all(len(page) == asking.limit for page in pages[:-1])

    check()


@pytest.mark.parametrize("empty", [pytest.param("postgresql", marks=pytest.mark.real)], indirect=True)
def test_a_long_stretch_is_not_walked_number_by_number(busy: World) -> None:
    def plans(session: Session) -> list[str]:
        session.execute(text("ANALYZE ticket_text"))
        session.execute(text("SET LOCAL enable_seqscan = off"))
        asked = [
            select(there.id).where(there.condition).compile(session.get_bind(), compile_kwargs=_WRITTEN_OUT)
            for there in found(session, terms("memory", clients=None))
        ]
        return ["\n".join(session.execute(text(f"EXPLAIN {each}")).scalars()) for each in asked]

    near, further, *long = busy.storage.write(plans)

    assert "ticket_text_pkey" in near
    assert "ticket_text_pkey" in further
    assert len(long) == 2
    assert all("ticket_text_words" in plan and "ticket_text_pkey" not in plan for plan in long)


_WRITTEN_OUT = {"literal_binds": True}


@pytest.mark.parametrize("newest", [0, 1, 2047, 2048, 4096, 20_000, 65_535, 65_536, 300_000, 5_000_000])
def test_each_number_is_in_one_stretch_and_the_newest_come_first(newest: int) -> None:
    found = list(stretches(newest))

    assert found[0].last == newest
    assert found[-1].first == 0
    assert [each.first - 1 for each in found[:-1]] == [each.last for each in found[1:]]
    assert all(each.blocks for each in found[:-1])
    assert not found[-1].blocks
