"""`requester`: the people of clients who ask for things. A running server knows of them at once."""

import json
from collections.abc import Callable, Iterator, Sequence

import msgspec
from sqlmodel import Session

from tocsin_server.access.audit import Act
from tocsin_server.access.auditlog import record
from tocsin_server.cli.command import Commands, Options, command, group
from tocsin_server.cli.query import columns, shown
from tocsin_server.cli.writing import operator, write
from tocsin_server.clock import SystemClock
from tocsin_server.datafolder import look
from tocsin_server.errors import Misconfigured
from tocsin_server.estate.clients import client_named
from tocsin_server.estate.requesters import (
    Asker,
    Wish,
    add_requester,
    change_requester,
    remove_requester,
    requesters,
)
from tocsin_server.estate.store import Client, known
from tocsin_server.http.clients import asker_deed, asker_view

EXAMPLES = """\
examples:
  tocsin-server requester add acme eve@acme.example --name 'Eve Adams' --site berlin
  tocsin-server requester change acme eve@acme.example --mail eve.adams@acme.example
  tocsin-server requester remove acme eve.adams@acme.example

A requester does not sign in. A ticket that is opened by hand may name one of its client's.
"""
_HEADING = ("mail", "name", "site")


def add_commands(commands: Commands) -> None:
    """`requester add, list, change, remove`."""
    words = group(commands, "requester")
    adding = command(words, "add", _add, "add somebody who asks for things", examples=EXAMPLES)
    listing = command(words, "list", _list, "who of a client asks for things")
    changing = command(words, "change", _change, "another name, address or site")
    leaving = command(words, "remove", _remove, "somebody has left; their tickets stay theirs")
    for each in (adding, listing, changing, leaving):
        each.add_argument("client")
    for each in (adding, changing, leaving):
        each.add_argument("mail")
    for each in (adding, changing):
        each.add_argument("--name", help="full name")
        each.add_argument("--site", metavar="SLUG", help="where they are; '' for nowhere")
    changing.add_argument("--mail", dest="new_mail", help="another address")
    listing.add_argument("--json", action="store_true", help="as the API tells them")


def _add(options: Options) -> int:
    wish, now_ms = Wish(options.name, None, options.site), SystemClock().now_ms()
    made = _write(
        options, Act.REQUESTER_ADDED, lambda s, client: add_requester(s, client, options.mail, wish, now_ms)
    )
    print(f"requester {made.mail} of {options.client} added")
    return 0


def _change(options: Options) -> int:
    wish = Wish(options.name, options.new_mail, options.site)
    if wish == Wish():
        raise Misconfigured("nothing is to be changed", remedy="give --name, --mail or --site")
    made = _write(
        options, Act.REQUESTER_CHANGED, lambda s, client: change_requester(s, client, options.mail, wish)
    )
    print(f"requester {made.mail} of {options.client} changed")
    return 0


def _remove(options: Options) -> int:
    now_ms = SystemClock().now_ms()
    made = _write(
        options, Act.REQUESTER_REMOVED, lambda s, client: remove_requester(s, client, options.mail, now_ms)
    )
    print(f"requester {made.mail} of {options.client} removed")
    return 0


def _write(options: Options, act: Act, change: Callable[[Session, Client], Asker]) -> Asker:
    now_ms = SystemClock().now_ms()

    def run(session: Session) -> Asker:
        made = change(session, client_named(session, options.client))
        record(session, asker_deed(act, made, by=operator(), at_ms=now_ms))
        return made

    return write(options, run)


def _list(options: Options) -> int:
    found = look(options.data, lambda s: requesters(s, known(client_named(s, options.client).id)))
    if options.json:
        print(json.dumps([msgspec.to_builtins(asker_view(each)) for each in found], indent=2))
    else:
        print("".join(f"{line}\n" for line in lines(found)), end="")
    return 0


def lines(found: Sequence[Asker]) -> Iterator[str]:
    """A line for each, below a heading."""
    if not found:
        yield "nobody is known yet: tocsin-server requester add CLIENT MAIL"
        return
    yield from columns([_HEADING, *((each.mail, shown(each.name), each.site or "–") for each in found)])
