"""`silence`: for some time nobody is woken by such alerts. Done in the database, beside the running server."""

import argparse
import json
from collections.abc import Iterator, Sequence
from itertools import chain

import msgspec
from sqlmodel import Session, select

from tocsin_protocol import silences as api
from tocsin_server.access.audit import Act
from tocsin_server.access.auditlog import record
from tocsin_server.alerts.matchertext import limited, parse_matchers, spelled
from tocsin_server.alerts.silenced import add_silence, expire_silence, silence, silences
from tocsin_server.alerts.silences import MAX_COMMENT, Silence, Wish, deed
from tocsin_server.cli.command import Commands, Options, command, duration_ms, group, moment_ms
from tocsin_server.cli.query import columns, shown
from tocsin_server.cli.writing import author, operator, write
from tocsin_server.clock import SystemClock, moment
from tocsin_server.datafolder import look
from tocsin_server.desk.text import given_text
from tocsin_server.errors import Misconfigured
from tocsin_server.estate.clients import client_named
from tocsin_server.estate.store import Client, known
from tocsin_server.http.questions import MAX_ID
from tocsin_server.http.silences import silence_view
from tocsin_server.series.matchers import Matchers

ADD_EXAMPLES = """\
examples:
  tocsin-server silence add 'alertname="DiskFull", instance=~"db-.+"' --client acme --for 2h --comment swap
  tocsin-server silence add alertname=DiskFull instance=~db-.+ --client acme --for 2h
  tocsin-server silence add site=berlin --client acme --from 2026-11-28T22:00+01:00 --for 6h
  tocsin-server silence add alertname=ClockSkew --all-clients --until 2026-11-27T06:00Z

An alert is silent where all matchers fit its labels: =, !=, =~ and !~, the latter two with a regular expression
of the whole value. Without --from it begins now. A running server knows of it within two seconds; alerts are
judged and recorded all the same, and what still fires when it ends is delivered then.
"""
LIST_EXAMPLES = """\
examples:
  tocsin-server silence list
  tocsin-server silence list --client acme --all
  tocsin-server silence list --json
"""
EXPIRE_EXAMPLES = """\
examples:
  tocsin-server silence expire 7
  tocsin-server silence expire 7 8 9          (all of them, or none where one is not there)
"""


_HEADING = ("id", "state", "client", "from", "until", "by", "matchers", "comment")


def add_commands(commands: Commands) -> None:
    """`silence add, silence list, silence expire`."""
    words = group(commands, "silence")
    _add_add(words)
    listing = command(words, "list", _list, "list silences that hold or will", examples=LIST_EXAMPLES)
    listing.add_argument("--client", metavar="SLUG", help="those about this client's alerts")
    listing.add_argument("--all", action="store_true", help="those that have expired too")
    listing.add_argument("--json", action="store_true", help="as the API tells them")
    ending = command(words, "expire", _expire, "end silences now", examples=EXPIRE_EXAMPLES)
    ending.add_argument("ids", type=_id, nargs="+", metavar="ID", help="as 'silence list' shows it")


def _add_add(words: Commands) -> None:
    adding = command(words, "add", _add, "silence alerts with such labels", examples=ADD_EXAMPLES)
    adding.add_argument("matchers", nargs="+", metavar="MATCHER", help="such as alertname=DiskFull")
    whose = adding.add_mutually_exclusive_group(required=True)
    whose.add_argument("--client", metavar="SLUG", help="whose alerts")
    whose.add_argument("--all-clients", action="store_true", help="those of all clients")
    end = adding.add_mutually_exclusive_group(required=True)
    end.add_argument("--for", dest="length_ms", type=duration_ms, metavar="TIME", help="how long, such as 2h")
    end.add_argument(
        "--until", type=moment_ms, metavar="TIME", help="until when, such as 2026-11-27T06:00+01:00"
    )
    adding.add_argument(
        "--from", dest="starts", type=moment_ms, metavar="TIME", help="from when (default: now)"
    )
    adding.add_argument("--comment", default="", metavar="TEXT", help="why")


def _add(options: Options) -> int:
    now_ms = SystemClock().now_ms()
    starts_ms = now_ms if options.starts is None else options.starts
    ends_ms = options.until if options.length_ms is None else starts_ms + options.length_ms
    matchers = read_matchers(options.matchers)
    comment = given_text(options.comment, what="the comment", most=MAX_COMMENT)

    def act(session: Session) -> Silence:
        client = None if options.all_clients else known(client_named(session, options.client).id)
        wish = Wish(client, matchers, starts_ms, ends_ms, author(), comment)
        made = add_silence(session, wish, now_ms)
        record(session, deed(Act.SILENCE_MADE, made, by=operator(), at_ms=now_ms))
        return made

    made = write(options, act)
    whose = "all clients" if options.all_clients else options.client
    print(f"silence {made.id} of {whose}, {_span(made)}: {shown(spelled(made.matchers))}")
    return 0


def _list(options: Options) -> int:
    found = look(options.data, lambda session: _told(session, options, SystemClock().now_ms()))
    if options.json:
        print(json.dumps(msgspec.to_builtins(found), indent=2))
    else:
        print("".join(f"{line}\n" for line in lines(found)), end="")
    return 0


def _expire(options: Options) -> int:
    now_ms = SystemClock().now_ms()

    def act(session: Session) -> list[tuple[Silence, Silence]]:
        return [_ended(session, each, now_ms) for each in options.ids]

    for was, now in write(options, act):
        print(f"silence {now.id} {'had expired already' if was == now else 'expired'}")
    return 0


def _ended(session: Session, silence_id: int, now_ms: int) -> tuple[Silence, Silence]:
    """The silence as it was, and as it is."""
    was, now = silence(session, silence_id), expire_silence(session, silence_id, now_ms)
    if now != was:
        record(session, deed(Act.SILENCE_ENDED, now, by=operator(), at_ms=now_ms))
    return was, now


def read_matchers(words: Sequence[str]) -> Matchers:
    """The matchers of words, of which each may hold several; raises `Misconfigured`."""
    try:
        return limited(chain.from_iterable(parse_matchers(word) for word in words))
    except ValueError as error:
        raise Misconfigured(
            str(error),
            remedy="""write alertname=DiskFull or, in the shell's quotes, 'name=~"two words|db-.+"'""",
        ) from error


def lines(found: Sequence[api.Silence]) -> Iterator[str]:
    """A line each, with a heading, in columns; harmless to a terminal."""
    return columns([*([_HEADING] if found else []), *map(_row, found)])


def _row(of: api.Silence) -> tuple[str, ...]:
    times = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (of.starts_at, of.ends_at))
    words = (of.author, of.matchers, of.comment)
    return (str(of.id), of.state.value, of.client or "(all)", *times, *map(shown, words))


def _told(session: Session, options: Options, now_ms: int) -> list[api.Silence]:
    slugs = {known(client.id): client.slug for client in session.exec(select(Client))}
    asked = None if options.client is None else frozenset({known(client_named(session, options.client).id)})
    found = silences(session, now_ms, with_expired=options.all, clients=asked)
    return [
        silence_view(each, None if each.client_id is None else slugs[each.client_id], now_ms) for each in found
    ]


def _span(of: Silence) -> str:
    starts, ends = (f"{moment(at_ms):%Y-%m-%dT%H:%M:%SZ}" for at_ms in (of.starts_ms, of.ends_ms))
    return f"from {starts} until {ends}"


def _id(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 19 or int(text) > MAX_ID:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not the number of a silence")
    return int(text)
