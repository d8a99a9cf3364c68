"""Programs' tokens: whose they are, for how long and for what; on each kind of database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session

from tocsin_protocol.vocabulary import Role, TokenScope
from tocsin_server.access import tokens
from tocsin_server.access.passwords import Passwords
from tocsin_server.access.people import add_person, touch, who
from tocsin_server.access.standing import disable
from tocsin_server.access.store import ApiTokenRow, PersonRow
from tocsin_server.access.tokens import DAY_MS, MOST_DAYS, PREFIX, TOUCH_EVERY_MS
from tocsin_server.errors import NotFound, Unprocessable
from tocsin_server.storage.engine import Storage

NOW = 1_700_000_000_000
ALL = frozenset(TokenScope)


def made(storage: Storage, person: PersonRow, scopes=ALL, days: int = 90) -> tuple[str, ApiTokenRow]:
    return storage.write(lambda s: tokens.make(s, person, "robot", scopes, days, NOW))


def visit(storage: Storage, token: str, now_ms: int = NOW):
    return storage.read(lambda s: who(s, token, now_ms))


def test_a_token_says_whose_it_is_and_what_for(storage: Storage, alice: PersonRow) -> None:
    token, _ = made(storage, alice, {TokenScope.READ})

    seen = visit(storage, token)
    assert (seen.person.login, seen.scopes, seen.has_second_factor) == ("alice", {TokenScope.READ}, False)
    assert visit(storage, PREFIX + "guess") is None


@pytest.mark.parametrize("days", [1, 90, MOST_DAYS])
def test_it_is_good_to_the_last_millisecond_of_its_time(storage: Storage, alice: PersonRow, days: int) -> None:
    token, _ = made(storage, alice, days=days)

    assert visit(storage, token, NOW + days * DAY_MS - 1) is not None
    assert visit(storage, token, NOW + days * DAY_MS) is None


@given(st.integers().filter(lambda days: not 1 <= days <= MOST_DAYS))
def test_no_token_is_good_for_longer_than_a_year(days: int) -> None:
    with pytest.raises(Unprocessable, match="good for 1 to 366 days"):
        tokens.make(None, PersonRow(login="alice"), "robot", ALL, days, NOW)


def test_what_has_ended_is_not_listed_and_cannot_be_ended_again(storage: Storage, alice: PersonRow) -> None:
    (_, first), (_, second) = made(storage, alice), made(storage, alice, days=1)
    storage.write(lambda s: tokens.revoke(s, alice.id, first.id, NOW))

    def listed(now_ms: int) -> list[int]:
        return storage.read(lambda s: [row.id for row in tokens.tokens_of(s, alice.id, now_ms)])

    assert listed(NOW) == [second.id]
    assert listed(NOW + DAY_MS) == []
    with pytest.raises(NotFound):
        storage.write(lambda s: tokens.revoke(s, alice.id, first.id, NOW))


def test_nobody_ends_anothers(storage: Storage, alice: PersonRow, cheap: Passwords) -> None:
    token, row = made(storage, alice)
    bob = storage.write(lambda s: add_person(s, "bob", "Bob", None, Role.ADMIN, NOW, passwords=cheap))

    with pytest.raises(NotFound):
        storage.write(lambda s: tokens.revoke(s, bob.id, row.id, NOW))
    assert visit(storage, token) is not None


def test_with_its_person_a_token_is_nobodys_and_back_with_them(storage: Storage, alice: PersonRow) -> None:
    token, _ = made(storage, alice)
    storage.write(lambda s: disable(s, "alice", NOW))

    assert visit(storage, token) is None
    assert [row.name for row, _ in storage.read(lambda s: tokens.all_tokens(s, NOW))] == ["robot"]


def test_its_use_is_written_down_once_an_hour(storage: Storage, alice: PersonRow) -> None:
    token, _ = made(storage, alice)

    def use(session: Session, now_ms: int) -> bool:
        seen = who(session, token, now_ms)
        if seen.is_touch_due:
            touch(session, seen, now_ms)
        return seen.is_touch_due

    at = [NOW, NOW + TOUCH_EVERY_MS - 1, NOW + TOUCH_EVERY_MS, NOW + TOUCH_EVERY_MS + 1]
    assert [storage.write(lambda s, ms=ms: use(s, ms)) for ms in at] == [True, False, True, False]


def test_a_scope_of_a_later_version_opens_nothing() -> None:
    assert tokens.scopes_of(ApiTokenRow(scopes="read hosts:write")) == {TokenScope.READ}
