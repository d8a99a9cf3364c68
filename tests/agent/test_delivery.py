"""Spool, push, hello and connection together, against a server that answers by script over real sockets."""

import itertools
import os
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey, VerifyKey
from tests.agent.conftest import LOAD, HandClock, frame_of
from tests.agent.scripted import CUT, GARBAGE, ScriptedServer
from tests.examples import share

from tocsin_agent import greeting
from tocsin_agent.collectors.kernel import Roots
from tocsin_agent.connection import Connection
from tocsin_agent.errors import Unreachable
from tocsin_agent.greeting import say_hello
from tocsin_agent.identity import Identity, public_key
from tocsin_agent.origin import origin_of
from tocsin_agent.push import Pusher
from tocsin_agent.quarantine import Quarantine
from tocsin_agent.spool import Limits, Spool
from tocsin_protocol import wire

SEED = b"\7" * 32


class Delivery:
    """An agent without a watch: frames are put into its spool by hand, and its clock stands still."""

    def __init__(self, server: ScriptedServer, folder: Path) -> None:
        server.agent_key = VerifyKey(public_key(SEED))
        identity = Identity(
            agent="agent-1",
            host="atlas",
            client="acme",
            site="berlin",
            url=server.url,
            fingerprint=server.fingerprint,
            server_key=server.key.verify_key.encode().hex(),
            seed=SEED,
        )
        self.identity = identity
        self.clock = HandClock()
        self.connection = Connection(server.url, fingerprint=server.fingerprint, answer_s=2.0, environment={})
        self.spool = Spool(str(folder / "spool"), epoch=1, limits=Limits(min_free_bytes=0))
        self.pusher = Pusher(
            self.connection,
            lambda: say_hello(self.connection, identity, epoch=1, now_ms=self.clock.now_ms()),
            self.spool,
            Quarantine(str(folder / "quarantine")),
            interval_s=10,
            clock=self.clock.clock,
        )
        self._seq = itertools.count()

    def collect(self, frames: int = 1) -> None:
        for _ in range(frames):
            self.spool.append(frame_of(next(self._seq)), LOAD)

    def drain(self, most_steps: int = 500) -> int:
        """Steps until nothing waits; the clock jumps over every wait."""
        for step in range(most_steps):
            if not self.spool.has_frames:
                return step
            self.clock.move(self.pusher.step() or 0)
        raise AssertionError(f"{self.spool.counts()} after {most_steps} steps")

    def close(self) -> None:
        self.connection.close()
        self.spool.close()


@pytest.fixture
def delivery(server: ScriptedServer, tmp_path: Path):
    made = Delivery(server, tmp_path)
    yield made
    made.close()


def test_frames_arrive_once_with_their_schema(delivery: Delivery, server: ScriptedServer):
    for _ in range(3):
        delivery.collect()
        delivery.drain()

    assert server.frames == {(1, 0): 1, (1, 1): 1, (1, 2): 1}
    assert [len(push.schemas) for push in server.pushes] == [1, 0, 0]
    assert (len(server.hellos), server.connections) == (1, 1)


def test_frames_arrive_over_pinned_tls(tls_server: ScriptedServer, tmp_path: Path):
    delivery = Delivery(tls_server, tmp_path)
    delivery.collect(3)
    delivery.drain()
    delivery.close()

    assert sorted(tls_server.frames) == [(1, 0), (1, 1), (1, 2)]


def test_a_server_that_was_started_anew_is_greeted_and_told_again(delivery: Delivery, server: ScriptedServer):
    delivery.collect()
    delivery.drain()
    server.sessions.clear()
    delivery.collect()
    delivery.drain()

    assert server.frames == {(1, 0): 1, (1, 1): 1}
    assert len(server.hellos) == 2


def test_a_server_that_forgot_the_schemas_is_told_them(delivery: Delivery, server: ScriptedServer):
    delivery.collect()
    delivery.drain()
    for told in server.told.values():
        told.clear()
    delivery.collect()
    delivery.drain()

    assert server.frames == {(1, 0): 1, (1, 1): 1}
    assert [len(push.schemas) for push in server.pushes] == [1, 0, 1]


def test_an_answer_that_was_lost_after_the_frames_were_taken_sends_them_again(
    delivery: Delivery, server: ScriptedServer
):
    server.script.append(CUT)
    delivery.collect()
    delivery.drain()

    assert server.frames == {(1, 0): 2}


@pytest.mark.parametrize("trouble", [408, 429, 500, 502, 503, CUT, GARBAGE])
def test_after_any_trouble_everything_is_delivered(delivery: Delivery, server: ScriptedServer, trouble):
    server.script.extend([trouble] * 3)
    delivery.collect(5)
    delivery.drain()

    assert sorted(server.frames) == [(1, seq) for seq in range(5)]


