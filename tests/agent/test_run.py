"""`tocsin-agent run` as a process: it pushes, and a signal ends it with a whole spool."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgpack
import pytest
from tests.agent.scripted import ScriptedServer

from tocsin_agent.cli import main
from tocsin_agent.spool import Limits, Spool

pytestmark = pytest.mark.scenario

ALLOWED = {"tocsin_agent", "tocsin_protocol", "psutil", "msgpack", "nacl"}
# PyNaCl's own parts, and what a virtual environment puts into every interpreter.
BROUGHT_ALONG = {
    "_cffi_backend",
    "_sodium",
    "sitecustomize",
    "_distutils_hack",
    "_virtualenv",
    "cython_runtime",
}
TOO_HEAVY = {"asyncio", "email", "http", "dataclasses", "inspect", "argparse", "logging", "pathlib", "tempfile"}
REPORT = """
import sys
from tocsin_agent.cli import main
status = main(["run", "--state", sys.argv[1]])
print(*sorted({name.partition(".")[0] for name in sys.modules}))
sys.exit(status)
"""


class Running:
    """An enrolled agent as a process of its own."""

    def __init__(self, server: ScriptedServer, state: Path, *, code: str | None = None) -> None:
        self.state = state
        if not (state / "identity.json").exists():
            assert main(["enrol", server.invitation(), "--name", "atlas", "--state", str(state)]) == 0
        command = ["-m", "tocsin_agent", "run", "--state", str(state)]
        if code is not None:
            command = ["-c", code, str(state)]
        self.process = subprocess.Popen(
            [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def end(self, number: int = signal.SIGTERM) -> tuple[int, float, str, str]:
        began_s = time.monotonic()
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=10)
        return self.process.returncode, time.monotonic() - began_s, out, err

    def left(self) -> list[tuple[int, int]]:
        spool = Spool(str(self.state / "spool"), epoch=1, limits=Limits(min_free_bytes=0))
        frames = spool.batch(most_frames=1000, most_bytes=1 << 20, now_ms=time.time_ns() // 1_000_000)
        assert spool.counts().damages == 0
        assert all(spool.schema(frame.schema_id) for frame in frames)
        spool.close()
        return [(frame.epoch, frame.seq) for frame in frames]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_pushes_at_once_and_a_signal_ends_it_with_status_0(server: ScriptedServer, tmp_path: Path, number):
    agent = Running(server, tmp_path / "state")
    server.until("a frame has come", lambda: server.frames)

    status, took_s, _, err = agent.end(number)

    assert (status, agent.left()) == (0, [])
    assert took_s < 2
    assert f"watches atlas of acme for {server.url}" in err


def test_it_needs_psutil_msgpack_and_pynacl_and_nothing_heavy(tls_server: ScriptedServer, tmp_path: Path):
    agent = Running(tls_server, tmp_path / "state", code=REPORT)
    tls_server.until("a frame has come over TLS", lambda: tls_server.frames)

    status, _, out, _ = agent.end()

    loaded = {name for name in out.split() if not name.startswith(("__", "_editable", "_cython"))}
    assert status == 0
    assert loaded - sys.stdlib_module_names - ALLOWED - BROUGHT_ALONG == set()
    assert loaded & TOO_HEAVY == set()


def test_without_a_server_the_frames_wait_on_disk_and_the_next_run_delivers_them(tmp_path: Path):
    with ScriptedServer(interval_s=1) as server:
        server.hello_script.extend([503] * 100)
        agent = Running(server, tmp_path / "state")
        server.until("it has asked", lambda: server.hellos)
        status, took_s, _, err = agent.end()
        assert (status, len(agent.left())) == (0, 1)
        assert took_s < 2
        assert "frames are kept" in err

        server.hello_script.clear()
        again = Running(server, tmp_path / "state")
        server.until("both frames have come", lambda: len(server.frames) == 2)
        again.end()

    assert len({epoch for epoch, _ in server.frames}) == 2
    assert set(server.frames.values()) == {1}
    assert again.left() == []


def test_kill_9_loses_nothing_that_was_collected(tmp_path: Path):
    with ScriptedServer() as server:
        server.script.extend([503] * 100)
        agent = Running(server, tmp_path / "state")
        server.until("it has pushed", lambda: server.pushes)
        agent.end(signal.SIGKILL)

        assert len(agent.left()) == 1


def test_a_server_that_never_answers_does_not_keep_it_from_ending(server: ScriptedServer, tmp_path: Path):
    agent = Running(server, tmp_path / "state")
    server.until("a frame has come", lambda: server.frames)
    agent.end()
    with server.changed:  # no answer while this is held
        again = Running(server, tmp_path / "state")
        while server.connections < 3:
            os.sched_yield()
        status, took_s, _, _ = again.end()

    assert status == 0
    assert took_s < 2
    assert len(again.left()) == 1


def test_what_it_is_itself_is_among_what_it_sends(server: ScriptedServer, tmp_path: Path):
    agent = Running(server, tmp_path / "state")
    server.until("a frame has come", lambda: server.frames)
    agent.end()

    (schema,) = server.pushes[0].schemas
    names = {name for name, _, _ in msgpack.unpackb(schema)[1]}
    assert {
        "node_time_seconds",
        "node_load1",
        "tocsin_agent_spool_frames",
        "tocsin_agent_spool_dropped_frames_total",
        "tocsin_agent_delivered_frames_total",
    } <= names
