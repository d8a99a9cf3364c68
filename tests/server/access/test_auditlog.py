"""The log in the database: written with the act or not at all, one chain whoever writes, and only added to."""

import threading
from pathlib import Path

import pytest
from nacl.signing import SigningKey
from sqlalchemy import delete, text, update
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlmodel import Session
from structlog.testing import capture_logs
from tests.server.access.conftest import NOW
from tests.server.access.test_audit import KEY, Signer

from tocsin_server.access.audit import GENESIS, Act, Actor, Deed, Entry, Party
from tocsin_server.access.auditlog import entries, head_of, kept_checkpoints, latest, record
from tocsin_server.access.checkpoints import FILE, is_signed, read
from tocsin_server.access.notary import Notary
from tocsin_server.access.store import AUDIT, CHECKPOINTS
from tocsin_server.access.verification import verdict
from tocsin_server.clock import FakeClock
from tocsin_server.errors import Unavailable
from tocsin_server.estate.clients import add_client
from tocsin_server.storage.engine import Storage

ALICE = Actor(Party.PERSON, "alice", "192.0.2.1")
PUBLIC_KEY = KEY.verify_key.encode()


def note(session: Session, subject: str = "1", **more: object) -> None:
    record(session, Deed(Act.SILENCE_MADE, subject, by=ALICE, at_ms=NOW, **more))  # type: ignore[arg-type]


def kept(storage: Storage) -> list[Entry]:
    return storage.read(lambda session: list(entries(session)))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def notary(storage: Storage, tmp_path: Path, clock: FakeClock) -> Notary:
    return Notary(storage, Signer(KEY), tmp_path / FILE, clock)


def is_whole(storage: Storage) -> bool:
    found = storage.read(
        lambda session: verdict(
            entries(session), kept_checkpoints(session), lambda each: is_signed(each, PUBLIC_KEY)
        )
    )
    return found.fault is None


def test_entries_follow_each_other_as_they_are_recorded(storage: Storage) -> None:
    for subject in ("1", "2"):
        storage.write(lambda session, subject=subject: note(session, subject, details={"until": subject}))

    first, second = kept(storage)

    assert (first.id, first.previous) == (1, GENESIS)
    assert (second.id, second.previous) == (2, first.digest)
    assert (second.party, second.actor, second.source, second.act) == (*ALICE, "silence.made")
    assert (second.subject, second.details, second.client_id, second.at_ms) == ("2", '{"until":"2"}', None, NOW)
    assert is_whole(storage)


def test_names_are_one_line_and_bounded_and_may_hold_anything(storage: Storage) -> None:
    hostile = Actor(Party.NOBODY, "'; DROP TABLE audit; --\x1b[31m\n\ud800", "x" * 1000)

    deed = Deed(Act.PERSON_SIGN_IN_FAILED, "\0", by=hostile, at_ms=NOW, details={"\0": "\ud800"})
    storage.write(lambda session: record(session, deed))

    (entry,) = kept(storage)
    assert (entry.actor, entry.subject) == ("'; DROP TABLE audit; -- [31m", "")
    assert len(entry.source) == 253
    assert entry.details == r'{"\u0000":"\ud800"}'
    assert is_whole(storage)


def test_an_act_that_fails_leaves_no_entry_and_the_others_of_its_batch_keep_theirs(storage: Storage) -> None:
    held = threading.Event()

    def fail(session: Session) -> None:
        note(session, "lost")
        raise ValueError

    waiting = storage.submit(lambda _: held.wait(10))
    acts = [storage.submit(act) for act in (note, fail, note)]
    held.set()

    assert isinstance(acts[1].exception(), ValueError)
    assert (waiting.result(), acts[0].result(), acts[2].result()) == (True, None, None)
    assert [entry.subject for entry in kept(storage)] == ["1", "1"]
    assert is_whole(storage)


def test_two_who_write_at_once_make_one_chain(storage: Storage) -> None:
    """As the server and a command do: each with a connection of its own."""
    with Storage(storage.address) as other:
        acts = [each.submit(note) for _ in range(30) for each in (storage, other)]
        for act in acts:
            act.result()

    assert head_of_(storage) == 60
    assert is_whole(storage)


def head_of_(storage: Storage) -> int:
    return storage.read(head_of).id


@pytest.mark.parametrize("table", [AUDIT, CHECKPOINTS], ids=["entries", "checkpoints"])
def test_the_database_refuses_to_change_or_remove_what_is_there(
    storage: Storage, notary: Notary, table
) -> None:
    storage.write(note)
    notary.sign()

    for statement in (update(table).values(at_ms=0), delete(table)):
        with pytest.raises(DatabaseError, match="the audit log is only added to"):
            storage.write(lambda session, statement=statement: session.execute(statement))

    assert is_whole(storage)


def test_of_two_entries_with_one_number_the_database_refuses_one(storage: Storage) -> None:
    storage.write(note)

    again = text("INSERT INTO audit SELECT * FROM audit")

    with pytest.raises(IntegrityError):
        storage.write(lambda session: session.execute(again))


def test_a_list_tells_the_newest_of_what_is_asked_for(storage: Storage) -> None:
    def act(session: Session) -> None:
        client_id = add_client(session, "acme", "Acme", NOW).id
        for n in range(4):
            note(session, str(n), client_id=client_id if n % 2 else None)
        record(session, Deed(Act.CLIENT_ADDED, "acme", by=Actor(Party.OPERATOR, "root"), at_ms=NOW + 1))

    storage.write(act)

    def told(**asked: object) -> list[str]:
        asked = {"limit": 9} | asked
        return [entry.subject for entry in storage.read(lambda s: latest(s, **asked))]  # type: ignore[arg-type]

    assert told(limit=2) == ["3", "acme"]
    assert told(client_id=1) == ["1", "3"]
    assert told(actor="alice", limit=1) == ["3"]
    assert told(act=Act.CLIENT_ADDED) == told(since_ms=NOW + 1) == told(actor="root") == ["acme"]


def test_the_notary_signs_what_is_new_and_only_that(
    storage: Storage, notary: Notary, tmp_path: Path, clock: FakeClock
) -> None:
    notary.sign()
    assert not (tmp_path / FILE).exists()

    storage.write(note)
    with capture_logs() as logs:
        notary.sign()
        clock.move(seconds=300)
        notary.sign()

    (made,) = read(tmp_path / FILE)
    assert storage.read(kept_checkpoints) == [made]
    assert (made.entry_id, made.digest, made.at_ms) == (1, kept(storage)[0].digest, NOW)
    assert is_signed(made, PUBLIC_KEY)
    assert [log["checkpoint"] for log in logs] == [made.line]


def test_what_could_not_be_written_to_the_file_is_signed_the_next_time(
    storage: Storage, notary: Notary, tmp_path: Path
) -> None:
    storage.write(note)
    (tmp_path / FILE).mkdir()

    with pytest.raises(Unavailable):
        notary.sign()
    with capture_logs() as logs:
        notary.sign_last()
    assert [log["action"] for log in logs] == ["audit_unsigned"]
    assert storage.read(kept_checkpoints) == []

    (tmp_path / FILE).rmdir()
    notary.sign()

    assert storage.read(kept_checkpoints) == read(tmp_path / FILE) != []


def test_a_log_that_was_signed_with_another_key_is_not_whole(storage: Storage, tmp_path: Path) -> None:
    storage.write(note)
    Notary(storage, Signer(SigningKey(bytes(32))), tmp_path / FILE, FakeClock(NOW)).sign()

    assert not is_whole(storage)
