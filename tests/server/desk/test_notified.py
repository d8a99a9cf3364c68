"""What happens to a ticket is told to those whom the tables name, once, and to no other client's people."""

from typing import Any

import pytest
from sqlalchemy import insert, select, text, update
from sqlmodel import Session
from tests.contracts import contract_of
from tests.lifecycle import TABLES
from tests.server.desk.world import ALICE, BOB, CHARLIE, NOW, World

from tocsin_protocol.acts import NewTicket
from tocsin_protocol.people import Person
from tocsin_protocol.vocabulary import NoticeChannel, NoticeState, Role
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.access.store import GRANTS, PersonRow
from tocsin_server.decisions.folder import NO_TABLES
from tocsin_server.desk import notified, opening, work
from tocsin_server.desk.contacts import Addresses, Contacts, Place
from tocsin_server.desk.notified import Post, Written, begin, write_notices
from tocsin_server.desk.promised import Terms
from tocsin_server.desk.requests import open_request, request_of
from tocsin_server.desk.store import EVENTS, NOTICES, OUTBOX_PLACE, TICKETS, TeamMemberRow, TeamRow
from tocsin_server.desk.told import due, tell
from tocsin_server.desk.watching import watch
from tocsin_server.estate.store import Requester

DESK = "desk@desk.example"
CONTACTS: Contacts = {
    Place("team"): Addresses(mail=(DESK,)),
    Place("on_call"): Addresses(page=("phone@sms.example",)),
    Place("duty_manager"): Addresses(mail=("duty@desk.example",)),
}
RITA, GUS = "rita@acme.example", "gus@globex.example"


def people(session: Session) -> None:
    """Alice and Bob have addresses, and each client has somebody who asks."""
    for person in (ALICE, BOB):
        row = session.get_one(PersonRow, person.id)
        row.mail, row.all_clients = f"{person.login}@desk.example", True
        session.add(row)
    session.add(Requester(id=1, client_id=1, name="Rita", mail=RITA, created_ms=NOW))
    session.add(Requester(id=2, client_id=2, name="Gus", mail=GUS, created_ms=NOW))


