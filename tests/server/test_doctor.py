"""The doctor names what is wrong, in the colour it deserves."""

import contextlib
import sqlite3
from pathlib import Path

import pytest
from sqlmodel import Session
from tests.server.sla.contracts import CONTRACT

from tocsin_server.config import MailConfig, ServerConfig
from tocsin_server.datafolder import administer
from tocsin_server.desk.kept import draft_of_text, keep
from tocsin_server.doctor import Colour, examine, sqlite
from tocsin_server.estate.clients import add_client


@pytest.mark.parametrize(
    ("version", "colour"),
    [
        ((3, 40, 1), Colour.YELLOW),  # Debian 12
        ((3, 44, 5), Colour.YELLOW),
        ((3, 44, 6), Colour.GREEN),  # backported
        ((3, 50, 6), Colour.YELLOW),
        ((3, 50, 7), Colour.GREEN),  # backported
        ((3, 51, 2), Colour.YELLOW),
        ((3, 51, 3), Colour.GREEN),  # fixed
        ((3, 53, 0), Colour.GREEN),
    ],
)
def test_a_sqlite_with_the_wal_reset_race_is_yellow(version: tuple[int, int, int], colour: Colour) -> None:
    assert sqlite(version).colour is colour


def test_a_data_folder_that_is_not_there_is_red_with_the_line_to_type(tmp_path: Path) -> None:
    findings = {f.thing: f for f in examine(tmp_path / "absent", ServerConfig(), config=None)}

    assert findings["data"].colour is Colour.RED
    assert "tocsin-server migrate" in findings["data"].said


def test_a_database_that_is_none_is_red(tmp_path: Path) -> None:
    (tmp_path / "tocsin.db").write_bytes(b"no database, but long enough to be looked at as one" * 20)

    findings = {f.thing: f for f in examine(tmp_path, ServerConfig(), config=None)}

    assert findings["database"].colour is Colour.RED
    assert "file is not a database" in findings["database"].said


def test_a_database_of_a_later_version_is_red_with_what_to_do(tmp_path: Path, empty_database: bytes) -> None:
    path = tmp_path / "tocsin.db"
    path.write_bytes(empty_database)
    with contextlib.closing(sqlite3.connect(path)) as later, later:
        later.execute("UPDATE alembic_version SET version_num = '9999'")

    findings = {f.thing: f for f in examine(tmp_path, ServerConfig(port=0), config=None)}

    assert findings["database"].colour is Colour.RED
    assert findings["database"].said == (
        f"the database {path} has revision 9999, which this version does not know:"
        " run the version that wrote it, or a newer one"
    )


@pytest.mark.parametrize(
    ("settings", "colour", "said"),
    [
        (ServerConfig(port=0), Colour.GREEN, "127.0.0.1:0 is free"),
        (ServerConfig(host="::1", port=0), Colour.GREEN, "::1:0 is free"),
        (ServerConfig(port=70_000), Colour.YELLOW, "ports are 0 to 65535"),
        (ServerConfig(host="192.0.2.1"), Colour.YELLOW, "cannot listen on 192.0.2.1:8443"),
    ],
)
def test_a_port_that_cannot_be_had_is_yellow(
    tmp_path: Path, settings: ServerConfig, colour: Colour, said: str
) -> None:
    findings = {f.thing: f for f in examine(tmp_path, settings, config=None)}

    assert findings["port"].colour is colour
    assert said in findings["port"].said


def test_a_broken_rule_file_is_red_and_named(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "mine.yml").write_text("groups: [{name: a, rules: [{alert: A, expr: 'up =='}]}]")

    findings = [f for f in examine(tmp_path, ServerConfig(), config=tmp_path) if f.thing == "rules"]

    assert [f.colour for f in findings] == [Colour.RED]
    assert "mine.yml" in findings[0].said


DEVICES = """\
client: acme
site: berlin
agent: atlas
devices:
- {name: switch-1, kind: network, probes: [{icmp: {address: 192.0.2.1}}]}
- {name: switch-2, kind: network, probes: [{icmp: {address: 192.0.2.2}}]}
"""


