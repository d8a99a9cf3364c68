"""A switch, a server and an application of two clients, real ones, go down and come up: who is told what.

Two site agents of two clients, each with devices of its own; Globex has a switch of the same name as Acme's
that stays well all the time, and nothing of one client's trouble may show under the other.
"""

import datetime as dt
import getpass
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
import yaml
from tests import postgres
from tests.processes import AgentProcess, ServerProcess, until
from tests.real.servers import Nginx, Snmpd, Sshd, find

pytestmark = [pytest.mark.real, pytest.mark.faults]

ROOT = Path(__file__).resolve().parents[2]
PACKS = ("network", "application", "probes")
QUICK = "quiet_seconds = 2\ninterval_s = 2\n"
EVERY = "5s"
ADDRESS = "127.0.0.1"
STARTED = {
    ("acme", "switch-1", 3, "switch-1 has restarted"),
    ("globex", "switch-1", 3, "switch-1 has restarted"),
}
"""What is true of a switch that has been up for less than ten minutes, as both have in a test."""


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, require: Callable[[str, str], str]) -> Iterator[str]:
    """What TOCSIN_DATABASE says."""
    if request.param == "sqlite":
        yield ""
        return
    programs = postgres.programs()
    if programs is None:
        require("postgres", "postgresql")
    assert programs is not None
    with postgres.running(programs) as cluster:
        yield cluster.url(cluster.copy_of())


class Trade:
    """Acme with its switch and its vault, Globex with its shop and a switch that nothing happens to."""

    def __init__(self, folder: Path, database: str, require: Callable[[str, str], str]) -> None:
        snmpd, sshd = require(find("snmpd"), "snmpd"), require(find("sshd"), "openssh-server")
        nginx = require(find("nginx"), "nginx-light")
        self.ca = trustme.CA()
        self.config = folder / "config"
        self.switch = Snmpd(snmpd, folder / "switch", community="acme-community")
        self.other_switch = Snmpd(snmpd, folder / "other-switch", community="globex-community")
        self.vault = Sshd(sshd, folder / "vault")
        self.shop = Nginx(nginx, folder / "shop", **self.certificate(), page="the shop is open")
        self.server = ServerProcess(folder / "data", config=self.config, toml=QUICK, database=database)
        self.agents = {
            "atlas": AgentProcess(folder / "atlas"),
            "zeus": AgentProcess(folder / "zeus"),
        }
        self.api: httpx.Client | None = None
        self.devices = [self.switch, self.other_switch, self.vault, self.shop]

    def certificate(self, *, days: int = 90) -> dict[str, bytes]:
        """A certificate for the shop that is good for so many days from now."""
        until_then = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
        since = until_then - dt.timedelta(days=100)
        issued = self.ca.issue_cert("localhost", not_before=since, not_after=until_then)
        return {
            "certificate": issued.cert_chain_pems[0].bytes(),
            "key": issued.private_key_pem.bytes(),
        }

    def open(self) -> httpx.Client:
        """Everything runs, is enrolled, declared and well; a technician's hands on the API."""
        for device in self.devices:
            device.start()
        self._copy_packs()
        session = self.server.prepare()["session"]
        self.server.start()
        for client, site, host in (("acme", "berlin", "atlas"), ("globex", "oslo", "zeus")):
            self.server.command("client", "add", client)
            self.server.command("site", "add", client, site)
            self.agents[host].enrol(self.server.invite(client, site), name=host)
        self._declare()
        for agent in self.agents.values():
            agent.start()
        self.api = self.server.api(session)
        return self.api

    def close(self) -> None:
        """End everything, whatever has happened."""
        with ExitStack() as ending:
            if self.api is not None:
                ending.callback(self.api.close)
            for running in (*self.devices, *self.agents.values(), self.server):
                ending.callback(running.__exit__, None, None, None)

    def _copy_packs(self) -> None:
        """The shipped rules, only sooner."""
        rules = self.config / "rules"
        rules.mkdir(parents=True)
        (self.config / "probes").mkdir()
        for pack in PACKS:
            text = (ROOT / "config" / "rules" / f"{pack}.yml").read_text()
            (rules / f"{pack}.yml").write_text(text.replace("for: 1m\n", "for: 3s\n"))

    def _declare(self) -> None:
        community = self._sealed("acme", "atlas", self.switch.community)
        key = self._sealed("acme", "atlas", self.vault.user_key)
        probe_switch = {"address": ADDRESS, "port": self.switch.port, "community": community}
        probe_vault = {
            "address": ADDRESS,
            "port": self.vault.port,
            "user": getpass.getuser(),
            "private_key": key,
            "host_key": self.vault.host_key,
            "command": "echo 42 jobs",
        }
        probe_other = {
            "address": ADDRESS,
            "port": self.other_switch.port,
            "community": self._sealed("globex", "zeus", self.other_switch.community),
        }
        probe_shop = {
            "url": self.shop.url,
            "contains": "open",
            "ca": self.ca.cert_pem.bytes().decode(),
        }
        self._write(
            "acme",
            "berlin",
            "atlas",
            [
                _device("switch-1", "network", {"snmp": probe_switch}),
                _device("vault", "server", {"ssh": probe_vault}, parents=["switch-1"]),
            ],
        )
        self._write(
            "globex",
            "oslo",
            "zeus",
            [
                _device("switch-1", "network", {"snmp": probe_other}),
                _device("shop", "application", {"http": probe_shop}),
            ],
        )

    def _sealed(self, client: str, host: str, secret: str) -> str:
        return self.server.command("seal", "--client", client, "--host", host, given=secret).stdout.strip()

    def _write(self, client: str, site: str, agent: str, devices: list[dict[str, Any]]) -> None:
        probes = self.config / "probes"
        declared = {"client": client, "site": site, "agent": agent, "devices": devices}
        (probes / f"{client}.yml").write_text(yaml.safe_dump(declared))


