"""Events reach every listener once and in order, and what a listener has missed it is told."""

import asyncio
import re
import threading

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_protocol.messages import Message
from tocsin_server.http.broker import RING, TOGETHER, Broker


class Rang(Message, frozen=True):
    """A small event."""

    number: int


def numbers(text: bytes) -> list[int]:
    """The events in a piece of a stream."""
    lines = [line for line in text.split(b"\n") if line.startswith(b"data: ")]
    return [msgspec.json.decode(line.removeprefix(b"data: "))["number"] for line in lines]


async def heard(broker: Broker, place: int | None, *, until: int) -> list[int]:
    """What a listener hears from a place on, up to an event."""
    told: list[int] = []
    while place is not None and until not in told:
        piece = await asyncio.wait_for(broker.after(place), 5)
        told += numbers(piece.text)
        place = piece.place
    return told


async def test_a_new_listener_hears_what_is_published_from_now_on() -> None:
    broker = Broker()
    broker.publish("ticket", Rang(1))
    place = broker.join(None).place

    broker.publish("ticket", Rang(2))

    assert await heard(broker, place, until=2) == [2]


async def test_an_event_is_written_as_the_standard_says() -> None:
    broker = Broker()
    place = broker.join(None).place
    broker.publish("ticket", Rang(1))

    assert place is not None
    told = await broker.after(place)
    (event,) = told.events
    assert told.text == f'id: {event.id}\nevent: ticket\ndata: {{"number":1}}\n\n'.encode()
    assert broker.join(event.id).place == told.place


async def test_an_event_without_a_message_carries_an_empty_object() -> None:
    broker = Broker()
    place = broker.join(None).place
    broker.publish("rules", None)

    assert place is not None
    assert b"event: rules\ndata: {}\n\n" in (await broker.after(place)).text


async def test_every_listener_hears_what_other_threads_publish_once_and_in_order() -> None:
    broker = Broker()
    listening = [asyncio.create_task(heard(broker, broker.join(None).place, until=500)) for _ in range(3)]
    await asyncio.sleep(0)

    def publish() -> None:
        for number in range(1, 501):
            broker.publish("ticket", Rang(number))

    threading.Thread(target=publish).start()

    assert await asyncio.gather(*listening) == [list(range(1, 501))] * 3


async def test_an_id_counts_nothing() -> None:
    broker = Broker()
    broker.publish("ticket", Rang(1))

    ids = {broker.newest_id() for _ in range(10)}

    assert len(ids) == 10
    assert {broker.join(each).place for each in ids} == {1}


async def test_an_id_that_was_tampered_with_is_none_of_ours() -> None:
    broker = Broker()
    sealed = broker.newest_id()

    for place in range(0, len(sealed), 7):
        other = "B" if sealed[place] == "A" else "A"
        assert b"event: reset" in broker.join(sealed[:place] + other + sealed[place + 1 :]).text


async def test_who_comes_back_hears_what_was_missed() -> None:
    broker = Broker()
    broker.publish("ticket", Rang(1))
    last_id = broker.newest_id()
    broker.publish("ticket", Rang(2))
    broker.publish("ticket", Rang(3))

    back = broker.join(last_id)

    assert back.text == b""
    assert await heard(broker, back.place, until=3) == [2, 3]


@pytest.mark.parametrize("last_id", ["", "x", "-", "0-1", "tocsin-1", "9" * 400, "\u0665-1"])
async def test_an_id_of_another_run_means_a_new_snapshot(last_id: str) -> None:
    broker = Broker()
    broker.publish("ticket", Rang(1))

    told = broker.join(last_id)

    said = re.fullmatch(rb"id: (\S+)\nevent: reset\ndata: {}\n\n", told.text)
    assert said is not None
    assert broker.join(said[1].decode()).place == told.place
    broker.publish("ticket", Rang(2))
    assert await heard(broker, told.place, until=2) == [2]


@given(ring=st.integers(1, 5), published=st.integers(0, 12), claimed=st.integers(0, 14))
def test_a_listener_misses_nothing_unless_it_is_told_so(ring: int, published: int, claimed: int) -> None:
    async def story() -> None:
        broker = Broker(ring=ring)
        for number in range(1, published + 1):
            broker.publish("ticket", Rang(number))

        told = broker.join(broker._id(claimed))

        was_reset = b"event: reset" in told.text
        assert was_reset is not (published - ring <= claimed <= published)
        if not was_reset and claimed < published:
            assert await heard(broker, told.place, until=published) == list(range(claimed + 1, published + 1))

    asyncio.run(story())


async def test_a_listener_that_has_fallen_out_of_the_ring_is_cut() -> None:
    broker = Broker()
    place = broker.join(None).place
    for number in range(RING + 1):
        broker.publish("ticket", Rang(number))

    assert place is not None
    assert (await broker.after(place)).place is None


async def test_a_backlog_comes_in_bounded_pieces() -> None:
    broker = Broker()
    place = broker.join(None).place
    for number in range(RING):
        broker.publish("ticket", Rang(number))

    assert place is not None
    assert len(numbers((await broker.after(place)).text)) == TOGETHER


async def test_closing_ends_who_listens_and_who_comes_later() -> None:
    broker = Broker()
    place = broker.join(None).place
    assert place is not None
    waiting = asyncio.create_task(broker.after(place))
    await asyncio.sleep(0)

    threading.Thread(target=broker.close).start()

    assert (await asyncio.wait_for(waiting, 5)).place is None
    assert (await asyncio.wait_for(broker.after(place), 5)).place is None


def test_publishing_after_the_loop_has_ended_harms_nobody() -> None:
    broker = Broker()

    async def listen() -> None:
        broker.join(None)

    asyncio.run(listen())
    broker.publish("ticket", Rang(1))
    broker.close()