def of_probes(data: Path, config: Path) -> list[tuple[Colour, str]]:
    found = examine(data, ServerConfig(port=0), config=config)
    return [(finding.colour, finding.said) for finding in found if finding.thing == "probes"]


def test_devices_are_counted_and_files_that_cannot_be_read_are_red(tmp_path: Path) -> None:
    (tmp_path / "probes").mkdir()
    none = of_probes(tmp_path / "data", tmp_path)
    (tmp_path / "probes" / "acme.yml").write_text(DEVICES)
    good = of_probes(tmp_path / "data", tmp_path)
    (tmp_path / "probes" / "acme.yml").write_text(DEVICES.replace("icmp", "imcp"))
    bad = of_probes(tmp_path / "data", tmp_path)

    assert none == [(Colour.GREEN, "0 devices in 0 files")]
    assert good == [(Colour.GREEN, "2 devices in 1 file")]
    assert [colour for colour, _ in bad] == [Colour.RED, Colour.RED]
    assert "acme.yml:5, device 'switch-1': a probe has no field 'imcp'; did you mean 'icmp'" in bad[0][1]


def test_devices_of_a_client_that_is_not_there_are_red_where_there_is_a_database_to_ask(
    tmp_path: Path, empty_database: bytes
) -> None:
    (tmp_path / "probes").mkdir()
    (tmp_path / "probes" / "acme.yml").write_text(DEVICES)
    (tmp_path / "tocsin.db").write_bytes(empty_database)

    ((colour, said),) = of_probes(tmp_path, tmp_path)

    assert colour is Colour.RED
    assert "acme.yml: there is no client 'acme'" in said
    assert (tmp_path / "tocsin.db").read_bytes() == empty_database


def test_the_shipped_folder_declares_nothing(tmp_path: Path) -> None:
    shipped = Path(__file__).resolve().parents[2] / "config"

    assert of_probes(tmp_path / "data", shipped) == [(Colour.GREEN, "0 devices in 0 files")]


def of_suppressions(config: Path) -> list[tuple[Colour, str]]:
    found = examine(config / "data", ServerConfig(port=0), config=config)
    return [(finding.colour, finding.said) for finding in found if finding.thing == "suppressions"]


def test_what_withholds_deliveries_is_counted_and_files_that_cannot_be_read_are_red(tmp_path: Path) -> None:
    folder = tmp_path / "suppressions"
    folder.mkdir()
    none = of_suppressions(tmp_path)
    (folder / "acme.yml").write_text("host_parents: [{name: rack, client: acme, hosts: [atlas]}]")
    (folder / "nights.yml").write_text("maintenance_windows: [{name: patches}]")
    bad = of_suppressions(tmp_path)
    (folder / "latin.yml").write_bytes(b"# \xe4")

    assert none == [(Colour.GREEN, f"0 maintenance windows and 0 inhibition rules from {folder}")]
    assert [colour for colour, _ in bad] == [Colour.RED, Colour.RED]
    assert "nights.yml:1, maintenance_windows/patches: " in bad[0][1]
    assert (Colour.RED, "latin.yml:1: not UTF-8") in of_suppressions(tmp_path)


def test_the_shipped_inhibition_rules_are_green(tmp_path: Path) -> None:
    shipped = Path(__file__).resolve().parents[2] / "config"

    ((colour, said),) = of_suppressions(shipped)

    assert (colour, said.startswith("0 maintenance windows and 4 inhibition rules")) == (Colour.GREEN, True)


def test_a_lifecycle_that_is_refused_is_red_and_one_that_is_in_force_is_green(tmp_path: Path) -> None:
    def said() -> tuple[Colour, str]:
        found = examine(tmp_path, ServerConfig(port=0), config=tmp_path)
        (one,) = (finding for finding in found if finding.thing == "lifecycle")
        return one.colour, one.said

    shipped = said()
    (tmp_path / "processes").mkdir()
    bad = said()

    assert shipped[0] is Colour.GREEN
    assert shipped[1].startswith("4 kinds of tickets from ")
    assert bad == (
        Colour.RED,
        "lifecycle.yml:1: cannot be read (No such file or directory)",
    )


