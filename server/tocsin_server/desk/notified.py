"""What happens to tickets becomes notices: each entry of a timeline is read once, in the order of their ids.

    opened, reopened, a reply, recovered, solved, closed    the table `notification` says who is told
    due soon, breached                                      the entry says, as `escalation` has decided

Notices are written in the transaction of their entries, as the last thing in it (`frontdesk.py`), with the
place up to which entries are read; and a notice of an entry to an address by a channel is there once. So
nothing is lost and nothing is told twice, whatever is killed when.

Who has done something is not told of it. Who asks hears what was said to them and how their ticket stands, and
nothing else; a requester of another client than the ticket's is never meant, nor is an owner, a lead or who
watches, where they do not see that client.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, exists, func, insert, literal_column, select, update
from sqlmodel import Session

from tocsin_protocol.vocabulary import ActorKind, NoticeChannel, NoticeState, TicketEventKind
from tocsin_server.access.store import GRANTS, PersonRow
from tocsin_server.clock import moment
from tocsin_server.decisions.folder import Tables
from tocsin_server.decisions.forms import TEAM_LEAD, WATCHERS
from tocsin_server.desk.contacts import Contacts, Parties, recipients
from tocsin_server.desk.ruling import Whom, notified
from tocsin_server.desk.store import EVENTS, NOTICES, OUTBOX_PLACE, TICKETS, TeamMemberRow, TeamRow
from tocsin_server.desk.text import shortened, title_line
from tocsin_server.desk.watching import Watcher, watchers_of
from tocsin_server.desk.worlds import WORLD, placed, world_of
from tocsin_server.estate.store import Client, Host, Requester
from tocsin_server.storage.statements import insert_or

LIMIT = 500
"""How many entries one call reads; the others wait for the next."""
MOST_TEXT = 4000
REQUESTER = "requester"

_ASKED: Mapping[TicketEventKind, str] = {
    TicketEventKind.OPENED: "opened",
    TicketEventKind.REOPENED: "reopened",
    TicketEventKind.COMMENTED: "commented",
    TicketEventKind.RECOVERED: "recovered",
    TicketEventKind.SOLVED: "solved",
    TicketEventKind.CLOSED: "closed",
}
"""In the words of the table."""
_OF_CLOCKS = frozenset({TicketEventKind.DUE_SOON, TicketEventKind.BREACHED})

_E, _T = EVENTS.c, TICKETS.c
_CLIENTS = Client.metadata.tables["client"]
_HOSTS = Host.metadata.tables["host"]
_REQUESTERS = Requester.metadata.tables["requester"]
_PEOPLE = PersonRow.metadata.tables["person"]
_TEAMS = TeamRow.metadata.tables["team"]
_MEMBERS = TeamMemberRow.metadata.tables["team_member"]
_PLACE = OUTBOX_PLACE.c
# No parameters here: so PostgreSQL keeps its plan, which takes it some milliseconds for so many tables.
_IS_HERE: ColumnElement[bool] = literal_column("outbox_place.id = 1")
_IS_NEW = _E.id > select(_PLACE.event_id).where(_IS_HERE).scalar_subquery()
# From the newest on: where there is none, PostgreSQL would look for any among all that are read.
_ANY_NEW = select(_E.id).where(_IS_NEW).order_by(_E.id.desc()).limit(1)
_NEWER = (
    placed(
        select(
            *(_E.id, _E.kind, _E.at_ms, _E.actor_kind, _E.actor, _E.text, _E.data, _E.public),
            *(_E.ticket_id, _T.client_id, _T.title, _T.priority, _T.state, _T.team),
            *WORLD,
            _HOSTS.c.name.label("host"),
            _PEOPLE.c.login.label("owner"),
            _PEOPLE.c.mail.label("owner_mail"),
            _REQUESTERS.c.mail.label("requester_mail"),
            _TEAMS.c.mail.label("team_mail"),
        ).join_from(EVENTS, TICKETS, _T.id == _E.ticket_id)
    )
    .outerjoin(
        _PEOPLE,
        (_PEOPLE.c.id == _T.owner_id)
        & _PEOPLE.c.disabled_ms.is_(None)
        & (
            _PEOPLE.c.all_clients
            | exists().where(GRANTS.c.person_id == _PEOPLE.c.id, GRANTS.c.client_id == _T.client_id)
        ),
    )
    .outerjoin(
        _REQUESTERS,
        (_REQUESTERS.c.id == _T.requester_id)
        & (_REQUESTERS.c.client_id == _T.client_id)
        & _REQUESTERS.c.left_ms.is_(None),
    )
    .outerjoin(_TEAMS, _TEAMS.c.slug == _T.team)
    .where(_IS_NEW)
    .order_by(_E.id)
)
_LEADS = (
    select(_TEAMS.c.slug, _CLIENTS.c.id, _PEOPLE.c.mail)
    .join_from(_MEMBERS, _TEAMS, _TEAMS.c.id == _MEMBERS.c.team_id)
    .join(_PEOPLE, _PEOPLE.c.id == _MEMBERS.c.person_id)
    .join(
        _CLIENTS,
        _PEOPLE.c.all_clients
        | exists().where(GRANTS.c.person_id == _PEOPLE.c.id, GRANTS.c.client_id == _CLIENTS.c.id),
    )
    .where(
        _MEMBERS.c.lead, _MEMBERS.c.until_ms.is_(None), _PEOPLE.c.disabled_ms.is_(None), _PEOPLE.c.mail != ""
    )
    .order_by(_PEOPLE.c.login)
)
"""Of each team, for each client that they see."""


Leads = Mapping[tuple[str, int], tuple[str, ...]]
"""Addresses by team and client."""


class Post(NamedTuple):
    """By what notices are written: who is reached where, whether a mail server is, and where tocsin is."""

    contacts: Contacts
    goes_out: bool
    public_url: str


class Written(NamedTuple):
    """What has come of some entries."""

    notices: int = 0
    nobody: int = 0
    """How often somebody was meant of whom there is no address."""
    is_all: bool = True
    """Whether no entry is left."""


def begin(session: Session) -> None:
    """The first time: what has happened before is told to nobody."""
    if session.execute(select(_PLACE.event_id)).first() is None:
        newest = session.execute(select(func.coalesce(func.max(_E.id), 0))).scalar_one()
        session.execute(insert(OUTBOX_PLACE), [{"id": 1, "event_id": newest}])


def is_news(session: Session) -> bool:
    """Whether there are entries that are not read."""
    return session.execute(_ANY_NEW).first() is not None


def write_notices(session: Session, now_ms: int, *, tables: Tables, post: Post) -> Written:
    """Read the entries that are new, and write down who is to be told of them."""
    entries = session.execute(_NEWER.limit(literal_column(str(LIMIT)))).all()
    if not entries:
        return Written()
    asked = [(entry, whom) for entry in filter(_is_telling, entries) for whom in _whom(entry, tables)]
    leads, watchers = _leads(session, asked), _watchers(session, asked)
    meant = [
        (entry, whom, _reached(entry, whom, leads, watchers.get(entry.ticket_id, ()), post.contacts))
        for entry, whom in asked
    ]
    rows = {
        (entry.id, row["channel"], row["recipient"]): row
        for entry, whom, addresses in meant
        for row in _rows(entry, whom, addresses, now_ms, post)
    }
    if rows:
        session.execute(insert_or(session, NOTICES).on_conflict_do_nothing(), list(rows.values()))
    session.execute(update(OUTBOX_PLACE).where(_PLACE.id == 1).values(event_id=entries[-1].id))
    return Written(len(rows), sum(addresses is None for _, _, addresses in meant), is_all=len(entries) < LIMIT)


def write_all(session: Session, now_ms: int, *, tables: Tables, post: Post) -> list[Written]:
    """As often as it takes until no entry is left; what has come of each time."""
    done = [write_notices(session, now_ms, tables=tables, post=post)]
    while not done[-1].is_all:
        done.append(write_notices(session, now_ms, tables=tables, post=post))
    return done


def _is_telling(entry: Row[Any]) -> bool:
    """Whether anybody may hear of it; a note among technicians stays among them."""
    if entry.kind is TicketEventKind.COMMENTED:
        return bool(entry.public)
    return entry.kind in _ASKED or entry.kind in _OF_CLOCKS


def _whom(entry: Row[Any], tables: Tables) -> Sequence[Whom]:
    """Who is meant, nobody left out."""
    if entry.kind in _OF_CLOCKS:
        to, by = entry.data.get("to"), entry.data.get("by")
        asked = [Whom(to, by, "".join(entry.data["decided"]))] if to and by else []
    else:
        event = _ASKED[entry.kind]
        asked = notified(tables, world_of(entry), entry.at_ms, priority=entry.priority, event=event)
    return [whom for whom in asked if not whom.is_nobody]


def _leads(session: Session, asked: Sequence[tuple[Row[Any], Whom]]) -> Leads:
    """Who leads those teams of which leads are told."""
    led = [entry for entry, whom in asked if whom.to == TEAM_LEAD and entry.team]
    found: defaultdict[tuple[str, int], tuple[str, ...]] = defaultdict(tuple)
    if led:
        teams, clients = {entry.team for entry in led}, {entry.client_id for entry in led}
        of_teams = _LEADS.where(_TEAMS.c.slug.in_(teams), _CLIENTS.c.id.in_(clients))
        for slug, client_id, mail in session.execute(of_teams):
            found[slug, client_id] += (mail,)
    return found


def _watchers(session: Session, asked: Sequence[tuple[Row[Any], Whom]]) -> Mapping[int, Sequence[Watcher]]:
    """Who watches those tickets of which watchers are told."""
    ids = {entry.ticket_id for entry, whom in asked if whom.to == WATCHERS}
    return watchers_of(session, ids) if ids else {}


def _reached(
    entry: Row[Any], whom: Whom, leads: Leads, watchers: Sequence[Watcher], contacts: Contacts
) -> tuple[str, ...] | None:
    """The addresses; none where who is meant has done it themselves, and nothing where nobody has one."""
    if whom.to == "owner" and _is_by(entry, entry.owner):
        return ()
    others = [each.mail for each in watchers if not _is_by(entry, each.login)]
    if whom.to == WATCHERS and not others:
        return ()
    parties = Parties(
        client=entry.client,
        team=entry.team,
        owner=entry.owner_mail or "",
        requester=entry.requester_mail or "",
        team_mail=entry.team_mail or "",
        leads=leads.get((entry.team, entry.client_id), ()),
        watchers=tuple(filter(None, others)),
    )
    return recipients(contacts, parties, whom) or None


def _is_by(entry: Row[Any], login: str | None) -> bool:
    """Whether it is this person who has done it."""
    return entry.actor_kind is ActorKind.PERSON and entry.actor == login


def _rows(
    entry: Row[Any], whom: Whom, addresses: Sequence[str] | None, now_ms: int, post: Post
) -> Iterator[dict[str, Any]]:
    said = to_requester(entry) if whom.to == REQUESTER else to_staff(entry, whom, post.public_url)
    for address in addresses or ():
        yield {
            "client_id": entry.client_id,
            "ticket_id": entry.ticket_id,
            "event_id": entry.id,
            "channel": NoticeChannel(whom.by),
            "recipient": address,
            "subject": subject_of(entry),
            "text": said,
            "decided": whom.row,
            "made_ms": now_ms,
            "state": NoticeState.WAITING if post.goes_out else NoticeState.NOWHERE,
            "next_ms": now_ms,
            "message": "",
            "attempts": 0,
            "reason": "",
        }


# -- what is said


def subject_of(entry: Row[Any]) -> str:
    """`[tocsin #42] solved: the printer jams`, one line whatever the title says."""
    return f"[tocsin #{entry.ticket_id}] {_happened(entry)}: {title_line(entry.title)}"


def to_staff(entry: Row[Any], whom: Whom, public_url: str) -> str:
    """Everything that one has to know before the console is open."""
    about = f"P{entry.priority} {entry.ticket_kind} of {entry.client}"
    whose = [f"host {entry.host}"] if entry.host else []
    whose += [f"team {entry.team}"] if entry.team else []
    whose.append(f"owner {entry.owner}" if entry.owner else "nobody owns it")
    ends = [f"Told to {whom.to} by {whom.by}, says {whom.row}."]
    ends += [f"The desk is at {public_url}."] if public_url else []
    return "\n".join(
        [
            f"{about}: {title_line(entry.title)}",
            ", ".join(whose),
            "",
            f"{moment(entry.at_ms):%Y-%m-%d %H:%M:%S} UTC: {_happened(entry)} by {entry.actor}",
            shortened(entry.text, MOST_TEXT),
            "",
            *ends,
        ]
    )


def to_requester(entry: Row[Any]) -> str:
    """What who asks may know: what a person has said to them, and how it stands."""
    said = shortened(entry.text, MOST_TEXT) if _is_for_requester(entry) else ""
    ticket = f'Your ticket {entry.ticket_id}, "{title_line(entry.title)}", {_stands(entry)}.'
    return f"{ticket}\n\n{said}" if said else ticket


def _is_for_requester(entry: Row[Any]) -> bool:
    """A reply, and what they or their colleagues have said: as `outside.py` tells it to a client's people."""
    return bool(entry.public) or entry.actor_kind in {ActorKind.CLIENT, ActorKind.HOST}


def _stands(entry: Row[Any]) -> str:
    return "has a reply" if entry.kind is TicketEventKind.COMMENTED else f"is {_happened(entry)}"


def _happened(entry: Row[Any]) -> str:
    if entry.kind is TicketEventKind.COMMENTED:
        return "reply"
    return str(entry.kind.value.replace("_", " "))
