"""Teams and who is in them. A team's slug is what `routing` answers, and what the OLAs of contracts call it.

Who leaves a team stays written down with the time; what they own stays theirs.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field, replace

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from tocsin_protocol.vocabulary import TeamAssign
from tocsin_server.access.permissions import Permission, may
from tocsin_server.access.standing import person
from tocsin_server.access.store import PersonClient, PersonRow
from tocsin_server.desk.standing import Technician
from tocsin_server.desk.store import TeamMemberRow, TeamRow
from tocsin_server.errors import Conflict, NotFound, Unprocessable
from tocsin_server.estate.names import checked_mail, checked_slug, cleaned_name
from tocsin_server.estate.store import known

MOST_OPEN = 10_000


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in a team; times in ms."""

    login: str
    name: str
    _: KW_ONLY
    is_lead: bool = False
    since_ms: int = 0
    away_until_ms: int | None = None
    most_open: int | None = None


@dataclass(frozen=True, slots=True)
class Team:
    """A team as it is now."""

    slug: str
    name: str
    mail: str
    assign: TeamAssign
    members: Sequence[Member] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What of a team is to be another; nothing for what is to stay. An empty `mail` takes it away."""

    name: str | None = None
    mail: str | None = None
    assign: TeamAssign | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberWish:
    """Likewise of a member: `away_until_ms` 0 is back again, `most_open` 0 is as many as come."""

    is_lead: bool | None = None
    away_until_ms: int | None = None
    most_open: int | None = None

    def __post_init__(self) -> None:
        if self.most_open is not None and not 0 <= self.most_open <= MOST_OPEN:
            raise Unprocessable(
                f"nobody has at most {self.most_open} open tickets", remedy=f"choose 1 to {MOST_OPEN}, or 0"
            )


@dataclass(slots=True)
class _Reading:
    """A team while its members are read."""

    team: Team
    members: list[Member] = field(default_factory=list)


def add_team(session: Session, slug: str, wish: Wish, now_ms: int) -> Team:
    """A new team; its slug is taken for ever."""
    checked_slug(slug, of="team")
    if _found(session, slug) is not None:
        raise Conflict(f"there is a team {slug!r} already", remedy="choose another slug")
    row = TeamRow(slug=slug, name=slug, created_ms=now_ms)
    _fulfil(row, wish)
    session.add(row)
    session.flush()
    return _told(row)


def change_team(session: Session, slug: str, wish: Wish) -> Team:
    """The team as it is then, without its members."""
    row = team_row(session, slug)
    _fulfil(row, wish)
    session.add(row)
    session.flush()
    return _told(row)


def join(session: Session, slug: str, login: str, wish: MemberWish, now_ms: int) -> Member:
    """Somebody comes into a team; `Conflict` where they are there, or may not do a ticket's work."""
    team, who = team_row(session, slug), person(session, login)
    if not may(who.role, Permission.WORK) or who.disabled_ms is not None:
        what = "is disabled" if who.disabled_ms is not None else f"may not work on tickets as {who.role.value}"
        raise Conflict(f"{login} {what}", remedy="tocsin-server user enable, or user change --role, mends it")
    if _membership(session, team, who) is not None:
        raise Conflict(f"{login} is in {slug} already", remedy="change what is to be another")
    row = TeamMemberRow(team_id=known(team.id), person_id=known(who.id), since_ms=now_ms)
    _fulfil_member(row, wish)
    session.add(row)
    session.flush()
    return _member(row, who)


def change_member(session: Session, slug: str, login: str, wish: MemberWish) -> Member:
    """The member as they are then."""
    row, who = _there(session, slug, login)
    _fulfil_member(row, wish)
    session.add(row)
    session.flush()
    return _member(row, who)


def leave(session: Session, slug: str, login: str, now_ms: int) -> None:
    """Somebody is in the team no more."""
    row, _ = _there(session, slug, login)
    row.until_ms = now_ms
    session.add(row)
    session.flush()


