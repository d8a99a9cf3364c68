"""`/api/v1/teams…`: who shares which tickets. Teams are the provider's own, and changed by commands."""

from functools import partial

from litestar import get

from tocsin_protocol import teams as api
from tocsin_server.access.permissions import Permission
from tocsin_server.clock import moment
from tocsin_server.desk.teams import Member, Team, team, teams
from tocsin_server.http.deps import Wired
from tocsin_server.http.permitted import needs
from tocsin_server.http.questions import Flag, SlugInPath
from tocsin_server.http.sessions import SignedIn


@get("/teams", opt=needs(Permission.INSPECT))
async def listed(deps: Wired, request: SignedIn, *, mine: Flag = False) -> api.TeamPage:
    """All of them with their members, or those that whoever asks is in."""
    person_id = request.user.id if mine else None
    found = await deps.storage.read_soon(partial(teams, person_id=person_id))
    return api.TeamPage(teams=[team_view(each) for each in found])


@get("/teams/{slug:str}", opt=needs(Permission.INSPECT))
async def one(deps: Wired, slug: SlugInPath) -> api.Team:
    """One team."""
    return team_view(await deps.storage.read_soon(partial(team, slug=slug)))


def team_view(of: Team) -> api.Team:
    """A team as it is told."""
    return api.Team(
        slug=of.slug,
        name=of.name,
        mail=of.mail,
        assign=of.assign,
        members=[_member(each) for each in of.members],
    )


def _member(of: Member) -> api.TeamMember:
    return api.TeamMember(
        login=of.login,
        name=of.name,
        lead=of.is_lead,
        since=moment(of.since_ms),
        away_until=None if of.away_until_ms is None else moment(of.away_until_ms),
        most_open=of.most_open,
    )


ROUTES = (listed, one)
