"""What the desk works by comes into force whole or not at all, and what is wrong with it is told."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import structlog.testing
from tests.contracts import contract_text
from tests.lifecycle import SHIPPED
from tests.server.sla.contracts import CONTRACT

from tocsin_server.config import CHECKOUT, find_config
from tocsin_server.desk.contacts import Place
from tocsin_server.desk.kept import Document, Keeping
from tocsin_server.desk.lifecycle import Lifecycle
from tocsin_server.deskbook import Deskbook
from tocsin_server.errors import Unavailable


@dataclass
class Shelf:
    """A folder, and the book of it."""

    folder: Path
    told: int = 0
    clients: set[str] = field(default_factory=lambda: {"acme"})
    teams: set[str] = field(default_factory=set)
    keeping: Keeping = field(default_factory=lambda: Keeping(lambda _ask: None))

    def __post_init__(self) -> None:
        self.book = Deskbook(
            self._find,
            clients=lambda: self.clients,
            teams=lambda: self.teams,
            keeping=self.keeping,
            changed=self._tell,
        )

    def _find(self, name: str) -> Path | None:
        assert CHECKOUT is not None
        if name != self.folder.name:
            return CHECKOUT / name
        return self.folder if self.folder.exists() else None

    def _tell(self) -> None:
        self.told += 1

    def write(self, text: str, name: str = "lifecycle.yml") -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / name).write_text(text)
        self.book.reload()


class Stubborn(Keeping):
    """What a database keeps, which does not answer so many times."""

    def __init__(self, documents: list[Document], *, fails: int = 0) -> None:
        super().__init__(lambda _ask: None, documents)
        self.fails = fails

    def look(self) -> bool:
        self.fails -= 1
        if self.fails >= 0:
            raise Unavailable("the database does not answer")
        return True


def kept(client: str) -> Document:
    return Document(f"{client.upper()}-1", 1, client, 1, contract_text(client), "alice", 0)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "processes")


@pytest.fixture
def shipped() -> str:
    assert CHECKOUT is not None
    return (CHECKOUT / "processes/lifecycle.yml").read_text()


def test_what_a_file_says_is_in_force_once_it_is_read(shelf: Shelf, shipped: str) -> None:
    shelf.write(shipped)

    assert shelf.book.lifecycle() == SHIPPED
    assert (shelf.book.problems, shelf.told) == ([], 0)


def test_a_file_that_is_refused_leaves_the_last_good_one_in_force_and_is_told_once(
    shelf: Shelf, shipped: str
) -> None:
    shelf.write(shipped)

    with structlog.testing.capture_logs() as said:
        shelf.write("waits_for: [a]\nlifecycle: []")
        shelf.book.reload()

    assert shelf.book.lifecycle() == SHIPPED
    assert shelf.told == 1
    assert [line["action"] for line in said] == ["desk_file_refused"]
    (problem,) = shelf.book.problems
    assert (problem.file, problem.reason) == (
        "lifecycle.yml",
        "line 2: the file has no field 'lifecycle'; did you mean 'lifecycles'",
    )


def test_consoles_are_told_when_it_is_mended(shelf: Shelf, shipped: str) -> None:
    shelf.write("nonsense: 1")

    shelf.write(shipped)

    assert (shelf.book.problems, shelf.told) == ([], 2)


def test_contacts_are_in_force_whole_and_name_clients_that_there_are(shelf: Shelf, tmp_path: Path) -> None:
    shelf.folder = tmp_path / "contacts.yml"

    def write(text: str) -> None:
        shelf.folder.write_text(text)
        shelf.book.reload()

    write(
        "contacts: [{role: on_call, mail: a@desk.example}, {role: team, client: globex, mail: a@desk.example}]"
    )
    (stranger,) = shelf.book.problems
    write("contacts: [{role: oncall, mail: b@desk.example}]")
    (wrong,) = shelf.book.problems[:1]

    assert stranger.reason == "there is no client 'globex': name one of tocsin-server client list"
    assert (wrong.file, wrong.reason[:7]) == ("contacts.yml", "line 1:")
    assert shelf.book.contacts()[Place("on_call")].mail == ("a@desk.example",)


def test_without_a_file_nothing_is_lawful(shelf: Shelf) -> None:
    shelf.book.reload()

    assert shelf.book.lifecycle() == Lifecycle()


@pytest.fixture
def contracts(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "contracts")


def in_force(shelf: Shelf) -> list[str]:
    """The ids of the contracts by which tickets are clocked."""
    return [each.id for theirs in shelf.book.terms(0).contracts.values() for each in theirs]


def test_contracts_are_in_force_all_or_none_and_stay_until_all_can_be_read(contracts: Shelf) -> None:
    contracts.write(CONTRACT, "acme.yml")
    contracts.write(CONTRACT.replace("ACME-1", "ACME-2").replace("price: 95", "price: much"), "other.yml")

    assert in_force(contracts) == ["ACME-1"]
    (problem,) = contracts.book.problems
    assert (problem.file, problem.rule) == ("other.yml", "versions/1")
    assert problem.reason.startswith("line 60: ")


def test_a_contract_with_nobody_is_told_of_and_refuses_no_other(contracts: Shelf) -> None:
    contracts.write(CONTRACT.replace("client: acme", "client: acmee"), "acmee.yml")
    contracts.write(CONTRACT.replace("ACME-1", "ACME-2"), "acme.yml")

    assert sorted(in_force(contracts)) == ["ACME-1", "ACME-2"]
    (problem,) = contracts.book.problems
    assert (problem.file, problem.rule) == ("contracts", "ACME-1")
    assert problem.reason.startswith("there is no client 'acmee'")

    contracts.clients.add("acmee")
    contracts.book.reload()

    assert contracts.book.problems == []


def test_tables_are_told_of_business_hours_by_the_contracts_in_force(contracts: Shelf) -> None:
    tuesday_noon_ms, tuesday_night_ms = 1_780_999_200_000, 1_781_042_400_000  # in Paris, in June of 2026

    def hours() -> list[bool]:
        return [contracts.book.tables().is_open("acme", at_ms) for at_ms in (tuesday_noon_ms, tuesday_night_ms)]

    without = hours()
    contracts.write(CONTRACT, "acme.yml")

    assert (without, hours()) == ([True, True], [True, False])
    assert contracts.book.tables().is_open("globex", tuesday_night_ms)


def test_nothing_that_was_kept_outlives_a_change_of_the_contracts(contracts: Shelf) -> None:
    contracts.write(CONTRACT, "acme.yml")
    before = contracts.book.terms(0).kept
    contracts.book.reload()
    same = contracts.book.terms(0).kept
    contracts.write(CONTRACT.replace("resolve: 8h", "resolve: 9h"), "acme.yml")

    assert before is same
    assert contracts.book.terms(0).kept is not before


def test_a_fresh_installation_has_no_contract_and_no_problem() -> None:
    book = Deskbook(
        find_config, clients=set, teams=set, keeping=Keeping(lambda _ask: None), changed=lambda: None
    )

    book.reload()

    assert (book.terms(0).contracts, book.problems) == ({}, [])


def test_a_team_of_the_routing_table_that_nobody_has_made_is_told_of_until_it_is_there(shelf: Shelf) -> None:
    shelf.teams |= {"servicedesk", "security", "monitoring", "applications", "network", "servers"}
    shelf.book.reload()
    (problem,) = (each for each in shelf.book.problems if each.file == "routing.csv")

    shelf.teams.add("workplace")
    shelf.book.reload()

    assert (problem.rule, problem.reason.partition(";")[0]) == ("desktop", "there is no team 'workplace'")
    assert all(each.file != "routing.csv" for each in shelf.book.problems)


def test_contracts_of_the_database_are_in_force_beside_files_and_what_is_in_the_way_is_told(
    tmp_path: Path,
) -> None:
    keeping = Stubborn([])
    shelf = Shelf(tmp_path / "contracts", clients={"acme", "globex"}, keeping=keeping)
    shelf.write(contract_text(), "acme.yml")
    keeping.documents = [kept("globex"), kept("acme")]
    shelf.book.reload()

    assert sorted(in_force(shelf)) == ["ACME-1", "GLOBEX-1"]
    (problem,) = shelf.book.problems
    assert (problem.file, problem.rule) == ("database", "ACME-1")


def test_a_database_that_does_not_answer_once_keeps_no_file_out_for_good(tmp_path: Path) -> None:
    keeping = Stubborn([kept("globex")], fails=1)
    shelf = Shelf(tmp_path / "contracts", clients={"acme", "globex"}, keeping=keeping)

    with pytest.raises(Unavailable):
        shelf.write(contract_text(), "acme.yml")
    shelf.book.reload()

    assert sorted(in_force(shelf)) == ["ACME-1", "GLOBEX-1"]
