"""Every answer that the contract names, given by the real receive path through its ASGI edge."""

import asyncio
import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgpack
import pytest
import pytest_asyncio
from bench.fleet import pack_schema, push_body
from tests.server.ingest.rig import OTHER_SCHEMA, SCHEMA, Rig, RigAgent, enrolled, running

from tocsin_protocol import wire
from tocsin_server.estate.clients import client_named
from tocsin_server.estate.hosts import retire_host


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path) as made:
        yield made


@pytest_asyncio.fixture
async def atlas(rig: Rig) -> RigAgent:
    return await enrolled(rig)


async def test_a_push_is_acked_with_what_the_agent_needs_to_know(rig: Rig, atlas: RigAgent) -> None:
    answer = await atlas.push(atlas.frame(0), atlas.frame(1))

    assert answer.status == 200
    assert answer.said == {"acked": 2, "interval_s": 10, "now_ms": rig.clock.now_ms()}
    assert len(rig.inbox) == 2


async def test_enrolment_tells_the_agent_who_it_is(rig: Rig) -> None:
    bob = RigAgent(rig, "borealis")

    answer = await bob.enrol(rig.invite())

    assert answer.said == {
        "agent": bob.id,
        "host": "borealis",
        "client": "acme",
        "site": "main",
        "interval_s": 10,
    }


async def test_an_invitation_is_good_once(rig: Rig) -> None:
    invitation = rig.invite()
    await RigAgent(rig, "atlas").enrol(invitation)

    answer = await RigAgent(rig, "borealis").enrol(invitation)

    assert answer.status == 403
    assert "used already" in answer.said["detail"]
    assert answer.said["remedy"]


async def test_of_fifty_that_redeem_one_invitation_at_once_one_enrols(rig: Rig) -> None:
    invitation = rig.invite()

    answers = await asyncio.gather(*[RigAgent(rig, f"host-{n}").enrol(invitation) for n in range(50)])

    statuses = [answer.status for answer in answers]
    assert statuses.count(200) == 1
    assert {*statuses} <= {200, 403, 429}


async def test_many_that_enrol_at_once_are_all_known_and_share_the_looks_at_the_estate(rig: Rig) -> None:
    looks, admit = [], rig.estate.admit

    def counted() -> None:
        looks.append(1)
        admit()

    rig.estate.admit = counted
    agents = [RigAgent(rig, f"host-{number}") for number in range(20)]

    async def greeted(agent: RigAgent) -> int:
        assert (await agent.enrol(rig.invite())).status == 200
        return (await agent.hello()).status

    assert await asyncio.gather(*map(greeted, agents)) == [200] * 20
    assert len(looks) < 20


async def test_an_enrolment_signed_with_another_key_is_refused(rig: Rig) -> None:
    answer = await RigAgent(rig).enrol(rig.invite(), key=bytes(32))

    assert answer.status == 401


async def test_guessing_invitations_is_slowed_for_one_address_only(rig: Rig) -> None:
    invitation = rig.invite()
    for _ in range(10):
        assert (await RigAgent(rig).enrol(invitation, token="guess")).status == 403

    slowed = await RigAgent(rig).enrol(invitation)
    elsewhere = await rig.post(wire.ENROL_PATH, b"", address="192.0.2.8")
    rig.clock.move(seconds=61)
    later = await RigAgent(rig).enrol(invitation)

    assert (slowed.status, int(slowed.headers["retry-after"])) == (429, 60)
    assert elsewhere.status == 400
    assert later.status == 200


@pytest.mark.parametrize("path", [wire.HELLO_PATH, wire.ENROL_PATH])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"\xc1", 400),
        (b"\x91" * 5000, 422),
        (msgpack.packb({"v": 2}), 422),
        (msgpack.packb({"v": 1, "surprise": 1}), 422),
        (msgpack.packb([1, 2, 3]), 422),
    ],
    ids=range(6),
)
async def test_nonsense_is_refused_before_anything_is_believed(
    rig: Rig, path: str, body: bytes, status: int
) -> None:
    answer = await rig.post(path, body)

    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_hello_signed_by_somebody_else_is_refused(rig: Rig, atlas: RigAgent) -> None:
    mallory = RigAgent(rig, id=atlas.id)

    assert (await mallory.hello()).status == 403
    assert (await atlas.hello(agent="agt_unknown")).status == 403


async def test_a_hello_with_a_key_that_everybody_knows_is_refused(atlas: RigAgent) -> None:
    answer = await atlas.hello(ephemeral=bytes(32))

    assert answer.status == 422


async def test_an_unknown_session_is_told_to_say_hello(atlas: RigAgent) -> None:
    atlas.session = bytes(16)

    answer = await atlas.push(atlas.frame(0))

    assert (answer.status, answer.said["remedy"]) == (401, "say hello")


async def test_a_session_ends_after_its_hour(rig: Rig, atlas: RigAgent) -> None:
    rig.clock.move(seconds=wire.SESSION_SECONDS)

    assert (await atlas.push(atlas.frame(0))).status == 401
    assert (await atlas.hello()).status == 200
    assert (await atlas.push(atlas.frame(0))).status == 200


