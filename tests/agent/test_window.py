"""People at a host ask its agent over a real socket; the push behind it is a fake."""

import json
import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.agent.conftest import HandClock
from tests.examples import share

from tocsin_agent.caller import ask_agent, ask_status
from tocsin_agent.errands import Errand
from tocsin_agent.errors import NotAsked, NotRunning, Unusable
from tocsin_agent.questions import PATIENCE_S
from tocsin_agent.window import (
    MOST_OF_ONE,
    MOST_REQUEST_BYTES,
    MOST_VISITORS,
    SAID_WITHIN_S,
    Window,
    login_of,
)

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becoming somebody else needs root")


class FakePush:
    """Settles each errand at once, unless it `hangs`."""

    def __init__(self) -> None:
        self.errands: list[Errand] = []
        self.words = ""
        self.hangs = False
        self.arrived = threading.Semaphore(0)

    def bring(self, errand: Errand) -> None:
        self.errands.append(errand)
        if not self.hangs:
            errand.settle(ticket=0 if self.words else 100 + len(self.errands), words=self.words)
        self.arrived.release()


class Desk:
    """A window that is open, served by its thread."""

    def __init__(self, path: Path, clock: HandClock) -> None:
        self.path = str(path)
        self.push = FakePush()
        self.stopping = threading.Event()
        self.window = Window(
            self.path,
            status=lambda: {"host": "desk-7"},
            bring=self.push.bring,
            monotonic=lambda: clock.seconds,
            now_ms=clock.now_ms,
        )
        self.thread = threading.Thread(target=self.window.run, args=(self.stopping,))
        self.thread.start()

    def line(self) -> socket.socket:
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line.settimeout(10)
        line.connect(self.path)
        return line

    def say(self, said: bytes) -> bytes:
        """What is answered to these bytes; nothing where the agent hangs up."""
        with self.line() as line:
            with suppress(BrokenPipeError):
                line.sendall(said)
                line.shutdown(socket.SHUT_WR)
            return rest_of(line)

    def close(self) -> None:
        self.stopping.set()
        self.window.wake()
        self.thread.join(10)


def let_in(folder: Path) -> None:
    """Let everybody reach a folder of this test."""
    for closed in [place for place in (folder, *folder.parents) if place.stat().st_mode & 0o055 != 0o055]:
        closed.chmod(0o755)


def rest_of(line: socket.socket) -> bytes:
    return b"".join(iter(lambda: line.recv(1 << 16), b""))


def error_in(answer: bytes) -> str:
    words: str = json.loads(answer)["error"]
    return words


@pytest.fixture
def open_desk(tmp_path: Path, hand_clock: HandClock) -> Iterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def open_one(path: Path = tmp_path / "s") -> Desk:
        desks.append(Desk(path, hand_clock))
        return desks[-1]

    yield open_one
    for desk in desks:
        desk.close()


@pytest.fixture
def desk(open_desk: Callable[..., Desk]) -> Desk:
    return open_desk()


def test_a_question_goes_out_in_the_name_that_the_kernel_knows(desk: Desk):
    number = ask_agent([desk.path], "the printer jams")

    (errand,) = desk.push.errands
    assert number == 101
    assert (errand.said["who"], errand.said["text"]) == (login_of(os.getuid()), "the printer jams")


def test_who_somebody_claims_to_be_is_not_heard(desk: Desk):
    desk.say(b'{"do": "ask", "text": "help", "who": "mallory", "uid": 12345}\n')

    assert desk.push.errands[0].said["who"] == login_of(os.getuid())


@needs_root
def test_another_user_of_the_host_may_ask_and_is_told_apart(open_desk, tmp_path: Path):
    let_in(tmp_path)
    desk = open_desk()
    ask_agent([desk.path], "the printer jams")
    os.seteuid(NOBODY)
    try:
        ask_agent([desk.path], "the printer jams")
    finally:
        os.seteuid(0)

    assert [errand.said["who"] for errand in desk.push.errands] == ["root", login_of(NOBODY)]


def test_a_user_without_a_name_is_a_number():
    assert login_of(4_000_000_000) == "uid 4000000000"


def test_everybody_may_open_the_socket(desk: Desk):
    assert stat.S_IMODE(Path(desk.path).stat().st_mode) == 0o666


