"""`tocsin-agent run` as a process of a site: declared devices are probed, and what is gone is let go."""

from pathlib import Path

import pytest
from tests.agent.probes.peers import answering, listening, silent
from tests.agent.scripted import ScriptedServer
from tests.agent.test_run import Running

# Together, so that they begin early: they wait for most of their time.
pytestmark = [pytest.mark.scenario, pytest.mark.xdist_group("run probes")]

OK = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
REPORT = """
import sys
from tocsin_agent.cli import main
status = main(["run", "--state", sys.argv[1]])
print(*sorted({name for name in sys.modules if name.startswith("tocsin_agent.probes")}))
sys.exit(status)
"""


def application(name: str, port: int, **changed: object) -> dict[str, object]:
    probe = {"kind": "http", "name": "front", "url": f"http://127.0.0.1:{port}/", "timeout_s": 4}
    return {"name": name, "every_s": 5, "probes": [{**probe, **changed}]}


def test_declared_devices_are_probed_and_one_that_never_answers_delays_nobody(
    server: ScriptedServer, tmp_path: Path
):
    with listening(OK) as shop, listening(silent) as dark:
        server.probes = [
            application("shop", shop),
            application("dark", dark),
            application("gopher", 1, kind="gopher"),
        ]
        agent = Running(server, tmp_path / "state")

        server.until("shop has been seen twice", lambda: server.frames_of("shop") >= 2, 20)
        server.until("dark is told of as well", lambda: server.frames_of("dark") >= 1, 20)
        server.until("so is what cannot be probed", lambda: server.frames_of("gopher") >= 1, 20)
        status, took_s, _, err = agent.end()

    assert (status, agent.left()) == (0, [])
    assert took_s < 2
    assert server.probes_asked == 1
    assert set(server.frames.values()) == {1}
    assert "dark front: timeout:" in err
    assert "gopher front: internal: there is no probe 'gopher'" in err
    assert "shop front" not in err


def test_an_agent_without_devices_loads_nothing_of_it(server: ScriptedServer, tmp_path: Path):
    agent = Running(server, tmp_path / "state", code=REPORT)
    server.until("a frame has come", lambda: server.frames)

    _, _, out, _ = agent.end()

    assert out.strip() == ""


def test_after_a_restart_a_site_is_probed_while_its_server_is_away(server: ScriptedServer, tmp_path: Path):
    with listening(OK) as shop:
        server.probes = [application("shop", shop)]
        first = Running(server, tmp_path / "state")
        server.until("shop has been seen", lambda: server.frames_of("shop"))
        first.end()
        asked, seen = server.probes_asked, server.frames_of("shop")

        server.hello_script.extend([503] * 3)
        again = Running(server, tmp_path / "state")
        server.until("what was seen meanwhile has come", lambda: server.frames_of("shop") > seen, 20)
        _, _, _, err = again.end()

    assert server.probes_asked == asked
    assert "frames are kept" in err


def test_a_device_that_is_no_longer_declared_is_no_longer_probed(tmp_path: Path):
    with ScriptedServer(interval_s=1) as server, listening(OK) as shop:
        server.probes = [application("shop", shop)]
        agent = Running(server, tmp_path / "state")
        server.until("shop has been seen", lambda: server.frames_of("shop"))

        server.probes = []
        server.until("the empty book was fetched", lambda: server.probes_asked == 2)
        pushes = len(server.pushes)
        server.until("more has come", lambda: len(server.pushes) >= pushes + 3)
        _, _, _, err = agent.end()

    assert "0 devices are probed from here" in err
    assert not (tmp_path / "state" / "probes.book").exists()


def test_a_device_that_hangs_does_not_keep_it_from_ending(server: ScriptedServer, tmp_path: Path):
    with listening(silent) as dark:
        server.probes = [application("dark", dark)]
        agent = Running(server, tmp_path / "state")
        server.until("it is being probed", lambda: server.probes_asked)

        status, took_s, _, _ = agent.end()

    assert status == 0
    assert took_s < 2
