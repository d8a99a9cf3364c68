"""A session is whose it is until it ends: by its age, by idleness, by its owner, or with its owner."""

import pytest
from sqlmodel import col, select, update

from tocsin_protocol.people import Person
from tocsin_protocol.vocabulary import Role
from tocsin_server.access.passwords import Passwords
from tocsin_server.access.people import (
    IDLE_MS,
    SESSION_MS,
    TOUCH_EVERY_MS,
    add_person,
    end_session,
    end_sessions,
    issue_session,
    log_out,
    name_of,
    password_hash_of,
    person_named,
    sessions_of,
    touch,
    who,
)
from tocsin_server.access.store import LoginSession, PersonRow, TotpRow
from tocsin_server.access.tokens import digest_of
from tocsin_server.errors import Conflict, NotFound, Unprocessable
from tocsin_server.storage.engine import Storage

NOW = 1_700_000_000_000


def visit(storage: Storage, token: str, now_ms: int = NOW):
    return storage.read(lambda s: who(s, token, now_ms))


def use(storage: Storage, token: str, now_ms: int) -> None:
    storage.write(lambda s: touch(s, who(s, token, now_ms), now_ms))


def test_a_new_sessions_token_says_who_it_is(storage: Storage, alice: PersonRow) -> None:
    token = storage.write(lambda s: issue_session(s, alice, NOW))

    seen = visit(storage, token)
    assert seen is not None
    assert seen.person == Person(id=alice.id or 0, login="alice", name="Alice", role=Role.TECHNICIAN)


def test_a_made_up_token_is_nobodys(storage: Storage, alice: PersonRow) -> None:
    assert visit(storage, "toc_ses_guess") is None


def test_the_database_does_not_know_the_token(storage: Storage, alice: PersonRow) -> None:
    token = storage.write(lambda s: issue_session(s, alice, NOW))

    kept = storage.read(lambda s: s.exec(select(LoginSession)).one().model_dump_json())
    assert token not in kept


def test_a_session_ends_when_it_is_idle(storage: Storage, alice: PersonRow) -> None:
    token = storage.write(lambda s: issue_session(s, alice, NOW))

    assert visit(storage, token, NOW + IDLE_MS - 1) is not None
    assert visit(storage, token, NOW + IDLE_MS) is None


