"""Sessions end, are few for each agent, and are not driven out by whoever has no key."""

import pytest
from bench.fleet import pack_schema
from nacl.bindings import crypto_scalarmult, crypto_scalarmult_base

from tocsin_protocol import wire
from tocsin_protocol.vocabulary import SeriesKind
from tocsin_server.clock import FakeClock
from tocsin_server.ingest.decode import tell
from tocsin_server.ingest.sessions import MAX_SCHEMAS, SESSIONS_PER_AGENT, Session, Sessions

EPHEMERAL = crypto_scalarmult_base(b"a" * 32)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def sessions(clock: FakeClock) -> Sessions:
    return Sessions(clock=clock)


def opened(sessions: Sessions, agent: str = "agt_atlas") -> Session:
    return sessions.open(agent, agent_ephemeral=EPHEMERAL, nonce=b"n" * 16)[0]


def test_both_sides_agree_on_a_key_that_never_travels(sessions: Sessions) -> None:
    session, ours = sessions.open("agt_atlas", agent_ephemeral=EPHEMERAL, nonce=b"n" * 16)

    theirs = wire.session_key(
        crypto_scalarmult(b"a" * 32, ours),
        agent_ephemeral=EPHEMERAL,
        server_ephemeral=ours,
        nonce=b"n" * 16,
    )
    assert session.key == theirs
    assert theirs.hex() not in repr(session)


def test_a_session_ends_with_its_hour(clock: FakeClock, sessions: Sessions) -> None:
    session = opened(sessions)

    clock.move(seconds=3599)
    assert sessions.find(session.id) is session
    clock.move(seconds=1)
    assert sessions.find(session.id) is None
    assert len(sessions) == 0


def test_what_an_agent_tells_again_in_its_next_session_is_there_once(sessions: Sessions) -> None:
    first, others = opened(sessions), opened(sessions, "agt_other")
    packed = pack_schema([("up", SeriesKind.GAUGE, {})])
    first.tell(tell(packed))
    second = opened(sessions)

    again, elsewhere = tell(packed), tell(packed)

    assert second.known(again) is first.schemas[again.schema.id]
    assert others.known(elsewhere) is elsewhere


def test_repeated_hellos_do_not_drive_out_the_session_in_use(clock: FakeClock, sessions: Sessions) -> None:
    used = opened(sessions)
    used.used_at = clock.monotonic()

    for _ in range(50):
        opened(sessions)

    assert sessions.find(used.id) is used
    assert len(sessions) == SESSIONS_PER_AGENT


def test_agents_do_not_take_each_others_room(sessions: Sessions) -> None:
    atlas = opened(sessions)

    for _ in range(9):
        opened(sessions, "agt_borealis")

    assert sessions.find(atlas.id) is atlas


def test_a_hello_clears_away_its_agents_ended_sessions(clock: FakeClock, sessions: Sessions) -> None:
    opened(sessions)
    clock.move(seconds=3600)

    fresh = opened(sessions)

    assert len(sessions) == 1
    assert sessions.find(fresh.id) is fresh


def test_the_oldest_schema_makes_room(sessions: Sessions) -> None:
    session = opened(sessions)
    told = [tell(pack_schema([("node_load1", 1, {"n": str(n)})])) for n in range(MAX_SCHEMAS + 1)]

    for one in told:
        session.tell(one)

    assert told[0].schema.id not in session.schemas
    assert len(session.schemas) == MAX_SCHEMAS