def test_status_is_what_the_agent_says_of_itself(desk: Desk):
    assert ask_status([desk.path]) == {"host": "desk-7"}


def test_why_a_question_came_to_nothing_is_said(desk: Desk):
    desk.push.words = "the server cannot be reached now"

    with pytest.raises(NotAsked, match="the server cannot be reached now"):
        ask_agent([desk.path], "the printer jams")


def test_who_asks_does_not_keep_others_waiting(desk: Desk):
    desk.push.hangs = True
    with desk.line() as line:
        line.sendall(b'{"do": "ask", "text": "help"}\n')
        assert desk.push.arrived.acquire(timeout=10)

        assert ask_status([desk.path]) == {"host": "desk-7"}

        desk.push.errands[0].settle(ticket=7)
        assert rest_of(line) == b'{"ticket": 7}\n'


def test_two_who_ask_the_same_get_the_same_number(desk: Desk):
    desk.push.hangs = True
    with desk.line() as one, desk.line() as two:
        for line in (one, two):
            line.sendall(b'{"do": "ask", "text": "help"}\n')
            assert ask_status([desk.path])
        desk.push.errands[0].settle(ticket=7)

        assert rest_of(one) == rest_of(two) == b'{"ticket": 7}\n'
    assert len(desk.push.errands) == 1


def test_a_push_that_hangs_does_not_hold_anybody(desk: Desk, hand_clock: HandClock):
    desk.push.hangs = True
    with desk.line() as line:
        line.sendall(b'{"do": "ask", "text": "help"}\n')
        assert desk.push.arrived.acquire(timeout=10)

        hand_clock.move(PATIENCE_S + 1)
        desk.window.wake()

        assert "has not answered within 20 s" in error_in(rest_of(line))


def test_one_who_leaves_while_waiting_is_forgotten(desk: Desk):
    desk.push.hangs = True
    with desk.line() as line:
        line.sendall(b'{"do": "ask", "text": "help"}\n')
        assert desk.push.arrived.acquire(timeout=10)
    assert ask_status([desk.path])

    desk.push.errands[0].settle(ticket=7)

    assert ask_agent([desk.path], "help") == 7


def test_a_request_that_drips_is_given_up(desk: Desk, hand_clock: HandClock):
    with desk.line() as line:
        line.sendall(b'{"do": "sta')
        assert ask_status([desk.path])

        hand_clock.move(SAID_WITHIN_S)
        desk.window.wake()

        assert "did not come in time" in error_in(rest_of(line))


def test_a_request_that_comes_in_pieces_is_understood(desk: Desk):
    with desk.line() as line:
        line.sendall(b'{"do": "sta')
        assert ask_status([desk.path])
        line.sendall(b'tus"}\n')

        assert json.loads(rest_of(line)) == {"status": {"host": "desk-7"}}


def test_a_request_has_its_limit(desk: Desk):
    with desk.line() as line:
        line.sendall(b'{"do": "ask", "text": "' + b"x" * MOST_REQUEST_BYTES)

        answer = line.recv(1 << 16)

    assert error_in(answer) == f"a request has at most {MOST_REQUEST_BYTES} bytes: say it shorter"
    assert desk.push.errands == []


def test_one_user_has_a_few_lines_at_once_and_others_still_come_through(desk: Desk):
    lines = [desk.line() for _ in range(MOST_OF_ONE)]
    try:
        answer = desk.say(b"")

        assert error_in(answer) == "you ask too often at once: wait for the answers"
    finally:
        for line in lines:
            line.close()


@pytest.mark.scenario
@needs_root
def test_of_all_users_sixteen_are_served_and_the_next_waits(open_desk, tmp_path: Path):
    let_in(tmp_path)
    desk = open_desk()
    lines = []
    for uid in range(MOST_VISITORS):
        os.seteuid(20_000 + uid)
        try:
            lines.append(desk.line())
        finally:
            os.seteuid(0)
    with desk.line() as late:
        late.sendall(b'{"do": "status"}\n')
        late.settimeout(0.2)
        with pytest.raises(TimeoutError):
            late.recv(1)

        lines.pop().close()

        late.settimeout(10)
        assert json.loads(rest_of(late)) == {"status": {"host": "desk-7"}}
    for line in lines:
        line.close()


