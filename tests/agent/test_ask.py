"""`tocsin-agent ask` and `tocsin-agent status` as somebody at the host types them."""

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.agent.conftest import NOON_MS, HandClock, frame_of, schema_of
from tests.agent.scripted import CUT, ScriptedServer
from tests.agent.test_run import Running
from tests.processes import until

from tocsin_agent import cli
from tocsin_agent.cli import main
from tocsin_agent.collectors import Collection, default_collectors
from tocsin_agent.collectors.own import OwnCollector
from tocsin_agent.errands import Errand
from tocsin_agent.errors import Unreachable
from tocsin_agent.identity import Identity
from tocsin_agent.keys import Keys
from tocsin_agent.push import Pusher
from tocsin_agent.quarantine import Quarantine
from tocsin_agent.spool import Limits, Spool
from tocsin_agent.standing import NOT_COLLECTED, Probed, Standing
from tocsin_agent.status import in_words
from tocsin_agent.window import Window

STATUS: dict[str, Any] = {
    "host": "desk-7",
    "client": "acme",
    "site": "berlin",
    "server": "https://desk.example:8443",
    "version": "0.1.0",
    "started_ms": NOON_MS - 12_000_000,
    "key_made_ms": NOON_MS - 90_000_000,
    "key_waits": False,
    "accepted_ms": NOON_MS - 4_000,
    "spool_frames": 3,
    "quarantine_frames": 1,
    "trouble": "",
    "interval_s": 10.0,
    "collectors": [
        {"name": "cpu", "series": 26, "problem": ""},
        {"name": "timex", "series": 0, "problem": "OSError: no\x1b[31m"},
    ],
    "devices": [],
    "collected": "numbers",
    "not_collected": ["the screen"],
}


