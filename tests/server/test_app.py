"""Everything is wired once; what was started ends, in order, whatever has happened."""

import asyncio
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tocsin_server import app, serving
from tocsin_server.access.operator import read_pass
from tocsin_server.access.scrape import open_scrape_token
from tocsin_server.alerts.matchertext import parse_matchers
from tocsin_server.alerts.silenced import add_silence
from tocsin_server.alerts.silences import Wish
from tocsin_server.app import JUDGE_LATE_S, Server
from tocsin_server.clock import FakeClock, SystemClock
from tocsin_server.config import ServerConfig
from tocsin_server.datafolder import administer, database, locked
from tocsin_server.errors import Misconfigured
from tocsin_server.estate.identity import open_identity
from tocsin_server.listening import listen
from tocsin_server.serving import serve

pytestmark = pytest.mark.scenario

RULES = "groups: [{name: load, rules: [{alert: LoadHigh, expr: node_load1 > 8}]}]"


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a server's keys, made once."""
    folder = tmp_path_factory.mktemp("keys")
    open_identity(folder)
    return folder


@pytest.fixture
def data(tmp_path: Path, keys: Path, empty_database: bytes) -> Path:
    folder = tmp_path / "data"
    shutil.copytree(keys, folder)
    database(folder).path.write_bytes(empty_database)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "load.yml").write_text(RULES)
    return folder


class Threads:
    """The threads that a test has started, by their names."""

    def __init__(self) -> None:
        self._before = {*threading.enumerate()}

    def __call__(self) -> set[str]:
        return {thread.name for thread in threading.enumerate() if thread not in self._before}


@pytest.fixture
def threads() -> Threads:
    return Threads()


@pytest.fixture
def wired(data: Path, threads: Threads) -> Iterator[Server]:
    """A server in which nothing runs."""
    server = Server(data, ServerConfig(), config=data.parent, clock=FakeClock())
    yield server
    server.close()


def test_a_server_that_is_wired_runs_nothing_but_what_writes(wired: Server, threads: Threads) -> None:
    assert threads() == {"tocsin-write", "tocsin-journal"}

    wired.restore()

    assert threads() == {"tocsin-write", "tocsin-journal"}
    assert len(wired.rulebook.rules) == 1


def test_what_is_started_ends_with_the_context(data: Path, threads: Threads) -> None:
    with Server(data, ServerConfig(evaluate_every_s=0.01), config=data.parent, clock=SystemClock()):
        running = threads()

    assert running >= {"tocsin-write", "tocsin-journal", "tocsin-judge", "tocsin-notice"}
    assert threads() == set()


def test_a_folder_of_rules_that_is_not_there_is_said_before_anything_is_opened(
    data: Path, threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "find_config", lambda _name, _given: None)

    with pytest.raises(Misconfigured, match="no rules/ folder is found: give its parent with --config"):
        Server(data, ServerConfig(), config=data.parent, clock=FakeClock())

    assert threads() == set()


def test_a_folder_that_another_server_has_is_said_before_anything_is_opened(
    data: Path, threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "configure_logs", lambda: None)  # it would outlive this test
    with locked(data), pytest.raises(Misconfigured, match=f"in use by process {os.getpid()}"):
        serving.run(data, ServerConfig(port=0), config=None)

    assert threads() == set()


def test_a_server_that_serves_lets_the_operator_of_its_folder_ask(wired: Server, data: Path) -> None:
    wired.application()

    assert read_pass(data).url == "http://127.0.0.1:8443"


def test_a_server_ails_until_its_rules_are_judged_and_when_they_are_no_longer(wired: Server) -> None:
    clock = wired._clock
    assert isinstance(clock, FakeClock)
    wired.restore()
    wired.rounds.turn(clock.now_ms())
    well = wired.ails()

    clock.move(seconds=JUDGE_LATE_S + 1)

    assert (well, wired.ails()) == ([], ["rules are not judged"])


def test_a_server_whose_journal_fails_ails(wired: Server) -> None:
    wired.journal._is_failing = True

    assert wired.ails() == ["pushes cannot be stored"]


def test_a_journal_that_cannot_be_opened_leaves_nothing_open(data: Path, threads: Threads) -> None:
    (data / "journal").write_text("a file where a folder should be")

    with pytest.raises(FileExistsError):
        Server(data, ServerConfig(), config=data.parent, clock=FakeClock())

    assert threads() == set()


