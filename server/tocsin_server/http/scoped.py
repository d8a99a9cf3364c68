"""Questions and changes as somebody's: the function is given their scope, and PostgreSQL is told of it, too.

So what a condition forgets there the database does not show (`docs/postgresql.md`). What is to be done for all,
such as adding to the audit log, is done after `narrowed`, not within.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

from sqlmodel import Session

from tocsin_server.access.scope import EVERYWHERE, Scope
from tocsin_server.storage.engine import Storage
from tocsin_server.storage.statements import show_only

T = TypeVar("T")


@contextlib.contextmanager
def narrowed(session: Session, scope: Scope) -> Iterator[None]:
    """See rows of this scope only, and all again behind it; an error takes that back with all that was done."""
    if scope.is_everywhere:
        yield
        return
    show_only(session, scope.setting)
    yield
    show_only(session, EVERYWHERE.setting)


def asked(storage: Storage, scope: Scope, ask: Callable[[Session, Scope], T]) -> T:
    """Answer a question within a scope."""

    def run(session: Session) -> T:
        with narrowed(session, scope):
            return ask(session, scope)

    return storage.read(run)


async def asked_soon(storage: Storage, scope: Scope, ask: Callable[[Session, Scope], T]) -> T:
    """`asked` for the event loop."""

    def run(session: Session) -> T:
        with narrowed(session, scope):
            return ask(session, scope)

    return await storage.read_soon(run)
