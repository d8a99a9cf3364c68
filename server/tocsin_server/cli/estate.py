"""Clients, their sites and hosts, the people who sign in, and invitations for agents."""

import getpass
from pathlib import Path

from sqlmodel import Session

from tocsin_protocol.vocabulary import HostKind, Role
from tocsin_server.cli.command import Commands, Options, command, from_one, group, settings
from tocsin_server.cli.deeds import new_client, new_invitation, new_person, new_site, retire
from tocsin_server.cli.writing import write
from tocsin_server.clock import SystemClock
from tocsin_server.errors import Misconfigured
from tocsin_server.estate.clients import client_named
from tocsin_server.estate.identity import open_identity
from tocsin_server.estate.sites import site_named
from tocsin_server.listening import url_of


def add_commands(commands: Commands) -> None:
    """`client, site, host, user, enrol-token`."""
    client = command(group(commands, "client"), "add", _client_add, "add a client")
    client.add_argument("slug")
    client.add_argument("--name", help="full name")
    site = command(group(commands, "site"), "add", _site_add, "add a site of a client")
    site.add_argument("client")
    site.add_argument("slug")
    site.add_argument("--name", help="full name")
    retire = command(group(commands, "host"), "retire", _host_retire, "retire a host and refuse its agent")
    retire.add_argument("client")
    retire.add_argument("name")
    user = command(group(commands, "user"), "add", _user_add, "add a person")
    user.add_argument("login")
    user.add_argument("--name", help="full name")
    user.add_argument("--role", choices=[role.value for role in Role], default=Role.TECHNICIAN.value)
    user.add_argument(
        "--password-file", type=Path, help="read the password from here; otherwise it is asked for"
    )
    token = command(
        group(commands, "enrol-token"),
        "create",
        _enrol_token_create,
        "invite one agent, once",
    )
    token.add_argument("--client", required=True)
    token.add_argument("--site", required=True)
    token.add_argument("--kind", choices=[kind.value for kind in HostKind], default=HostKind.SERVER.value)
    token.add_argument(
        "--hours", type=from_one, default=24, help="how long it is good for (default %(default)s)"
    )
    token.add_argument("--url", help="URL under which this host reaches the server")
    token.add_argument("--quiet", action="store_true", help="print the token alone")


def _client_add(options: Options) -> int:
    now = SystemClock().now_ms()
    write(options, lambda s: new_client(s, options.slug, options.name or options.slug, now))
    print(f"client {options.slug} added")
    return 0


def _site_add(options: Options) -> int:
    now = SystemClock().now_ms()
    name = options.name or options.slug
    write(options, lambda s: new_site(s, client_named(s, options.client), options.slug, name, now))
    print(f"site {options.slug} of {options.client} added")
    return 0


def _host_retire(options: Options) -> int:
    now = SystemClock().now_ms()
    write(options, lambda s: retire(s, client_named(s, options.client), options.name, now))
    print(f"host {options.name} of {options.client} retired; its agent is refused from now on")
    return 0


def _user_add(options: Options) -> int:
    now = SystemClock().now_ms()
    password = _new_password(options.password_file)
    name = options.name or options.login
    write(options, lambda s: new_person(s, options.login, name, password, Role(options.role), now))
    print(f"{options.role} {options.login} added")
    return 0


def _enrol_token_create(options: Options) -> int:
    now = SystemClock().now_ms()
    url = options.url or url_of(settings(options))

    def act(session: Session) -> str:
        site = site_named(session, client_named(session, options.client), options.site)
        expires = now + options.hours * 3_600_000
        kind = HostKind(options.kind)
        return new_invitation(
            session, open_identity(options.data), site, url, kind=kind, now_ms=now, expires_ms=expires
        )

    token = write(options, act)
    if options.quiet:
        print(token)
    else:
        print(f"on the host, once, within {options.hours} h:\n\n  sudo tocsin-agent enrol {token}\n")
    return 0


def _new_password(path: Path | None) -> str:
    if path is not None:
        try:
            return path.read_text().rstrip("\n")
        except OSError as error:
            raise Misconfigured(f"{path} cannot be read ({error.strerror})") from error
    password = getpass.getpass("password (12 characters or more): ")
    if getpass.getpass("again: ") != password:
        raise Misconfigured("the two passwords differ", remedy="type them again")
    return password