def test_the_servers_words_are_said(delivery: Delivery, server: ScriptedServer, capfd):
    server.script.append(503)
    delivery.collect()
    delivery.pusher.step()

    assert "the server does not take the push: not this: try another" in capfd.readouterr().err


def test_retry_after_on_the_wire_is_honoured(delivery: Delivery, server: ScriptedServer):
    server.script.append(429)
    server.retry_after = "25"
    delivery.collect()

    assert delivery.pusher.step() == 26


def test_a_poisoned_frame_in_a_backlog_does_not_hold_up_the_others(delivery: Delivery, server: ScriptedServer):
    server.refuses = lambda push: 400 if 33 in push.seqs else 0
    delivery.collect(100)
    delivery.drain()

    assert sorted(server.frames) == [(1, seq) for seq in range(100) if seq != 33]
    assert delivery.pusher.counts.quarantined_frames == 1


def test_a_session_that_another_key_signed_is_not_used(delivery: Delivery, server: ScriptedServer):
    server.signs_with = SigningKey.generate()
    delivery.collect()

    assert delivery.pusher.step() > 0
    assert server.pushes == []
    assert delivery.spool.has_frames


def test_a_hello_says_who_the_agent_is(delivery: Delivery, server: ScriptedServer):
    delivery.collect()
    delivery.drain()

    (said,) = server.hellos
    assert (said["v"], said["agent"], said["epoch"], said["now_ms"]) == (
        1,
        "agent-1",
        1,
        delivery.clock.now_ms(),
    )
    assert (len(said["ephemeral"]), len(said["nonce"])) == (32, 16)


def test_a_hello_says_which_run_on_which_machine_it_is(
    delivery: Delivery, server: ScriptedServer, tmp_path: Path
):
    (tmp_path / "proc/sys/kernel/random").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/random/boot_id").write_text("b007\n")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/machine-id").write_text("cafe\n")
    roots = Roots(proc=str(tmp_path / "proc"), etc=str(tmp_path / "etc"))

    for origin in (origin_of("agent-1", roots), origin_of("agent-1", roots)):
        say_hello(delivery.connection, delivery.identity, epoch=1, now_ms=0, origin=origin)

    one, other = server.hellos
    assert one["run"] != other["run"]
    assert one["machine"] == other["machine"] == wire.origin_digest("agent-1", b"cafe")
    assert one["boot"] == other["boot"] == wire.origin_digest("agent-1", b"b007")
    assert one["name"] == os.uname().nodename


def test_what_a_host_does_not_tell_of_itself_is_left_empty(tmp_path: Path):
    origin = origin_of("agent-1", Roots(proc=str(tmp_path), etc=str(tmp_path)))

    assert (origin.machine, origin.boot) == (b"", b"")


def test_a_long_backlog_is_drained_newest_first_each_frame_once(delivery: Delivery, server: ScriptedServer):
    delivery.collect(3000)
    steps = delivery.drain()

    assert len(server.frames) == 3000
    assert set(server.frames.values()) == {1}
    newest = [push.seqs[-1] for push in server.pushes]
    assert newest == sorted(newest, reverse=True)
    assert steps < 20


def test_frames_that_come_while_a_push_is_under_way_are_neither_lost_nor_doubled(
    delivery: Delivery, server: ScriptedServer
):
    server.interval_s = 0.1
    stopping = threading.Event()
    pushing = threading.Thread(target=delivery.pusher.run, args=(stopping,), daemon=True)
    pushing.start()
    for _ in range(200):
        delivery.collect()
        delivery.pusher.wake()
    server.until("all have come", lambda: len(server.frames) == 200 or None)
    stopping.set()
    delivery.pusher.wake()
    pushing.join(5)

    assert set(server.frames.values()) == {1}
    assert delivery.spool.counts().frames == 0


@settings(max_examples=share(15), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from([200, 200, 401, 408, 409, 429, 500, 503, CUT, GARBAGE]),
        max_size=12,
    ),
    st.lists(st.integers(1, 6), min_size=1, max_size=6),
)
def test_whatever_the_server_answers_nothing_is_lost(tmp_path_factory, answers, rounds):
    with ScriptedServer() as server:
        delivery = Delivery(server, tmp_path_factory.mktemp("agent"))
        server.script.extend(answers)
        for frames in rounds:
            delivery.collect(frames)
            delivery.clock.move(delivery.pusher.step() or 0)
        delivery.drain()
        delivery.close()

    assert sorted(server.frames) == [(1, seq) for seq in range(sum(rounds))]


@pytest.mark.parametrize("field", ["session", "ephemeral", "expires_s", "interval_s"])
def test_a_hello_that_leaves_something_out_is_no_session(
    delivery: Delivery, server: ScriptedServer, monkeypatch, field
):

    real = greeting.unpacked
    monkeypatch.setattr(greeting, "unpacked", lambda body: {k: v for k, v in real(body).items() if k != field})

    with pytest.raises(Unreachable, match=field):
        delivery.pusher._hello()
