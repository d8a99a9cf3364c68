"""`user`: the people who sign in. Done in the database; a running server knows of it at once."""

import argparse
import getpass
import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from tocsin_protocol.vocabulary import Role
from tocsin_server.access.grants import Grant
from tocsin_server.access.passwords import Passwords
from tocsin_server.access.standing import Stand, Wish, everybody
from tocsin_server.cli import signin
from tocsin_server.cli.command import Commands, Options, command, group
from tocsin_server.cli.deeds import (
    changed_person,
    disabled_person,
    enabled_person,
    new_person,
    signed_out_person,
)
from tocsin_server.cli.query import columns, shown
from tocsin_server.cli.writing import write
from tocsin_server.clock import SystemClock, moment
from tocsin_server.datafolder import look
from tocsin_server.errors import Misconfigured

ADD_EXAMPLES = """\
examples:
  tocsin-server user add alice --name 'Alice Martin' --all-clients
  tocsin-server user add bob --role dispatcher --client acme --client globex
  tocsin-server user add carol --role client_viewer --client acme --password-file /run/carol

What each role may do is in docs/operations.md. Somebody sees the clients that are named, or all there are and
will be; a client's own people, client_viewer and client_approver, see those that are named only.
"""
CHANGE_EXAMPLES = """\
examples:
  tocsin-server user change alice --role admin
  tocsin-server user change bob --client acme                 (and no other, from his next request on)
  tocsin-server user change alice --mail alice@example.net    (notices of her tickets go there)
  tocsin-server user change alice --password                  (asks for it; ends all of her sessions)
  tocsin-server user change alice --password-file /run/alice --name 'Alice Durand'
"""
DISABLE_EXAMPLES = """\
examples:
  tocsin-server user disable bob

His sessions end with it. What he has done stays his, and so do his open tickets until an administrator releases
them: tocsin shows them with 'owner:bob'. 'user enable' lets him in again.
"""

_HEADING = ("login", "role", "clients", "state", "sessions", "last used", "name")
_ROLES = [role.value for role in Role]


def add_commands(commands: Commands) -> None:
    """`user add, list, change, disable, enable, sign-out, totp, unlock`."""
    words = group(commands, "user")
    adding = command(words, "add", _add, "add a person", examples=ADD_EXAMPLES)
    adding.add_argument("login")
    adding.add_argument("--name", help="full name")
    adding.add_argument("--role", choices=_ROLES, default=Role.TECHNICIAN.value)
    _add_clients(adding, required=True)
    adding.add_argument(
        "--password-file", type=Path, help="read the password from here; otherwise it is asked for"
    )
    listing = command(words, "list", _list, "who there is, and who is signed in")
    listing.add_argument("--json", action="store_true", help="for programs")
    changing = command(
        words,
        "change",
        _change,
        "another name, role, address or password, other clients",
        examples=CHANGE_EXAMPLES,
    )
    changing.add_argument("login")
    changing.add_argument("--name", help="full name")
    changing.add_argument("--role", choices=_ROLES)
    _add_clients(changing, required=False)
    changing.add_argument("--mail", "--email", help="where notices reach them; '' for nowhere")
    password = changing.add_mutually_exclusive_group()
    password.add_argument("--password", action="store_true", help="ask for a new one")
    password.add_argument("--password-file", type=Path, help="read a new one from here")
    disabling = command(words, "disable", _disable, "let somebody in no more", examples=DISABLE_EXAMPLES)
    disabling.add_argument("login")
    enabling = command(words, "enable", _enable, "let somebody in again")
    enabling.add_argument("login")
    leaving = command(words, "sign-out", _sign_out, "end all of somebody's sessions")
    leaving.add_argument("login")
    signin.add_to(words)


def _add_clients(parser: argparse.ArgumentParser, *, required: bool) -> None:
    seen = parser.add_mutually_exclusive_group(required=required)
    seen.add_argument(
        "--client", metavar="SLUG", action="append", help="a client that they see; again for more"
    )
    seen.add_argument("--all-clients", action="store_true", help="they see all clients, later ones too")
    seen.add_argument("--no-clients", action="store_true", help="they see none")


