"""What there has to be before a server runs: tables, and for `tocsin up` a first client and technician."""

import json
import os
import pwd
import re

from sqlmodel import Session

from tocsin_protocol.vocabulary import HostKind, Role
from tocsin_server.access.people import add_person, issue_session, person_named
from tocsin_server.cli.command import Commands, Options, command, write
from tocsin_server.clock import SystemClock
from tocsin_server.datafolder import make_database
from tocsin_server.estate.clients import add_client, client_named
from tocsin_server.estate.enrolment import create_enrol_token
from tocsin_server.estate.identity import open_identity
from tocsin_server.estate.sites import add_site, site_named
from tocsin_server.storage.migrate import newest

HOME_CLIENT, HOME_SITE = "home", "main"
DAY_MS = 86_400_000


def add_commands(commands: Commands) -> None:
    """`migrate, prepare`."""
    command(commands, "migrate", _migrate, "bring the database to this version's tables")
    prepare = command(commands, "prepare", _prepare, "make what 'tocsin up' needs, and print it as JSON")
    prepare.add_argument("--url", required=True, help="URL for the invitation")
    prepare.add_argument("--no-invitation", dest="invitation", action="store_false", help="no enrolment token")


def _migrate(options: Options) -> int:
    done = make_database(options.data)
    print(f"database at {newest()}" + ("" if done else ", nothing to do"))
    return 0


def _prepare(options: Options) -> int:
    """For `tocsin up`: whatever is missing of database, client, site and first technician; prints JSON."""
    make_database(options.data)
    now = SystemClock().now_ms()

    def act(session: Session) -> dict[str, str]:
        client = client_named(session, HOME_CLIENT, missing_ok=True) or add_client(
            session, HOME_CLIENT, "Home", now
        )
        site = site_named(session, client, HOME_SITE, missing_ok=True) or add_site(
            session, client, HOME_SITE, "Main", now
        )
        login, name = _first_technician()
        person = person_named(session, login) or add_person(session, login, name, None, Role.ADMIN, now)
        invitation = ""
        if options.invitation:
            invitation = create_enrol_token(
                session,
                open_identity(options.data),
                site,
                options.url,
                kind=HostKind.SERVER,
                now_ms=now,
                expires_ms=now + DAY_MS,
            )
        return {"session": issue_session(session, person, now, unlimited=True), "invitation": invitation}

    print(json.dumps(write(options, act)))
    return 0


def _first_technician() -> tuple[str, str]:
    """The login and name of whoever runs this."""
    try:
        account = pwd.getpwuid(os.getuid())
        login, name = account.pw_name, account.pw_gecos.partition(",")[0]
    except KeyError:
        login, name = "technician", ""
    login = re.sub(r"[^a-z0-9._-]", "-", login.lower()) or "technician"
    return login, name or login