@pytest.mark.parametrize(
    "said",
    [
        b"\n",
        b"status\n",
        b"[]\n",
        b"null\n",
        b'{"do": "enrol"}\n',
        b'{"do": ["ask"]}\n',
        b'{"do": "ask", "text": 7}\n',
        b"\xff\xfe\n",
        b"[" * 8000 + b"\n",
    ],
    ids=range(9),
)
def test_what_is_no_request_is_said_to_be_none(desk: Desk, said: bytes):
    assert "does not understand" in error_in(desk.say(said))
    assert ask_status([desk.path])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=share(50))
@given(said=st.binary(max_size=200))
def test_no_bytes_end_the_window(desk: Desk, said: bytes):
    desk.say(said)

    assert ask_status([desk.path]) == {"host": "desk-7"}


def test_a_socket_that_a_killed_agent_has_left_is_replaced(open_desk, tmp_path: Path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as killed:
        killed.bind(str(tmp_path / "s"))

    desk = open_desk()

    assert ask_status([desk.path])


def test_the_socket_of_an_agent_that_runs_is_let_be(desk: Desk):
    with pytest.raises(Unusable, match="is another agent's, which runs: choose another with --socket"):
        Window(desk.path, status=dict, bring=desk.push.bring)

    assert ask_status([desk.path])


@pytest.mark.parametrize(
    ("place", "message"),
    [("file", "is not a socket: remove it"), ("x" * 120, "too long"), ("file/s", "cannot be opened")],
)
def test_a_place_that_cannot_be_is_said_with_the_remedy(tmp_path: Path, place: str, message: str):
    (tmp_path / "file").write_text("precious")

    with pytest.raises(Unusable, match=message) as said:
        Window(str(tmp_path / place), status=dict, bring=lambda _: None)

    assert "--socket" in str(said.value)
    assert (tmp_path / "file").read_text() == "precious"


def test_a_folder_that_is_not_there_is_made_and_open_to_everybody(open_desk, tmp_path: Path):
    desk = open_desk(tmp_path / "run" / "s")

    assert ask_status([desk.path])
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o755


def test_at_the_end_those_who_wait_are_told_and_the_socket_is_gone(desk: Desk):
    desk.push.hangs = True
    with desk.line() as line:
        line.sendall(b'{"do": "ask", "text": "help"}\n')
        assert desk.push.arrived.acquire(timeout=10)

        desk.close()

        assert "is ending" in error_in(rest_of(line))
    assert not Path(desk.path).exists()
    desk.push.errands[0].settle(ticket=7)


def test_without_an_agent_it_is_said_how_to_get_one(tmp_path: Path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as killed:
        killed.bind(str(tmp_path / "dead"))

    with pytest.raises(
        NotRunning, match=r"tocsin-agent is not running here: nobody answers at .*/s or .*/dead; start it"
    ):
        ask_status([str(tmp_path / "s"), str(tmp_path / "dead")])


def test_the_first_agent_that_answers_is_asked(desk: Desk, tmp_path: Path):
    assert ask_status([str(tmp_path / "absent"), desk.path]) == {"host": "desk-7"}


@needs_root
def test_a_socket_behind_a_closed_door_is_said_with_the_remedy(desk: Desk, tmp_path: Path):
    tmp_path.chmod(0o700)
    os.seteuid(NOBODY)
    try:
        with pytest.raises(NotRunning, match=r"Permission denied.*set `socket` in agent.toml"):
            ask_status([desk.path])
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("answer", [b"", b"no json", b"[]\n", b'{"ticket": "x"}\n', b'{"status": 1}\n'])
def test_an_agent_that_answers_something_else_is_not_believed(tmp_path: Path, answer: bytes):
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen()

        def serve() -> None:
            for _ in range(2):
                line, _ = listener.accept()
                with line:
                    line.recv(1 << 16)
                    line.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises((NotAsked, NotRunning)):
            ask_agent([path], "help")
        with pytest.raises((NotAsked, NotRunning)):
            ask_status([path])
        thread.join(10)


def test_what_an_agent_says_cannot_paint_on_the_terminal(desk: Desk):
    desk.push.words = "no \x1b[31mred\x07\nlight\u202e"

    with pytest.raises(NotAsked) as said:
        ask_agent([desk.path], "help")

    assert str(said.value) == "no [31mred light"