def test_a_session_in_use_ends_after_twelve_hours(storage: Storage, alice: PersonRow) -> None:
    token = storage.write(lambda s: issue_session(s, alice, NOW))
    for used_ms in range(NOW + IDLE_MS // 2, NOW + SESSION_MS, IDLE_MS // 2):
        use(storage, token, used_ms)

    assert visit(storage, token, NOW + SESSION_MS - 1) is not None
    assert visit(storage, token, NOW + SESSION_MS) is None


def test_an_unlimited_session_does_not_end_by_itself(storage: Storage, alice: PersonRow) -> None:
    token = storage.write(lambda s: issue_session(s, alice, NOW, unlimited=True))

    assert visit(storage, token, NOW + 1000 * SESSION_MS) is not None


def test_its_use_has_to_be_written_down_once_a_minute(storage: Storage, alice: PersonRow) -> None:
    token = storage.write(lambda s: issue_session(s, alice, NOW))
    later = NOW + TOUCH_EVERY_MS

    assert not visit(storage, token, later - 1).is_touch_due
    assert visit(storage, token, later).is_touch_due
    use(storage, token, later)
    assert not visit(storage, token, later).is_touch_due


def test_logging_out_ends_this_session_and_no_other(storage: Storage, alice: PersonRow) -> None:
    here, there = (storage.write(lambda s: issue_session(s, alice, NOW)) for _ in range(2))

    storage.write(lambda s: log_out(s, who(s, here, NOW)))

    assert visit(storage, here) is None
    assert visit(storage, there) is not None


def test_who_is_disabled_is_nobody_from_now_on(storage: Storage, alice: PersonRow) -> None:
    token = storage.write(lambda s: issue_session(s, alice, NOW, unlimited=True))

    storage.write(
        lambda s: (
            s.exec(update(PersonRow).where(col(PersonRow.id) == alice.id).values(disabled_ms=NOW)) and None
        )
    )

    assert visit(storage, token) is None
    assert storage.read(lambda s: password_hash_of(s, "alice")) is None


def test_a_new_session_takes_away_those_of_hers_that_have_ended(storage: Storage, alice: PersonRow) -> None:
    storage.write(lambda s: issue_session(s, alice, NOW))

    storage.write(lambda s: issue_session(s, alice, NOW + SESSION_MS))

    assert storage.read(lambda s: len(s.exec(select(LoginSession)).all())) == 1


def test_a_second_alice_is_refused(storage: Storage, alice: PersonRow) -> None:
    with pytest.raises(Conflict, match="'alice' already"):
        storage.write(lambda s: add_person(s, "alice", "Another", None, Role.VIEWER, NOW))


@pytest.mark.parametrize("login", ["", "Alice", "al ice", "a" * 64, "alice\n"])
def test_a_login_that_cannot_be_one_is_refused(storage: Storage, login: str) -> None:
    with pytest.raises(Unprocessable, match="cannot be a login"):
        storage.write(lambda s: add_person(s, login, "Alice", None, Role.VIEWER, NOW))


def test_who_has_no_password_cannot_sign_in_with_one(storage: Storage, cheap: Passwords) -> None:
    storage.write(lambda s: add_person(s, "root", "Root", None, Role.ADMIN, NOW))

    kept = storage.read(lambda s: password_hash_of(s, "root"))
    assert not cheap.is_right(kept, "")
    assert storage.read(lambda s: person_named(s, "root").role) is Role.ADMIN


def test_one_sees_the_sessions_that_have_not_ended_the_last_used_first(
    storage: Storage, alice: PersonRow
) -> None:
    def act(session):
        old = issue_session(session, alice, NOW - IDLE_MS)
        for source, unlimited in (("192.0.2.1", False), ("192.0.2.2", True)):
            issue_session(session, alice, NOW - IDLE_MS - 1, source=source, unlimited=unlimited)
        return old

    token = storage.write(act)
    use(storage, token, NOW - 1)

    found = storage.read(lambda s: [each.source for each in sessions_of(s, alice.id, NOW)])
    assert found == ["", "192.0.2.2"]


def test_one_session_is_ended_by_its_name_and_no_other(storage: Storage, alice: PersonRow) -> None:
    first, second = (storage.write(lambda s: issue_session(s, alice, NOW)) for _ in range(2))
    storage.write(lambda s: end_session(s, alice.id, name_of(digest_of(first)), NOW))

    assert (visit(storage, first), visit(storage, second) is not None) == (None, True)
    for name in ("", "0" * 16, digest_of(second), name_of(digest_of(first))):
        with pytest.raises(NotFound):
            storage.write(lambda s, name=name: end_session(s, alice.id, name, NOW))


def test_all_others_are_ended_and_this_one_is_not(storage: Storage, alice: PersonRow) -> None:
    first, second = (storage.write(lambda s: issue_session(s, alice, NOW)) for _ in range(2))

    assert storage.write(lambda s: end_sessions(s, alice.id, but=digest_of(first))) == 1
    assert (visit(storage, first) is not None, visit(storage, second)) == (True, None)
    assert storage.write(lambda s: end_sessions(s, alice.id)) == 1


def test_only_a_given_session_and_one_with_a_device_have_a_second_factor(
    storage: Storage, alice: PersonRow
) -> None:
    typed, given = (
        storage.write(lambda s, u=unlimited: issue_session(s, alice, NOW, unlimited=u))
        for unlimited in (False, True)
    )
    before = [visit(storage, token).has_second_factor for token in (typed, given)]
    storage.write(lambda s: s.add(TotpRow(person_id=alice.id, pending="…")))
    waiting = visit(storage, typed).has_second_factor
    storage.write(lambda s: s.exec(update(TotpRow).values(sealed="…")) and None)

    assert (before, waiting) == ([False, True], False)
    assert visit(storage, typed).has_second_factor