def _grant(options: Options) -> Grant | None:
    if not (options.client or options.all_clients or options.no_clients):
        return None
    return Grant(tuple(options.client or ()), options.all_clients)


def _add(options: Options) -> int:
    now_ms = SystemClock().now_ms()
    password = _read(options.password_file) if options.password_file else _typed()
    name = options.name or options.login
    role, sees = Role(options.role), _grant(options) or Grant()
    write(options, lambda s: new_person(s, options.login, name, password, role, now_ms, sees=sees))
    print(f"{options.role} {options.login} added")
    return 0


def _list(options: Options) -> int:
    found = look(options.data, partial(everybody, now_ms=SystemClock().now_ms()))
    if options.json:
        print(json.dumps([each._asdict() for each in found], indent=2))
    else:
        print("".join(f"{line}\n" for line in lines(found)), end="")
    return 0


def _change(options: Options) -> int:
    role = None if options.role is None else Role(options.role)
    password = _new_password(options)
    sees, mail = _grant(options), options.mail
    if all(each is None for each in (options.name, role, password, sees, mail)):
        raise Misconfigured(
            "nothing is to be changed", remedy="give --name, --role, --client, --mail or --password"
        )
    wish = Wish(options.name, role, None if password is None else Passwords().hash(password), sees, mail)
    now_ms = SystemClock().now_ms()
    who, ended = write(options, lambda s: changed_person(s, options.login, wish, now_ms))
    print(f"{who.role.value} {who.login} changed{_sessions(ended) if password is not None else ''}")
    return 0


def _disable(options: Options) -> int:
    now_ms = SystemClock().now_ms()
    ended = write(options, lambda s: disabled_person(s, options.login, now_ms))
    print(f"{options.login} is disabled{_sessions(ended)}")
    return 0


def _enable(options: Options) -> int:
    now_ms = SystemClock().now_ms()
    write(options, lambda s: enabled_person(s, options.login, now_ms))
    print(f"{options.login} may sign in again")
    return 0


def _sign_out(options: Options) -> int:
    now_ms = SystemClock().now_ms()
    ended = write(options, lambda s: signed_out_person(s, options.login, now_ms))
    print(f"{options.login} is signed out everywhere{_sessions(ended)}")
    return 0


def lines(found: Sequence[Stand]) -> Iterator[str]:
    """A line for each person, below a heading."""
    if not found:
        yield "nobody signs in yet: tocsin-server user add LOGIN"
        return
    yield from columns([_HEADING, *map(_cells, found)])


def _cells(of: Stand) -> tuple[str, ...]:
    state = "active" if of.has_password else "no password"
    if of.has_codes:
        state += ", codes"
    if of.disabled_ms is not None:
        state = f"disabled {_day(of.disabled_ms)}"
    used = "–" if of.used_ms is None else f"{moment(of.used_ms):%Y-%m-%d %H:%M}Z"
    clients = of.clients if isinstance(of.clients, str) else ",".join(of.clients) or "none"
    return of.login, of.role.value, clients, state, str(of.sessions), used, shown(of.name)


def _day(ms: int) -> str:
    return f"{moment(ms):%Y-%m-%d}"


def _sessions(ended: int) -> str:
    if not ended:
        return ""
    return f"; {ended} session{'s' if ended > 1 else ''} ended"


def _new_password(options: Options) -> str | None:
    if options.password_file is not None:
        return _read(options.password_file)
    return _typed() if options.password else None


def _read(path: Path) -> str:
    try:
        return path.read_text().rstrip("\n")
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read ({error.strerror})") from error


def _typed() -> str:
    password = getpass.getpass("password (12 characters or more): ")
    if getpass.getpass("again: ") != password:
        raise Misconfigured("the two passwords differ", remedy="type them again")
    return password
