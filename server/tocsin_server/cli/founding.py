"""What there has to be before a server runs: tables, and for `tocsin up` clients and a first technician."""

import json
import os
import pwd
import re

from sqlmodel import Session

from tocsin_protocol.vocabulary import HostKind, Role
from tocsin_server.access.people import add_person, issue_session, person_named
from tocsin_server.cli.command import Commands, Options, command, from_one
from tocsin_server.cli.writing import write
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
    command(commands, "migrate", _migrate)
    prepare = command(commands, "prepare", _prepare)
    prepare.add_argument("--url", required=True, help="URL for the invitation")
    prepare.add_argument("--no-invitation", dest="invitation", action="store_false", help="no enrolment token")
    prepare.add_argument(
        "--demo", action="store_true", help="simulated clients, and an invitation for each host"
    )
    prepare.add_argument("--hosts", type=from_one, help="how many simulated hosts (default: those of the demo)")


def _migrate(options: Options) -> int:
    done = make_database(options.data)
    print(f"database at {newest()}" + ("" if done else ", nothing to do"))
    return 0


def _prepare(options: Options) -> int:
    """For `tocsin up`: whatever is missing of database, client, site and first technician; prints JSON."""
    make_database(options.data)
    now = SystemClock().now_ms()
    if options.demo:
        print(json.dumps(write(options, lambda session: _demo(session, options, now))))
        return 0

    def act(session: Session) -> dict[str, str]:
        client = client_named(session, HOME_CLIENT, missing_ok=True) or add_client(
            session, HOME_CLIENT, "Home", now
        )
        site = site_named(session, client, HOME_SITE, missing_ok=True) or add_site(
            session, client, HOME_SITE, "Main", now
        )
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
        return {"session": _first_session(session, now), "invitation": invitation}

    print(json.dumps(write(options, act)))
    return 0


def _demo(session: Session, options: Options, now_ms: int) -> dict[str, object]:
    """For `tocsin up --demo`: the same for a provider whose clients are simulated."""
    from tocsin_server.cli.demo import found_demo  # noqa: PLC0415 - no other start needs it

    hosts = found_demo(session, open_identity(options.data), options.url, hosts=options.hosts, now_ms=now_ms)
    return {"session": _first_session(session, now_ms), "hosts": hosts}


def _first_session(session: Session, now_ms: int) -> str:
    """A session of whoever runs this, who becomes the first technician."""
    login, name = _first_technician()
    person = person_named(session, login) or add_person(session, login, name, None, Role.ADMIN, now_ms)
    return issue_session(session, person, now_ms, unlimited=True)


def _first_technician() -> tuple[str, str]:
    """The login and name of whoever runs this."""
    try:
        account = pwd.getpwuid(os.getuid())
        login, name = account.pw_name, account.pw_gecos.partition(",")[0]
    except KeyError:
        login, name = "technician", ""
    login = re.sub(r"[^a-z0-9._-]", "-", login.lower()) or "technician"
    return login, name or login