def _device(name: str, kind: str, probe: dict[str, Any], *, parents: list[str] | None = None) -> dict[str, Any]:
    return {"name": name, "kind": kind, "every": EVERY, "parents": parents or [], "probes": [probe]}


@pytest.fixture
def trade(tmp_path: Path, database: str, require: Callable[[str, str], str]) -> Iterator[Trade]:
    made = Trade(tmp_path, database, require)
    try:
        yield made
    finally:
        made.close()


def tickets(api: httpx.Client, state: str = "open") -> set[tuple[str, str, int, str]]:
    """Client, host, priority and title of each ticket."""
    rows = api.get("/tickets", params={"state": state, "limit": "100"}).json()["tickets"]
    return {(row["client"], row["host"], row["priority"], row["title"]) for row in rows}


def test_each_kind_goes_down_and_up_and_its_own_client_is_told(trade: Trade) -> None:
    api = trade.open()
    silent = ("acme", "switch-1", 1, "switch-1 does not answer snmp")
    locked = ("acme", "vault", 1, "vault cannot be checked by SSH (ssh)")
    shut = ("globex", "shop", 1, "shop fails (http)")

    until("all devices are up", lambda: devices_up(api) == 4, seconds=60)
    until("both switches have just started", lambda: tickets(api) == STARTED, seconds=20)
    trade.vault.stop()
    until("the vault is missed", lambda: tickets(api) == {*STARTED, locked}, seconds=60)
    trade.shop.stop()
    until("the shop is missed", lambda: tickets(api) == {*STARTED, locked, shut}, seconds=60)
    trade.switch.stop()
    until("the switch is missed", lambda: tickets(api) == {*STARTED, silent, locked, shut}, seconds=60)
    evidence = [told(api, *of[:2]) for of in (silent, locked, shut)]
    trade.switch.start()
    trade.vault.start()
    trade.shop.start()
    until("all is well again", lambda: tickets(api) == STARTED, seconds=90)

    assert tickets(api, "solved") == {silent, locked, shut}
    assert all("(refused)" in words for words in evidence)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_is_reached_through_a_dead_switch_opens_no_ticket_and_says_why(trade: Trade) -> None:
    api = trade.open()
    silent = ("acme", "switch-1", 1, "switch-1 does not answer snmp")

    until("all devices are up", lambda: devices_up(api) == 4, seconds=60)
    until("both switches have just started", lambda: tickets(api) == STARTED, seconds=20)
    trade.switch.stop()
    until("the switch is missed", lambda: tickets(api) == {*STARTED, silent}, seconds=60)
    trade.vault.stop()
    until(
        "the vault's alert is withheld", lambda: "parent switch-1 is down" in withheld(api, "vault"), seconds=60
    )
    meanwhile = tickets(api)
    trade.switch.start()
    trade.vault.start()
    until("all is well again", lambda: tickets(api) == STARTED, seconds=90)

    assert meanwhile == {*STARTED, silent}
    assert tickets(api, "solved") == {silent}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_another_key_and_an_expired_certificate_are_refused_and_named(trade: Trade) -> None:
    api = trade.open()
    until("all devices are up", lambda: devices_up(api) == 4, seconds=60)

    trade.vault.stop()
    trade.vault.new_host_key()
    trade.vault.start()
    trade.shop.stop()
    trade.shop.show(**trade.certificate(days=-1))
    trade.shop.start()
    until("both are told", lambda: len(tickets(api) - STARTED) == 2, seconds=60)

    assert {(client, host, priority) for client, host, priority, _ in tickets(api) - STARTED} == {
        ("acme", "vault", 1),
        ("globex", "shop", 1),
    }
    assert "host_key_changed" in told(api, "acme", "vault")
    assert "expired" in told(api, "globex", "shop")


def devices_up(api: httpx.Client) -> int:
    """How many devices answer all their probes."""
    hosts = [host for host in api.get("/hosts").json()["hosts"] if host["job"] != "node"]
    return sum(is_well(api, host["id"]) for host in hosts)


def is_well(api: httpx.Client, host_id: int) -> bool:
    readings = api.get(f"/hosts/{host_id}").json()["readings"]
    answers = [reading["value"] for reading in readings if reading["name"] == "probe_success"]
    return bool(answers) and all(answer == 1 for answer in answers)


def withheld(api: httpx.Client, host: str) -> list[str]:
    """Why nobody is told of the host's alerts."""
    alerts = api.get("/alerts").json()["alerts"]
    return [reason["words"] for alert in alerts if alert["host"] == host for reason in alert["suppressed"]]


def told(api: httpx.Client, client: str, host: str) -> str:
    """All that the timelines of the host's open tickets say."""
    rows = api.get("/tickets", params={"state": "open"}).json()["tickets"]
    of_host = [row["id"] for row in rows if (row["client"], row["host"]) == (client, host)]
    events = [event for of in of_host for event in api.get(f"/tickets/{of}").json()["events"]]
    return " ".join(f"{event['text']} {event['data']}" for event in events)
