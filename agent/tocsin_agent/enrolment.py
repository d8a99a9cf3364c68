"""How a host comes to its server: redeem a token once, and write down who both are."""

import os
import shutil
from contextlib import closing

from tocsin_agent.collectors.kernel import read_once, readable
from tocsin_agent.collectors.system import parse_os_release
from tocsin_agent.connection import Connection
from tocsin_agent.errors import AgentError, NoDelivery, NotEnrolled, Refused
from tocsin_agent.greeting import Enrolled, enrol
from tocsin_agent.identity import FILE, Identity, load, new_seed, save
from tocsin_agent.nextkey import drop_next
from tocsin_agent.state import StateLock
from tocsin_protocol.wire import Invitation, decode_invitation

_OS_RELEASES = ("/etc/os-release", "/usr/lib/os-release")


def enrol_host(token: str, state: str, *, name: str, replaces: bool) -> Identity:
    """Redeem `token` and write the identity; an existing one stays unless it is to be replaced."""
    invitation = _invitation(token)
    with StateLock(state):
        path = f"{state}/{FILE}"
        if os.path.exists(path) and not replaces:
            raise AgentError(f"{path} exists: this host is enrolled already; --force gives it a new identity")
        seed = new_seed()
        enrolled = _redeem(invitation, seed=seed, name=name)
        identity = Identity(
            *enrolled,
            url=invitation.url,
            fingerprint=invitation.fingerprint,
            server_key=invitation.server_key,
            seed=seed,
        )
        _leave_behind(state, identity)
        drop_next(state)
        try:
            save(identity, state)
        except OSError as error:
            raise AgentError(
                f"{path} cannot be written ({error.strerror}): make room, then enrol with a new token"
            ) from error
    return identity


def _redeem(invitation: Invitation, *, seed: bytes, name: str) -> Enrolled:
    with closing(Connection(invitation.url, fingerprint=invitation.fingerprint)) as connection:
        try:
            return enrol(connection, invitation, seed=seed, name=name, os_name=_os_name())
        except Refused as error:
            raise AgentError(f"{invitation.url} refuses to enrol {name!r}: {error}") from error
        except NoDelivery as error:
            raise AgentError(f"cannot enrol: {error}") from error


def _invitation(token: str) -> Invitation:
    try:
        invitation = decode_invitation(token)
        keys = bytes.fromhex(invitation.server_key), bytes.fromhex(invitation.fingerprint)
    except ValueError as error:
        raise AgentError(f"{error}; `tocsin-server enrol-token create` makes a new one") from error
    if len(keys[0]) != 32 or len(keys[1]) not in {0, 32}:
        raise AgentError("the enrolment token is another version's: update this agent, or the server")
    return invitation


def _leave_behind(state: str, identity: Identity) -> None:
    """What was collected for another client or server is not this one's to see."""
    try:
        former = load(state)
    except NotEnrolled:
        return
    if (former.client, former.server_key) != (identity.client, identity.server_key):
        shutil.rmtree(f"{state}/spool", ignore_errors=True)


def _os_name() -> str:
    """What the distribution calls itself, else the kernel's name."""
    for path in _OS_RELEASES:
        try:
            name = parse_os_release(readable(read_once(path))).get("PRETTY_NAME")
        except OSError:
            continue
        if name:
            return name
    return os.uname().sysname
