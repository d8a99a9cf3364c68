"""Two generated clients with hosts of the same names, and people of the first.

All that the other client has bears one word that stands nowhere else, and ids that nobody else's rows have.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from sqlmodel import Session, SQLModel

from tocsin_protocol.vocabulary import (
    ActorKind,
    AlertState,
    HostKind,
    Role,
    SeriesKind,
    TicketEventKind,
    TicketState,
)
from tocsin_server.access.grants import Grant, grant
from tocsin_server.access.people import add_person, issue_session
from tocsin_server.access.store import ApiTokenRow, PersonRow
from tocsin_server.access.tokens import digest_of
from tocsin_server.alerts.store import AlertRow, SilenceRow, Transition
from tocsin_server.desk.store import ContractDocument, Ticket, TicketAlert, TicketEventRow
from tocsin_server.desk.texts import Worded, write_texts
from tocsin_server.desk.words import Said
from tocsin_server.estate.store import Agent, Client, Host, Requester, Site, known
from tocsin_server.ingest.inbox import HostFrame
from tocsin_server.isolation.questions import Named
from tocsin_server.series.schema import Schema, SeriesEntry

NOW_MS = 1_700_000_000_000
HOST = "atlas"
NOTHING = "nothing granted"
"""Who sees no client."""
_METRIC = "node_load1"
_SAMPLES = 31
_STEP_MS = 10_000
_HOUR_MS = 3_600_000


def word() -> str:
    """What stands nowhere else."""
    return f"zq{secrets.token_hex(6)}"


def named(client: str, mark: str, first_id: int) -> Named:
    """What of a client can be named, where its rows are numbered from there."""
    return Named(
        client=client,
        site=f"site-{mark}",
        login=f"login-{mark}",
        word=mark,
        ticket_id=first_id + 100,
        alert_id=first_id + 200,
        host_id=first_id + 300,
        silence_id=first_id + 400,
        token_id=first_id + 500,
        contract=f"contract-{mark}",
        mail=f"{mark}@example.net",
        session=digest_of(f"session-{mark}")[:16],
    )


@dataclass
class Frames:
    """What the hosts have sent, in place of a journal."""

    by_host: dict[int, HostFrame] = field(default_factory=dict)

    @property
    def owed(self) -> "Frames":
        return self

    def since_ms(self, _host_id: int) -> int | None:
        """All of it is here, and nothing in history."""
        return 0

    def frames_of(self, host_id: int, _start_ms: int, _end_ms: int) -> list[HostFrame]:
        found = self.by_host.get(host_id)
        return [] if found is None else [found]


def sent_by(host_id: int, mark: str, value: float) -> HostFrame:
    """Five minutes of one metric, with the word in a label."""
    entry = SeriesEntry(_METRIC, SeriesKind.GAUGE, (("word", mark),))
    times = [NOW_MS - _STEP_MS * back for back in reversed(range(_SAMPLES))]
    schema = Schema(id=host_id, host="", series=(entry,))
    return HostFrame(host_id, schema, times, np.full((_SAMPLES, 1), value))


def add_client_rows(session: Session, of: Named, first_id: int) -> None:
    """A client with a site, a host, an alert on a ticket, a silence, and somebody who sees it alone."""
    for row in _estate(of, first_id):
        session.add(row)
        session.flush()
    person = add_person(session, of.login, f"Name {of.word}", None, Role.CLIENT_VIEWER, NOW_MS)
    grant(session, person, Grant((of.client,)))
    issue_session(session, person, NOW_MS)
    session.add(_token(of, known(person.id)))
    add_trouble(session, of, first_id, of.ticket_id, of.alert_id)
    session.add(_contract(of, first_id))
    session.add(Requester(client_id=first_id, name=f"Asks {of.word}", mail=of.mail, created_ms=NOW_MS))
    session.add(
        SilenceRow(
            id=of.silence_id,
            client_id=first_id,
            matchers=f'{{word="{of.word}"}}',
            starts_ms=NOW_MS,
            ends_ms=NOW_MS + _HOUR_MS,
            author=of.login,
            comment=f"silent {of.word}",
        )
    )


def add_trouble(session: Session, of: Named, client_id: int, ticket_id: int, alert_id: int) -> None:
    """One more alert that fires, and its ticket with a note and a public comment."""
    alerts, tickets = _alert(of, client_id, alert_id), _ticket(of, client_id, ticket_id)
    link = TicketAlert(ticket_id=ticket_id, alert_id=alert_id, client_id=client_id)
    for row in (*alerts, *tickets, link):
        session.add(row)
        session.flush()
    texts = [Said(f"note {of.word}", public=False), Said(f"comment {of.word}", public=True)]
    worded = Worded(
        ticket_id=ticket_id,
        client_id=client_id,
        host_id=of.host_id,
        title=f"printer {of.word}",
        is_open=True,
        is_new=True,
        texts=texts,
    )
    write_texts(session, [worded])


def add_people(session: Session, client: str) -> dict[str, str]:
    """Of each role who sees this client alone, who sees none, and who sees all: tokens of their sessions."""
    tokens = {}
    for role in Role:
        person = add_person(session, f"a.{role.value}", role.value, None, role, NOW_MS)
        grant(session, person, Grant((client,)))
        tokens[role.value] = issue_session(session, person, NOW_MS)
    tokens[NOTHING] = issue_session(session, _add(session, "a.none", Grant()), NOW_MS)
    tokens[""] = issue_session(session, _add(session, "a.all", Grant(all_clients=True)), NOW_MS)
    return tokens


def _add(session: Session, login: str, sees: Grant) -> PersonRow:
    person = add_person(session, login, login, None, Role.ADMIN, NOW_MS)
    grant(session, person, sees)
    return person


def _estate(of: Named, client_id: int) -> Iterator[SQLModel]:
    yield Client(id=client_id, slug=of.client, name=f"Client {of.word}", created_ms=NOW_MS)
    yield Site(id=client_id, client_id=client_id, slug=of.site, name=f"Site {of.word}", created_ms=NOW_MS)
    yield Host(
        id=of.host_id,
        client_id=client_id,
        site_id=client_id,
        name=HOST,
        kind=HostKind.SERVER,
        job="node",
        os=f"os {of.word}",
        enrolled_ms=NOW_MS,
    )
    yield Agent(
        id=f"agt_{of.word}",
        client_id=client_id,
        host_id=of.host_id,
        public_key=bytes(32),
        version=f"1.{of.word}",
        enrolled_ms=NOW_MS,
    )


def _contract(of: Named, client_id: int) -> ContractDocument:
    """Kept and not in force: it is told with the reason."""
    return ContractDocument(
        client_id=client_id,
        contract=of.contract,
        version=1,
        text=f"contract: {of.contract}\nclient: {of.client}\nsaid: {of.word}\n",
        author=of.login,
        at_ms=NOW_MS,
    )


def _token(of: Named, person_id: int) -> ApiTokenRow:
    return ApiTokenRow(
        id=of.token_id,
        digest=digest_of(f"token-{of.word}"),
        person_id=person_id,
        name=f"token {of.word}",
        scopes="read",
        created_ms=NOW_MS,
        expires_ms=NOW_MS + _HOUR_MS,
    )


def _alert(of: Named, client_id: int, alert_id: int) -> Iterator[SQLModel]:
    """One that fires, and how it came to."""
    labels = {"alertname": "HighLoad", "instance": HOST, "site": of.site, "word": of.word}
    said = {"summary": f"load {of.word}", "description": f"of {of.word}"}
    yield AlertRow(
        id=alert_id,
        client_id=client_id,
        host_id=of.host_id,
        rule_key="isolation.yml/load/HighLoad",
        fingerprint=f"{alert_id}",
        alertname="HighLoad",
        severity="critical",
        expression=f"{_METRIC} > 4",
        labels=labels,
        row_labels=labels,
        annotations=said,
        state=AlertState.FIRING,
        value=5.0,
        active_ms=NOW_MS,
        fired_ms=NOW_MS,
        changed_ms=NOW_MS,
    )
    yield Transition(
        client_id=client_id,
        alert_id=alert_id,
        old=AlertState.PENDING,
        new=AlertState.FIRING,
        annotations=said,
        at_ms=NOW_MS,
        consumed_ms=NOW_MS,
    )


def _ticket(of: Named, client_id: int, ticket_id: int) -> Iterator[SQLModel]:
    """One with a note and a public comment."""
    yield Ticket(
        id=ticket_id,
        client_id=client_id,
        site_id=client_id,
        host_id=of.host_id,
        title=f"printer {of.word}",
        state=TicketState.NEW,
        priority=1,
        severity="critical",
        team=of.word,
        opened_ms=NOW_MS,
        updated_ms=NOW_MS,
    )
    for kind, who, text, is_public in (
        (TicketEventKind.OPENED, ActorKind.RULE, f"opened {of.word}", False),
        (TicketEventKind.COMMENTED, ActorKind.PERSON, f"note {of.word}", False),
        (TicketEventKind.COMMENTED, ActorKind.PERSON, f"comment {of.word}", True),
    ):
        yield TicketEventRow(
            client_id=client_id,
            ticket_id=ticket_id,
            at_ms=NOW_MS,
            kind=kind,
            actor_kind=who,
            actor=of.login,
            text=text,
            data={"word": of.word},
            public=is_public,
        )
