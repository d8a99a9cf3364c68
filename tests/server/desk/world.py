"""Acme and Globex, each with a host `atlas`; alerts that fire and clear; and the desk, asked at a moment."""

from collections.abc import Callable
from typing import Any

from sqlmodel import Session, col, select
from tests.lifecycle import SHIPPED, TABLES
from tests.places import add_places

from tocsin_protocol.people import Person
from tocsin_protocol.vocabulary import AlertState, Role, TicketEventKind
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.access.store import PersonRow
from tocsin_server.alerts.store import AlertRow, Transition
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.intake import consume
from tocsin_server.desk.recovery import settle_recovered
from tocsin_server.desk.store import Ticket, TicketEventRow
from tocsin_server.desk.work import Hand
from tocsin_server.estate.store import known
from tocsin_server.storage.engine import Storage

NOW = 1_700_000_000_000
REOPEN_MS = 3_600_000
QUIET_MS = 20_000

ALICE = Person(id=1, login="alice", name="Alice", role=Role.TECHNICIAN)
BOB = Person(id=2, login="bob", name="Bob", role=Role.TECHNICIAN)
CHARLIE = Person(id=3, login="charlie", name="Charlie", role=Role.ADMIN)


class World:
    """What a test needs of the other rooms, as plain rows."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.now_ms = NOW

    @staticmethod
    def people_and_places(session: Session) -> None:
        """What is there before anything happens."""
        for person in (ALICE, BOB, CHARLIE):
            session.add(
                PersonRow(
                    id=person.id,
                    login=person.login,
                    name=person.name,
                    role=person.role,
                    password_hash="",
                    created_ms=NOW,
                    all_clients=True,
                )
            )
        session.flush()
        add_places(session, {1: "acme", 2: "globex"}, {1: (1, "atlas"), 2: (2, "atlas")}, at_ms=NOW)

    def move(self, *, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)

    def alert(self, state: AlertState, **kinds: Any) -> int:
        """An alert changes its state now, and a transition tells of it; its id."""
        return self.storage.write(lambda session: change_alert(session, state, self.now_ms, **kinds))

    def fire(self, **kinds: Any) -> int:
        return self.alert(AlertState.FIRING, **kinds)

    def clear(self, **kinds: Any) -> int:
        return self.alert(AlertState.RESOLVED, **kinds)

    def consume(self, **more: Any) -> list[Happening]:
        return self.storage.write(
            lambda session: consume(session, self.now_ms, **{"reopen_ms": REOPEN_MS, "tables": TABLES, **more})
        )

    def settle(self, is_fresh: Callable[[int], bool] = lambda _host: True) -> list[Happening]:
        return self.storage.write(
            lambda session: settle_recovered(
                session, self.now_ms, quiet_ms=QUIET_MS, is_fresh=is_fresh, tables=TABLES
            )
        )

    def act(self, verb: Callable[..., Happening], ticket_id: int, **more: Any) -> Happening:
        """What a person does now; Alice, where nobody is named, and whatever the version."""
        version = more.pop("version", None)
        hand = Hand(
            person=more.pop("person", ALICE),
            scope=more.pop("scope", EVERYWHERE),
            now_ms=self.now_ms,
            lifecycle=more.pop("lifecycle", SHIPPED),
            tables=more.pop("tables", TABLES),
            versions=None if version is None else {version},
        )
        return self.storage.write(lambda session: verb(session, ticket_id, hand, **more))

    def ticket(self, ticket_id: int = 1) -> Ticket:
        def ask(session: Session) -> Ticket:
            row = session.get_one(Ticket, ticket_id)
            session.expunge(row)
            return row

        return self.storage.read(ask)

    def ticket_ids(self) -> list[int]:
        return self.storage.read(
            lambda session: [
                known(number) for number in session.exec(select(Ticket.id).order_by(col(Ticket.id)))
            ]
        )

    def events(self, ticket_id: int = 1) -> list[TicketEventRow]:
        def ask(session: Session) -> list[TicketEventRow]:
            asked = select(TicketEventRow).where(TicketEventRow.ticket_id == ticket_id)
            rows = list(session.exec(asked.order_by(col(TicketEventRow.id))))
            session.expunge_all()
            return rows

        return self.storage.read(ask)

    def timeline(self, ticket_id: int = 1) -> list[TicketEventKind]:
        return [event.kind for event in self.events(ticket_id)]


def change_alert(
    session: Session,
    state: AlertState,
    now_ms: int,
    *,
    client_id: int = 1,
    host_id: int | None = None,
    name: str = "FilesystemFull",
    severity: str = "critical",
    value: float | None = 0.02,
    sample_ms: int | None = None,
    annotations: dict[str, str] | None = None,
    **labels: str,
) -> int:
    """Write an alert's row and the transition that tells of its new state; the alert's id."""
    identity = {"alertname": name, "instance": "atlas", "mountpoint": "/", "severity": severity, **labels}
    mark = f"{sorted(identity.items())}"
    said = (
        {"summary": "/ on atlas is full", "description": "2 % is free"} if annotations is None else annotations
    )
    row = session.exec(
        select(AlertRow).where(AlertRow.client_id == client_id, AlertRow.fingerprint == mark)
    ).one_or_none()
    if row is None:
        row = AlertRow(
            client_id=client_id,
            rule_key=f"datacenter.yml/datacenter-filesystem/{name}",
            fingerprint=mark,
            alertname=name,
            severity=severity,
            expression="node_filesystem_avail_bytes / node_filesystem_size_bytes < 0.03",
            labels=identity,
            row_labels={},
            annotations=said,
            state=AlertState.INACTIVE,
            changed_ms=now_ms,
        )
    old, row.state, row.value, row.changed_ms = row.state, state, value, now_ms
    row.annotations, row.host_id = said, host_id or client_id
    if state is AlertState.FIRING:
        row.active_ms = row.fired_ms = now_ms
    if state is AlertState.RESOLVED:
        row.resolved_ms = now_ms
    session.add(row)
    session.flush()
    session.add(
        Transition(
            client_id=client_id,
            alert_id=known(row.id),
            at_ms=now_ms,
            old=old,
            new=state,
            value=value,
            sample_ms=now_ms - 500 if sample_ms is None else sample_ms,
            annotations=said,
        )
    )
    session.flush()
    return known(row.id)