def teams(session: Session, *, person_id: int | None = None) -> list[Team]:
    """All teams by slug with their members, the lead first; or those that somebody is in."""
    asked = select(TeamRow).order_by(TeamRow.slug)
    if person_id is not None:
        of_person = select(TeamMemberRow.team_id).where(TeamMemberRow.person_id == person_id, _goes_on())
        asked = asked.where(col(TeamRow.id).in_(of_person))
    return _with_members(session, session.exec(asked).all())


def team(session: Session, slug: str) -> Team:
    """One of them; raises `NotFound`."""
    (found,) = _with_members(session, [team_row(session, slug)])
    return found


def member_of(session: Session, slug: str, login: str, client_id: int) -> Technician:
    """Somebody of a team who can be given a client's ticket; raises `NotFound`, `Unprocessable`."""
    row, who = team_row(session, slug), person(session, login)
    is_there = _membership(session, row, who) is not None and who.disabled_ms is None
    if not (is_there and may(who.role, Permission.WORK)):
        raise Unprocessable(f"{login} does no work in {slug}", remedy="tocsin-server team list shows who does")
    is_granted = session.get(PersonClient, (known(who.id), client_id)) is not None
    if not (who.all_clients or is_granted):
        raise Unprocessable(f"{login} does not see the client", remedy="an administrator grants it to them")
    return Technician(known(who.id), who.login)


def team_slugs(session: Session) -> frozenset[str]:
    """What routing tables and contracts may name."""
    return frozenset(session.exec(select(TeamRow.slug)))


def team_row(session: Session, slug: str) -> TeamRow:
    """The team's row; raises `NotFound`."""
    found = _found(session, slug)
    if found is None:
        raise NotFound(f"there is no team {slug!r}", remedy="tocsin-server team list shows them")
    return found


def _with_members(session: Session, rows: Sequence[TeamRow]) -> list[Team]:
    reading = {known(row.id): _Reading(_told(row)) for row in rows}
    asked = (
        select(TeamMemberRow, PersonRow)
        .join(PersonRow, col(PersonRow.id) == TeamMemberRow.person_id)
        .where(col(TeamMemberRow.team_id).in_(reading), _goes_on())
        .order_by(col(TeamMemberRow.lead).desc(), col(PersonRow.login))
    )
    for row, who in session.exec(asked):
        reading[row.team_id].members.append(_member(row, who))
    return [replace(each.team, members=tuple(each.members)) for each in reading.values()]


def _found(session: Session, slug: str) -> TeamRow | None:
    return session.exec(select(TeamRow).where(TeamRow.slug == slug)).one_or_none()


def _there(session: Session, slug: str, login: str) -> tuple[TeamMemberRow, PersonRow]:
    row, who = team_row(session, slug), person(session, login)
    found = _membership(session, row, who)
    if found is None:
        raise NotFound(f"{login} is not in {slug}", remedy="tocsin-server team list shows who is")
    return found, who


def _membership(session: Session, of: TeamRow, who: PersonRow) -> TeamMemberRow | None:
    asked = select(TeamMemberRow).where(
        TeamMemberRow.team_id == of.id, TeamMemberRow.person_id == who.id, _goes_on()
    )
    return session.exec(asked).one_or_none()


def _goes_on() -> ColumnElement[bool]:
    return col(TeamMemberRow.until_ms).is_(None)


def _fulfil(row: TeamRow, wish: Wish) -> None:
    if wish.name is not None:
        row.name = cleaned_name(wish.name, of="team")
    if wish.mail is not None:
        row.mail = checked_mail(wish.mail) if wish.mail else ""
    if wish.assign is not None:
        row.assign = wish.assign


def _fulfil_member(row: TeamMemberRow, wish: MemberWish) -> None:
    if wish.is_lead is not None:
        row.lead = wish.is_lead
    if wish.away_until_ms is not None:
        row.away_until_ms = wish.away_until_ms or None
    if wish.most_open is not None:
        row.most_open = wish.most_open or None


def _told(row: TeamRow) -> Team:
    return Team(row.slug, row.name, row.mail, row.assign)


def _member(row: TeamMemberRow, who: PersonRow) -> Member:
    return Member(
        who.login,
        who.name,
        is_lead=row.lead,
        since_ms=row.since_ms,
        away_until_ms=row.away_until_ms,
        most_open=row.most_open,
    )
