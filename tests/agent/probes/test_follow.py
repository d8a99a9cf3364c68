"""Following the digest: what is fetched is believed only with the session's MAC, and kept for a restart."""

import hashlib
import hmac
import stat
from pathlib import Path

import msgpack
import pytest
from tests.agent.conftest import HandClock
from tests.agent.probes.test_book import DEVICE, packed

from tocsin_agent.connection import Answer
from tocsin_agent.errors import Unreachable
from tocsin_agent.greeting import Session
from tocsin_agent.probes.book import Book, read_book
from tocsin_agent.probes.follow import LONGEST_BACKOFF_S, REST_S, Follower, Shelf
from tocsin_protocol import wire

SESSION = Session(b"s" * 16, b"k" * 32, 3600.0, 10.0, set())
BOOK = packed(DEVICE, digest="one")
OTHER = packed({**DEVICE, "every_s": 60}, digest="two")


class FakeServer:
    """Answers with `book` under the session's MAC, unless it is told to do worse."""

    def __init__(self) -> None:
        self.book = BOOK
        self.status = 200
        self.error: Exception | None = None
        self.key = SESSION.key
        self.domain = wire.PROBES_ANSWER_DOMAIN
        self.asked = 0

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        assert path == wire.PROBES_PATH
        said = msgpack.unpackb(body)
        assert sorted(said) == ["now_ms", "v"]
        message = wire.session_message(wire.PROBES_DOMAIN, SESSION.id, body)
        assert headers[wire.MAC_HEADER] == hmac.digest(SESSION.key, message, hashlib.sha256).hex()
        assert headers[wire.SESSION_HEADER] == SESSION.id.hex()
        self.asked += 1
        if self.error is not None:
            raise self.error
        signed = wire.answer_message(self.domain, SESSION.id, body, self.book)
        mac = hmac.digest(self.key, signed, hashlib.sha256).hex()
        return Answer(self.status, {wire.MAC_HEADER: mac}, self.book)


class Site:
    def __init__(self, folder: Path, clock: HandClock) -> None:
        self.path = folder / "probes.book"
        self.clock = clock
        self.server = FakeServer()
        self.books: list[Book] = []
        self.follower = self.begun()

    def begun(self, agent: str = "agent-1") -> Follower:
        return Follower(self.server, Shelf(str(self.path), agent), self.books.append, clock=self.clock.clock)

    def follow(self, digest: str, *, after_s: float = REST_S) -> None:
        self.clock.move(after_s)
        self.follower.follow(SESSION, digest)


@pytest.fixture
def site(tmp_path: Path, hand_clock: HandClock) -> Site:
    return Site(tmp_path, hand_clock)


def test_nothing_is_asked_while_no_device_is_declared(site: Site):
    site.follow("")

    assert site.server.asked == 0


def test_a_new_digest_is_asked_about_once(site: Site):
    site.follow("one")
    site.follow("one")

    assert site.books == [read_book(BOOK)]
    assert site.server.asked == 1


def test_another_digest_brings_another_book(site: Site):
    site.follow("one")
    site.server.book = OTHER
    site.follow("two")

    assert site.books == [read_book(BOOK), read_book(OTHER)]


@pytest.mark.parametrize("digest", ["", "none"])
def test_when_no_device_is_left_the_book_is_closed_and_not_asked_about_again(site: Site, digest):
    site.follow("one")
    site.server.book = packed(digest=digest)

    for _ in range(3):
        site.follow(digest)

    assert site.books[-1].devices == ()
    assert site.server.asked == 2
    assert not site.path.exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda server: setattr(server, "key", b"x" * 32),
        lambda server: setattr(server, "domain", wire.ASK_ANSWER_DOMAIN),
        lambda server: setattr(server, "book", b"\xc1"),
        lambda server: setattr(server, "book", b"\x91" * (1 << 20)),
        lambda server: setattr(server, "status", 503),
        lambda server: setattr(server, "status", 401),
        lambda server: setattr(server, "error", Unreachable("no answer")),
    ],
)
def test_what_cannot_be_believed_changes_nothing_and_is_said_once(site: Site, capfd, spoil):
    site.follow("one")
    kept = site.path.read_bytes()
    spoil(site.server)

    for _ in range(3):
        site.follow("two", after_s=LONGEST_BACKOFF_S)

    assert site.books == [read_book(BOOK)]
    assert site.path.read_bytes() == kept
    assert site.server.asked == 4
    assert capfd.readouterr().err.count("what was declared before goes on") == 1


def test_trouble_is_tried_again_later_and_later(site: Site):
    site.server.status = 503

    asked_after = []
    for second in range(200):
        before = site.server.asked
        site.follow("one", after_s=1)
        asked_after += [second] * (site.server.asked - before)

    assert asked_after == [0, 5, 15, 35, 75, 155]


def test_digests_that_never_agree_are_no_busy_loop(site: Site):
    for _ in range(20):
        site.follow("another", after_s=0.2)

    assert site.server.asked <= 3


def test_after_a_restart_the_last_good_book_is_used_before_the_server_is_asked(site: Site):
    site.follow("one")
    again = site.begun()

    again.recall()
    again.follow(SESSION, "one")

    assert site.books == [read_book(BOOK)] * 2
    assert site.server.asked == 1
    assert stat.S_IMODE(site.path.stat().st_mode) == 0o600


def test_the_book_of_another_identity_is_not_used(site: Site):
    site.follow("one")

    site.begun("agent-2").recall()

    assert len(site.books) == 1


@pytest.mark.parametrize(
    "content",
    [b"", b"\xc1", msgpack.packb(7), msgpack.packb(["agent-1", b"\xc1"]), msgpack.packb(["agent-1", "x"])],
)
def test_a_kept_book_that_is_damaged_is_fetched_again(site: Site, content):
    site.path.write_bytes(content)

    site.follower.recall()
    site.follow("one")

    assert site.books == [read_book(BOOK)]


def test_a_folder_that_cannot_be_written_keeps_nobody_from_being_probed(
    tmp_path: Path, hand_clock: HandClock, capfd
):
    site = Site(tmp_path / "missing", hand_clock)

    site.follow("one")

    assert site.books == [read_book(BOOK)]
    assert "cannot be written" in capfd.readouterr().err
