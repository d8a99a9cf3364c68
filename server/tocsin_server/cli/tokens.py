"""`token`: programs' ways in, each as one of the people. A running server knows of it at once."""

import argparse
import json
from collections.abc import Iterator, Sequence
from functools import partial

from tocsin_protocol.vocabulary import TokenScope
from tocsin_server.access.store import ApiTokenRow, PersonRow
from tocsin_server.access.tokens import DEFAULT_DAYS, MOST_DAYS, all_tokens
from tocsin_server.cli.command import Commands, Options, command, from_one, group
from tocsin_server.cli.deeds import new_token, revoked_tokens
from tocsin_server.cli.query import columns, shown
from tocsin_server.cli.writing import write
from tocsin_server.clock import SystemClock, moment
from tocsin_server.datafolder import look
from tocsin_server.errors import Misconfigured
from tocsin_server.http.questions import MAX_ID

CREATE_EXAMPLES = """\
examples:
  tocsin-server token create alice --name wallboard
  tocsin-server token create alice --name robot --scope read --scope tickets:write --days 30

It may what she may and what it is for, whichever is less. It is printed this once, and alone, for a program to
read: curl -H "authorization: Bearer $TOKEN" https://desk.example.org:8443/api/v1/tickets
"""
REVOKE_EXAMPLES = """\
examples:
  tocsin-server token revoke alice 7          as 'token list' shows it
  tocsin-server token revoke alice --all      her laptop is gone
"""

_HEADING = ("id", "login", "scopes", "until", "last used", "name")


def add_commands(commands: Commands) -> None:
    """`token create, list, revoke`."""
    words = group(commands, "token")
    making = command(words, "create", _create, "make a token and print it", examples=CREATE_EXAMPLES)
    making.add_argument("login", help="whose it is")
    making.add_argument("--name", required=True, help="what it is for")
    making.add_argument(
        "--scope",
        action="append",
        choices=[scope.value for scope in TokenScope],
        help="what it may; several times for several (default read)",
    )
    making.add_argument(
        "--days",
        type=from_one,
        default=DEFAULT_DAYS,
        help=f"how long it is good, at most {MOST_DAYS} (default %(default)s)",
    )
    listing = command(words, "list", _list, "the tokens that are good")
    listing.add_argument("login", nargs="?", help="whose; otherwise everybody's")
    listing.add_argument("--json", action="store_true", help="for programs")
    ending = command(words, "revoke", _revoke, "end one of somebody's tokens", examples=REVOKE_EXAMPLES)
    ending.add_argument("login")
    ending.add_argument("id", nargs="?", type=_id, help="as 'token list' shows it")
    ending.add_argument("--all", action="store_true", help="all of theirs")


def _id(text: str) -> int:
    if len(text) > 19 or from_one(text) > MAX_ID:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not the number of a token")
    return int(text)


def _create(options: Options) -> int:
    now_ms = SystemClock().now_ms()
    scopes = [TokenScope(scope) for scope in options.scope or [TokenScope.READ]]
    act = partial(
        new_token, login=options.login, name=options.name, scopes=scopes, days=options.days, now_ms=now_ms
    )
    print(write(options, act))
    return 0


def _list(options: Options) -> int:
    found = look(options.data, partial(all_tokens, now_ms=SystemClock().now_ms()))
    wanted = [each for each in found if options.login in {None, each[1].login}]
    if options.json:
        print(json.dumps([_for_programs(*each) for each in wanted], indent=2))
    else:
        print("".join(f"{line}\n" for line in _lines(wanted)), end="")
    return 0


def _revoke(options: Options) -> int:
    if (options.id is None) != options.all:
        raise Misconfigured("it is not said which token", remedy="give its id, or --all")
    now_ms = SystemClock().now_ms()
    act = partial(revoked_tokens, login=options.login, token_id=options.id, now_ms=now_ms)
    ended = write(options, act)
    print(f"{ended} token{'' if ended == 1 else 's'} of {options.login} revoked")
    return 0


def _lines(found: Sequence[tuple[ApiTokenRow, PersonRow]]) -> Iterator[str]:
    if not found:
        yield "no token is good now: tocsin-server token create LOGIN --name NAME"
        return
    yield from columns([_HEADING, *(_cells(*each) for each in found)])


def _cells(token: ApiTokenRow, person: PersonRow) -> tuple[str, ...]:
    used = "–" if token.used_ms is None else f"{moment(token.used_ms):%Y-%m-%d %H:%M}Z"
    login = person.login if person.disabled_ms is None else f"{person.login} (disabled)"
    until = f"{moment(token.expires_ms):%Y-%m-%d}"
    return str(token.id), login, token.scopes, until, used, shown(token.name)


def _for_programs(token: ApiTokenRow, person: PersonRow) -> dict[str, object]:
    return {
        "id": token.id,
        "login": person.login,
        "name": token.name,
        "scopes": token.scopes.split(),
        "created_at": moment(token.created_ms).isoformat(),
        "expires_at": moment(token.expires_ms).isoformat(),
        "used_at": None if token.used_ms is None else moment(token.used_ms).isoformat(),
    }
