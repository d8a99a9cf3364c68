"""Answers that are kept: for a day, so many of each person, on both databases."""

import pytest
from sqlalchemy import func, select
from sqlmodel import Session
from tests.server.access.conftest import NOW

from tocsin_protocol.vocabulary import Role
from tocsin_server.access import answers
from tocsin_server.access.answers import KEPT_MS, KeptAnswer, answer_under, keep_answer, sweep_answers
from tocsin_server.access.people import add_person
from tocsin_server.access.store import ANSWERS
from tocsin_server.storage.engine import Storage


@pytest.fixture
def people(storage: Storage) -> list[int]:
    def act(session: Session) -> list[int]:
        return [
            add_person(session, login, login, None, Role.TECHNICIAN, NOW).id or 0 for login in ("alice", "bob")
        ]

    return storage.write(act)


def kept(person_id: int, key: str = "key", at_ms: int = NOW, body: bytes = b'{"id":1}') -> KeptAnswer:
    return KeptAnswer(person_id, key, "f" * 64, None, 200, body, at_ms)


def keep(storage: Storage, *all_of_them: KeptAnswer) -> None:
    for answer in all_of_them:
        storage.write(lambda session, answer=answer: keep_answer(session, answer))


def under(storage: Storage, person_id: int, key: str, now_ms: int = NOW) -> KeptAnswer | None:
    return storage.read(lambda session: answer_under(session, person_id, key, now_ms))


def count(storage: Storage) -> int:
    return storage.read(lambda session: session.execute(select(func.count()).select_from(ANSWERS)).scalar_one())


def test_an_answer_is_kept_for_a_day_and_to_the_byte(storage: Storage, people: list[int]) -> None:
    answer = kept(people[0], body=bytes(range(256)) * 100)
    keep(storage, answer)

    assert under(storage, people[0], "key", NOW + KEPT_MS - 1) == answer
    assert under(storage, people[0], "key", NOW + KEPT_MS) is None
    assert under(storage, people[0], "another") is None
    assert under(storage, people[1], "key") is None


def test_a_key_that_is_a_day_old_is_taken_anew(storage: Storage, people: list[int]) -> None:
    new = kept(people[0], at_ms=NOW + KEPT_MS, body=b"new")
    keep(storage, kept(people[0]), new)

    assert under(storage, people[0], "key", NOW + KEPT_MS) == new
    assert count(storage) == 1


def test_what_is_older_than_a_day_is_swept(storage: Storage, people: list[int]) -> None:
    keep(storage, kept(people[0], "old"), kept(people[0], "new", NOW + 1))

    storage.write(lambda session: sweep_answers(session, NOW + KEPT_MS))

    assert count(storage) == 1
    assert under(storage, people[0], "new", NOW + 2) is not None


def test_of_each_person_the_latest_are_kept(
    storage: Storage, people: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "MOST", 3)
    alice, bob = people
    keep(storage, kept(bob), *(kept(alice, f"key {number}", NOW + number // 2) for number in range(7)))

    assert [under(storage, alice, f"key {number}") is not None for number in range(7)] == [False] * 4 + [
        True
    ] * 3
    assert under(storage, bob, "key") is not None
