"""A fleet against a server that answers by script over real sockets, on a clock that is moved by hand."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import pytest
from tests.agent.scripted import CUT, ScriptedServer

from tocsin_fleet.agent import Agent
from tocsin_fleet.counts import Counts
from tocsin_fleet.enrolling import enrol_all
from tocsin_fleet.errors import FleetError, Untrusted
from tocsin_fleet.incidents import Kind
from tocsin_fleet.line import Lines, parse_address
from tocsin_fleet.roster import Identities, Place, invited
from tocsin_fleet.rounds import SLOT_S, Fleet
from tocsin_protocol.vocabulary import HostKind

NOW = 1_795_694_400.0
CONNECTIONS = 4


class Clock:
    """Wall and monotonic time in one."""

    def __init__(self) -> None:
        self.now_s = NOW

    def __call__(self) -> float:
        return self.now_s


class Rig:
    """One host's fleet; it is enrolled by `begin`."""

    def __init__(self, server: ScriptedServer, folder: str = "") -> None:
        self.server = server
        self.clock = Clock()
        self.counts = Counts()
        self.identities = Identities(folder)
        self.lines = Lines(parse_address(server.url, server.fingerprint), most=CONNECTIONS, answer_s=5.0)
        self.fleet: Fleet

    async def begin(self, *, place: Place | None = None, has_incidents: bool = False) -> None:
        places = [place] if place else invited([self.server.invitation()], 1)
        kept = self.identities.read()
        enrolled = await enrol_all(places, kept, self.identities, self.lines, self.counts)
        self.fleet = Fleet(
            enrolled,
            self.lines,
            self.counts,
            seed=1,
            begun_ms=[round(NOW * 1000)],
            has_incidents=has_incidents,
            wall=self.clock,
            monotonic=self.clock,
        )

    async def pass_time(self, seconds: float) -> None:
        """Turn slot after slot; what is pushed in one is answered before the next."""
        until_s = self.clock.now_s + seconds
        while self.clock.now_s < until_s:
            self.clock.now_s = round(self.clock.now_s + SLOT_S, 1)
            self.fleet.turn(self.clock.now_s)
            await self.settle()

    async def settle(self) -> None:
        while underway := list(self.fleet._underway):
            await asyncio.wait(underway)

    async def aclose(self) -> None:
        self.lines.close()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
async def rig(server: ScriptedServer) -> AsyncIterator[Rig]:
    async with aclosing(Rig(server)) as rig:
        yield rig


async def test_a_host_enrols_greets_and_pushes_once_an_interval(rig: Rig) -> None:
    await rig.begin()

    await rig.pass_time(30)

    assert rig.server.enrolments[0]["name"] == "sim-0001"
    assert len(rig.server.hellos) == 1
    assert [len(push.schemas) for push in rig.server.pushes] == [1, 0, 0]
    assert [push.seqs for push in rig.server.pushes] == [[0], [1], [2]]
    assert (rig.counts.sent, rig.counts.acked, rig.counts.refused) == (3, 3, 0)


async def test_it_pushes_as_often_as_the_server_says(rig: Rig) -> None:
    rig.server.interval_s = 5
    await rig.begin()

    await rig.pass_time(10)
    before = len(rig.server.pushes)
    await rig.pass_time(20)

    assert len(rig.server.pushes) - before == 4


async def test_after_a_restart_of_the_server_it_greets_again_and_loses_nothing(rig: Rig) -> None:
    await rig.begin()
    await rig.pass_time(10)

    rig.server.sessions.clear()
    await rig.pass_time(10)

    assert len(rig.server.hellos) == 2
    assert sorted(seq for _, seq in rig.server.frames) == [0, 1]


async def test_a_schema_that_is_forgotten_is_told_again(rig: Rig) -> None:
    await rig.begin()
    await rig.pass_time(10)

    for told in rig.server.told.values():
        told.clear()
    await rig.pass_time(10)

    assert [len(push.schemas) for push in rig.server.pushes] == [1, 0, 1]
    assert len(rig.server.frames) == 2


async def test_what_waits_for_a_connection_tells_the_time_when_it_has_one(rig: Rig) -> None:
    await rig.begin()
    await rig.pass_time(10)
    async with AsyncExitStack() as others:
        for _ in range(CONNECTIONS):
            await others.enter_async_context(rig.lines.places)
        for _ in range(100):
            rig.clock.now_s = round(rig.clock.now_s + SLOT_S, 1)
            rig.fleet.turn(rig.clock.now_s)
        await asyncio.sleep(0)
        rig.clock.now_s += 7
    await rig.settle()

    assert rig.server.pushes[-1].now_ms == round(rig.clock.now_s * 1000)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_server_that_asks_for_patience_is_left_alone_for_so_long(rig: Rig, status: int) -> None:
    await rig.begin()
    await rig.pass_time(10)
    rig.server.retry_after = "60"
    rig.server.script.append(status)

    await rig.pass_time(50)
    pushes = len(rig.server.pushes)
    await rig.pass_time(40)

    assert pushes == 2
    assert sorted(seq for _, seq in rig.server.frames) == list(range(10))
    assert rig.counts.waiting == 0
    assert rig.counts.refused == 1


