"""Clients, their sites and hosts, and invitations for agents."""

from sqlmodel import Session, select

from tocsin_protocol.vocabulary import HostKind
from tocsin_server.cli.command import Commands, Options, command, from_one, group, settings
from tocsin_server.cli.deeds import new_client, new_invitation, new_site, retire
from tocsin_server.cli.query import columns, shown
from tocsin_server.cli.writing import write
from tocsin_server.clock import SystemClock
from tocsin_server.datafolder import look
from tocsin_server.estate.clients import client_named
from tocsin_server.estate.identity import open_identity
from tocsin_server.estate.sites import site_named, sites
from tocsin_server.estate.store import Client, known
from tocsin_server.listening import url_of


def add_commands(commands: Commands) -> None:
    """`client, site, host, enrol-token`."""
    clients, sites_ = group(commands, "client"), group(commands, "site")
    client = command(clients, "add", _client_add, "add a client")
    client.add_argument("slug")
    client.add_argument("--name", help="full name")
    command(clients, "list", _client_list, "all clients by their slugs")
    command(sites_, "list", _site_list, "the sites of a client").add_argument("client")
    site = command(sites_, "add", _site_add, "add a site of a client")
    site.add_argument("client")
    site.add_argument("slug")
    site.add_argument("--name", help="full name")
    retire = command(group(commands, "host"), "retire", _host_retire, "retire a host and refuse its agent")
    retire.add_argument("client")
    retire.add_argument("name")
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


def _client_list(options: Options) -> int:
    found = look(options.data, lambda s: s.exec(select(Client).order_by(Client.slug)).all())
    print("".join(f"{line}\n" for line in columns([(each.slug, shown(each.name)) for each in found])), end="")
    return 0


def _site_list(options: Options) -> int:
    found = look(options.data, lambda s: sites(s, known(client_named(s, options.client).id)))
    print("".join(f"{line}\n" for line in columns([(each.slug, shown(each.name)) for each in found])), end="")
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