async def test_a_body_that_was_changed_on_its_way_is_not_authenticated(rig: Rig, atlas: RigAgent) -> None:
    body = push_body(atlas.epoch, [atlas.frame(0)], now_ms=0, schemas=True)
    headers = atlas.headers(body)

    for at in range(len(body)):
        changed = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        assert (await rig.post(wire.PUSH_PATH, changed, headers)).status == 401
    assert len(rig.inbox) == 0


@pytest.mark.parametrize("mac", ["", "00" * 32, "é", "zz"])
async def test_a_push_without_a_sound_mac_is_not_authenticated(rig: Rig, atlas: RigAgent, mac: str) -> None:
    headers = {wire.SESSION_HEADER: atlas.session.hex(), wire.MAC_HEADER: mac}

    assert (await rig.post(wire.PUSH_PATH, b"", headers)).status == 401


async def test_a_revoked_agent_is_refused_and_told_why(rig: Rig, atlas: RigAgent) -> None:
    rig.storage.write(lambda s: retire_host(s, client_named(s, "acme"), "atlas", 1))
    rig.estate.reload()

    pushed, greeted = await atlas.push(atlas.frame(0)), await atlas.hello()

    assert (pushed.status, greeted.status) == (403, 403)
    assert "revoked" in pushed.said["detail"]
    assert len(rig.inbox) == 0


async def test_a_host_that_is_not_the_agents_own_is_refused(atlas: RigAgent) -> None:
    schema = pack_schema([("node_load1", 1, {})], host="switch-1")

    answer = await atlas.push(atlas.frame(0, schema=schema))

    assert (answer.status, answer.said["type"]) == (422, "undeclared-device")
    assert "switch-1" in answer.said["detail"]


async def test_an_unknown_schema_is_asked_for(atlas: RigAgent) -> None:
    assert (await atlas.push(atlas.frame(0), schemas=False)).status == 409
    assert (await atlas.push(atlas.frame(0))).status == 200
    assert (await atlas.push(atlas.frame(1), schemas=False)).status == 200


async def test_a_new_session_has_to_tell_its_schemas(atlas: RigAgent) -> None:
    await atlas.push(atlas.frame(0))
    await atlas.hello()

    assert (await atlas.push(atlas.frame(1), schemas=False)).status == 409


async def test_a_body_is_capped_by_its_announced_length(rig: Rig) -> None:
    answer = await rig.post(wire.PUSH_PATH, b"", {"content-length": str(wire.MAX_BODY_BYTES + 1)})

    assert answer.status == 413


async def test_a_body_is_capped_while_it_streams_in(rig: Rig) -> None:
    piece = bytes(1 << 16)

    answer = await rig.post(wire.PUSH_PATH, b"", pieces=[piece] * 17)

    assert answer.status == 413


async def test_a_body_in_pieces_is_one_body(rig: Rig, atlas: RigAgent) -> None:
    body = push_body(atlas.epoch, [atlas.frame(0)], now_ms=rig.clock.now_ms(), schemas=True)

    answer = await rig.post(wire.PUSH_PATH, b"", atlas.headers(body), pieces=[body[:9], body[9:], b""])

    assert answer.status == 200


async def test_an_agent_that_hangs_up_is_not_answered(rig: Rig, atlas: RigAgent) -> None:
    body = push_body(atlas.epoch, [atlas.frame(0)], now_ms=rig.clock.now_ms(), schemas=True)

    answer = await rig.post(wire.PUSH_PATH, b"", atlas.headers(body), pieces=[])

    assert answer.status == 0
    assert len(rig.inbox) == 0


def deflated(said: object) -> bytes:
    return zlib.compress(msgpack.packb(said))


