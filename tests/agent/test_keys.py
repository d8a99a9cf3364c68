"""A key is changed step by step, and whatever crashes or gets lost, the server knows a key of ours."""

import hashlib
import hmac
import json
import os
import stat
import tempfile
from pathlib import Path

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import VerifyKey
from tests.agent.conftest import HandClock

from tocsin_agent import keys as keys_module
from tocsin_agent.cli import main
from tocsin_agent.connection import Answer
from tocsin_agent.errors import Refused, Unreachable
from tocsin_agent.greeting import Session
from tocsin_agent.identity import Identity, load, public_key, save
from tocsin_agent.keys import DAY_MS, REFUSED_S, RETRY_S, Keys, candidates, is_due, renewed
from tocsin_agent.nextkey import NEXT_FILE, load_next, make_next
from tocsin_protocol import wire

FIRST = b"\1" * 32
ATLAS = Identity("agent-1", "atlas", "acme", "berlin", "https://ops.example", "", "cd" * 32, FIRST)
SESSION = Session(b"s" * 16, b"k" * 32, 3600.0, 10.0, set())


class FakeServer:
    """Knows the newest key and the one before, as the real one does; `answers` are what goes wrong."""

    def __init__(self) -> None:
        self.known = [public_key(FIRST)]
        self.answers: list[int | Exception] = []
        self.told = 0

    def greet(self, identity: Identity) -> Session:
        if public_key(identity.seed) not in self.known[-2:]:
            raise Refused("no agent of this server has signed this", status=403, kind="forbidden")
        return SESSION

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        assert path == wire.KEY_PATH
        said = msgpack.unpackb(body)
        message = wire.new_key_message(SESSION.id, said["key"])
        self.told += 1
        trouble = self.answers.pop(0) if self.answers else 200
        if isinstance(trouble, int) and trouble != 200:
            return Answer(trouble, {}, b"{}")
        VerifyKey(said["key"]).verify(message, said["by_new"])
        old = next(key for key in self.known[-2:] if _has_signed(key, message, said["by_old"]))
        if said["key"] != self.known[-1]:
            assert old == self.known[-1], "the old key takes no third one in"
            self.known.append(said["key"])
        if isinstance(trouble, Exception):
            raise trouble
        answer = msgpack.packb({"overlap_s": 86_400, "now_ms": said["now_ms"]})
        signed = wire.answer_message(wire.KEY_ANSWER_DOMAIN, SESSION.id, body, answer)
        mac = hmac.digest(SESSION.key, signed, hashlib.sha256).hex()
        return Answer(200, {wire.MAC_HEADER: mac}, answer)


def _has_signed(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        VerifyKey(key).verify(message, signature)
    except Exception:  # noqa: BLE001 - whatever it says, it has not
        return False
    return True


class Rotating:
    """An agent's keys between a state folder and a server."""

    def __init__(self, folder: Path, clock: HandClock, *, days: int = 0) -> None:
        self.state = str(folder)
        self.server = FakeServer()
        self.clock = clock
        self.days = days
        save(ATLAS._replace(key_ms=clock.now_ms()), self.state)
        self.start()

    def start(self) -> None:
        """As after a crash: only what is on disk is known."""
        self.keys = Keys(
            load(self.state),
            self.state,
            days=self.days,
            now_ms=self.clock.now_ms,
            monotonic=self.clock.clock.monotonic,
        )

    def push(self) -> None:
        """A push is accepted in a new session."""
        self.keys.hello(self.server.greet)
        self.keys.follow(SESSION, self.server.post)

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in Path(self.state).iterdir())

    @property
    def is_settled(self) -> bool:
        """The server and the disk agree, and nothing waits."""
        return self.server.known[-1] == public_key(load(self.state).seed) and self.files == ["identity.json"]


@pytest.fixture
def atlas(tmp_path: Path, hand_clock: HandClock) -> Rotating:
    return Rotating(tmp_path, hand_clock)


def test_a_key_is_durable_before_the_server_is_told_of_it(
    atlas: "Rotating", monkeypatch: pytest.MonkeyPatch
) -> None:
    make_next(atlas.state, ATLAS.agent)
    told_at_sync: list[int] = []
    monkeypatch.setattr(keys_module, "make_durable", lambda _: told_at_sync.append(atlas.server.told))

    atlas.push()

    assert (told_at_sync, atlas.server.told) == ([0], 1)


