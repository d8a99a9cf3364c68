"""A question goes out before the next push, in the push's session, until it is answered or its time is over."""

import hashlib
import hmac
from pathlib import Path

import msgpack
import pytest
from tests.agent.conftest import LOAD, HandClock, frame_of

from tocsin_agent.connection import Answer
from tocsin_agent.errands import TRY_AGAIN_S, Errand
from tocsin_agent.errors import Refused, Unreachable, Untrusted
from tocsin_agent.greeting import Session
from tocsin_agent.push import Pusher
from tocsin_agent.quarantine import Quarantine
from tocsin_agent.spool import Limits, Spool
from tocsin_protocol import wire

SAID = {"v": 1, "key": b"k" * 16, "who": "alice", "text": "the printer jams", "now_ms": 0}


class FakeLine:
    """A server that answers questions from a list, then with ticket 123; pushes are always accepted."""

    def __init__(self) -> None:
        self.answers: list[int | dict | Exception] = []
        self.hello_answers: list[Exception] = []
        self.paths: list[str] = []
        self.said: list[dict] = []
        self.retry_after = ""
        self.forges = False
        self.hellos = 0

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        self.paths.append(path)
        if path == wire.PUSH_PATH:
            return Answer(200, {}, msgpack.packb({"interval_s": 10}))
        session, key = bytes.fromhex(headers[wire.SESSION_HEADER]), self.key
        expected = hmac.digest(key, wire.session_message(wire.ASK_DOMAIN, session, body), hashlib.sha256).hex()
        assert headers[wire.MAC_HEADER] == expected
        self.said.append(msgpack.unpackb(body))
        answer = self.answers.pop(0) if self.answers else {"ticket": 123}
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            return Answer(answer, {"retry-after": self.retry_after} if self.retry_after else {}, b"")
        packed = msgpack.packb(answer)
        message = wire.answer_message(wire.ASK_ANSWER_DOMAIN, session, body, packed)
        mac = hmac.digest(b"mallory" if self.forges else key, message, hashlib.sha256).hex()
        return Answer(200, {wire.MAC_HEADER: mac}, packed)

    @property
    def key(self) -> bytes:
        return bytes([self.hellos]) * 32

    def hello(self) -> Session:
        if self.hello_answers:
            raise self.hello_answers.pop(0)
        self.hellos += 1
        return Session(bytes([self.hellos]) * 16, self.key, 3600.0, 10.0, set())


@pytest.fixture
def line() -> FakeLine:
    return FakeLine()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(str(tmp_path / "spool"), epoch=1, limits=Limits(min_free_bytes=0))


@pytest.fixture
def pusher(line: FakeLine, spool: Spool, tmp_path: Path, hand_clock: HandClock) -> Pusher:
    return Pusher(line, line.hello, spool, Quarantine(str(tmp_path)), interval_s=10, clock=hand_clock.clock)


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def errand(hand_clock: HandClock, told: list[str]) -> Errand:
    return Errand(SAID, until_s=hand_clock.seconds + 20, settled=lambda: told.append("settled"))


def test_a_question_goes_before_the_push_and_gets_its_number(pusher, line, spool, errand, told):
    spool.append(frame_of(0), LOAD)
    pusher.bring(errand)

    assert pusher.step() is None

    assert line.paths == [wire.ASK_PATH, wire.PUSH_PATH]
    assert line.said == [SAID]
    assert (errand.ticket, errand.words, told, line.hellos) == (123, "", ["settled"], 1)


def test_it_is_tried_again_with_the_same_key_while_there_is_time(pusher, line, errand, hand_clock):
    line.answers = [Unreachable("refused"), 503, 408, 429, Unreachable("no answer")]
    pusher.bring(errand)

    waits_s = []
    while (wait_s := pusher.step()) is not None:
        waits_s.append(wait_s)
        hand_clock.move(wait_s)

    assert waits_s == [TRY_AGAIN_S] * 5
    assert line.said == [SAID] * 6
    assert errand.ticket == 123


def test_a_push_that_waits_after_a_failure_does_not_delay_it(pusher, line, spool, errand, hand_clock):
    line.hello_answers = [Unreachable("refused")]
    spool.append(frame_of(0), LOAD)
    wait_s = pusher.step()
    assert wait_s is not None
    pusher.bring(errand)

    pusher.step()

    assert errand.ticket == 123
    assert line.paths == [wire.ASK_PATH]


def test_after_its_time_it_ends_with_what_to_do(pusher, line, errand, hand_clock):
    line.answers = [Unreachable("no answer from https://desk.example: Connection refused")] * 30
    pusher.bring(errand)

    while (wait_s := pusher.step()) is not None:
        hand_clock.move(wait_s)

    assert hand_clock.seconds < 1000 + 20
    assert errand.words == (
        "the server cannot be reached now (no answer from https://desk.example: Connection refused):"
        " try again in a minute, or call your service desk"
    )


def test_one_for_which_nobody_waits_any_more_is_not_asked(pusher, line, errand, hand_clock, told):
    hand_clock.move(20)
    pusher.bring(errand)

    assert pusher.step() is None

    assert (line.said, told) == ([], [])


@pytest.mark.parametrize("status", [400, 404, 403, 409, 413, 422])
def test_a_refusal_ends_it_at_once_in_the_servers_words(pusher, line, errand, status):
    line.answers = [status]
    pusher.bring(errand)

    assert pusher.step() is None

    assert errand.words == f"the server refuses the question: the server answers with status {status}"


def test_a_server_that_asks_for_more_patience_than_there_is_ends_it(pusher, line, errand):
    line.answers, line.retry_after = [429], "1800"
    pusher.bring(errand)

    pusher.step()

    assert errand.words.startswith("the server takes no more questions now:")


def test_a_session_that_the_server_has_forgotten_is_agreed_anew_once(pusher, line, errand):
    line.answers = [401]
    pusher.bring(errand)

    pusher.step()

    assert (errand.ticket, line.hellos) == (123, 2)


def test_a_second_401_is_a_refusal(pusher, line, errand):
    line.answers = [401, 401]
    pusher.bring(errand)

    pusher.step()

    assert "status 401" in errand.words


def test_a_hello_that_is_refused_is_said(pusher, line, errand):
    line.hello_answers = [Refused("agent agt_1 is revoked", status=403)]
    pusher.bring(errand)

    pusher.step()

    assert errand.words == "the server refuses the question: agent agt_1 is revoked"


def test_an_answer_of_somebody_in_between_is_not_believed(pusher, line, errand):
    line.forges = True
    pusher.bring(errand)

    pusher.step()

    assert errand.ticket == 0
    assert "somebody is in between" in errand.words


@pytest.mark.parametrize("error", [Untrusted("the certificate is another")])
def test_a_server_that_is_not_the_one_of_the_token_is_not_asked_again(pusher, line, errand, error):
    line.hello_answers = [error]
    pusher.bring(errand)

    assert pusher.step() is None

    assert "the certificate is another" in errand.words


@pytest.mark.parametrize("answer", [{}, {"ticket": "7"}, {"ticket": True}, {"ticket": 0}, {"ticket": -1}])
def test_an_answer_without_a_number_is_none(pusher, line, errand, answer, hand_clock):
    line.answers = [answer]
    pusher.bring(errand)

    assert pusher.step() == TRY_AGAIN_S

    hand_clock.move(TRY_AGAIN_S)
    pusher.step()
    assert errand.ticket == 123
