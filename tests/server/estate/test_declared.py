"""Declared devices become hosts, idempotently, and never across clients."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, SQLModel, create_engine, select

from tocsin_protocol.vocabulary import HostKind
from tocsin_server.errors import Conflict
from tocsin_server.estate.clients import add_client
from tocsin_server.estate.declared import Settled, settle_devices
from tocsin_server.estate.devices import Device, Probe, SiteProbes
from tocsin_server.estate.estate import Estate
from tocsin_server.estate.hosts import retire_host
from tocsin_server.estate.sites import add_site
from tocsin_server.estate.store import Client, Host, HostParent, known
from tocsin_server.storage.engine import Storage

NOW = 1_700_000_000_000
ICMP = Probe("icmp", "icmp", {"address": "192.0.2.1", "timeout_s": 5})
SNMP = Probe("snmp", "snmp", {"address": "192.0.2.1", "community": "sealed:x", "timeout_s": 5})


def a_device(name: str, *parents: str, **changed: Any) -> Device:
    facts: dict[str, Any] = {"kind": HostKind.NETWORK, "every_s": 30, "parents": parents, "probes": (ICMP,)}
    return Device(name=name, **(facts | changed))


def a_file(*devices: Device, client: str = "acme", site: str = "berlin", agent: str = "atlas") -> SiteProbes:
    return SiteProbes(f"{client}-{agent}.yml", client, site, agent, devices)


def found_clients(session: Session) -> None:
    """Acme and Globex, each with a site in Berlin, and on each an enrolled host atlas and one of its own."""
    for slug, other in (("acme", "borea"), ("globex", "gaia")):
        client = add_client(session, slug, slug.title(), NOW)
        berlin = add_site(session, client, "berlin", "Berlin", NOW)
        for name in ("atlas", other):
            enrolled(session, client, known(berlin.id), name)


def enrolled(session: Session, client: Client, site_id: int, name: str) -> None:
    session.add(
        Host(
            client_id=known(client.id),
            site_id=site_id,
            name=name,
            kind=HostKind.SERVER,
            job="node",
            enrolled_ms=NOW,
        )
    )
    session.flush()


class Desk:
    """Who declares, and what there is then."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.estate = Estate(storage)
        storage.write(found_clients)
        self.estate.reload()

    def declares(self, *files: SiteProbes, now_ms: int = NOW) -> Settled:
        settled = self.storage.write(lambda session: settle_devices(session, files, now_ms=now_ms))
        self.estate.reload()
        return settled

    def problem(self, *files: SiteProbes) -> str:
        """The reason of the one problem."""
        (problem,) = self.declares(*files).problems
        return problem.reason

    def host(self, name: str, client: str = "acme") -> Any:
        return next(host for host in self.estate.hosts() if (host.client, host.name) == (client, name))

    def devices(self) -> set[tuple[str, str]]:
        return {(host.client, host.name) for host in self.estate.hosts() if host.prober_id is not None}

    def rows(self, act: Callable[[Session], Any]) -> Any:
        return self.storage.read(act)


@pytest.fixture
def desk(storage: Storage) -> Desk:
    return Desk(storage)


def test_a_declared_device_becomes_a_host_of_the_agents_client_and_site(desk: Desk) -> None:
    settled = desk.declares(a_file(a_device("switch-1", every_s=60, probes=(SNMP, ICMP)), a_device("router-1")))

    switch, router, atlas = desk.host("switch-1"), desk.host("router-1"), desk.host("atlas")
    assert (settled.created, settled.updated, settled.retired) == (2, 0, 0)
    assert settled.problems == []
    assert (switch.client, switch.site, switch.kind, switch.job) == ("acme", "berlin", HostKind.NETWORK, "snmp")
    assert (switch.prober_id, switch.interval_s, switch.enrolled_ms) == (atlas.id, 60, NOW)
    assert router.job == "blackbox"
    assert (atlas.prober_id, atlas.interval_s, atlas.job) == (None, None, "node")


def test_declaring_the_same_again_changes_nothing(desk: Desk) -> None:
    file = a_file(a_device("switch-1", "router-1", "borea"), a_device("router-1", "Atlas"))
    desk.declares(file)
    generation = desk.estate.generation

    settled = desk.declares(file, now_ms=NOW + 1)

    assert not settled.has_changed
    assert desk.estate.generation == generation


def test_what_is_declared_otherwise_is_the_same_host_changed(desk: Desk) -> None:
    desk.declares(a_file(a_device("switch-1")))
    before = desk.host("switch-1")

    changed = a_device("switch-1", kind=HostKind.APPLICATION, every_s=5, probes=(SNMP,))
    settled = desk.declares(a_file(changed, agent="borea"))

    after = desk.host("switch-1")
    assert (settled.created, settled.updated, settled.retired) == (0, 1, 0)
    assert (after.id, after.enrolled_ms) == (before.id, before.enrolled_ms)
    assert (after.kind, after.job, after.interval_s) == (HostKind.APPLICATION, "snmp", 5)
    assert after.prober_id == desk.host("borea").id


