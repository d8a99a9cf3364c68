"""What an operator makes of people takes effect at once, and a sign-in never outlives what it rested on."""

import pytest
from sqlmodel import Session, select

from tocsin_protocol.vocabulary import Role
from tocsin_server.access.passwords import Passwords
from tocsin_server.access.people import (
    IDLE_MS,
    SESSION_MS,
    add_person,
    end_sessions,
    issue_session,
    password_hash_of,
    who,
)
from tocsin_server.access.standing import Wish, change, disable, enable, everybody, person
from tocsin_server.access.store import LoginSession, PersonRow
from tocsin_server.errors import Conflict, NotFound, Unprocessable
from tocsin_server.storage.engine import Storage

NOW = 1_700_000_000_000


def signed_in(storage: Storage, alice: PersonRow, *, unlimited: bool = False) -> str:
    return storage.write(lambda s: issue_session(s, alice, NOW, unlimited=unlimited))


def is_somebody(storage: Storage, token: str) -> bool:
    return storage.read(lambda s: who(s, token, NOW)) is not None


def test_who_is_disabled_is_nobody_at_once_and_signs_in_again_once_enabled(
    storage: Storage, alice: PersonRow
) -> None:
    tokens = [signed_in(storage, alice), signed_in(storage, alice, unlimited=True)]

    assert storage.write(lambda s: disable(s, "alice", NOW)) == 2

    assert not any(is_somebody(storage, token) for token in tokens)
    assert storage.read(lambda s: password_hash_of(s, "alice")) is None
    storage.write(lambda s: enable(s, "alice"))
    assert storage.read(lambda s: password_hash_of(s, "alice")) is not None
    assert not any(is_somebody(storage, token) for token in tokens)


def test_a_new_password_ends_all_sessions_and_another_role_or_name_none(
    storage: Storage, alice: PersonRow, cheap: Passwords
) -> None:
    token = signed_in(storage, alice)

    renamed, ended = storage.write(lambda s: changed(s, Wish(name="Alice Durand", role=Role.ADMIN)))
    assert (renamed, ended) == (("Alice Durand", Role.ADMIN), 0)
    assert is_somebody(storage, token)

    _, ended = storage.write(lambda s: changed(s, Wish(password_hash=cheap.hash("correct horse battery"))))

    assert ended == 1
    assert not is_somebody(storage, token)
    kept = storage.read(lambda s: password_hash_of(s, "alice"))
    assert cheap.is_right(kept, "correct horse battery")


def changed(session: Session, wish: Wish) -> tuple[tuple[str, Role], int]:
    person, ended = change(session, "alice", wish)
    return (person.name, person.role), ended


def test_signing_out_somebody_leaves_the_others_in(storage: Storage, alice: PersonRow) -> None:
    bob = storage.write(lambda s: add_person(s, "bob", "Bob", None, Role.VIEWER, NOW))
    hers, his = signed_in(storage, alice), signed_in(storage, bob)

    assert storage.write(lambda s: end_sessions(s, alice.id)) == 1

    assert (is_somebody(storage, hers), is_somebody(storage, his)) == (False, True)


def test_everybody_is_listed_with_the_sessions_that_are_good(storage: Storage, alice: PersonRow) -> None:
    storage.write(lambda s: add_person(s, "bob", "Bob", None, Role.VIEWER, NOW))
    signed_in(storage, alice)
    signed_in(storage, alice, unlimited=True)
    storage.write(lambda s: disable(s, "bob", NOW + 1))

    def told(now_ms: int) -> list[tuple[str, bool, int, int | None]]:
        found = storage.read(lambda s: everybody(s, now_ms))
        return [(each.login, each.has_password, each.sessions, each.used_ms) for each in found]

    assert told(NOW) == [("alice", True, 2, NOW), ("bob", False, 0, None)]
    assert told(NOW + IDLE_MS)[0] == ("alice", True, 1, NOW)
    assert told(NOW + SESSION_MS)[0] == ("alice", True, 1, NOW)
    assert [each.disabled_ms for each in storage.read(lambda s: everybody(s, NOW))] == [None, NOW + 1]


def test_what_is_so_already_is_refused(storage: Storage, alice: PersonRow) -> None:
    with pytest.raises(Conflict, match="alice is not disabled"):
        storage.write(lambda s: enable(s, "alice"))
    storage.write(lambda s: disable(s, "alice", NOW))
    with pytest.raises(Conflict, match="alice is disabled already"):
        storage.write(lambda s: disable(s, "alice", NOW))


@pytest.mark.parametrize(
    "act",
    [
        lambda s: disable(s, "eve", NOW),
        lambda s: enable(s, "eve"),
        lambda s: person(s, "eve"),
        lambda s: change(s, "eve", Wish(role=Role.ADMIN)),
    ],
)
def test_nobody_is_changed_under_a_login_that_is_not_there(storage: Storage, act) -> None:
    with pytest.raises(NotFound, match="there is no login 'eve': tocsin-server user list"):
        storage.write(act)


def test_a_name_that_cannot_be_one_changes_nothing(storage: Storage, alice: PersonRow) -> None:
    with pytest.raises(Unprocessable):
        storage.write(lambda s: change(s, "alice", Wish(name="\n", role=Role.ADMIN)) and None)

    assert storage.read(lambda s: s.exec(select(PersonRow.role)).one()) is Role.TECHNICIAN
    assert storage.read(lambda s: s.exec(select(LoginSession)).all()) == []