def test_a_key_that_was_asked_for_is_told_and_then_used(atlas: Rotating) -> None:
    assert make_next(atlas.state, "agent-1")

    atlas.push()

    now = load(atlas.state)
    assert atlas.server.known == [public_key(FIRST), public_key(now.seed)]
    assert (now.former_seeds, now.key_ms) == ((FIRST,), atlas.clock.now_ms())
    assert atlas.files == ["identity.json"]
    assert atlas.keys.seeds == (now.seed, FIRST)


def test_nothing_is_told_where_nothing_is_due(atlas: Rotating) -> None:
    for _ in range(3):
        atlas.clock.move(400 * 86_400)
        atlas.push()

    assert atlas.server.told == 0


def test_a_key_makes_way_for_another_when_its_days_are_over(tmp_path: Path, hand_clock: HandClock) -> None:
    atlas = Rotating(tmp_path, hand_clock, days=90)

    hand_clock.move(90 * 86_400 - 1)
    atlas.push()
    before = len(atlas.server.known)
    hand_clock.move(1)
    atlas.push()
    atlas.push()

    assert (before, len(atlas.server.known)) == (1, 2)
    assert atlas.is_settled


@pytest.mark.parametrize(
    ("age_ms", "days", "due"),
    [(90 * DAY_MS, 90, True), (90 * DAY_MS - 1, 90, False), (10**15, 0, False), (-DAY_MS, 1, False)],
)
def test_when_a_key_is_due(age_ms: int, days: int, *, due: bool) -> None:
    assert is_due(1_000, 1_000 + age_ms, days) is due


def test_a_key_of_an_earlier_version_is_as_old_as_its_file(tmp_path: Path, hand_clock: HandClock) -> None:
    said = {**ATLAS._asdict(), "seed": FIRST.hex()}
    del said["former_seeds"], said["key_ms"]
    path = tmp_path / "identity.json"
    path.write_text(json.dumps(said))
    path.chmod(0o600)
    os.utime(path, (1_000, 1_000))

    assert Keys(load(str(tmp_path)), str(tmp_path), days=90).made_ms == 1_000_000


def test_an_answer_that_is_lost_is_asked_for_again(atlas: Rotating) -> None:
    make_next(atlas.state, "agent-1")
    atlas.server.answers = [Unreachable("the line is cut")]

    atlas.push()
    after = load(atlas.state).seed
    atlas.clock.move(RETRY_S)
    atlas.push()

    assert after == FIRST
    assert atlas.is_settled


@pytest.mark.parametrize(
    ("status", "wait_s"), [(503, RETRY_S), (401, RETRY_S), (404, REFUSED_S), (409, REFUSED_S)]
)
def test_a_server_that_takes_no_key_is_not_asked_with_every_push(
    atlas: Rotating, status: int, wait_s: float
) -> None:
    make_next(atlas.state, "agent-1")
    atlas.server.answers = [status]

    atlas.push()
    atlas.clock.move(wait_s - 1)
    atlas.push()
    asked = atlas.server.told
    atlas.clock.move(1)
    atlas.push()

    assert (asked, atlas.server.told) == (1, 2)
    assert atlas.is_settled


