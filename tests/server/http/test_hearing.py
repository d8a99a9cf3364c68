"""A console hears of the clients that its person sees, and can count nothing of others."""

import asyncio
from typing import Any

import msgspec
import pytest
from sqlalchemy import text
from tests.server.http.rig import Rig
from tests.server.http.test_events import Wire

from tocsin_protocol.acts import NewTicket
from tocsin_protocol.events import HostChanged, TicketChanged
from tocsin_protocol.messages import Message
from tocsin_protocol.people import Person
from tocsin_protocol.vocabulary import Role, TicketEventKind
from tocsin_server.access.scope import EVERYWHERE, NOWHERE, Scope
from tocsin_server.decisions.folder import NO_TABLES
from tocsin_server.desk import opening, queue
from tocsin_server.http.broker import Broker, Event
from tocsin_server.http.events import Stream
from tocsin_server.http.hearing import Hearing, is_heard

ACME, GLOBEX = 1, 2
INSIDE = Scope(frozenset({ACME}), is_inside=True)
OUTSIDE = Scope(frozenset({ACME}))


def event(name: str, client: str | None, message: Message | None = None) -> Event:
    return Event("x", name, message, client, b"")


class Anything(Message, frozen=True):
    """An event that nobody has thought of."""


@pytest.mark.parametrize(
    ("heard", "everywhere", "inside", "outside"),
    [
        (event("ticket", "acme", Anything()), True, True, True),
        (event("ticket", "globex", Anything()), False, False, False),
        (event("rules", "acme"), True, True, False),  # a silence of theirs is the provider's
        (event("rules", None), True, True, False),
        (event("news", None, Anything()), True, False, False),  # nobody knows whose it is: fail closed
    ],
)
def test_who_hears_of_what(heard: Event, *, everywhere: bool, inside: bool, outside: bool) -> None:
    assert is_heard(heard, EVERYWHERE, {"acme"}) is everywhere
    assert is_heard(heard, INSIDE, {"acme"}) is inside
    assert is_heard(heard, OUTSIDE, {"acme"}) is outside


def changed(rig: Rig, client: str) -> TicketChanged:
    """A new ticket of a client's, as the notice thread tells of it: with the counts of all."""

    def act(session: Any) -> TicketChanged:
        person = Person(id=1, login="alice", name="Alice", role=Role.TECHNICIAN)
        new = NewTicket(client=client, title=f"{client}'s printer")
        number = opening.open_ticket(
            session, EVERYWHERE, new, person=person, now_ms=0, tables=NO_TABLES
        ).ticket_id
        return TicketChanged(
            ticket=queue.ticket_row(session, EVERYWHERE, number),
            happened=TicketEventKind.OPENED,
            counts=queue.ticket_counts(session, EVERYWHERE),
        )

    return rig.storage.write(act)


def told(text: bytes) -> list[dict[str, Any]]:
    lines = [line.removeprefix(b"data: ") for line in text.split(b"\n") if line.startswith(b"data: ")]
    return [msgspec.json.decode(line) for line in lines]


async def words(rig: Rig, scope: Scope, broker: Broker) -> bytes:
    return await Hearing(rig.storage, rig.estate, rig.deps.terms).words(scope, (await broker.after(0)).events)


async def test_a_ticket_is_told_with_the_counts_of_what_is_seen(rig: Rig) -> None:
    broker = Broker()
    for client in ("globex", "globex", "acme"):
        broker.publish("ticket", changed(rig, client))

    everybodys = told(await words(rig, EVERYWHERE, broker))
    acmes = told(await words(rig, OUTSIDE, broker))

    assert [each["counts"]["open"] for each in everybodys] == [1, 2, 3]
    assert [(each["ticket"]["client"], each["counts"]["open"]) for each in acmes] == [("acme", 1)]
    assert await words(rig, NOWHERE, broker) == b""


async def test_a_host_is_told_of_to_who_sees_its_client(rig: Rig) -> None:
    broker = Broker()
    row = rig.deps.hosts.one(EVERYWHERE, rig.host_id("globex", "atlas"))
    assert row is not None
    broker.publish("host", HostChanged(host=row))

    assert await words(rig, OUTSIDE, broker) == b""
    assert b"globex" in await words(rig, Scope(frozenset({GLOBEX})), broker)


async def test_what_others_hear_moves_nothing_in_a_stream(rig: Rig) -> None:
    broker, wire = Broker(), Wire()

    async def look() -> Scope:
        return OUTSIDE

    words = Hearing(rig.storage, rig.estate, rig.deps.terms).words
    running = asyncio.create_task(Stream(broker, wire.send, look=look, words=words).run(None))
    await wire.until(b"retry")
    for _ in range(50):
        broker.publish("rules", None)
        await asyncio.sleep(0)
    broker.publish("ticket", changed(rig, "acme"))
    await wire.until(b"event: ticket")
    broker.close()
    await asyncio.wait_for(running, 5)

    bodies = [message["body"] for message in wire.sent if message.get("body")]
    assert [body.split(b"\n")[0][:6] for body in bodies] == [b"retry:", b"id: " + bodies[1][4:6]]


async def test_what_is_no_longer_granted_is_no_longer_heard(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin_server.http.events.LOOK_AGAIN_S", 0.0)
    broker, wire = Broker(), Wire()
    sees = [EVERYWHERE]

    async def look() -> Scope:
        return sees[-1]

    words = Hearing(rig.storage, rig.estate, rig.deps.terms).words
    running = asyncio.create_task(Stream(broker, wire.send, look=look, words=words).run(None))
    await wire.until(b"retry")
    sees.append(OUTSIDE)
    broker.publish("ticket", changed(rig, "globex"))
    broker.publish("ticket", changed(rig, "acme"))
    await wire.until(b"event: ticket")
    broker.close()
    await asyncio.wait_for(running, 5)

    assert b"globex" not in wire.text


async def test_a_ticket_is_told_as_a_page_shows_it_now(rig: Rig) -> None:
    broker = Broker()
    message = changed(rig, "acme")
    broker.publish("ticket", message)
    later = text("UPDATE ticket SET version = 7, title = 'as it is now' WHERE id = :id")
    rig.storage.write(lambda session: session.execute(later, {"id": message.ticket.id}) and None)

    (acmes,) = told(await words(rig, OUTSIDE, broker))
    gone = text("UPDATE ticket SET client_id = 2 WHERE id = :id")
    rig.storage.write(lambda session: session.execute(gone, {"id": message.ticket.id}) and None)

    assert (acmes["ticket"]["version"], acmes["ticket"]["title"]) == (7, "as it is now")
    assert await words(rig, OUTSIDE, broker) == b""