async def test_what_was_not_answered_is_sent_again_with_the_same_readings(rig: Rig) -> None:
    await rig.begin()
    rig.server.script.append(CUT)

    await rig.pass_time(30)

    matrices = {frame[1]: [] for push in rig.server.pushes for frame in push.frames}
    for push in rig.server.pushes:
        for frame in push.frames:
            matrices[frame[1]].append(frame[4])
    assert len(matrices[0]) > 1
    assert len(set(matrices[0])) == 1
    assert sorted(matrices) == [0, 1, 2]


async def test_a_host_that_was_silent_delivers_late_what_it_has_kept(rig: Rig) -> None:
    await rig.begin(has_incidents=True)
    await rig.pass_time(1)
    (silence,) = [
        one for one in rig.fleet._script.of(0) if one.kind is Kind.SILENCE and one.start_s < NOW + 300
    ]

    await rig.pass_time(silence.end_s - rig.clock.now_s - 1)
    kept, sent = rig.counts.waiting, len(rig.server.frames)
    await rig.pass_time(40)

    assert kept == (silence.end_s - silence.start_s) // 10
    assert rig.counts.waiting == 0
    assert len(rig.server.frames) >= sent + kept
    assert set(rig.server.frames.values()) == {1}


async def test_a_revoked_host_asks_again_in_an_hour(rig: Rig) -> None:
    await rig.begin()
    await rig.pass_time(10)
    rig.server.script.append(403)

    await rig.pass_time(600)

    assert len(rig.server.pushes) == 2


async def test_a_frame_that_is_refused_for_what_it_is_is_given_up(rig: Rig) -> None:
    await rig.begin()
    rig.server.script.append(422)

    await rig.pass_time(20)

    assert [push.seqs for push in rig.server.pushes] == [[0], [1]]
    assert rig.counts.waiting == 0


async def test_keys_are_kept_so_that_nobody_enrols_twice(server: ScriptedServer, tmp_path: Path) -> None:
    for invitation in (server.invitation(), ""):
        async with aclosing(Rig(server, str(tmp_path / "state"))) as rig:
            await rig.begin(place=Place("acme", "berlin", "ber-web1", HostKind.SERVER, invitation))
            await rig.pass_time(10)

    assert len(server.enrolments) == 1
    assert len(server.hellos) == 2
    assert (tmp_path / "state" / "agents.jsonl").stat().st_mode & 0o077 == 0


async def test_a_line_that_a_crash_has_cut_off_costs_one_host(server: ScriptedServer, tmp_path: Path) -> None:
    async with aclosing(Rig(server, str(tmp_path))) as rig:
        await rig.begin()
    with (tmp_path / "agents.jsonl").open("a") as file:
        file.write('{"key": "/sim-0002", "na')

    kept = Identities(str(tmp_path)).read()

    assert list(kept) == ["/sim-0001"]


async def test_who_is_refused_is_left_out_and_the_reason_is_said(
    rig: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    rig.server.enrol_script.append(409)

    await rig.begin()

    assert rig.counts.hosts == 0
    assert "sim-0001 cannot enrol: this token was used already: create a new one" in capsys.readouterr().err


async def test_over_tls_the_certificate_of_the_invitation_counts(tmp_path: Path) -> None:
    with ScriptedServer(tls=tmp_path) as server:
        async with aclosing(Rig(server)) as rig:
            await rig.begin()
            await rig.pass_time(10)

        server.fingerprint = "00" * 32
        async with aclosing(Rig(server)) as rig:
            with pytest.raises(Untrusted, match="shows the certificate"):
                await rig.begin()

    assert len(server.frames) == 1


async def test_a_server_with_another_key_ends_the_fleet(rig: Rig) -> None:
    await rig.begin()
    rig.server.signs_with = Agent("other").key

    await rig.pass_time(10)
    await asyncio.sleep(0)

    with pytest.raises(Untrusted, match="not signed"):
        await rig.fleet.run()


@pytest.mark.parametrize(
    ("url", "fingerprint", "said"),
    [
        ("http://10.0.0.5:8443", "", "loopback only"),
        ("https://10.0.0.5:8443", "", "no certificate is pinned"),
        ("tocsin.example", "", "no URL"),
        ("http://127.0.0.1:hello", "", "no URL"),
    ],
)
def test_an_address_that_no_agent_would_use_is_refused(url: str, fingerprint: str, said: str) -> None:
    with pytest.raises(FleetError, match=said):
        parse_address(url, fingerprint)


def test_each_host_needs_an_invitation_of_its_own() -> None:
    with pytest.raises(FleetError, match="3 hosts need 3 invitations, here are 1"):
        invited(["toc_enr_x"], 3)
