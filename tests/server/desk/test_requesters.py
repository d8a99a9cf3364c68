"""The people of a client who ask for things, and tickets that are theirs."""

from collections.abc import Callable

import pytest
from sqlmodel import Session
from tests.lifecycle import TABLES
from tests.server.desk.world import ALICE, NOW, World

from tocsin_protocol.acts import NewTicket
from tocsin_protocol.clients import Requester
from tocsin_protocol.tickets import TicketDetail
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.desk import opening, queue
from tocsin_server.errors import Conflict, NotFound, TocsinError, Unprocessable
from tocsin_server.estate.clients import client_named
from tocsin_server.estate.requesters import (
    Asker,
    Wish,
    add_requester,
    change_requester,
    remove_requester,
    requesters,
)

EVE = "eve@acme.example"


def add(session: Session, mail: str = EVE, *, client: str = "acme", **wish: str) -> Asker:
    return add_requester(session, client_named(session, client), mail, Wish(**wish), NOW)


def change(session: Session, whose: str = EVE, **wish: str) -> Asker:
    return change_requester(session, client_named(session, "acme"), whose, Wish(**wish))


def leave(session: Session) -> Asker:
    return remove_requester(session, client_named(session, "acme"), EVE, NOW)


def opened(world: World, **said: str) -> TicketDetail:
    new = NewTicket(client="acme", title="the printer jams", **said)
    done = world.storage.write(
        lambda s: opening.open_ticket(s, EVERYWHERE, new, person=ALICE, now_ms=NOW, tables=TABLES)
    )
    return world.storage.read(lambda s: queue.ticket_detail(s, EVERYWHERE, done.ticket_id))


def test_a_clients_requesters_are_told_by_name_and_no_other_clients(world: World) -> None:
    world.storage.write(lambda s: add(s, name="Eve Adams", site="hq"))
    world.storage.write(lambda s: add(s, "adam@acme.example", name="Adam"))
    world.storage.write(lambda s: add(s, client="globex", name="Another Eve"))

    told = world.storage.read(lambda s: requesters(s, 1))

    assert [(each.name, each.mail, each.site) for each in told] == [
        ("Adam", "adam@acme.example", ""),
        ("Eve Adams", EVE, "hq"),
    ]


def test_an_address_is_written_in_small_letters_and_is_one_persons(world: World) -> None:
    assert world.storage.write(lambda s: add(s, "Eve@ACME.example")).mail == EVE

    with pytest.raises(Conflict, match=r"acme has a requester eve@.* already"):
        world.storage.write(lambda s: add(s, "EVE@acme.example"))


def test_what_is_not_wished_for_stays(world: World) -> None:
    world.storage.write(lambda s: add(s, name="Eve", site="hq"))

    moved = world.storage.write(lambda s: change(s, mail="eva@acme.example"))
    away = world.storage.write(lambda s: change(s, "eva@acme.example", site=""))

    assert (moved.name, moved.mail, moved.site) == ("Eve", "eva@acme.example", "hq")
    assert (away.name, away.site) == ("Eve", "")


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda s: add(s, "eve"), Unprocessable("'eve' is no mail address")),
        (lambda s: add(s, "a@b.example", site="oslo"), NotFound("acme has no site 'oslo'")),
        (
            lambda s: change(s, "adam@acme.example", name="A"),
            NotFound("acme has no requester 'adam@acme.example'"),
        ),
        (lambda s: change(s, name="\n"), Unprocessable("'\\n' cannot be the name of a requester")),
        (
            lambda s: change(s, mail="a@acme.example"),
            Conflict("acme has a requester a@acme.example already"),
        ),
    ],
)
def test_what_cannot_be_is_refused(world: World, act: Callable[[Session], object], error: TocsinError) -> None:
    world.storage.write(lambda s: (add(s), add(s, "a@acme.example")))

    with pytest.raises(type(error)) as refused:
        world.storage.write(act)

    assert refused.value.message == error.message


def test_a_ticket_says_who_asks_for_it_also_when_they_have_left(world: World) -> None:
    world.storage.write(lambda s: add(s, name="Eve", site="hq"))

    detail = opened(world, requester="Eve@acme.example")
    world.storage.write(leave)
    later = world.storage.read(lambda s: queue.ticket_detail(s, EVERYWHERE, detail.ticket.id))

    assert detail.requester == later.requester == Requester(name="Eve", mail=EVE, site="hq")
    assert opened(world).requester is None


def test_who_is_not_there_asks_for_nothing(world: World) -> None:
    world.storage.write(lambda s: add(s, client="globex"))
    with pytest.raises(NotFound, match=r"the client has no requester 'eve@.*'"):
        opened(world, requester=EVE)

    world.storage.write(add)
    world.storage.write(leave)
    with pytest.raises(NotFound, match="the client has no requester"):
        opened(world, requester=EVE)


def test_an_address_is_free_once_its_owner_has_left(world: World) -> None:
    first = world.storage.write(add)
    assert world.storage.write(leave).has_left

    assert world.storage.write(add).id != first.id
    assert len(world.storage.read(lambda s: requesters(s, 1))) == 1
