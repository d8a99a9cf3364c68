"""A password is kept as argon2id, and asking for nobody's costs as much as for somebody's."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tocsin_server.access.passwords import AT_ONCE, MAX_WAITING, Passwords
from tocsin_server.errors import Overloaded, Unprocessable

GOOD = "correct horse battery"


def test_what_is_kept_is_argon2id_with_the_parameters_of_the_library(cheap: Passwords) -> None:
    kept = Passwords().hash(GOOD)

    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert cheap.is_right(kept, GOOD)


def test_another_password_is_not_right(cheap: Passwords) -> None:
    assert not cheap.is_right(cheap.hash(GOOD), GOOD + "!")


@pytest.mark.parametrize("password", ["", "eleven char", "x" * 513])
def test_a_password_of_the_wrong_length_is_refused(cheap: Passwords, password: str) -> None:
    with pytest.raises(Unprocessable, match="12 to 512 characters"):
        cheap.hash(password)


@pytest.mark.parametrize("kept", [None, "", "not a hash"])
def test_nobodys_password_is_never_right_though_it_is_verified(
    cheap: Passwords, kept: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []
    monkeypatch.setattr(cheap, "_verify", lambda kept, password: bool(verified.append(kept)) or True)

    right = cheap.is_right(kept, "nobody has this one")

    assert len(verified) == 1
    assert right is bool(kept)


def test_more_than_a_handful_at_once_are_sent_away(cheap: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    arrived = threading.Semaphore(0)

    def slow(kept: str, password: str) -> bool:
        arrived.release()
        return gate.wait(10)

    monkeypatch.setattr(cheap, "_verify", slow)
    with ThreadPoolExecutor(AT_ONCE + MAX_WAITING + 1) as pool:
        asked = [pool.submit(cheap.is_right, "hash", GOOD) for _ in range(AT_ONCE + MAX_WAITING + 1)]
        refused = next(f for f in _as_they_fail(asked))
        running = sum(arrived.acquire(blocking=False) for _ in range(AT_ONCE + 1))
        gate.set()

    assert isinstance(refused.exception(), Overloaded)
    assert running <= AT_ONCE
    assert sum(future.exception() is None for future in asked) == AT_ONCE + MAX_WAITING


def _as_they_fail(futures):
    from concurrent.futures import FIRST_COMPLETED, wait

    done, _ = wait(futures, timeout=10, return_when=FIRST_COMPLETED)
    return done
