"""What one does about one's own way in: password, one-time codes, sessions, and tokens for programs."""

import asyncio
from functools import partial
from typing import Any

from litestar import delete, get, post
from litestar.params import JSONBody
from sqlmodel import Session

from tocsin_protocol.people import (
    ApiToken,
    Ended,
    MadeToken,
    NewPassword,
    NewToken,
    SessionPage,
    SessionRow,
    TokenPage,
)
from tocsin_protocol.totp import NewTotp, RecoveryCodes, Totp, TotpCode, TotpOffer
from tocsin_server.access import attempts, tokens, totp
from tocsin_server.access.audit import Act, Deed
from tocsin_server.access.auditlog import record
from tocsin_server.access.people import end_session, end_sessions, name_of, sessions_of
from tocsin_server.access.store import ApiTokenRow, LoginSession, PersonRow
from tocsin_server.clock import moment
from tocsin_server.estate.store import known
from tocsin_server.http.deps import Deps, Wired
from tocsin_server.http.fitness import ENROLLING
from tocsin_server.http.permitted import OWN_SESSION
from tocsin_server.http.proof import Claim, Factor, Proof, charged, prove, settle
from tocsin_server.http.questions import Id, SlugInPath
from tocsin_server.http.sessions import SignedIn, actor, source_of


@post("/me/password", status_code=200, opt=OWN_SESSION)
async def change_password(data: JSONBody[NewPassword], request: SignedIn, deps: Wired) -> Ended:
    """Another password, for the old one and the code; all other sessions end."""
    now_ms = deps.clock.now_ms()
    kept = await asyncio.to_thread(deps.passwords.hash, data.new)
    proof = await _again(request, deps, data.old, data.code, now_ms)

    def act(session: Session, person: PersonRow, factor: Factor) -> Ended:
        person.password_hash = kept
        session.add(person)
        ended = end_sessions(session, known(person.id), but=request.auth.digest)
        details = {"password": "new", "sessions": ended, **factor}
        _record(session, request, Act.PERSON_CHANGED, person.login, now_ms, details)
        return Ended(sessions=ended)

    return await settle(deps, proof, act, now_ms)


@get("/me/totp", opt={**OWN_SESSION, **ENROLLING})
async def codes(request: SignedIn, deps: Wired) -> Totp:
    """Whether codes are asked of one, and how many recovery codes are left."""
    is_required = request.user.role in deps.settings.require_totp
    found = await deps.storage.read_soon(partial(totp.standing, person_id=request.user.id))
    if found is None:
        return Totp(is_required=is_required)
    return Totp(since=moment(found.since_ms), recovery_codes=found.recovery_codes, is_required=is_required)


@post("/me/totp", status_code=200, opt={**OWN_SESSION, **ENROLLING})
async def begin_codes(data: JSONBody[NewTotp], request: SignedIn, deps: Wired) -> TotpOffer:
    """A new secret, for the password and the code of a device that is enrolled, which holds until `confirm`."""
    now_ms = deps.clock.now_ms()
    proof = await _again(request, deps, data.password, data.code, now_ms)

    def act(session: Session, person: PersonRow, _factor: Factor) -> TotpOffer:
        offer = totp.begin(session, person, deps.vault, now_ms)
        return TotpOffer(secret=offer.secret, uri=offer.uri)

    return await settle(deps, proof, act, now_ms)


@post("/me/totp/confirm", status_code=200, opt={**OWN_SESSION, **ENROLLING})
async def confirm_codes(data: JSONBody[TotpCode], request: SignedIn, deps: Wired) -> RecoveryCodes:
    """Put the new secret in force by its first code; all other sessions end, since they began without.

    It is counted like signing in: a session alone must not guess the code, the recovery codes are the prize.
    """
    now_ms = deps.clock.now_ms()
    charge = await charged(deps, request.user.login, source_of(request), now_ms)

    def act(session: Session) -> RecoveryCodes:
        made = totp.confirm(session, request.user.id, data.code, deps.vault, now_ms)
        attempts.take_back(session, charge)
        ended = end_sessions(session, request.user.id, but=request.auth.digest)
        _record(session, request, Act.PERSON_CODES_BEGUN, request.user.login, now_ms, {"sessions": ended})
        return RecoveryCodes(codes=made)

    return await deps.storage.write_soon(act)


