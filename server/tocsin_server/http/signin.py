"""Signing in, with a password and, where it is asked for, a one-time code."""

from typing import Any

from litestar import Request, post
from litestar.params import JSONBody
from sqlmodel import Session

from tocsin_protocol.people import LoginAnswer, LoginRequest
from tocsin_server.access.audit import Act, Actor, Deed, Party
from tocsin_server.access.auditlog import record
from tocsin_server.access.people import SESSION_MS, issue_session, told
from tocsin_server.access.store import PersonRow
from tocsin_server.clock import moment
from tocsin_server.http.deps import Wired
from tocsin_server.http.fitness import must_enrol
from tocsin_server.http.proof import Claim, Factor, prove, settle
from tocsin_server.http.sessions import source_of


@post("/login", status_code=200)
async def login(data: JSONBody[LoginRequest], request: Request[Any, Any, Any], deps: Wired) -> LoginAnswer:
    """Sign in; there is no session before the code was right."""
    now_ms, source = deps.clock.now_ms(), source_of(request)

    def begin(session: Session, person: PersonRow, factor: Factor) -> LoginAnswer:
        by = Actor(Party.PERSON, person.login, source)
        record(session, Deed(Act.PERSON_SIGNED_IN, person.login, by=by, at_ms=now_ms, details=factor))
        return LoginAnswer(
            token=issue_session(session, person, now_ms, source=source),
            expires_at=moment(now_ms + SESSION_MS),
            person=told(person),
            must_enrol=must_enrol(person.role, deps.settings.require_totp, has_codes=bool(factor)),
        )

    proof = await prove(deps, Claim(data.login, source, data.password, data.code), now_ms)
    return await settle(deps, proof, begin, now_ms)
