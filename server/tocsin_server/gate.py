"""Where agents come in: greeting, enrolment, pushes and questions, all behind one application."""

from collections.abc import Callable

from tocsin_protocol.wire import ASK_PATH, KEY_PATH, PROBES_PATH
from tocsin_server.clock import Clock
from tocsin_server.decisions.folder import Tables
from tocsin_server.estate.estate import Estate
from tocsin_server.estate.identity import ServerIdentity
from tocsin_server.health import Health
from tocsin_server.http.agents import AgentsApp
from tocsin_server.http.requests import HostReadings, Requests
from tocsin_server.ingest.cardinality import Cardinality
from tocsin_server.ingest.doorkeeper import Doorkeeper
from tocsin_server.ingest.enrolments import Enrolments
from tocsin_server.ingest.handout import Handout
from tocsin_server.ingest.hello import Greeter
from tocsin_server.ingest.inbox import Inbox
from tocsin_server.ingest.journal import Journal
from tocsin_server.ingest.presence import Presence
from tocsin_server.ingest.quarantine import Quarantine
from tocsin_server.ingest.receive import Receiver
from tocsin_server.ingest.rotation import Rotation
from tocsin_server.ingest.sessions import Sessions
from tocsin_server.notices import Notices
from tocsin_server.storage.engine import Storage


class Gate:
    """The agents' part of a server, wired."""

    def __init__(
        self,
        *,
        storage: Storage,
        estate: Estate,
        identity: ServerIdentity,
        journal: Journal,
        inbox: Inbox,
        presence: Presence,
        cardinality: Cardinality,
        readings: HostReadings,
        notices: Notices,
        tables: Callable[[], Tables],
        health: Health,
        clock: Clock,
        interval_s: int,
    ) -> None:
        self.sessions = Sessions(clock=clock)
        doorkeeper = Doorkeeper(sessions=self.sessions, estate=estate, clock=clock)
        self.handout = Handout(doorkeeper=doorkeeper, estate=estate)
        self.receiver = Receiver(
            doorkeeper=doorkeeper,
            quarantine=Quarantine(storage=storage, estate=estate, clock=clock, interval_s=interval_s),
            cardinality=cardinality,
            estate=estate,
            journal=journal,
            inbox=inbox,
            presence=presence,
            health=health,
            clock=clock,
            interval_s=interval_s,
            probes_digest=self.handout.digest,
        )
        self.app = AgentsApp(
            receiver=self.receiver,
            greeter=Greeter(
                estate=estate, identity=identity, sessions=self.sessions, clock=clock, interval_s=interval_s
            ),
            enrolments=Enrolments(
                storage=storage, estate=estate, identity=identity, clock=clock, interval_s=interval_s
            ),
            health=health,
            questions={
                ASK_PATH: Requests(
                    doorkeeper=doorkeeper,
                    storage=storage,
                    readings=readings,
                    notices=notices,
                    tables=tables,
                    clock=clock,
                ),
                PROBES_PATH: self.handout,
                KEY_PATH: Rotation(doorkeeper=doorkeeper, storage=storage, estate=estate, clock=clock),
            },
        )