def test_a_start_that_fails_ends_what_it_has_started(
    data: Path, threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_server: Server) -> None:
        raise OSError("the disk is on fire")

    monkeypatch.setattr(Server, "restore", fail)
    server = Server(data, ServerConfig(), config=data.parent, clock=FakeClock())

    with pytest.raises(OSError, match="on fire"), server:
        pass

    assert threads() == set()


def test_only_a_host_that_was_heard_of_late_is_fresh(wired: Server) -> None:
    clock = wired._clock
    assert isinstance(clock, FakeClock)
    wired.presence.heard(7, at_ms=clock.now_ms(), skew_ms=0)
    clock.move(seconds=30)
    in_time = wired._is_fresh(7)
    clock.move(seconds=1)

    assert (in_time, wired._is_fresh(7), wired._is_fresh(8)) == (True, False, False)


def test_the_jobs_reload_settle_and_sweep(wired: Server) -> None:
    for job in wired._jobs():
        job.act()

    assert [job.name for job in wired._jobs()] == [
        "reload-estate",
        "reload-rules",
        "reload-devices",
        "reload-suppressions",
        "reload-desk",
        "reload-silences",
        "settle-tickets",
        "sign-audit",
        "sweep-journal",
        "sweep-history",
        "sweep-lookers",
        "sweep-answers",
        "sweep-notices",
    ]
    assert len(wired.rulebook.rules) == 1


def test_consoles_are_told_that_rules_have_changed(wired: Server) -> None:
    before = wired.broker.count

    wired.rulebook.reload()

    assert wired.broker.count != before


def test_consoles_are_told_that_a_file_of_devices_is_not_in_force(data: Path, wired: Server) -> None:
    before = wired.broker.count
    (data.parent / "probes").mkdir()
    (data.parent / "probes" / "acme.yml").write_text("client: acme\nsite: berlin\nagent: atlas\n")

    wired.probebook.reload()

    assert [problem.reason[:24] for problem in wired.probebook.problems] == ["there is no client 'acme"]
    assert wired.broker.count != before


async def test_a_file_of_suppressions_that_is_not_in_force_counts_at_metrics(data: Path, wired: Server) -> None:
    (data.parent / "suppressions").mkdir()
    (data.parent / "suppressions" / "nights.yml").write_text("maintenance_windows: [{name: patches}]\n")
    wired.restore()
    transport = httpx.ASGITransport(wired.application())
    headers = {"authorization": f"Bearer {open_scrape_token(data)}"}

    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8443") as prometheus:
        metrics = await prometheus.get("/metrics", headers=headers)

    assert "tocsin_rule_problems 1.0" in metrics.text.splitlines()


def test_a_silence_that_a_command_makes_is_in_force_and_consoles_are_told_once(
    data: Path, wired: Server
) -> None:
    wish = Wish(None, parse_matchers("alertname=LoadHigh"), 0, wired._clock.now_ms() + 60_000, "ann")
    administer(data, lambda session: add_silence(session, wish, wired._clock.now_ms()))
    before = wired.broker.count

    wired._reload_silences()
    told = wired.broker.count
    wired._reload_silences()

    assert [silence.author for silence in wired.silences.kept()] == ["ann"]
    assert before != told == wired.broker.count


async def test_a_server_that_serves_ends_cleanly_with_a_signal(data: Path) -> None:
    settings = ServerConfig(port=0, open_metrics=True)
    with (
        Server(data, settings, config=data.parent, clock=SystemClock()) as server,
        listen(settings) as listening,
    ):
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        answering = asyncio.create_task(serve(server, settings, listening))
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            healthy = await answer(client, "/healthz")
            metrics = await answer(client, "/metrics")
            stranger = await client.get("/api/v1/tickets")

        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(answering, 5)

    assert (healthy.status_code, metrics.status_code, stranger.status_code) == (200, 200, 401)
    assert "tocsin_hosts" in metrics.text
    assert server.broker.is_closed


async def answer(client: httpx.AsyncClient, path: str) -> httpx.Response:
    """What the server answers as soon as it does."""
    async with asyncio.timeout(5):
        while True:
            try:
                return await client.get(path)
            except httpx.ConnectError:
                await asyncio.sleep(0)
