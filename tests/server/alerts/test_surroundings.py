"""What holds around the alerts: who is down, where an alert is, and what files and people have said."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from tocsin_protocol.vocabulary import HostKind, SeriesKind
from tocsin_server.alerts.alert import Alert
from tocsin_server.alerts.maintenance import Place
from tocsin_server.alerts.suppressionfile import HostParents, Suppressions, read_suppressions
from tocsin_server.alerts.surroundings import Surroundings
from tocsin_server.estate.estate import ClientFacts, HostFacts
from tocsin_server.series.head import Head
from tocsin_server.series.schema import Schema, SeriesEntry

NOW = 1_700_000_000_000
ACME, GLOBEX = 1, 2
CORE, SWITCH, ATLAS, OTHER = 1, 2, 3, 4


def host(host_id, name, *, client_id=ACME, parents=()):
    slug = "acme" if client_id == ACME else "globex"
    kind = HostKind.SERVER
    return HostFacts(host_id, client_id, slug, 1, "hq", name, kind, "node", "", 0, parents=parents)


@dataclass
class Estate:
    """Three hosts in a row of one client, and one of another with a name that is there twice."""

    listed: list = field(
        default_factory=lambda: [
            host(CORE, "core"),
            host(SWITCH, "switch", parents=("core",)),
            host(ATLAS, "atlas", parents=("switch",)),
            host(OTHER, "atlas", client_id=GLOBEX),
        ]
    )
    generation: int = 1

    def hosts(self):
        return self.listed

    def clients(self):
        return [ClientFacts(ACME, "acme", ""), ClientFacts(GLOBEX, "globex", "")]

    def client(self, client_id):
        return next((each for each in self.clients() if each.id == client_id), None)

    def host(self, host_id):
        return next((each for each in self.listed if each.id == host_id), None)

    def host_named(self, client_id, name):
        return next((each for each in self.listed if (each.client_id, each.name) == (client_id, name)), None)


@dataclass
class World:
    estate: Estate = field(default_factory=Estate)
    head: Head = field(default_factory=Head)
    said: Suppressions = field(default_factory=Suppressions)

    def __post_init__(self):
        for each in self.estate.hosts():
            target = {"instance": each.name, "job": each.job, "site": each.site}
            self.head.enlist(each.id, client_id=each.client_id, target=target)
            self.head.beat(each.id, up=True, at_ms=NOW)
        self.surroundings = Surroundings(
            estate=self.estate, ground=self.head, silences=tuple, said=lambda: self.said
        )

    def probed(self, host_id, **successes):
        entries = tuple(
            SeriesEntry("probe_success", SeriesKind.GAUGE, (("probe", probe),)) for probe in successes
        )
        schema = Schema(host_id, "", entries)
        self.head.apply(host_id, schema, [NOW], np.array([list(successes.values())], dtype=float))

    def unreachable(self, now_ms=NOW + 1):
        return self.surroundings.circumstances(now_ms, {}, {}).unreachable


@pytest.fixture
def world():
    return World()


def test_while_all_is_up_nothing_is_cut_off(world):
    assert world.unreachable() == {}


def test_a_host_that_does_not_push_cuts_off_what_is_silent_behind_it(world):
    for dead in (SWITCH, ATLAS):
        world.head.beat(dead, up=False, at_ms=NOW + 1)

    around = world.surroundings.circumstances(NOW + 1, {}, {})

    assert around.unreachable == {ATLAS: (SWITCH,)}
    assert around.host_names == {SWITCH: "switch"}


def test_a_host_that_is_heard_is_not_cut_off_whatever_the_map_says(world):
    world.head.beat(SWITCH, up=False, at_ms=NOW + 1)

    assert world.unreachable() == {}


def test_a_device_is_down_when_none_of_its_probes_succeeds(world):
    world.probed(SWITCH, icmp=0, snmp=0)
    world.head.beat(ATLAS, up=False, at_ms=NOW + 1)

    assert world.unreachable() == {ATLAS: (SWITCH,)}


def test_a_device_of_which_one_probe_succeeds_is_up(world):
    world.probed(SWITCH, icmp=1, snmp=0)
    world.head.beat(ATLAS, up=False, at_ms=NOW + 1)

    assert world.unreachable() == {}


def test_a_host_of_another_client_is_nobodys_parent(world):
    world.said = Suppressions(parents=(HostParents("r", "acme", ("core",), ("atlas",)),))
    world.estate.listed[2] = host(ATLAS, "borea")
    world.estate.generation += 1
    world.head.beat(OTHER, up=False, at_ms=NOW + 1)
    world.head.beat(CORE, up=False, at_ms=NOW + 1)

    assert CORE not in world.unreachable()


def test_parents_in_files_and_of_devices_count_together(world):
    world.said = read_suppressions(
        {"a.yml": "host_parents: [{name: second way, client: acme, hosts: [atlas], parents: [core]}]"}
    )
    for dead in (SWITCH, ATLAS):
        world.head.beat(dead, up=False, at_ms=NOW + 1)

    assert world.unreachable() == {}  # atlas is silent, and core could reach it


def test_an_alert_is_where_its_host_is_and_not_where_its_labels_say(world):
    labels = {"site": "moon", "instance": "zeus", "client": "globex"}
    alert = Alert("r", "e", ACME, ATLAS, labels, "f", {})

    assert world.surroundings.place_of(alert) == Place("acme", "hq", "atlas")


def test_an_alert_of_no_host_is_its_clients(world):
    assert world.surroundings.place_of(Alert("r", "e", ACME, None, {}, "f", {})) == Place("acme")


def test_what_inhibits_is_asked_of_the_alerts_that_fire(world):
    world.said = read_suppressions(
        {
            "a.yml": "inhibit_rules: [{name: r, source_matchers: [alertname=A],"
            " target_matchers: [alertname=B], equal: [instance]}]"
        }
    )
    firing = {
        (ACME, "a"): {"alertname": "A", "instance": "x"},
        (ACME, "b"): {"alertname": "B", "instance": "x"},
        (GLOBEX, "b"): {"alertname": "B", "instance": "x"},
    }

    around = world.surroundings.circumstances(NOW, firing, {})

    assert set(around.inhibitions) == {(ACME, "b")}
