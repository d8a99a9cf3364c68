"""The desk's bell, from an alert's transition to what is told to the consoles."""

from collections.abc import Iterable

import pytest
from tests.server.desk.world import ALICE, World, change_alert

from tocsin_protocol.vocabulary import AlertState, TicketEventKind
from tocsin_server.clock import FakeClock
from tocsin_server.config import ServerConfig
from tocsin_server.desk import work
from tocsin_server.desk.happening import Happening
from tocsin_server.frontdesk import FrontDesk
from tocsin_server.health import Health
from tocsin_server.storage.engine import Storage


class Told:
    """Notices that keep what they are told."""

    def __init__(self) -> None:
        self.happenings: list[Happening] = []

    def tickets(self, happenings: Iterable[Happening]) -> None:
        self.happenings += happenings


class Bell:
    """A desk at which one alert comes and goes, on a clock that is moved."""

    def __init__(self, storage: Storage, settings: ServerConfig) -> None:
        self.storage = storage
        self.clock = FakeClock()
        self.told = Told()
        self.desk = FrontDesk(
            storage,
            self.told,
            is_fresh=lambda _host: True,
            health=Health(),
            clock=self.clock,
            settings=settings,
        )
        storage.write(World.people_and_places)

    def alert(self, state: AlertState) -> None:
        self.storage.write(lambda session: change_alert(session, state, self.clock.now_ms()))

    def resolve(self) -> None:
        self.storage.write(
            lambda session: work.resolve(session, 1, person=ALICE, version=None, now_ms=self.clock.now_ms())
        )

    def settle(self) -> list[TicketEventKind]:
        """What is told by one run of the settling job."""
        before = len(self.told.happenings)
        self.desk.settle()
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
