"""What is written in one turn of the loop leaves in one write, and in order."""

import asyncio

from tocsin_server.http.gathered import AT_ONCE_BYTES, Gathered


class Wire(asyncio.Transport):
    """What was written to it, write by write."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.7", 5000)})
        self.writes: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed


def gathered() -> tuple[Gathered, Wire]:
    wire = Wire()
    return Gathered(wire, asyncio.get_running_loop()), wire


async def test_head_and_body_are_one_write() -> None:
    transport, wire = gathered()

    transport.write(b"head")
    transport.write(b"body")
    await asyncio.sleep(0)
    transport.write(b"next")
    await asyncio.sleep(0)

    assert wire.writes == [b"headbody", b"next"]


async def test_much_is_written_at_once_so_that_its_writer_can_be_told_to_pause() -> None:
    transport, wire = gathered()

    transport.write(b"head")
    transport.write(bytes(AT_ONCE_BYTES))

    assert list(map(len, wire.writes)) == [AT_ONCE_BYTES + 4]
    await asyncio.sleep(0)
    assert len(wire.writes) == 1


async def test_what_was_written_before_the_end_leaves_before_it() -> None:
    transport, wire = gathered()

    transport.write(b"the last")
    transport.close()

    assert (wire.writes, wire.is_closed) == ([b"the last"], True)


async def test_to_whom_has_hung_up_nothing_is_written() -> None:
    transport, wire = gathered()

    transport.write(b"late")
    wire.close()
    await asyncio.sleep(0)

    assert wire.writes == []


async def test_it_is_the_transport_in_all_else() -> None:
    transport, wire = gathered()

    assert transport.get_extra_info("peername") == ("192.0.2.7", 5000)
    assert not transport.is_closing()
    wire.close()
    assert transport.is_closing()