class Outbox:
    """Whoever writes notices, beside the world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.contacts = CONTACTS
        self.tables = TABLES
        world.storage.write(begin)

    def write(self, *, goes_out: bool = True, public_url: str = "") -> Written:
        post = Post(self.contacts, goes_out, public_url)
        return self.world.storage.write(
            lambda session: write_notices(session, self.world.now_ms, tables=self.tables, post=post)
        )

    def rows(self) -> list[Any]:
        asked = select(NOTICES).order_by(NOTICES.c.id)
        return list(self.world.storage.read(lambda session: session.execute(asked).all()))

    def told(self) -> list[tuple[str, str, str]]:
        """What is new: by what channel, to whom, with which subject."""
        had = len(self.rows())
        self.write()
        return [(row.channel.value, row.recipient, row.subject) for row in self.rows()[had:]]


@pytest.fixture
def outbox(world: World) -> Outbox:
    world.storage.write(people)
    return Outbox(world)


def by_hand(world: World, client: str = "acme", *, requester_id: int | None = None) -> None:
    """A ticket that a person opens, for somebody who asks."""
    new = NewTicket(client=client, title="the printer jams")

    def act(session: Session) -> None:
        done = opening.open_ticket(session, EVERYWHERE, new, person=ALICE, now_ms=world.now_ms, tables=TABLES)
        session.execute(
            update(TICKETS)
            .where(TICKETS.c.id == done.ticket_id)
            .values(requester_id=requester_id, kind="request")
        )

    world.storage.write(act)


def test_a_critical_alert_wakes_who_is_on_call_and_tells_the_team(outbox: Outbox) -> None:
    outbox.world.fire()
    outbox.world.consume()

    assert outbox.told() == [
        ("page", "phone@sms.example", "[tocsin #1] opened: / on atlas is full"),
        ("mail", DESK, "[tocsin #1] opened: / on atlas is full"),
    ]
    page, _ = outbox.rows()
    assert page.text.splitlines() == [
        "P1 incident of acme: / on atlas is full",
        "host atlas, team servers, nobody owns it",
        "",
        "2023-11-14 22:13:20 UTC: opened by FilesystemFull",
        "2 % is free",
        "",
        f"Told to on_call by page, says {page.decided}.",
    ]
    assert page.decided.startswith("notification@")
    assert page.decided.endswith(" row wake")


def watched(world: World, *people: Person, ticket_id: int = 1) -> None:
    def act(session: Session) -> None:
        for person in people:
            watch(session, EVERYWHERE, ticket_id, person.id, world.now_ms)

    world.storage.write(act)


def test_who_watches_hears_what_happens_but_of_notes_and_of_what_they_do_themselves(outbox: Outbox) -> None:
    by_hand(outbox.world)
    watched(outbox.world, ALICE, BOB)
    outbox.write()
    for said in ({"text": "the toner, I bet"}, {"text": "we are looking at it", "public": True}):
        outbox.world.act(work.comment, 1, **said)
    replied = outbox.told()
    outbox.world.act(work.resolve, 1, person=BOB)
    solved = outbox.told()

    assert replied == [("mail", "bob@desk.example", "[tocsin #1] reply: the printer jams")]
    assert solved == [("mail", "alice@desk.example", "[tocsin #1] solved: the printer jams")]
    last = outbox.rows()[-1]
    assert last.text.splitlines()[-1] == f"Told to watchers by mail, says {last.decided}."


def test_who_watches_and_owns_a_ticket_is_told_once(outbox: Outbox) -> None:
    by_hand(outbox.world)
    outbox.world.act(work.take, 1)
    watched(outbox.world, ALICE)
    outbox.write()

    outbox.world.act(work.comment, 1, person=BOB, text="we are looking at it", public=True)

    assert outbox.write() == Written(1, 1)  # who asks is nobody
    assert outbox.rows()[-1].text.splitlines()[-1].startswith("Told to owner by mail")


@pytest.mark.parametrize(
    "change",
    [
        {"all_clients": False},
        {"role": Role.CLIENT_APPROVER, "all_clients": False},
        {"disabled_ms": NOW},
    ],
)
def test_who_watches_and_may_not_see_the_client_any_more_is_not_told(
    outbox: Outbox, change: dict[str, Any]
) -> None:
    outbox.world.fire()
    outbox.world.consume()
    watched(outbox.world, ALICE, BOB)
    outbox.write()
    people = PersonRow.metadata.tables["person"]
    outbox.world.storage.write(
        lambda session: session.execute(update(people).where(people.c.id == ALICE.id).values(**change))
    )

    outbox.world.act(work.resolve, 1, person=CHARLIE)

    assert [to for _, to, _ in outbox.told()] == ["bob@desk.example"]


def test_nobody_is_missed_where_nobody_watches_and_who_watches_without_an_address_is(outbox: Outbox) -> None:
    outbox.world.fire(severity="warning")
    outbox.world.consume()
    outbox.write()
    outbox.world.act(work.resolve, 1)
    unwatched = outbox.write()
    watched(outbox.world, CHARLIE)
    outbox.world.act(work.reopen, 1)

    assert unwatched == Written(0, 1)  # nobody has asked for it
    assert outbox.write() == Written(1, 1)
    assert outbox.rows()[-1].recipient == DESK


def test_nothing_is_told_twice(outbox: Outbox) -> None:
    outbox.world.fire()
    outbox.world.consume()
    first = outbox.write()

    assert (first, outbox.write()) == (Written(2, 1), Written())


def test_what_has_happened_before_is_told_to_nobody(world: World) -> None:
    world.fire()
    world.consume()
    outbox = Outbox(world)
    world.storage.write(begin)

    assert outbox.told() == []


@pytest.mark.parametrize("empty", [pytest.param("postgresql", marks=pytest.mark.real)], indirect=True)
def test_whether_there_is_news_is_not_looked_for_among_all_that_is_read(outbox: Outbox) -> None:
    outbox.world.fire()
    outbox.world.consume()
    outbox.write()

    def plan(session: Session) -> str:
        (event,) = session.execute(select(EVENTS)).mappings()
        more = [{**event, "id": 1000 + number, "transition_id": None} for number in range(5000)]
        session.execute(insert(EVENTS), more)
        session.execute(update(OUTBOX_PLACE).values(event_id=10_000))
        session.execute(text("ANALYZE ticket_event"))
        asked = notified._ANY_NEW.compile(session.get_bind(), compile_kwargs={"literal_binds": True})
        return "\n".join(session.execute(text(f"EXPLAIN {asked}")).scalars())

    assert "Seq Scan on ticket_event" not in outbox.world.storage.write(plan)


def test_entries_are_read_by_turns_in_their_order(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notified, "LIMIT", 2)
    for place in "abc":
        outbox.world.fire(severity="warning", mountpoint=place)
    outbox.world.consume()

    assert [outbox.write().is_all for _ in range(2)] == [False, True]
    assert [row.ticket_id for row in outbox.rows()] == [1, 2, 3]


def test_a_note_stays_among_technicians_and_a_reply_goes_to_who_asks_and_to_the_owner(outbox: Outbox) -> None:
    by_hand(outbox.world, requester_id=1)
    outbox.world.act(work.take, 1)
    outbox.write()
    outbox.world.act(work.comment, 1, person=BOB, text="the toner, I bet")
    noted = outbox.told()
    outbox.world.act(work.comment, 1, person=BOB, text="we are looking at it", public=True)

    assert noted == []
    assert sorted(outbox.told()) == [
        ("mail", "alice@desk.example", "[tocsin #1] reply: the printer jams"),
        ("mail", RITA, "[tocsin #1] reply: the printer jams"),
    ]
    (to_rita,) = (row.text for row in outbox.rows() if row.recipient == RITA and "reply" in row.subject)
    assert to_rita == 'Your ticket 1, "the printer jams", has a reply.\n\nwe are looking at it'


def test_who_does_something_is_not_told_of_it(outbox: Outbox) -> None:
    by_hand(outbox.world, requester_id=1)
    outbox.world.act(work.take, 1)
    outbox.write()

    outbox.world.act(work.comment, 1, text="we are looking at it", public=True)

    assert [to for _, to, _ in outbox.told()] == [RITA]


def test_who_asks_hears_of_the_solution_and_nothing_of_what_machines_and_technicians_say(
    outbox: Outbox,
) -> None:
    outbox.world.fire(severity="warning")
    outbox.world.consume()
    outbox.world.storage.write(lambda session: session.execute(update(TICKETS).values(requester_id=1)))
    outbox.write()
    outbox.world.act(work.resolve, 1, text="disk swapped")
    outbox.write()

    texts = [row.text for row in outbox.rows() if row.recipient == RITA]
    assert texts == [
        'Your ticket 1, "/ on atlas is full", is opened.',
        'Your ticket 1, "/ on atlas is full", is solved.',
    ]


def test_a_requester_of_another_client_is_never_meant(outbox: Outbox) -> None:
    by_hand(outbox.world, "acme", requester_id=2)
    by_hand(outbox.world, "globex", requester_id=2)

    outbox.write()

    assert [(row.client_id, row.ticket_id) for row in outbox.rows() if row.recipient == GUS] == [(2, 2)]


def test_a_request_of_a_host_has_a_name_and_no_address(outbox: Outbox) -> None:
    asked = request_of(agent_id="a", host_id=1, key=bytes(16), who="alice", text="the printer jams")
    outbox.world.storage.write(
        lambda session: open_request(session, asked, readings={}, now_ms=NOW, tables=TABLES)
    )
    outbox.contacts = {}

    assert outbox.write() == Written(0, 2)


def test_an_owner_and_a_lead_are_told_of_clients_only_that_they_see(outbox: Outbox) -> None:
    def team(session: Session) -> None:
        session.add(TeamRow(id=1, slug="servers", name="Servers", created_ms=NOW))
        session.flush()
        session.add(TeamMemberRow(team_id=1, person_id=1, lead=True, since_ms=NOW))
        session.execute(update(PersonRow.metadata.tables["person"]).values(all_clients=False))
        session.execute(insert(GRANTS), [{"person_id": 1, "client_id": 2}])

    outbox.world.storage.write(team)
    outbox.contacts = {}
    contracts = {client: (contract_of(client),) for client in ("acme", "globex")}
    for client_id in (1, 2):
        outbox.world.fire(client_id=client_id, severity="warning")
    outbox.world.consume()
    terms = Terms(contracts, TABLES, NOW + 14 * 3_600_000, {})
    outbox.world.storage.write(lambda session: tell(session, due(session, terms.now_ms), terms))

    outbox.write()

    assert {(row.client_id, row.recipient) for row in outbox.rows()} == {(2, "alice@desk.example")}


def test_who_has_left_or_is_disabled_is_not_written_to(outbox: Outbox) -> None:
    by_hand(outbox.world, requester_id=1)
    outbox.world.act(work.take, 1)
    outbox.write()

    def leave(session: Session) -> None:
        gone, disabled = session.get_one(Requester, 1), session.get_one(PersonRow, 1)
        gone.left_ms = disabled.disabled_ms = NOW
        session.add_all([gone, disabled])

    outbox.world.storage.write(leave)
    outbox.world.act(work.comment, 1, person=BOB, text="we are looking at it", public=True)

    assert outbox.told() == []


def test_teams_and_their_leads_have_the_addresses_that_the_database_knows(outbox: Outbox) -> None:
    def team(session: Session) -> None:
        session.add(TeamRow(id=1, slug="servers", name="Servers", mail="servers@desk.example", created_ms=NOW))
        session.flush()
        session.add(TeamMemberRow(team_id=1, person_id=1, lead=True, since_ms=NOW))
        session.add(TeamMemberRow(team_id=1, person_id=2, lead=False, since_ms=NOW))

    outbox.world.storage.write(team)
    outbox.world.fire(severity="warning")
    outbox.world.consume()
    opened = outbox.told()
    terms = Terms({"acme": (contract_of("acme"),)}, TABLES, NOW + 14 * 3_600_000, {})
    outbox.world.storage.write(lambda session: tell(session, due(session, terms.now_ms), terms))

    assert [to for _, to, _ in opened] == ["servers@desk.example"]
    assert {to for _, to, _ in outbox.told()} == {"alice@desk.example", "servers@desk.example"}


def test_a_lead_is_found_where_nobody_else_is_told(outbox: Outbox) -> None:
    def team(session: Session) -> None:
        session.add(TeamRow(id=1, slug="servers", name="Servers", created_ms=NOW))
        session.flush()
        session.add(TeamMemberRow(team_id=1, person_id=1, lead=True, since_ms=NOW))

    outbox.world.storage.write(team)
    outbox.world.fire(severity="warning")
    outbox.world.consume()
    for half_hours in (21, 22):
        outbox.write()
        terms = Terms({"acme": (contract_of("acme"),)}, TABLES, NOW + half_hours * 1_800_000, {})
        outbox.world.storage.write(lambda session, now=terms: tell(session, due(session, now.now_ms), now))

    assert outbox.told() == [("mail", "alice@desk.example", "[tocsin #1] breached: / on atlas is full")]


def test_a_breach_goes_to_whom_escalation_has_named_and_quotes_its_row(outbox: Outbox) -> None:
    outbox.world.fire()
    outbox.world.consume()
    outbox.write()
    terms = Terms({"acme": (contract_of("acme"),)}, TABLES, NOW + 9 * 3_600_000 + 120_000, {})
    outbox.world.storage.write(lambda session: tell(session, due(session, terms.now_ms), terms))

    assert outbox.told() == [
        ("mail", DESK, "[tocsin #1] due soon: / on atlas is full"),
        ("page", "duty@desk.example", "[tocsin #1] breached: / on atlas is full"),
    ]
    last = outbox.rows()[-1]
    assert last.decided.startswith("escalation@")
    assert "ack of gold is breached, it was due Wed 2023-11-15 08:15 CET" in last.text


def test_without_a_mail_server_notices_are_kept_with_nowhere_to_go(outbox: Outbox) -> None:
    outbox.world.fire()
    outbox.world.consume()

    outbox.write(goes_out=False)

    assert {row.state for row in outbox.rows()} == {NoticeState.NOWHERE}


def test_without_tables_nobody_is_told_and_it_is_not_told_later(outbox: Outbox) -> None:
    outbox.tables = NO_TABLES
    outbox.world.fire()
    outbox.world.consume()
    outbox.write()
    outbox.tables = TABLES

    assert outbox.told() == []


def test_who_is_meant_twice_is_told_once_by_each_channel(outbox: Outbox) -> None:
    outbox.contacts = {
        Place("team"): Addresses(mail=("one@desk.example",)),
        Place("on_call"): Addresses(mail=("one@desk.example",)),
    }
    outbox.world.fire()
    outbox.world.consume()

    assert [(channel, to) for channel, to, _ in outbox.told()] == [
        (NoticeChannel.PAGE, "one@desk.example"),
        (NoticeChannel.MAIL, "one@desk.example"),
    ]


def test_staff_are_told_where_the_desk_is(outbox: Outbox) -> None:
    outbox.world.fire()
    outbox.world.consume()
    outbox.write(public_url="https://desk.example")

    assert outbox.rows()[0].text.splitlines()[-1] == "The desk is at https://desk.example."


def test_a_hostile_title_is_one_line_of_the_subject(outbox: Outbox) -> None:
    outbox.world.fire(annotations={"summary": "full\r\nBcc: x@y\r\n\r\nhello\x1b[31m"})
    outbox.world.consume()

    assert {subject for _, _, subject in outbox.told()} == {"[tocsin #1] opened: full Bcc: x@y hello[31m"}
