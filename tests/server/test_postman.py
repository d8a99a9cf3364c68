"""Letters are given to a mail server on a socket; one that refuses or is away costs nothing but time."""

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from sqlmodel import Session
from structlog.testing import capture_logs
from tests.ports import free_port
from tests.server.desk.test_outbox import ALICE, BOB, Box
from tests.server.desk.world import World

from tocsin_protocol.vocabulary import NoticeState
from tocsin_server.clock import FakeClock
from tocsin_server.config import MailConfig
from tocsin_server.desk.outbox import Outcome, Settled, settle, unsent
from tocsin_server.health import Health
from tocsin_server.mail.smtp import NoMailServer, connected
from tocsin_server.postman import Postman
from tocsin_server.storage.engine import Storage

SENDER = "tocsin@desk.example"


class Sink:
    """What a mail server has taken."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.refuse = ""

    async def handle_RCPT(  # noqa: N802 - so it is called
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if self.refuse:
            return self.refuse
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append(message_from_bytes(envelope.content, policy=default))
        return "250 taken"


@contextmanager
def serving(sink: Sink, **kinds: Any) -> Iterator[Controller]:
    controller = Controller(sink, hostname="127.0.0.1", port=free_port(), **kinds)
    controller.start()
    try:
        yield controller
    finally:
        controller.stop()


def settings(controller: Controller | None = None, **more: Any) -> MailConfig:
    port = 9 if controller is None else controller.server.sockets[0].getsockname()[1]
    return MailConfig(**{"host": "127.0.0.1", "port": port, "security": "none", "sender": SENDER, **more})


class Office:
    """A postman with an outbox, on a clock that is moved."""

    def __init__(self, storage: Storage, mail: MailConfig) -> None:
        self.world = World(storage)
        self.box = Box(self.world)
        self.clock = FakeClock()
        self.health = Health()
        self.postman = Postman(storage, mail, health=self.health, clock=self.clock)

    def count(self, outcome: str) -> float | None:
        return self.health.registry.get_sample_value("tocsin_notices_total", {"outcome": outcome})


@pytest.fixture
def desk(storage: Storage) -> Storage:
    storage.write(World.people_and_places)
    world = World(storage)
    world.fire()
    world.consume()
    return storage


@pytest.fixture
def sink() -> Sink:
    return Sink()


def test_what_waits_is_sent_once_as_plain_text_to_its_recipient(desk: Storage, sink: Sink) -> None:
    with serving(sink) as server:
        office = Office(desk, settings(server))
        office.box.put(2)
        office.box.put(1, BOB)
        office.postman.deliver()
        office.postman.deliver()

    assert sorted(mail["To"] for mail in sink.mails) == [ALICE, ALICE, BOB]
    assert {mail["From"] for mail in sink.mails} == {f"tocsin <{SENDER}>"}
    assert {mail.get_content().strip() for mail in sink.mails} == {"it is"}
    assert len({mail["Message-ID"] for mail in sink.mails}) == 3
    assert (office.count("sent"), office.box.states()) == (3, {NoticeState.SENT: 3})


def test_a_letter_that_was_not_settled_is_sent_again_with_the_same_message_id(
    desk: Storage, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise RuntimeError("killed")

    with serving(sink) as server:
        office = Office(desk, settings(server))
        office.box.put()
        with monkeypatch.context() as dying:
            dying.setattr("tocsin_server.postman.settle", killed)
            with pytest.raises(RuntimeError, match="killed"):
                office.postman.deliver()
        office.clock.move(seconds=30)
        office.postman.deliver()

    first, second = sink.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert office.box.states() == {NoticeState.SENT: 1}


def test_of_many_letters_only_the_one_that_was_not_settled_is_sent_again(
    desk: Storage, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled: list[str] = []

    def killed_at_the_second(session: Session, outcomes: Sequence[Outcome], *more: Any) -> Settled:
        if settled:
            raise RuntimeError("killed")
        settled.extend(outcome.letter.key for outcome in outcomes)
        return settle(session, outcomes, *more)

    with serving(sink) as server:
        office = Office(desk, settings(server))
        office.box.put(3)
        with monkeypatch.context() as dying:
            dying.setattr("tocsin_server.postman.settle", killed_at_the_second)
            with pytest.raises(RuntimeError, match="killed"):
                office.postman.deliver()
        office.clock.move(seconds=30)
        office.postman.deliver()

    taken = [mail["Message-ID"] for mail in sink.mails]
    assert [taken.count(each) for each in dict.fromkeys(taken)] == [1, 2, 1]
    assert office.box.states() == {NoticeState.SENT: 3}


def test_what_the_server_refuses_for_now_is_tried_again_and_for_good_is_not(desk: Storage, sink: Sink) -> None:
    with serving(sink) as server:
        office = Office(desk, settings(server))
        office.box.put()
        sink.refuse = "451 later, please"
        office.postman.deliver()
        put_off = desk.read(unsent)
        sink.refuse = "550 no such user"
        office.clock.move(seconds=60)
        office.postman.deliver()
        sink.refuse = ""
        office.clock.move(seconds=86_400)
        office.postman.deliver()

    assert [(each.state, each.reason) for each in put_off] == [(NoticeState.WAITING, "451 later, please")]
    (failed,) = desk.read(unsent)
    assert (failed.state, failed.reason, sink.mails) == (NoticeState.FAILED, "550 no such user", [])
    assert [office.count(outcome) for outcome in ("sent", "put_off", "failed")] == [0, 1, 1]


def test_an_address_that_is_none_fails_and_keeps_no_other_back(desk: Storage, sink: Sink) -> None:
    with serving(sink) as server:
        office = Office(desk, settings(server))
        office.box.put(1, "a..b@desk.example")
        office.box.put(1, BOB)
        office.postman.deliver()

    assert [mail["To"] for mail in sink.mails] == [BOB]
    assert [each.state for each in desk.read(unsent)] == [NoticeState.FAILED]


def test_one_that_is_refused_keeps_no_other_back(desk: Storage, sink: Sink) -> None:
    async def refuse_alice(_server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if address == ALICE:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    sink.handle_RCPT = refuse_alice  # type: ignore[method-assign]
    with serving(sink) as server:
        office = Office(desk, settings(server))
        office.box.put(1, ALICE)
        office.box.put(1, BOB)
        office.postman.deliver()

    assert [mail["To"] for mail in sink.mails] == [BOB]
    assert office.box.states() == {NoticeState.SENT: 1, NoticeState.FAILED: 1}


def test_a_server_that_is_away_is_said_once_and_all_goes_out_when_it_is_back(desk: Storage, sink: Sink) -> None:
    with serving(sink) as server:
        mail = settings(server)
    office = Office(desk, mail)
    office.box.put(3)
    with capture_logs() as logs:
        for _ in range(3):
            office.postman.deliver()
            office.clock.move(seconds=600)
    (problem,) = office.postman.problems
    with serving(sink) as server:
        office.postman._settings = settings(server)
        office.postman.deliver()

    assert [line["action"] for line in logs] == ["mail_server_away"]
    assert problem.reason.startswith("notices cannot be sent and are tried again: ")
    assert office.postman.problems == []
    assert len(sink.mails) == 3


def test_who_must_sign_in_does_so_with_the_password_of_the_file(
    desk: Storage, sink: Sink, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text("open sesame\n")

    def allow(_server: Any, _session: Any, _envelope: Any, _how: str, given: LoginPassword) -> AuthResult:
        is_right = (given.login, given.password) == (b"tocsin", b"open sesame")
        return AuthResult(success=is_right, handled=False)

    with serving(sink, authenticator=allow, auth_require_tls=False) as server:
        mail = settings(server, user="tocsin", password_file=str(secret))
        office = Office(desk, mail)
        office.box.put()
        office.postman.deliver()
        secret.write_text("a guess")
        with pytest.raises(NoMailServer, match="535"), connected(mail):
            pass

    assert len(sink.mails) == 1


def test_a_password_that_cannot_be_read_is_said_and_nothing_is_lost(desk: Storage, sink: Sink) -> None:
    with serving(sink) as server:
        office = Office(desk, settings(server, user="tocsin", password_file="/nowhere"))
        office.box.put()
        office.postman.deliver()

    (waiting,) = desk.read(unsent)
    assert waiting.state is NoticeState.WAITING
    assert "/nowhere cannot be read" in waiting.reason


def test_a_server_that_offers_no_tls_gets_neither_password_nor_mail(desk: Storage, sink: Sink) -> None:
    with serving(sink) as server:
        office = Office(desk, settings(server, security="starttls"))
        office.box.put()
        office.postman.deliver()

    assert sink.mails == []
    (waiting,) = desk.read(unsent)
    assert "STARTTLS" in waiting.reason


def test_the_certificate_of_a_mail_server_is_verified(desk: Storage, sink: Sink, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with serving(sink, tls_context=context, require_starttls=True) as server:
        office = Office(desk, settings(server, security="starttls"))
        office.box.put()
        office.postman.deliver()
        (waiting,) = desk.read(unsent)
        trusting = settings(server, security="starttls", ca_file=str(tmp_path / "ca.pem"))
        office.postman._settings = trusting
        office.clock.move(seconds=60)
        office.postman.deliver()

    assert "certificate verify failed" in waiting.reason
    assert office.box.states() == {NoticeState.SENT: 1}


def test_without_a_mail_server_no_thread_is_started(desk: Storage) -> None:
    office = Office(desk, MailConfig())

    office.postman.start()
    office.postman.stop()

    assert not office.postman.goes_out
    assert not office.postman._thread.is_alive()


def test_the_thread_delivers_what_waits_and_ends(
    desk: Storage, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin_server.postman.LOOK_EVERY_S", 0.01)
    with serving(sink) as server:
        office = Office(desk, settings(server))
        delivered = office.postman.deliver

        def deliver_and_end() -> None:
            delivered()
            office.postman._ending.set()

        office.postman.deliver = deliver_and_end  # type: ignore[method-assign]
        office.box.put()
        office.postman.start()
        office.postman._thread.join()

    assert len(sink.mails) == 1
