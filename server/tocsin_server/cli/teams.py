"""`team`: who shares which tickets. Done in the database; a running server knows of it at once."""

import json
from collections.abc import Iterator, Sequence

import msgspec
from sqlmodel import Session

from tocsin_protocol.vocabulary import TeamAssign
from tocsin_server.access.audit import Act, Deed
from tocsin_server.access.auditlog import record
from tocsin_server.cli.command import Commands, Options, command, group, moment_ms
from tocsin_server.cli.query import columns, shown
from tocsin_server.cli.writing import operator, write
from tocsin_server.clock import SystemClock, moment
from tocsin_server.datafolder import look
from tocsin_server.desk import teams
from tocsin_server.desk.teams import Member, MemberWish, Team, Wish
from tocsin_server.errors import Misconfigured
from tocsin_server.http.teams import team_view

ADD_EXAMPLES = """\
examples:
  tocsin-server team add network --name 'Network team' --mail network@example.net
  tocsin-server team add servers --assign load

The slug is what the table 'routing' answers and what the OLAs of contracts call their counterparty. With
'--assign load' a ticket that is routed to the team is given to whoever of it has the least to do.
"""
MEMBER_EXAMPLES = """\
examples:
  tocsin-server team member add servers alice --lead
  tocsin-server team member change servers bob --away-until 2026-12-07T08:00+01:00
  tocsin-server team member change servers bob --back --most-open 20
  tocsin-server team member remove servers bob
"""
_ASSIGN = [each.value for each in TeamAssign]
_HEADING = ("team", "assign", "mail", "member", "since", "most", "away until")


def add_commands(commands: Commands) -> None:
    """`team add, list, change, member add, member change, member remove`."""
    words = group(commands, "team")
    adding = command(words, "add", _add, "add a team", examples=ADD_EXAMPLES)
    changing = command(words, "change", _change, "another name, address or way to assign")
    for each in (adding, changing):
        each.add_argument("slug")
        each.add_argument("--name", help="full name")
        each.add_argument("--mail", help="where it is written to; '' for nowhere")
        each.add_argument("--assign", choices=_ASSIGN, help="who gets a ticket that is routed to it")
    listing = command(words, "list", _list, "the teams with their members")
    listing.add_argument("--json", action="store_true", help="as the API tells them")
    _add_member(words)


def _add_member(words: Commands) -> None:
    members = words.add_parser("member", help="who is in a team").add_subparsers(
        required=True, metavar="COMMAND"
    )
    joining = command(members, "add", _join, "put somebody into a team", examples=MEMBER_EXAMPLES)
    changing = command(members, "change", _change_member, "say that somebody leads or is away")
    leaving = command(members, "remove", _leave, "take somebody out of a team; their tickets stay theirs")
    for each in (joining, changing, leaving):
        each.add_argument("team")
        each.add_argument("login")
    for each in (joining, changing):
        each.add_argument("--most-open", type=int, metavar="COUNT", help="no more by itself; 0: any number")
        each.add_argument("--away-until", type=moment_ms, metavar="TIME", help="out of office until then")
    joining.add_argument("--lead", action="store_true", default=None, help="leads the team")
    changing.add_argument("--back", action="store_const", const=0, dest="away_until", help="is back")
    leads = changing.add_mutually_exclusive_group()
    leads.add_argument("--lead", action="store_true", default=None, help="leads the team")
    leads.add_argument("--no-lead", action="store_false", dest="lead", default=None, help="leads it no more")


def _add(options: Options) -> int:
    _write_team(options, Act.TEAM_ADDED)
    print(f"team {options.slug} added")
    return 0


def _change(options: Options) -> int:
    if _wish(options) == Wish():
        raise Misconfigured("nothing is to be changed", remedy="give --name, --mail or --assign")
    _write_team(options, Act.TEAM_CHANGED)
    print(f"team {options.slug} changed")
    return 0


def _write_team(options: Options, act: Act) -> None:
    wish, now_ms = _wish(options), SystemClock().now_ms()

    def run(session: Session) -> None:
        if act is Act.TEAM_ADDED:
            made = teams.add_team(session, options.slug, wish, now_ms)
        else:
            made = teams.change_team(session, options.slug, wish)
        details = {"name": made.name, "mail": made.mail, "assign": made.assign.value}
        record(session, Deed(act, options.slug, by=operator(), at_ms=now_ms, details=details))

    write(options, run)


def _list(options: Options) -> int:
    found = look(options.data, teams.teams)
    if options.json:
        print(json.dumps([msgspec.to_builtins(team_view(each)) for each in found], indent=2))
    else:
        print("".join(f"{line}\n" for line in lines(found)), end="")
    return 0


def _join(options: Options) -> int:
    _write_member(options, Act.TEAM_JOINED)
    print(f"{options.login} is in {options.team}")
    return 0


def _change_member(options: Options) -> int:
    if _member_wish(options) == MemberWish():
        raise Misconfigured(
            "nothing is to be changed", remedy="give --lead, --no-lead, --most-open, --away-until or --back"
        )
    _write_member(options, Act.TEAM_MEMBER_CHANGED)
    print(f"{options.login} of {options.team} changed")
    return 0


def _write_member(options: Options, act: Act) -> None:
    wish, now_ms = _member_wish(options), SystemClock().now_ms()

    def run(session: Session) -> None:
        if act is Act.TEAM_JOINED:
            of = teams.join(session, options.team, options.login, wish, now_ms)
        else:
            of = teams.change_member(session, options.team, options.login, wish)
        details = {
            "login": of.login,
            "lead": of.is_lead,
            "away_until_ms": of.away_until_ms,
            "most_open": of.most_open,
        }
        record(session, Deed(act, options.team, by=operator(), at_ms=now_ms, details=details))

    write(options, run)


def _leave(options: Options) -> int:
    now_ms = SystemClock().now_ms()

    def run(session: Session) -> None:
        teams.leave(session, options.team, options.login, now_ms)
        details = {"login": options.login}
        record(session, Deed(Act.TEAM_LEFT, options.team, by=operator(), at_ms=now_ms, details=details))

    write(options, run)
    print(f"{options.login} is in {options.team} no more")
    return 0


def lines(found: Sequence[Team]) -> Iterator[str]:
    """A line for each member, below a heading; one for a team without."""
    if not found:
        yield "there are no teams yet: tocsin-server team add SLUG"
        return
    rows = [_cells(team, member) for team in found for member in team.members or (None,)]
    yield from columns([_HEADING, *rows])


def _cells(of: Team, member: Member | None) -> tuple[str, ...]:
    head = of.slug, of.assign.value, of.mail or "–"
    if member is None:
        return (*head, "–", "", "", "")
    return (
        *head,
        f"{member.login} (lead)" if member.is_lead else member.login,
        f"{moment(member.since_ms):%Y-%m-%d}",
        str(member.most_open or "–"),
        "" if member.away_until_ms is None else shown(f"{moment(member.away_until_ms):%Y-%m-%d %H:%M}Z"),
    )


def _wish(options: Options) -> Wish:
    assign = None if options.assign is None else TeamAssign(options.assign)
    return Wish(name=options.name, mail=options.mail, assign=assign)


def _member_wish(options: Options) -> MemberWish:
    return MemberWish(is_lead=options.lead, away_until_ms=options.away_until, most_open=options.most_open)
