"""What there has to be before a server runs: tables, and for `tocsin up` clients and a first technician."""

import argparse
import json
import os
import pwd
import re

from sqlmodel import Session

from tocsin_protocol.vocabulary import HostKind, Role
from tocsin_server.access.grants import Grant
from tocsin_server.access.people import person_named
from tocsin_server.cli.command import Commands, Options, command, from_one
from tocsin_server.cli.deeds import new_client, new_invitation, new_person, new_site, unlimited_session
from tocsin_server.cli.writing import write
from tocsin_server.clock import SystemClock
from tocsin_server.datafolder import make_database
from tocsin_server.estate.clients import client_named
from tocsin_server.estate.identity import open_identity
from tocsin_server.estate.sites import site_named
from tocsin_server.storage.migrate import newest

HOME_CLIENT, HOME_SITE = "home", "main"
DAY_MS = 86_400_000


def add_commands(commands: Commands) -> None:
    """`migrate, prepare`."""
    command(commands, "migrate", _migrate)
    prepare = command(commands, "prepare", _prepare)
    prepare.add_argument("--url", required=True, help="URL for the invitation")
    add_choices(prepare)


def add_choices(parser: argparse._ActionsContainer) -> None:
    """What to make, and what not."""
    parser.add_argument(
        "--no-invitation", dest="invitation", action="store_false", help="no enrolment token for this machine"
    )
    parser.add_argument(
        "--demo", action="store_true", help="simulated clients, and an invitation for each of their hosts"
    )
    parser.add_argument("--hosts", type=from_one, help="how many simulated hosts (default: those of the demo)")


def _migrate(options: Options) -> int:
    done = make_database(options.data)
    print(f"database at {newest()}" + ("" if done else ", nothing to do"))
    return 0


def _prepare(options: Options) -> int:
    make_database(options.data)
    print(prepared(options, options.url))
    return 0


def prepared(options: Options, url: str) -> str:
    """For `tocsin up`: make whatever is missing of client, site and first technician; what it needs, as JSON.

    `{"session": token, "invitation": token or ""}`, or of a demo `{"session": token, "hosts": roster}`.
    """
    found = _demo if options.demo else _home
    return json.dumps(write(options, lambda session: found(session, options, url, SystemClock().now_ms())))


def _home(session: Session, options: Options, url: str, now_ms: int) -> dict[str, object]:
    """A client for who has no other, and an invitation for the agent of this machine."""
    client = client_named(session, HOME_CLIENT, missing_ok=True) or new_client(
        session, HOME_CLIENT, "Home", now_ms
    )
    site = site_named(session, client, HOME_SITE, missing_ok=True) or new_site(
        session, client, HOME_SITE, "Main", now_ms
    )
    invitation = ""
    if options.invitation:
        invitation = new_invitation(
            session,
            open_identity(options.data),
            site,
            url,
            kind=HostKind.SERVER,
            now_ms=now_ms,
            expires_ms=now_ms + DAY_MS,
        )
    return {"session": _first_session(session, now_ms), "invitation": invitation}


def _demo(session: Session, options: Options, url: str, now_ms: int) -> dict[str, object]:
    """The same for a provider whose clients are simulated."""
    from tocsin_server.cli.demo import found_demo  # noqa: PLC0415 - no other start needs it

    hosts = found_demo(session, open_identity(options.data), url, hosts=options.hosts, now_ms=now_ms)
    return {"session": _first_session(session, now_ms), "hosts": hosts}


def _first_session(session: Session, now_ms: int) -> str:
    """A session of whoever runs this, who becomes the first technician."""
    login, name = _first_technician()
    person = person_named(session, login) or new_person(
        session, login, name, None, Role.ADMIN, now_ms, sees=Grant(all_clients=True)
    )
    return unlimited_session(session, person, now_ms)


def _first_technician() -> tuple[str, str]:
    """The login and name of whoever runs this."""
    try:
        account = pwd.getpwuid(os.getuid())
        login, name = account.pw_name, account.pw_gecos.partition(",")[0]
    except KeyError:
        login, name = "technician", ""
    login = re.sub(r"[^a-z0-9._-]", "-", login.lower()) or "technician"
    return login, name or login