def test_a_device_that_no_file_declares_is_retired_and_an_enrolled_host_never(desk: Desk) -> None:
    desk.declares(a_file(a_device("switch-1"), a_device("switch-2", "switch-1")))

    settled = desk.declares(a_file(a_device("switch-1")), now_ms=NOW + 5)

    assert settled.retired == 1
    assert desk.devices() == {("acme", "switch-1")}
    assert desk.rows(lambda s: s.exec(select(Host.retired_ms).where(Host.name == "switch-2")).one()) == NOW + 5
    assert desk.rows(lambda s: s.exec(select(HostParent)).all()) == []
    assert desk.declares().retired == 1
    assert desk.devices() == set()
    assert {host.name for host in desk.estate.hosts()} == {"atlas", "borea", "gaia"}


def test_where_nothing_was_ever_declared_nothing_happens(desk: Desk) -> None:
    settled = desk.declares()

    assert (settled.has_changed, settled.problems, settled.books) == (False, [], {})


def test_a_device_that_comes_back_is_another_host(desk: Desk) -> None:
    desk.declares(a_file(a_device("switch-1")))
    first = desk.host("switch-1").id
    desk.declares()

    desk.declares(a_file(a_device("switch-1")))

    assert desk.host("switch-1").id != first


# -- parents


def test_parents_are_the_clients_own_hosts_and_devices_whatever_their_case(desk: Desk) -> None:
    desk.declares(
        a_file(a_device("switch-1", "router-1", "BOREA")),
        a_file(a_device("router-1"), agent="borea"),
    )

    assert desk.host("switch-1").parents == ("borea", "router-1")
    assert desk.host("router-1").parents == ()


def test_parents_that_change_are_changed(desk: Desk) -> None:
    desk.declares(a_file(a_device("switch-1", "atlas", "borea")))

    settled = desk.declares(a_file(a_device("switch-1", "borea")))

    assert (settled.updated, desk.host("switch-1").parents) == (1, ("borea",))


def test_a_parent_of_another_client_is_none(desk: Desk) -> None:
    desk.declares(a_file(a_device("core"), client="globex"))

    for parent in ("gaia", "core"):
        said = desk.problem(a_file(a_device("switch-1", parent)), a_file(a_device("core"), client="globex"))

        assert f"device 'switch-1': acme has no host and no device {parent!r} to be its parent" in said
    assert desk.devices() == {("globex", "core")}


def test_a_parent_that_the_tables_put_across_clients_is_not_shown(desk: Desk) -> None:
    desk.declares(a_file(a_device("switch-1")))
    switch, gaia = desk.host("switch-1"), desk.host("gaia", "globex")
    desk.storage.write(
        lambda s: s.add(HostParent(host_id=switch.id, parent_id=gaia.id, client_id=switch.client_id))
    )

    desk.estate.reload()

    assert desk.host("switch-1").parents == ()


def test_a_circle_of_parents_is_refused_and_named(desk: Desk) -> None:
    circle = a_file(a_device("a", "b"), a_device("b", "c"), a_device("c", "a"))

    said = desk.problem(circle, a_file(a_device("d"), agent="borea"))

    assert "in a circle" in said
    assert any(turn in said for turn in ("a → b → c → a", "b → c → a → b", "c → a → b → c"))
    assert desk.devices() == {("acme", "d")}


def test_a_circle_through_a_file_that_was_left_out_is_refused_as_well(desk: Desk) -> None:
    desk.declares(a_file(a_device("a", "b")), a_file(a_device("b"), agent="borea"))

    left_out = a_file(a_device("a", "nobody"))
    settled = desk.declares(left_out, a_file(a_device("b", "a"), agent="borea"))

    assert [problem.file for problem in settled.problems] == ["acme-atlas.yml", "acme-borea.yml"]
    assert "in a circle" in settled.problems[1].reason
    assert (desk.host("a").parents, desk.host("b").parents) == (("b",), ())


def test_a_file_that_falls_out_takes_its_new_devices_away_from_others(desk: Desk) -> None:
    settled = desk.declares(
        a_file(a_device("a", "b")),
        a_file(a_device("b", "nobody"), agent="borea"),
        a_file(a_device("c"), client="globex"),
    )

    assert [problem.file for problem in settled.problems] == ["acme-borea.yml", "acme-atlas.yml"]
    assert desk.devices() == {("globex", "c")}


# -- problems


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (a_file(a_device("a"), client="acmee"), "there is no client 'acmee'"),
        (a_file(a_device("a"), site="rome"), "acme has no site 'rome'"),
        (a_file(a_device("a"), agent="gaia"), "acme has no enrolled host 'gaia' at its site berlin"),
        (a_file(a_device("borea")), "acme has an enrolled host 'borea': give the device another name"),
    ],
)
def test_a_file_with_a_problem_is_left_out_and_holds_up_nobody(desk: Desk, file: SiteProbes, said: str) -> None:
    assert desk.problem(file, a_file(a_device("core"), client="globex")).startswith(said)
    assert desk.devices() == {("globex", "core")}


def test_an_agent_of_another_site_is_none(desk: Desk) -> None:
    desk.storage.write(lambda s: add_site(s, s.get(Client, 1), "rome", "Rome", NOW))

    assert "no enrolled host 'atlas' at its site rome" in desk.problem(a_file(site="rome"))