class Desk:
    """A window whose agent gives every question the next number."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.errands: list[Errand] = []
        self.words = ""
        self._stopping = threading.Event()
        self._window = Window(self.path, status=lambda: STATUS, bring=self._bring)
        self._thread = threading.Thread(target=self._window.run, args=(self._stopping,))
        self._thread.start()

    def _bring(self, errand: Errand) -> None:
        self.errands.append(errand)
        errand.settle(ticket=0 if self.words else 122 + len(self.errands), words=self.words)

    @property
    def texts(self) -> list[object]:
        return [errand.said["text"] for errand in self.errands]

    def close(self) -> None:
        self._stopping.set()
        self._window.wake()
        self._thread.join(10)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    opened = Desk(tmp_path / "agent.sock")
    yield opened
    opened.close()


def piped(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(said)))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["the printer jams"], "the printer jams"),
        (["the", "printer", "jams"], "the printer jams"),
        (["--", "-10", "degrees", "--help"], "-10 degrees --help"),
        (["is", "it", "-", "broken"], "is it - broken"),
        (["caf\udce9"], "caf\N{REPLACEMENT CHARACTER}"),  # what a terminal of another encoding sends
    ],
)
def test_a_question_is_the_words_as_they_are_typed(desk: Desk, capsys, words, text):
    assert main(["ask", "--socket", desk.path, *words]) == 0

    assert desk.texts == [text]
    assert capsys.readouterr().out == f"ticket #123 is open: {text}\n"


def test_a_question_may_come_from_standard_input(desk: Desk, capsys, monkeypatch):
    piped(monkeypatch, "Papierstau\nseit heute früh \x1b[31m".encode())

    assert main(["ask", "--socket", desk.path, "-"]) == 0

    assert desk.texts == ["Papierstau\nseit heute früh \x1b[31m"]
    assert capsys.readouterr().out == "ticket #123 is open: Papierstau\n"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (b"", "the question is empty: say what is wrong"),
        (b"x" * 4001, "the question has more than 4000 characters: say it shorter"),
        (b"x" * 100_000, "the question has more than 4000 characters: say it shorter"),
        ("\N{PRINTER}".encode() * 4000, "the question has 16026 bytes: say it in less than 8192"),
    ],
    ids=["nothing", "too long", "endless", "too many bytes"],
)
def test_what_is_no_question_is_said(desk: Desk, capsys, monkeypatch, said, message):
    piped(monkeypatch, said)

    assert main(["ask", "--socket", desk.path, "-"]) == 1

    assert message in capsys.readouterr().err
    assert desk.errands == []


def test_a_question_that_came_to_nothing_fails_with_what_to_do(desk: Desk, capsys):
    desk.words = "the server cannot be reached now: try again in a minute, or call your service desk"

    assert main(["ask", "--socket", desk.path, "help"]) == 1

    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"tocsin-agent: {desk.words}\n")


def test_without_words_it_is_said_what_is_missing(capsys):
    assert main(["ask"]) == 2

    assert "ask needs TEXT…" in capsys.readouterr().err


def test_without_an_agent_it_is_said_where_it_was_looked_for(capsys, tmp_path):
    assert main(["ask", "help", "--state", str(tmp_path)]) == 1

    assert capsys.readouterr().err.startswith(
        f"tocsin-agent is not running here: nobody answers at {tmp_path}/agent.sock; start it"
    )


def test_the_agent_is_found_by_socket_state_or_settings(desk: Desk, capsys, tmp_path, monkeypatch):
    (tmp_path / "state.toml").write_text(f'state = "{tmp_path}"')
    (tmp_path / "socket.toml").write_text(f'socket = "{desk.path}"')
    monkeypatch.setattr(cli, "HOST_SOCKET", desk.path)

    for found in (
        ["--socket", desk.path],
        ["--state", str(tmp_path)],
        ["--config", str(tmp_path / "state.toml")],
        ["--config", str(tmp_path / "socket.toml")],
        [],
    ):
        assert main(["ask", "help", *found]) == 0

    assert capsys.readouterr().out == "ticket #123 is open: help\n" * 5


def test_the_users_own_agent_is_found_where_the_host_has_none(desk: Desk, tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "HOST_SOCKET", str(tmp_path / "absent"))
    monkeypatch.setattr(cli, "default_state", lambda *_, **__: str(tmp_path))

    assert main(["ask", "help"]) == 0


def test_status_says_what_is_known_and_what_is_not_collected(desk: Desk, capsys):
    assert main(["status", "--socket", desk.path]) == 0

    out = capsys.readouterr().out
    assert out.startswith("desk-7 of acme (site berlin), watched for https://desk.example:8443\n")
    assert "Not collected:\n  the screen\n" in out
    assert "\x1b" not in out


def test_status_speaks_json_to_programs(desk: Desk, capsys):
    assert main(["status", "--json", "--socket", desk.path]) == 0

    assert json.loads(capsys.readouterr().out) == STATUS


def test_an_agent_of_another_version_is_to_be_restarted(desk: Desk, capsys, monkeypatch):
    monkeypatch.delitem(STATUS, "collectors")

    assert main(["status", "--socket", desk.path]) == 1

    assert "restart it" in capsys.readouterr().err


def test_a_status_in_words():
    changed = STATUS | {
        "trouble": "no answer from https://desk.example:8443: Connection refused",
        "devices": [Probed("switch-1", 30.0, "snmp: timeout")._asdict(), Probed("shop", 60.0, "")._asdict()],
    }

    assert list(in_words(changed, now_ms=NOON_MS)) == [
        "desk-7 of acme (site berlin), watched for https://desk.example:8443",
        "version 0.1.0, running for 3 h 20 min",
        "its key is 1 d 1 h old",
        "last push accepted 4 s ago",
        "frames waiting in the spool: 3, in quarantine: 1",
        "trouble: no answer from https://desk.example:8443: Connection refused",
        "",
        "Every 10 s 2 collectors read 26 series:",
        "  cpu             26",
        "  timex            0  OSError: no [31m",
        "",
        "Probed from here are 2 devices:",
        "  switch-1 every 30 s  snmp: timeout",
        "  shop every 60 s",
        "",
        "Collected are numbers.",
        "Not collected:",
        "  the screen",
    ]


def test_before_the_first_push_it_says_so():
    assert "no push has been accepted yet" in in_words(STATUS | {"accepted_ms": None}, now_ms=NOON_MS)


class _DeadLine:
    def post(self, path: str, body: bytes, headers: dict[str, str]) -> Any:
        raise Unreachable("no answer from https://desk.example")


def _no_session() -> Any:
    raise Unreachable("no answer from https://desk.example")


def test_the_standing_is_what_the_parts_of_the_agent_say(tmp_path: Path, hand_clock: HandClock):
    spool = Spool(str(tmp_path / "spool"), epoch=1, limits=Limits(min_free_bytes=0))
    quarantine, collection = Quarantine(str(tmp_path / "quarantine")), Collection([OwnCollector("0.1.0")])
    pusher = Pusher(_DeadLine(), _no_session, spool, quarantine, interval_s=10, clock=hand_clock.clock)
    identity = Identity("agt_1", "desk-7", "acme", "berlin", "https://desk.example", "", "", bytes(32))
    standing = Standing(
        identity,
        keys=Keys(identity, str(tmp_path), days=0),
        started_ms=NOON_MS,
        pusher=pusher,
        spool=spool,
        quarantine=quarantine,
        collection=collection,
        devices=lambda: [Probed("switch-1", 30.0, "")],
    )
    before = standing.told()
    schema = schema_of("node_load1", "node_load5")
    spool.append(frame_of(0, schema=schema), schema)
    quarantine.put(frame_of(1, schema=schema), schema.packed, "not good enough")
    collection.collect(NOON_MS)
    pusher.bring(Errand({}, until_s=0, settled=lambda: None))
    pusher.step()

    after = standing.told()

    assert (before["collectors"], before["quarantine_frames"], before["accepted_ms"]) == ([], 0, None)
    assert (after["spool_frames"], after["quarantine_frames"]) == (1, 1)
    assert after["trouble"] == "no answer from https://desk.example; frames are kept and it is tried again"
    assert after["collectors"] == [{"name": "agent", "series": 6, "problem": ""}]
    assert after["devices"] == [{"name": "switch-1", "every_s": 30.0, "trouble": ""}]
    assert "agt_1" not in str(after)
    assert set(STATUS) == set(after)


def test_a_new_key_that_waits_is_said():
    lines = list(in_words({**STATUS, "key_waits": True}, now_ms=NOON_MS))

    assert "its key is 1 d 1 h old, and a new one waits for the server" in lines


def test_what_is_said_not_to_be_collected_is_not(tmp_path: Path, monkeypatch):
    """A program with a name, words and a file that nobody else has leaves no trace in the readings."""
    mark = "zq9x7privat"
    secret = tmp_path / f"{mark}.txt"
    secret.write_text(mark)
    program = tmp_path / f"{mark}-tool"
    program.symlink_to("/bin/sh")
    with subprocess.Popen(
        [str(program), "-c", f"read {mark} < /dev/stdin; : {secret}"],
        stdin=subprocess.PIPE,
        env={**os.environ, mark.upper(): mark},
    ) as process:
        samples = Collection(default_collectors(version="0.1.0")).collect(NOON_MS)
        process.kill()

    words = {word for sample in samples for label in sample.labels for word in label}
    assert not {word for word in words if mark in word.lower()}
    states = {name: labels for name, labels in ((s.name, s.labels) for s in samples) if "processes" in name}
    assert {label for labels in states.values() for label, _ in labels} <= {"state"}
    assert any("processes are only counted" in thing for thing in NOT_COLLECTED)


@pytest.mark.scenario
def test_a_running_agent_asks_once_though_the_answer_was_lost(server: ScriptedServer, tmp_path: Path, capsys):
    agent = Running(server, tmp_path / "state")
    server.until("a frame has come", lambda: server.frames)
    capsys.readouterr()
    server.ask_script.extend([CUT, 503])

    status = main(["ask", "the printer jams", "--state", str(agent.state)])
    again = main(["ask", "the printer jams", "--state", str(agent.state)])
    agent.end()

    assert (status, again) == (0, 0)
    assert capsys.readouterr().out == "ticket #101 is open: the printer jams\n" * 2
    assert len({question["key"] for question in server.questions}) == 1
    assert not (agent.state / "agent.sock").exists()


@pytest.mark.scenario
def test_a_running_agent_says_how_it_stands(server: ScriptedServer, tmp_path: Path, capsys):
    agent = Running(server, tmp_path / "state")
    server.until("a frame has come", lambda: server.frames)

    def accepted() -> Any:
        capsys.readouterr()
        assert main(["status", "--json", "--state", str(agent.state)]) == 0
        told = json.loads(capsys.readouterr().out)
        return told if told["accepted_ms"] else None

    told = until("the push is known to be accepted", accepted)
    agent.end()

    assert (told["host"], told["client"], told["site"], told["server"]) == (
        "atlas",
        "acme",
        "berlin",
        server.url,
    )
    assert {"cpu", "meminfo", "delivery"} <= {collector["name"] for collector in told["collectors"]}
    assert all(collector["series"] > 0 for collector in told["collectors"] if not collector["problem"])


@pytest.mark.scenario
def test_a_socket_that_cannot_be_opened_keeps_no_host_from_being_watched(
    server: ScriptedServer, tmp_path: Path
):
    (tmp_path / "state" / "agent.sock").mkdir(parents=True)

    agent = Running(server, tmp_path / "state")
    server.until("a frame has come", lambda: server.frames)
    status, _, _, err = agent.end()

    assert status == 0
    assert "nobody at this host can ask for help" in err