@get("/me/sessions", opt=OWN_SESSION)
async def own_sessions(request: SignedIn, deps: Wired) -> SessionPage:
    """Where one is signed in."""
    now_ms = deps.clock.now_ms()
    found = await deps.storage.read_soon(partial(sessions_of, person_id=request.user.id, now_ms=now_ms))
    return SessionPage(sessions=[_session(each, request.auth.digest) for each in found])


@delete("/me/sessions/{name:str}", status_code=204, opt=OWN_SESSION)
async def end_own_session(name: SlugInPath, request: SignedIn, deps: Wired) -> None:
    """Sign out there."""
    now_ms = deps.clock.now_ms()

    def act(session: Session) -> None:
        end_session(session, request.user.id, name, now_ms)
        _record(session, request, Act.PERSON_SIGNED_OUT, request.user.login, now_ms, {"sessions": 1})

    await deps.storage.write_soon(act)


@post("/me/sessions/revoke-all", status_code=200, opt=OWN_SESSION)
async def end_all_sessions(request: SignedIn, deps: Wired) -> Ended:
    """Sign out everywhere, here too."""
    now_ms = deps.clock.now_ms()

    def act(session: Session) -> Ended:
        ended = end_sessions(session, request.user.id)
        _record(session, request, Act.PERSON_SIGNED_OUT, request.user.login, now_ms, {"sessions": ended})
        return Ended(sessions=ended)

    return await deps.storage.write_soon(act)


@get("/me/tokens", opt=OWN_SESSION)
async def own_tokens(request: SignedIn, deps: Wired) -> TokenPage:
    """One's good tokens."""
    now_ms = deps.clock.now_ms()
    found = await deps.storage.read_soon(partial(tokens.tokens_of, person_id=request.user.id, now_ms=now_ms))
    return TokenPage(tokens=[_token(each) for each in found])


@post("/me/tokens", opt=OWN_SESSION)
async def make_token(data: JSONBody[NewToken], request: SignedIn, deps: Wired) -> MadeToken:
    """A token for a program, for the password and the code."""
    now_ms = deps.clock.now_ms()
    proof = await _again(request, deps, data.password, data.code, now_ms)

    def act(session: Session, person: PersonRow, factor: Factor) -> MadeToken:
        token, row = tokens.make(session, person, data.name, data.scopes, data.days, now_ms)
        _record(session, request, Act.TOKEN_MADE, known(row.id), now_ms, tokens.told(row, person) | factor)
        return MadeToken(token=token, made=_token(row))

    return await settle(deps, proof, act, now_ms)


@delete("/me/tokens/{token_id:int}", status_code=204, opt=OWN_SESSION)
async def revoke_token(token_id: Id, request: SignedIn, deps: Wired) -> None:
    """End one of one's tokens."""
    now_ms = deps.clock.now_ms()

    def act(session: Session) -> None:
        row = tokens.revoke(session, request.user.id, token_id, now_ms)
        details = {"login": request.user.login, "name": row.name}
        _record(session, request, Act.TOKEN_REVOKED, token_id, now_ms, details)

    await deps.storage.write_soon(act)


async def _again(request: SignedIn, deps: Deps, password: str, code: str, now_ms: int) -> Proof:
    """The one who is signed in shows once more who they are."""
    return await prove(deps, Claim(request.user.login, source_of(request), password, code), now_ms)


def _record(
    session: Session, request: SignedIn, act: Act, subject: str | int, now_ms: int, details: dict[str, Any]
) -> None:
    record(session, Deed(act, subject, by=actor(request), at_ms=now_ms, details=details))


def _session(of: LoginSession, current: str) -> SessionRow:
    return SessionRow(
        id=name_of(of.digest),
        begun_at=moment(of.created_ms),
        used_at=moment(of.used_ms),
        expires_at=None if of.expires_ms is None else moment(of.expires_ms),
        source=of.source,
        is_current=of.digest == current,
    )


def _token(of: ApiTokenRow) -> ApiToken:
    return ApiToken(
        id=known(of.id),
        name=of.name,
        scopes=of.scopes.split(),
        created_at=moment(of.created_ms),
        expires_at=moment(of.expires_ms),
        used_at=None if of.used_ms is None else moment(of.used_ms),
    )


ROUTES = [
    change_password,
    codes,
    begin_codes,
    confirm_codes,
    own_sessions,
    end_own_session,
    end_all_sessions,
    own_tokens,
    make_token,
    revoke_token,
]