NOW = 1_700_000_000_000
FRAME = [1, 0, wire.schema_id(SCHEMA), [NOW], struct.pack("<2d", 1, 2)]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"no zlib", 400),
        (deflated([1, NOW, [SCHEMA], [FRAME]])[:-3], 400),  # truncated
        (deflated([1, NOW, [SCHEMA], [FRAME]]) + b"x", 400),  # something follows
        (zlib.compress(b"\xc1"), 400),
        (zlib.compress(b""), 400),
        (zlib.compress(bytes(wire.MAX_INFLATED_BYTES + 1), 1), 413),  # inflates too far
        (deflated([1, NOW, [SCHEMA], [FRAME] * 513]), 413),
        (deflated([1, NOW, [SCHEMA] * 513, []]), 413),
        (deflated([2, NOW, [SCHEMA], [FRAME]]), 422),  # another version
        (deflated([2, {"another": "shape"}]), 422),
        (deflated({"v": 1}), 422),
        (deflated([1, NOW, [SCHEMA], [FRAME], "more"]), 422),
        (deflated([1, -1, [SCHEMA], [FRAME]]), 422),
        (deflated([1, NOW, [SCHEMA], [[1, -1, *FRAME[2:]]]]), 422),
        (deflated([1, NOW, [SCHEMA], [[1, 1 << 63, *FRAME[2:]]]]), 422),
        (deflated([1, NOW, [SCHEMA], [[*FRAME[:3], [], b""]]]), 422),  # no instant
        (deflated([1, NOW, [SCHEMA], [[*FRAME[:3], [NOW] * 65, bytes(16 * 65)]]]), 422),
        (deflated([1, NOW, [SCHEMA], [[*FRAME[:4], bytes(15)]]]), 422),  # a matrix of another size
        (deflated([1, NOW, [SCHEMA], [[*FRAME[:4], bytes(24)]]]), 422),
        (deflated([1, NOW, [b"\xc1"], []]), 400),
        (deflated([1, NOW, [msgpack.packb(["", []])], []]), 422),
    ],
    ids=range(22),
)
async def test_a_push_that_makes_no_sense_is_refused_whole(
    rig: Rig, atlas: RigAgent, body: bytes, status: int
) -> None:
    answer = await atlas.send(body)

    assert answer.status == status
    assert answer.said["detail"]
    assert len(rig.inbox) == 0
    assert rig.count("refused") == 1


async def test_another_version_is_told_what_to_do(atlas: RigAgent) -> None:
    answer = await atlas.send(deflated([2, NOW, [], []]))

    assert "version 2" in answer.said["detail"]
    assert "update" in answer.said["remedy"]


async def test_a_repeated_push_is_acked_without_effect(rig: Rig, atlas: RigAgent) -> None:
    frames = [atlas.frame(seq) for seq in range(3)]
    await atlas.push(*frames)

    answer = await atlas.push(*frames)

    assert (answer.status, answer.said["acked"]) == (200, 3)
    assert len(rig.inbox) == 3
    assert (rig.count("stored"), rig.count("repeated")) == (3, 3)


async def test_a_push_that_is_half_new_stores_the_new_half(rig: Rig, atlas: RigAgent) -> None:
    await atlas.push(atlas.frame(0), atlas.frame(2))

    answer = await atlas.push(*[atlas.frame(seq) for seq in range(4)])

    assert answer.said["acked"] == 4
    assert [float(frame.matrix[0, 0]) for frame in rig.inbox.drain()] == [0.0, 2.0, 1.0, 3.0]


async def test_a_time_in_the_future_becomes_the_time_of_receipt(rig: Rig, atlas: RigAgent) -> None:
    now = rig.clock.now_ms()

    answer = await atlas.push(atlas.frame(0, at_ms=now + 3_600_000), atlas.frame(1, at_ms=now + 5000))

    assert answer.status == 200
    assert [[now], [now + 5000]] == [frame.times_ms for frame in rig.inbox.drain()]
    assert rig.count("clamped") == 1


async def test_the_spool_of_a_clock_that_is_ahead_keeps_its_distances(rig: Rig, atlas: RigAgent) -> None:
    now, day = rig.clock.now_ms(), 86_400_000

    await atlas.push(*[atlas.frame(seq, at_ms=now + day - seq * 10_000) for seq in range(3)], ahead_ms=day)

    assert [[now], [now - 10_000], [now - 20_000]] == [frame.times_ms for frame in rig.inbox.drain()]
    host = rig.estate.agent(atlas.id).host_id
    assert rig.presence.skew_s(host) == 86_400.0


async def test_when_too_much_waits_to_be_judged_agents_are_sent_away(rig: Rig, atlas: RigAgent) -> None:
    rig.inbox._max_bytes = 16
    await atlas.push(atlas.frame(0))

    answer = await atlas.push(atlas.frame(1))
    rig.inbox.drain()
    again = await atlas.push(atlas.frame(1))

    assert answer.status == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert again.status == 200


async def test_what_is_no_push_is_not_found(rig: Rig) -> None:
    assert (await rig.post("/agent/v1/shell", b"")).status == 404
    assert (await rig.post(wire.PUSH_PATH, b"", method="GET")).status == 405


async def test_two_schemas_in_one_push_each_carry_their_frames(rig: Rig, atlas: RigAgent) -> None:
    answer = await atlas.push(atlas.frame(0), atlas.frame(1, schema=OTHER_SCHEMA))

    assert answer.status == 200
    assert [frame.matrix.shape[1] for frame in rig.inbox.drain()] == [2, 1]


async def test_requests_are_counted_by_path_and_status(rig: Rig, atlas: RigAgent) -> None:
    await atlas.push(atlas.frame(0))
    await rig.post("/agent/v1/" + "x" * 5000, b"")

    samples = {
        (s.labels["path"], s.labels["status"])
        for metric in rig.health.pushes.collect()
        for s in metric.samples
        if s.name.endswith("_total")
    }
    assert samples == {
        (wire.ENROL_PATH, "200"),
        (wire.HELLO_PATH, "200"),
        (wire.PUSH_PATH, "200"),
        ("other", "404"),
    }
