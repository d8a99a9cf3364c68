"""Showing who one is, by a password and a code: to sign in, and again for what outlives a session.

    prove     count the attempt, and look at the password
    settle    in one transaction: use up the code, do the act, and take the attempt back

Whatever fails is counted, written down, and told in the same words whether there is such a login or not.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, TypeVar

from sqlmodel import Session

from tocsin_server.access import attempts, totp
from tocsin_server.access.attempts import Charge
from tocsin_server.access.audit import Act, Actor, Deed, Party
from tocsin_server.access.auditlog import record
from tocsin_server.access.passwords import NO_PASSWORD
from tocsin_server.access.people import password_hash_of, person_named
from tocsin_server.access.store import PersonRow
from tocsin_server.errors import TocsinError, Unauthenticated, Unavailable
from tocsin_server.estate.store import known
from tocsin_server.http.deps import Deps

T = TypeVar("T")
Factor = dict[str, object]
"""What the audit log tells of the code; nothing where none is asked for."""

WRONG = "the login or the password is wrong"


@dataclass(frozen=True, slots=True)
class Claim:
    """Who somebody says they are, and by what."""

    login: str
    source: str
    password: str = field(repr=False)
    code: str = field(default="", repr=False)


class Proof(NamedTuple):
    """A claim whose password is right, of somebody whose password hash was this."""

    claim: Claim
    kept: str
    charge: Charge


async def prove(deps: Deps, claim: Claim, now_ms: int) -> Proof:
    """The claim with its password found right.

    Raises `Overloaded` where it comes too early after others, and `Unauthenticated` where it is not right.
    """
    charge = await charged(deps, claim.login, claim.source, now_ms)
    kept = await deps.storage.read_soon(partial(password_hash_of, login=claim.login))
    if not await asyncio.to_thread(deps.passwords.is_right, kept, claim.password):
        await _note_failure(deps, claim, charge, now_ms)
        raise Unauthenticated(WRONG)
    return Proof(claim, kept or NO_PASSWORD, charge)


async def charged(deps: Deps, login: str, address: str, now_ms: int) -> Charge:
    """An attempt that is counted; raises `Overloaded` where it comes too early after others."""
    mark, source = deps.vault.mark(login), attempts.source_of(address)
    # A flood does not get to the writer.
    await deps.storage.read_soon(lambda s: attempts.refuse_haste(s, mark, source, now_ms))
    return await deps.storage.write_soon(lambda s: attempts.charge(s, mark, source, now_ms))


async def settle(deps: Deps, proof: Proof, act: Callable[[Session, PersonRow, Factor], T], now_ms: int) -> T:
    """Do the act, with its person's code used up; raises `CodeRequired` where that is not right.

    An act that is refused is no failed attempt; the code is used up all the same.
    """

    def run(session: Session) -> T | TocsinError:
        person = person_named(session, proof.claim.login)
        if person is None or person.disabled_ms is not None or person.password_hash != proof.kept:
            return Unauthenticated(WRONG)
        try:
            factor = totp.use(session, known(person.id), proof.claim.code, deps.vault, now_ms)
        except totp.CodeRequired as refusal:
            if not proof.claim.code:
                attempts.take_back(session, proof.charge)
            return refusal
        attempts.succeeded(session, proof.charge, now_ms)
        try:
            with session.begin_nested():
                return act(session, person, factor)
        except TocsinError as refusal:
            return refusal

    done = await deps.storage.write_soon(run)  # a refusal is given back, not raised: what is counted stays
    if isinstance(done, totp.CodeRequired) and proof.claim.code:
        await _note_failure(deps, proof.claim, proof.charge, now_ms, at="code")
    if isinstance(done, TocsinError):
        raise done
    return done


async def _note_failure(deps: Deps, claim: Claim, charge: Charge, now_ms: int, at: str = "password") -> None:
    """Into the audit log, as long as there are not too many; whoever fails is told so in any case."""
    passed_over = deps.failures.take(now_ms)
    if passed_over is None:
        return
    details: dict[str, object] = {} if at == "password" else {"at": at}
    if passed_over:
        details["passed_over"] = passed_over
    if charge.wait_ms:
        details["wait_s"] = charge.wait_ms // 1000
    act = partial(_failed, claim=claim, now_ms=now_ms, details=details)
    with contextlib.suppress(Unavailable):
        await deps.storage.write_soon(act)


def _failed(session: Session, *, claim: Claim, now_ms: int, details: dict[str, object]) -> None:
    """A login that nobody has is not written down: it may be a password, typed in the wrong place."""
    login = "" if person_named(session, claim.login) is None else claim.login
    who = Actor(Party.NOBODY, login, claim.source)
    record(session, Deed(Act.PERSON_SIGN_IN_FAILED, login, by=who, at_ms=now_ms, details=details))
