"""Files that withhold deliveries come into force whole or not at all, and what is wrong with them is told."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import structlog.testing

from tocsin_protocol.vocabulary import HostKind
from tocsin_server.estate.estate import ClientFacts, HostFacts
from tocsin_server.quietbook import Quietbook

WINDOW = "maintenance_windows: [{name: w, client: acme, reason: r, time_intervals: [{}]}]"
ATLAS = HostFacts(1, 1, "acme", 1, "hq", "atlas", HostKind.SERVER, "node", "", 0)


@dataclass
class Estate:
    listed: list = field(default_factory=lambda: [ATLAS])

    def clients(self):
        return [ClientFacts(1, "acme", "Acme")]

    def hosts(self):
        return self.listed

    def host_named(self, client_id, name):
        return next((each for each in self.listed if (each.client_id, each.name) == (client_id, name)), None)


@dataclass
class Shelf:
    folder: Path
    estate: Estate = field(default_factory=Estate)
    told: int = 0

    def __post_init__(self):
        self.book = Quietbook(
            lambda: self.folder if self.folder.exists() else None, estate=self.estate, changed=self._tell
        )

    def _tell(self):
        self.told += 1

    def write(self, text, name="a.yml"):
        self.folder.mkdir(exist_ok=True)
        (self.folder / name).write_text(text)
        self.book.reload()

    def names(self):
        return [window.name for window in self.book.said().windows]

    def reasons(self):
        return [problem.reason for problem in self.book.problems]


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "suppressions")


def test_without_a_folder_nothing_is_withheld_and_nothing_is_wrong(shelf):
    shelf.book.reload()

    assert (shelf.names(), shelf.book.problems) == ([], [])


def test_a_file_that_comes_is_in_force_and_one_that_goes_is_not(shelf):
    shelf.write(WINDOW)
    there = shelf.names()
    (shelf.folder / "a.yml").unlink()
    shelf.book.reload()

    assert (there, shelf.names()) == (["w"], [])


def test_one_wrong_file_keeps_all_that_was_in_force_and_says_file_line_and_entry(shelf):
    shelf.write(WINDOW)
    with structlog.testing.capture_logs() as logs:
        shelf.write(WINDOW.replace("name: w", "name: v").replace("reason", "raison"), "b.yml")

    (problem,) = shelf.book.problems
    assert shelf.names() == ["w"]
    assert (problem.file, problem.rule) == ("b.yml", "maintenance_windows/v")
    assert "line 1" in problem.reason
    assert (logs[0]["log_level"], logs[0]["file"]) == ("error", "b.yml")
    assert shelf.told == 1


def test_what_was_wrong_is_forgotten_once_it_is_mended(shelf):
    shelf.write("nonsense: 1")
    shelf.write(WINDOW)

    assert (shelf.names(), shelf.book.problems, shelf.told) == (["w"], [], 2)


def test_a_file_that_is_no_text_is_refused(shelf):
    shelf.folder.mkdir()
    (shelf.folder / "a.yml").write_bytes(b"\xff\xfe")
    shelf.book.reload()

    (problem,) = shelf.book.problems
    assert (problem.file, problem.reason) == ("a.yml", "line 1: not UTF-8")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("client: akme", "there is no client 'akme': name one of tocsin-server client list"),
        ("client: acme, host: nemo", "acme has no host 'nemo' in service"),
        ("client: acme, site: mars", "acme has no host at a site 'mars'"),
    ],
)
def test_a_name_that_nobody_has_is_told_and_the_rest_is_in_force(shelf, more, reason):
    shelf.write(WINDOW.replace("client: acme", more))

    assert shelf.reasons() == [reason]
    assert shelf.names() == ["w"]


def test_a_parent_that_is_not_there_is_told_until_it_is(shelf):
    shelf.write("host_parents: [{name: p, client: acme, hosts: [atlas], parents: [switch]}]")
    before = shelf.reasons()
    shelf.estate.listed.append(HostFacts(2, 1, "acme", 1, "hq", "switch", HostKind.NETWORK, "snmp", "", 0))
    shelf.book.reload()

    assert before == ["acme has no host 'switch' in service"]
    assert shelf.reasons() == []
