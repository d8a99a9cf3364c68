"""The folder of devices and the estate: what changes in either comes into force, and what is wrong is said."""

from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session
from structlog.testing import capture_logs

from tocsin_protocol.vocabulary import HostKind
from tocsin_server.clock import FakeClock
from tocsin_server.estate.clients import add_client, client_named
from tocsin_server.estate.devices import packed
from tocsin_server.estate.estate import Estate
from tocsin_server.estate.sites import add_site, site_named
from tocsin_server.estate.store import Host, known
from tocsin_server.ingest.doorkeeper import Doorkeeper
from tocsin_server.ingest.handout import Handout
from tocsin_server.ingest.sessions import Sessions
from tocsin_server.probebook import Probebook
from tocsin_server.storage.engine import Storage

DEVICE = "- {name: switch-1, kind: network, probes: [{icmp: {address: 192.0.2.1}}]}\n"
GOOD = f"client: acme\nsite: berlin\nagent: atlas\ndevices:\n{DEVICE}"
BAD = GOOD.replace("icmp", "imcp")


def enrol(session: Session, name: str) -> None:
    client = client_named(session, "acme")
    session.add(
        Host(
            client_id=known(client.id),
            site_id=known(site_named(session, client, "berlin").id),
            name=name,
            kind=HostKind.SERVER,
            job="node",
            enrolled_ms=1,
        )
    )


def found(session: Session) -> None:
    add_site(session, add_client(session, "acme", "Acme", 1), "berlin", "Berlin", 1)
    enrol(session, "atlas")


class Book:
    """A book over a folder that a test writes to, and how often consoles were told to look again."""

    def __init__(self, folder: Path, storage: Storage) -> None:
        self.folder, self.storage = folder, storage
        self.told = 0
        self.clock = FakeClock()
        storage.write(found)
        self.start()

    def start(self) -> None:
        """As a server does."""
        self.estate = Estate(self.storage)
        self.estate.reload()
        door = Doorkeeper(sessions=Sessions(clock=self.clock), estate=self.estate, clock=self.clock)
        self.handout = Handout(doorkeeper=door, estate=self.estate)
        self.probebook = Probebook(
            lambda: self.folder if self.folder.exists() else None,
            storage=self.storage,
            estate=self.estate,
            handout=self.handout,
            clock=self.clock,
            changed=self._changed,
        )

    def write(self, text: str, name: str = "acme.yml") -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / name).write_text(text)

    def reload(self) -> list[str]:
        """What is wrong after a look, as the status says it."""
        self.estate.reload()
        self.probebook.reload()
        return [problem.reason for problem in self.probebook.problems]

    def devices(self) -> dict[str, int]:
        return {host.name: host.id for host in self.estate.hosts() if host.prober_id is not None}

    def digest(self) -> str | None:
        return self.handout.digest(self.host("atlas"))

    def host(self, name: str) -> int:
        return next(host.id for host in self.estate.hosts() if host.name == name)

    def _changed(self) -> None:
        self.told += 1


@pytest.fixture
def book(tmp_path: Path, storage: Storage) -> Book:
    return Book(tmp_path / "probes", storage)


def test_what_a_file_declares_is_in_the_estate_and_handed_out_after_one_look(book: Book) -> None:
    book.write(GOOD)

    with capture_logs() as logs:
        assert book.reload() == []

    assert set(book.devices()) == {"switch-1"}
    assert book.digest() is not None
    assert [(line["action"], line["created"]) for line in logs] == [("devices_settled", 1)]
    assert book.told == 0


def test_nothing_is_written_while_nothing_changes(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    book.write(GOOD)
    for _ in range(2):  # the second look sees what the first has made
        book.reload()
    monkeypatch.setattr(book.storage, "write", lambda act: pytest.fail("written again"))

    assert book.reload() == []


def test_without_a_folder_nothing_is_declared_and_devices_without_a_file_are_retired(book: Book) -> None:
    assert book.reload() == []
    assert (book.devices(), book.digest()) == ({}, None)

    book.write(GOOD)
    book.reload()
    held = book.digest()
    (book.folder / "acme.yml").unlink()
    book.folder.rmdir()

    assert book.reload() == []
    assert book.devices() == {}
    assert book.digest() not in (None, held)


def test_files_that_break_change_nothing_and_are_told_once(book: Book) -> None:
    book.write(GOOD)
    book.reload()
    had = (book.devices(), book.digest())

    book.write(BAD)
    book.write(GOOD.replace("atlas", "borea").replace("switch-1", "switch-2"), "good.yml")
    with capture_logs() as logs:
        (said,) = book.reload()
        book.storage.write(lambda session: enrol(session, "borea"))  # not even when the estate changes
        book.reload()

    assert said.startswith("line 5: a probe has no field 'imcp'")
    assert (book.devices(), book.digest()) == had
    assert [(line["action"], line["device"]) for line in logs] == [("devices_refused", "switch-1")]
    assert book.told == 1

    book.write(GOOD)
    assert book.reload() == []
    assert set(book.devices()) == {"switch-1", "switch-2"}
    assert book.told == 2


def test_after_a_start_with_broken_files_the_devices_stay_and_nothing_else_is_handed_out(book: Book) -> None:
    book.write(GOOD)
    book.reload()
    book.write(BAD)

    book.start()

    assert len(book.reload()) == 1
    assert set(book.devices()) == {"switch-1"}
    assert book.digest() is None


def test_a_file_that_waits_for_its_agent_comes_into_force_when_that_enrols(book: Book) -> None:
    book.write(GOOD.replace("atlas", "borea"))
    (said,) = book.reload()
    assert "no enrolled host 'borea'" in said
    assert book.devices() == {}

    book.storage.write(lambda session: enrol(session, "borea"))

    assert book.reload() == []
    assert set(book.devices()) == {"switch-1"}
    assert book.told == 2


def test_the_problem_of_one_file_leaves_what_its_agent_holds_and_does_not_hold_up_another(book: Book) -> None:
    book.storage.write(lambda session: enrol(session, "borea"))
    book.write(GOOD)
    book.reload()
    held = book.digest()

    book.write(GOOD.replace("kind: network", "kind: network, parents: [nobody]"))
    book.write(GOOD.replace("atlas", "borea").replace("switch-1", "switch-2"), "borea.yml")
    (said,) = book.reload()

    assert "'nobody'" in said
    assert set(book.devices()) == {"switch-1", "switch-2"}
    assert book.digest() == held
    assert book.handout.digest(book.host("borea")) is not None


def test_a_device_is_in_the_estate_before_it_is_handed_out(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[str]] = []

    def take(devices: dict[int, Any]) -> None:
        assert all(packed(found) for found in devices.values())
        seen.append(set(book.devices()))

    monkeypatch.setattr(book.handout, "take", take)
    book.write(GOOD)

    book.reload()

    assert seen == [{"switch-1"}]


def test_a_folder_that_cannot_be_read_is_a_problem_and_changes_nothing(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.write(GOOD)
    book.reload()

    def refuse(_folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tocsin_server.yaml_files.signature_of", refuse)

    assert book.reload() == ["cannot be read (Permission denied)"]
    assert set(book.devices()) == {"switch-1"}
    monkeypatch.undo()
    assert book.reload() == []