def test_a_device_cannot_be_an_agent(desk: Desk) -> None:
    first = a_file(a_device("switch-1"))
    desk.declares(first)

    assert "no enrolled host 'switch-1'" in desk.problem(first, a_file(agent="switch-1"))


def test_the_devices_of_a_file_with_a_problem_stay_as_they_are(desk: Desk) -> None:
    desk.declares(a_file(a_device("a"), a_device("b")))
    before = desk.host("a")

    settled = desk.declares(a_file(a_device("a", "nobody", every_s=60)))

    assert desk.host("a") == before
    assert desk.devices() == {("acme", "a")}
    assert (settled.retired, settled.books) == (1, {})


def test_the_devices_of_an_agent_that_is_retired_stay_until_their_file_is_mended(desk: Desk) -> None:
    file = a_file(a_device("a"))
    desk.declares(file)
    desk.storage.write(lambda s: retire_host(s, s.get(Client, 1), "atlas", NOW))

    assert "no enrolled host 'atlas'" in desk.problem(file)
    assert desk.devices() == {("acme", "a")}


def test_a_device_is_retired_by_its_file_and_not_by_hand(desk: Desk) -> None:
    desk.declares(a_file(a_device("a")))

    with pytest.raises(Conflict, match="config/probes"):
        desk.storage.write(lambda s: retire_host(s, s.get(Client, 1), "a", NOW))


# -- what an agent is to probe, and whose a device is


def test_each_agent_has_a_book_of_its_own_devices(desk: Desk) -> None:
    ours, theirs = a_file(a_device("core")), a_file(a_device("core"), client="globex")

    settled = desk.declares(ours, theirs)

    atlas, other = desk.host("atlas"), desk.host("atlas", "globex")
    assert settled.books == {atlas.id: ours.devices, other.id: theirs.devices}
    assert desk.declares(ours).books == {atlas.id: ours.devices, other.id: ()}


def test_a_device_is_found_by_the_host_that_probes_it_and_by_no_other(desk: Desk) -> None:
    desk.declares(a_file(a_device("core")))
    atlas = desk.host("atlas").id

    assert desk.estate.device_of(atlas, "core") == desk.host("core")
    assert desk.estate.has_devices(atlas)
    for host in (desk.host("borea").id, desk.host("atlas", "globex").id):
        assert desk.estate.device_of(host, "core") is None
        assert not desk.estate.has_devices(host)
    assert desk.estate.device_of(atlas, "borea") is None


def test_a_device_that_the_tables_put_across_clients_is_nobodys(desk: Desk) -> None:
    theirs = desk.host("atlas", "globex").id
    desk.declares(a_file(a_device("core")))

    def cross(session: Session) -> None:
        session.exec(select(Host).where(Host.name == "core")).one().prober_id = theirs

    desk.storage.write(cross)
    desk.estate.reload()

    assert desk.host("core").prober_id == theirs
    assert desk.estate.device_of(theirs, "core") is None
    assert not desk.estate.has_devices(theirs)


NAMES = st.sampled_from(["a", "b", "c", "d"])
FILES = st.lists(
    st.tuples(
        st.sampled_from(["acme", "globex", "nobody"]),
        st.lists(st.tuples(NAMES, st.lists(NAMES | st.just("borea"), max_size=2)), max_size=4),
    ),
    max_size=3,
    unique_by=lambda file: file[0],
)


@given(steps=st.lists(FILES, min_size=1, max_size=4))
def test_whatever_is_declared_in_turn_the_tables_end_up_the_same(steps: list[Any]) -> None:
    """What good files say is there, nothing crosses clients, and a second time changes nothing."""
    engine = create_engine("sqlite://")
    SQLModel.metadata.create_all(engine)
    with Session(engine) as session:
        found_clients(session)
        for step in steps:
            files = [
                a_file(
                    *(a_device(name, *set(parents) - {name}) for name, parents in dict(devices).items()),
                    client=c,
                )
                for c, devices in step
            ]
            settled = settle_devices(session, files, now_ms=NOW)
            again = settle_devices(session, files, now_ms=NOW)

            bad = {problem.file for problem in settled.problems}
            live = session.exec(select(Host).where(Host.retired_ms == None)).all()  # noqa: E711 - SQL's null
            by_id = {host.id: host for host in live}
            devices = {(host.client_id, host.name) for host in live if host.prober_id is not None}
            assert again.has_changed is False
            assert {(1, "atlas"), (1, "borea"), (2, "atlas"), (2, "gaia")} == {
                (host.client_id, host.name) for host in live if host.prober_id is None
            }
            for file in files:
                named = {({"acme": 1, "globex": 2}.get(file.client), device.name) for device in file.devices}
                assert file.file in bad or named <= devices
            for host in live:
                assert host.prober_id is None or by_id[host.prober_id].client_id == host.client_id
            for row in session.exec(select(HostParent)):
                child, parent = session.get(Host, row.host_id), session.get(Host, row.parent_id)
                assert child.client_id == parent.client_id == row.client_id
    engine.dispose()
