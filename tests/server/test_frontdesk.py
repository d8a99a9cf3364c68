"""The desk's bell, from an alert's transition to what is told to the consoles."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlmodel import Session
from structlog.testing import capture_logs
from tests.lifecycle import SHIPPED, TABLES
from tests.server.desk.world import ALICE, World, change_alert

from tocsin_protocol.vocabulary import AlertState, TicketEventKind
from tocsin_server.access.scope import EVERYWHERE
from tocsin_server.clock import FakeClock
from tocsin_server.config import ServerConfig
from tocsin_server.desk import work
from tocsin_server.desk.contacts import NO_CONTACTS, Addresses, Place
from tocsin_server.desk.happening import Happening
from tocsin_server.desk.intake import consume
from tocsin_server.desk.notified import Post
from tocsin_server.desk.promised import Terms
from tocsin_server.desk.store import NOTICES
from tocsin_server.errors import Unavailable
from tocsin_server.frontdesk import FrontDesk
from tocsin_server.health import Health
from tocsin_server.sla.register import NO_CONTRACTS
from tocsin_server.storage.engine import Storage


class Told:
    """Notices that keep what they are told."""

    def __init__(self) -> None:
        self.happenings: list[Happening] = []
        self.hosts: list[int] = []

    def host(self, host_id: int) -> None:
        self.hosts.append(host_id)

    def tickets(self, happenings: Iterable[Happening]) -> None:
        self.happenings += happenings


class Bell:
    """A desk at which one alert comes and goes, on a clock that is moved."""

    def __init__(self, storage: Storage, settings: ServerConfig) -> None:
        self.storage = storage
        self.clock = FakeClock()
        self.told = Told()
        self.health = Health()
        self.fresh = True
        self.contacts = NO_CONTACTS
        self.desk = FrontDesk(
            storage,
            self.told,
            is_fresh=lambda _host: self.fresh,
            tables=lambda: TABLES,
            windows=list,
            terms=lambda: Terms(NO_CONTRACTS, TABLES, self.clock.now_ms(), {}),
            post=lambda: Post(self.contacts, goes_out=False, public_url=""),
            health=self.health,
            clock=self.clock,
            settings=settings,
        )
        storage.write(World.people_and_places)
        self.desk.restore()

    def alert(self, state: AlertState, **labels: str) -> None:
        self.storage.write(lambda session: change_alert(session, state, self.clock.now_ms(), **labels))

    def resolve(self) -> None:
        self.do(work.resolve)

    def do(self, verb: Callable[..., Happening]) -> None:
        """What Alice does to the ticket."""
        hand = work.Hand(
            person=ALICE, scope=EVERYWHERE, now_ms=self.clock.now_ms(), lifecycle=SHIPPED, tables=TABLES
        )
        self.storage.write(lambda session: verb(session, 1, hand))

    def settle(self) -> list[TicketEventKind]:
        """What is told by one run of the settling job."""
        return self.hear(self.desk.settle)

    def hear(self, act: Callable[[], None]) -> list[TicketEventKind]:
        """What is told of what the desk does."""
        before = len(self.told.happenings)
        act()
        self.storage.write(lambda _session: None)  # comes after whatever the desk has asked for
        return [happening.kind for happening in self.told.happenings[before:]]


@pytest.fixture
def bell(storage: Storage) -> Bell:
    return Bell(storage, ServerConfig(quiet_seconds=20, still_firing_minutes=10))


def test_what_was_left_over_is_consumed_and_told(bell: Bell) -> None:
    bell.alert(AlertState.FIRING)

    assert bell.settle() == [TicketEventKind.OPENED]
    assert bell.settle() == []


def test_what_stays_clear_for_the_quiet_time_is_solved(bell: Bell) -> None:
    bell.alert(AlertState.FIRING)
    bell.settle()
    bell.alert(AlertState.RESOLVED)
    assert bell.settle() == [TicketEventKind.ALERT_RESOLVED]

    bell.clock.move(seconds=20)

    assert bell.settle() == [TicketEventKind.SOLVED]


def test_what_was_resolved_while_it_fires_rings_again_after_its_time(bell: Bell) -> None:
    bell.alert(AlertState.FIRING)
    bell.settle()
    bell.resolve()

    bell.clock.move(seconds=599)
    assert bell.settle() == []
    bell.clock.move(seconds=1)

    assert bell.settle() == [TicketEventKind.REOPENED]
    assert bell.settle() == []


def test_what_was_solved_and_stays_so_is_closed_when_the_table_has_said(bell: Bell) -> None:
    bell.alert(AlertState.FIRING)
    bell.settle()
    bell.alert(AlertState.RESOLVED)
    bell.settle()
    bell.clock.move(seconds=20)
    bell.settle()

    bell.clock.move(seconds=72 * 3600 - 1)
    assert bell.settle() == []
    bell.clock.move(seconds=1)

    assert bell.settle() == [TicketEventKind.CLOSED]
    assert bell.settle() == []


def test_what_the_judge_tells_is_consumed_without_waiting_for_the_job(bell: Bell) -> None:
    bell.alert(AlertState.FIRING)

    assert bell.hear(bell.desk.transitions_wait) == [TicketEventKind.OPENED]


def test_a_host_that_has_changed_is_passed_on(bell: Bell) -> None:
    bell.desk.host_changed(7)

    assert bell.told.hosts == [7]


def test_silence_solves_nothing(bell: Bell) -> None:
    bell.alert(AlertState.FIRING)
    bell.alert(AlertState.RESOLVED)
    bell.settle()
    bell.fresh = False
    bell.clock.move(seconds=3600)

    assert bell.settle() == []


def test_the_time_from_the_reading_to_the_ticket_is_measured_where_a_ticket_opens(bell: Bell) -> None:
    bell.alert(AlertState.FIRING)  # half a second after its reading
    bell.clock.move(seconds=1)
    bell.settle()
    bell.alert(AlertState.RESOLVED)
    bell.settle()

    sample = bell.health.registry.get_sample_value
    assert sample("tocsin_alert_detection_seconds_sum") == 1.5
    assert sample("tocsin_alert_detection_seconds_count") == 1


def test_a_storm_leaves_others_a_turn_and_goes_on_with_the_next(
    bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin_server.frontdesk.BATCHES", 1)
    monkeypatch.setattr("tocsin_server.frontdesk.consume", partial(consume, limit=20))

    def storm(session: Session) -> None:
        for zone in range(21):
            change_alert(session, AlertState.FIRING, bell.clock.now_ms(), zone=str(zone))

    bell.storage.write(storm)

    assert len(bell.settle()) == 20
    assert len(bell.settle()) == 1


def test_what_cannot_be_written_is_said_once_told_to_nobody_and_tried_again(
    bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> list[Happening]:
        raise OperationalError("", {}, Exception("database or disk is full"))

    bell.alert(AlertState.FIRING)
    with capture_logs() as logs, monkeypatch.context() as full:
        full.setattr("tocsin_server.frontdesk.consume", fail)
        for _ in range(3):
            bell.desk.transitions_wait()
            with suppress(Unavailable):  # where one of a batch meets a full disk, all of it is refused
                bell.storage.write(lambda _session: None)

    assert bell.told.happenings == []
    assert [line["action"] for line in logs] == ["desk_failed"]
    assert bell.settle() == [TicketEventKind.OPENED]


def test_a_database_that_is_busy_is_left_in_peace_until_the_next_time(
    bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_act: object) -> None:
        raise Unavailable("10000 changes are waiting for the database")

    bell.alert(AlertState.FIRING)
    with monkeypatch.context() as busy:
        busy.setattr(bell.storage, "submit", refuse)
        bell.desk.settle()

    assert bell.settle() == [TicketEventKind.OPENED]


def notices(bell: Bell) -> list[tuple[str, str]]:
    asked = select(NOTICES.c.recipient, NOTICES.c.subject).order_by(NOTICES.c.id)
    return [tuple(row) for row in bell.storage.read(lambda session: session.execute(asked).all())]


def test_who_is_to_be_told_is_written_down_with_what_has_happened(bell: Bell) -> None:
    bell.contacts = {Place("team"): Addresses(mail=("desk@example.net",))}
    bell.alert(AlertState.FIRING)

    bell.hear(bell.desk.transitions_wait)

    assert notices(bell) == [("desk@example.net", "[tocsin #1] opened: / on atlas is full")]
    count = bell.health.registry.get_sample_value
    assert count("tocsin_notices_total", {"outcome": "written"}) == 1
    assert count("tocsin_notices_total", {"outcome": "nobody"}) == 2  # neither on call nor who asks is known


def test_what_a_person_does_is_told_in_the_transaction_of_the_act(bell: Bell) -> None:
    bell.contacts = {Place("team"): Addresses(mail=("desk@example.net",))}
    bell.alert(AlertState.FIRING)
    bell.settle()
    bell.resolve()

    bell.do(work.reopen)

    assert notices(bell)[-1] == ("desk@example.net", "[tocsin #1] reopened: / on atlas is full")


def test_more_entries_than_are_read_at_once_are_told_in_one_transaction(
    bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin_server.desk.notified.LIMIT", 2)
    bell.contacts = {Place("team"): Addresses(mail=("desk@example.net",))}
    for place in "abcde":
        bell.alert(AlertState.FIRING, mountpoint=place)

    bell.hear(bell.desk.transitions_wait)

    assert len(notices(bell)) == 5


def test_what_is_wrong_with_notices_silences_no_bell_and_is_said_once(
    bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("such a mistake")

    bell.contacts = {Place("team"): Addresses(mail=("desk@example.net",))}
    bell.alert(AlertState.FIRING)
    with capture_logs() as logs, monkeypatch.context() as broken:
        broken.setattr("tocsin_server.frontdesk.write_all", fail)
        heard = bell.settle()
    bell.settle()

    assert heard == [TicketEventKind.OPENED]
    assert [line["action"] for line in logs] == ["notices_failed"]
    assert [recipient for recipient, _ in notices(bell)] == ["desk@example.net"]