def test_crashed_after_the_answer_and_away_for_days_it_comes_back_with_the_new_key(
    atlas: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_next(atlas.state, "agent-1")
    with monkeypatch.context() as patched:
        patched.setattr(keys_module, "save", _crash)
        with pytest.raises(KeyboardInterrupt):
            atlas.push()
    atlas.server.known = atlas.server.known[-1:]  # the old one is accepted no longer

    atlas.start()
    atlas.push()

    assert atlas.is_settled


def test_a_server_that_was_set_back_to_a_backup_is_told_the_key_again(atlas: Rotating) -> None:
    make_next(atlas.state, "agent-1")
    atlas.push()
    atlas.server.known = [public_key(FIRST)]

    atlas.push()

    assert atlas.is_settled


def test_a_full_disk_leaves_the_old_key_in_use_and_the_change_goes_on_later(
    atlas: Rotating, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    make_next(atlas.state, "agent-1")

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(keys_module, "save", fails)
        atlas.push()
    used = atlas.keys.identity.seed
    atlas.clock.move(REFUSED_S)
    atlas.push()

    assert used == FIRST
    assert "No space left" in capfd.readouterr().err
    assert atlas.is_settled


def test_a_refusal_as_cloned_is_not_tried_around_with_other_keys(atlas: Rotating) -> None:
    make_next(atlas.state, "agent-1")
    asked = []

    def refuse(identity: Identity) -> Session:
        asked.append(identity.seed)
        raise Refused("two hosts run with this key", status=403, kind=wire.CLONED)

    with pytest.raises(Refused, match="two hosts"):
        atlas.keys.hello(refuse)

    assert asked == [FIRST]


def test_a_server_that_knows_none_of_the_keys_is_quoted_on_the_one_in_use(atlas: Rotating) -> None:
    make_next(atlas.state, "agent-1")
    atlas.server.known = []

    with pytest.raises(Refused, match="no agent of this server"):
        atlas.keys.hello(atlas.server.greet)


def test_a_key_that_was_made_for_another_identity_goes(atlas: Rotating) -> None:
    make_next(atlas.state, "agent-0")

    assert load_next(atlas.state, "agent-1") is None
    assert atlas.files == ["identity.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"agent": "agent-1", "seed": "zz"}', '{"seed": 5}'])
def test_a_damaged_key_goes_and_the_one_in_use_stays(atlas: Rotating, text: str) -> None:
    (Path(atlas.state) / NEXT_FILE).write_text(text)

    atlas.push()

    assert atlas.server.known == [public_key(FIRST)]
    assert atlas.files == ["identity.json"]


def test_two_that_make_a_key_at_the_same_time_make_one(atlas: Rotating) -> None:
    assert make_next(atlas.state, "agent-1")
    made = load_next(atlas.state, "agent-1")

    assert not make_next(atlas.state, "agent-1")
    assert load_next(atlas.state, "agent-1") == made


def test_only_the_agents_user_can_read_the_new_key(atlas: Rotating) -> None:
    make_next(atlas.state, "agent-1")

    assert stat.S_IMODE((Path(atlas.state) / NEXT_FILE).stat().st_mode) == 0o600


def test_the_command_makes_a_key_once(atlas: Rotating, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rotate-key", "--state", atlas.state]) == 0
    assert main(["rotate-key", "--state", atlas.state]) == 0

    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("a new key is made: the running agent tells https://ops.example")
    assert second.startswith("a new key waits already")


def test_the_command_says_where_there_is_no_identity(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rotate-key", "--state", str(tmp_path)]) == 1
    assert "enrol this host" in capsys.readouterr().err


def test_the_keys_that_a_server_may_know_are_few_and_each_is_tried_once() -> None:
    identity = renewed(renewed(ATLAS, b"2" * 32, now_ms=2), b"3" * 32, now_ms=3)

    assert identity.former_seeds == (b"2" * 32, FIRST)
    assert candidates(identity, None) == (b"3" * 32, b"2" * 32)
    assert candidates(identity, b"4" * 32) == (b"3" * 32, b"4" * 32, b"2" * 32)
    assert candidates(ATLAS, FIRST) == (FIRST,)


DAY_S = DAY_MS / 1000
STEPS = ("save", "drop_next", "make_next")


@given(
    st.lists(
        st.one_of(
            st.just(("ask", "")),
            st.just(("push", "")),
            st.tuples(st.just("crash before"), st.sampled_from(STEPS)),
            st.tuples(st.just("crash after"), st.sampled_from(STEPS)),
            st.tuples(st.just("answer"), st.sampled_from(["lost", "503", "429"])),
            st.just(("restart", "")),
        ),
        max_size=12,
    )
)
def test_whatever_crashes_and_gets_lost_the_server_knows_a_key_of_ours_and_it_settles(
    happens: list[tuple[str, str]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        atlas = Rotating(Path(folder), HandClock(), days=1)
        for what, which in happens:
            atlas.clock.move(DAY_S / 2)
            if what == "ask":
                make_next(atlas.state, "agent-1")
            elif what == "answer":
                atlas.server.answers.append(Unreachable("cut") if which == "lost" else int(which))
            elif what == "restart":
                atlas.start()
            elif what == "push":
                atlas.push()
            else:
                _push_and_crash(atlas, which, is_after=what == "crash after")
                atlas.start()
            ours = {
                public_key(seed) for seed in candidates(load(atlas.state), load_next(atlas.state, "agent-1"))
            }
            assert atlas.server.known[-1] in ours
        atlas.server.answers.clear()
        for _ in range(3):
            atlas.clock.move(REFUSED_S)
            atlas.push()

        assert atlas.is_settled


def _push_and_crash(atlas: Rotating, step: str, *, is_after: bool) -> None:
    real = getattr(keys_module, step)

    def crash(*given: object) -> None:
        if is_after:
            real(*given)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(keys_module, step, crash)
        try:
            atlas.push()
        except KeyboardInterrupt:
            return


def _crash(*_: object) -> None:
    raise KeyboardInterrupt
