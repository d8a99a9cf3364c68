"""A judge over a real head and a real database, with one host of each of two clients."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from sqlmodel import Session, col, select

from tocsin_protocol.vocabulary import HostKind, SeriesKind
from tocsin_protocol.wire import STALE_NAN
from tocsin_server.alerts.deliveries import PLAIN
from tocsin_server.alerts.judge import Judge
from tocsin_server.alerts.rulefile import load_rule_files
from tocsin_server.alerts.store import AlertRow, Transition
from tocsin_server.estate.store import Client, Host, Site
from tocsin_server.health import Health
from tocsin_server.series.head import Head
from tocsin_server.series.schema import Schema, SeriesEntry
from tocsin_server.storage.engine import Storage

START_MS = 1_700_000_000_000
ATLAS, BOREA, ZEPHYR = 1, 2, 3
ACME, GLOBEX = 1, 2
HOSTS = {ATLAS: (ACME, "atlas"), BOREA: (ACME, "borea"), ZEPHYR: (GLOBEX, "zephyr")}


@pytest.fixture(scope="session")
def estate(empty, tmp_path_factory):
    folder = tmp_path_factory.mktemp("estate")
    return empty.rack.once("estate", lambda: empty.filled(folder, lambda storage: storage.write(_estate)))


def _estate(session: Session):
    for client_id, slug in ((ACME, "acme"), (GLOBEX, "globex")):
        session.add(Client(id=client_id, slug=slug, name=slug, created_ms=0))
        session.flush()
        session.add(Site(id=client_id, client_id=client_id, slug="berlin", name="Berlin", created_ms=0))
    session.flush()
    for host_id, (client_id, name) in HOSTS.items():
        session.add(
            Host(
                id=host_id,
                client_id=client_id,
                site_id=client_id,
                name=name,
                kind=HostKind.SERVER,
                job="node",
                enrolled_ms=0,
            )
        )


@dataclass
class Bell:
    """What the server does with a judge, by hand: time, samples, rounds."""

    head: Head
    storage: Storage
    health: Health
    judge: Judge
    hosts: dict
    folder: Path
    now_ms: int = START_MS
    _schemas: dict = field(default_factory=dict)

    def rules(self, text):
        """Put rules in force with the next round."""
        path = self.folder / "rules.yml"
        path.write_text(text)
        self.judge.replace_rules(load_rule_files(path))

    def send(self, host_id, **values):
        """A frame of a host now; a value of None is absent."""
        key = tuple(values)
        entries = tuple(SeriesEntry(name, SeriesKind.GAUGE, ()) for name in key)
        schema = self._schemas.setdefault((host_id, key), Schema(len(self._schemas) + 1, "", entries))
        row = [STALE_NAN if value is None else value for value in values.values()]
        with self.head.lock:
            self.head.apply(host_id, schema, [self.now_ms], np.array([row]))

    def send_zones(self, host_id, count):
        """A frame with as many temperatures, all the same."""
        entries = (
            SeriesEntry("temperature", SeriesKind.GAUGE, (("zone", str(zone)),)) for zone in range(count)
        )
        schema = Schema(1000 + host_id, "", tuple(entries))
        with self.head.lock:
            self.head.apply(host_id, schema, [self.now_ms], np.full((1, count), 81.0))

    def round(self, *, after_s=1):
        """The next round, settled; its transitions as (old, new)."""
        self.now_ms += round(after_s * 1000)
        before = len(self.transitions())
        with self.head.lock:
            done = self.judge.round(self.now_ms)
        settled = self.judge.settle(done)
        new = self.transitions()[before:]
        assert settled == len(new)
        return [(each.old.value, each.new.value) for each in new]

    def transitions(self):
        return self.storage.read(
            lambda session: list(session.exec(select(Transition).order_by(col(Transition.id))))
        )

    def alerts(self):
        return self.storage.read(
            lambda session: list(session.exec(select(AlertRow).order_by(col(AlertRow.id))))
        )

    def restart(self):
        """Another judge over the same database and head, with the rules in force."""
        rules = self.judge.rules
        self.judge = new_judge(self.head, self.storage, self.health, self.hosts)
        self.judge.restore(self.now_ms)
        self.judge.replace_rules(rules)


def new_judge(head, storage, health, hosts, surroundings=PLAIN):
    return Judge(
        head=head,
        storage=storage,
        health=health,
        host_of=lambda client_id, name: hosts.get((client_id, name)),
        surroundings=surroundings,
    )


@pytest.fixture
def bell(estate, tmp_path):
    head, health = Head(), Health()
    for host_id, (client_id, name) in HOSTS.items():
        head.enlist(host_id, client_id=client_id, target={"instance": name, "job": "node", "site": "berlin"})
    with estate.copied(tmp_path) as where, Storage(where) as storage:
        hosts = {(client_id, name): host_id for host_id, (client_id, name) in HOSTS.items()}
        yield Bell(head, storage, health, new_judge(head, storage, health, hosts), hosts, tmp_path)