def test_contracts_are_counted_and_one_that_is_refused_is_red(tmp_path: Path) -> None:
    def said() -> list[tuple[Colour, str]]:
        found = examine(tmp_path, ServerConfig(port=0), config=tmp_path)
        return [(finding.colour, finding.said) for finding in found if finding.thing == "contracts"]

    ((shipped, none),) = said()
    folder = tmp_path / "contracts"
    folder.mkdir()
    (folder / "acme.yml").write_text(CONTRACT)
    one = said()
    (folder / "bad.yml").write_text("contract: BAD")
    ((bad, why),) = said()

    assert (shipped, none.startswith("0 contracts from ")) == (Colour.GREEN, True)
    assert one == [(Colour.GREEN, f"1 contract from {folder}")]
    assert (bad, why.startswith(f"{folder}/bad.yml:1: ")) == (Colour.RED, True)


def test_a_team_that_the_routing_table_names_and_nobody_has_made_is_yellow(
    tmp_path: Path, empty_database: bytes
) -> None:
    def said() -> list[tuple[Colour, str]]:
        found = examine(tmp_path, ServerConfig(port=0), config=None)
        return [(finding.colour, finding.said) for finding in found if finding.thing == "teams"]

    path = tmp_path / "tocsin.db"
    path.write_bytes(empty_database)
    without = said()
    with contextlib.closing(sqlite3.connect(path)) as desk, desk:
        desk.executemany(
            "INSERT INTO team (slug, name, mail, assign, created_ms) VALUES (?, '', '', 'none', 0)",
            [
                (slug,)
                for slug in ("servicedesk", "security", "monitoring", "applications", "network", "servers")
            ],
        )

    assert without == [(Colour.GREEN, "0 teams")]
    ((colour, why),) = said()
    assert colour is Colour.YELLOW
    assert why.startswith("routing.csv, desktop: there is no team 'workplace'; there are applications, ")


def mail(**said: object) -> MailConfig:
    return MailConfig(**{"host": "mail.desk.example", "sender": "tocsin@desk.example", **said})


@pytest.mark.parametrize(
    ("settings", "colour", "said"),
    [
        (MailConfig(), Colour.YELLOW, "notices go nowhere"),
        (mail(), Colour.GREEN, "from tocsin@desk.example by mail.desk.example:587"),
        (mail(user="tocsin", password_file="/nowhere"), Colour.RED, "/nowhere cannot be read"),
    ],
)
def test_the_doctor_says_where_notices_go(
    tmp_path: Path, settings: MailConfig, colour: Colour, said: str
) -> None:
    findings = {f.thing: f for f in examine(tmp_path, ServerConfig(port=0, mail=settings), config=None)}

    assert findings["mail"].colour is colour
    assert said in findings["mail"].said


def test_contacts_that_cannot_be_taken_are_red(tmp_path: Path) -> None:
    (tmp_path / "contacts.yml").write_text("contacts: [{role: oncall, mail: a@desk.example}]")

    findings = {f.thing: f for f in examine(tmp_path, ServerConfig(port=0), config=tmp_path)}

    assert findings["contacts"].colour is Colour.RED
    assert "'oncall' is no role" in findings["contacts"].said


def test_what_the_database_keeps_is_counted_and_what_is_in_the_way_of_a_file_is_red(
    tmp_path: Path, empty_database: bytes
) -> None:
    (tmp_path / "tocsin.db").write_bytes(empty_database)

    def act(session: Session) -> None:
        add_client(session, "acme", "Acme", 0)
        keep(session, draft_of_text("", CONTRACT), versions=None, files={}, author="root", now_ms=0)

    administer(tmp_path, act)
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "acme.yml").write_text(CONTRACT)

    found = examine(tmp_path, ServerConfig(port=0), config=tmp_path)
    _, kept, wrong = ((each.colour, each.said) for each in found if each.thing == "contracts")

    assert kept == (Colour.GREEN, "1 contract in the database")
    assert wrong[0] is Colour.RED
    assert wrong[1].startswith("database, ACME-1: it is in a file as well, ")
