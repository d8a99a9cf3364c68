"""Passwords: argon2id, never more than two at once, and the same work for a login that nobody has.

A hash takes 64 MiB and some 50 ms on purpose, so on a small machine the sign-in form would be the way to stop
the desk: callers beyond two wait, and beyond a handful are sent away.
"""

import threading
from functools import cached_property

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from tocsin_server.errors import Overloaded, Unprocessable

MIN_LENGTH = 12
MAX_LENGTH = 512
AT_ONCE = 2
MAX_WAITING = 16
NO_PASSWORD = ""
"""The hash of somebody who cannot sign in with a password."""


class Passwords:
    """Hashes and verifies. The parameters are argon2-cffi's own; tests give cheaper ones."""

    def __init__(self, *, time_cost: int = 3, memory_kib: int = 65536, lanes: int = 4) -> None:
        self._hasher = PasswordHasher(
            time_cost=time_cost, memory_cost=memory_kib, parallelism=lanes, type=Type.ID
        )
        self._at_once = threading.BoundedSemaphore(AT_ONCE)
        self._room = threading.BoundedSemaphore(AT_ONCE + MAX_WAITING)

    def hash(self, password: str) -> str:
        """What is kept of a password that is good enough."""
        if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
            raise Unprocessable(
                f"a password has {MIN_LENGTH} to {MAX_LENGTH} characters, this one {len(password)}",
                remedy="choose a longer one, such as four words"
                if len(password) < MIN_LENGTH
                else "shorten it",
            )
        with self._at_once:
            return self._hasher.hash(password)

    def is_right(self, kept: str | None, password: str) -> bool:
        """Whether this is the password; for nobody's hash too it takes as long as for somebody's."""
        if not self._room.acquire(blocking=False):
            raise Overloaded("too many people are signing in at once", remedy="try again in a few seconds")
        try:
            with self._at_once:
                return self._verify(kept or self._nobodys, password) and bool(kept)
        finally:
            self._room.release()

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password[:MAX_LENGTH])
        except (VerifyMismatchError, InvalidHashError):
            return False

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash("nobody has this one")
