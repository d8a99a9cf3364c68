"""`contract`: YAML goes in and comes out as it was."""

import json
from pathlib import Path

import pytest
from sqlmodel import Session
from tests.contracts import contract_text
from tests.server.cli.operators import Operator

from tocsin_server.access.auditlog import entries
from tocsin_server.cli import contracts
from tocsin_server.clock import FakeClock
from tocsin_server.datafolder import administer, database, look
from tocsin_server.estate.clients import add_client

pytestmark = pytest.mark.scenario


@pytest.fixture
def operator(
    tmp_path: Path, empty_database: bytes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Operator:
    database(tmp_path).path.write_bytes(empty_database)
    clock = FakeClock()
    monkeypatch.setattr(contracts, "SystemClock", lambda: clock)
    monkeypatch.setattr(contracts, "author", lambda: "root")

    def found(session: Session) -> None:
        for slug in ("acme", "globex"):
            add_client(session, slug, slug.title(), clock.now_ms())

    administer(tmp_path, found)
    return Operator("contract", tmp_path, clock, capsys)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "acme.yml"
    path.write_text(f"# as it was agreed\n{contract_text()}")
    return path


def test_a_file_is_kept_word_for_word_listed_and_given_out_again(operator: Operator, file: Path) -> None:
    assert operator.types(f"import {file}") == "contract ACME-1 of acme, version 1: kept\n"
    assert operator.types(f"import {file}") == "contract ACME-1 of acme, version 1: kept already\n"
    first = file.read_text()
    file.write_text(first.replace("price: 95", "price: 96"))
    assert operator.types(f"import {file} --version 1") == "contract ACME-1 of acme, version 2: kept\n"

    assert operator.types("list").splitlines() == [
        "contract  client  where     version  by    since       title",
        "ACME-1    acme    database  2        root  2023-11-14  Servers",
    ]
    assert operator.types("export ACME-1") == file.read_text()
    assert operator.types("export ACME-1 --version 1") == first
    assert operator.types("versions ACME-1").splitlines() == [
        "version  since              by",
        "2        2023-11-14 22:13Z  root",
        "1        2023-11-14 22:13Z  root",
    ]


def test_without_contracts_the_list_says_how_to_take_one_in(operator: Operator) -> None:
    assert operator.types("list") == "there are no contracts yet: tocsin-server contract import FILE\n"


def test_a_file_counts_and_what_the_database_has_beside_it_is_told(
    operator: Operator, file: Path, tmp_path: Path
) -> None:
    operator.types(f"import {file}")
    folder = tmp_path / "contracts"
    folder.mkdir()
    (folder / "acme.yml").write_text(contract_text())

    told = operator.types(f"list --config {tmp_path}").splitlines()

    assert [line.split()[2] for line in told[1:3]] == ["database", "file"]
    assert told[3].startswith("not in force: ACME-1: it is in a file as well, ")
    (kept, of_file) = json.loads(operator.types(f"list --json --config {tmp_path}"))
    assert (kept["problem"] != "", of_file["problem"]) == (True, "")
    assert operator.types(f"export ACME-1 --config {tmp_path}") == contract_text()
    assert "is in a file, " in operator.fails(f"import {file} --config {tmp_path}")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("import {folder}/absent.yml", "absent.yml cannot be read (No such file or directory)"),
        ("export ACME-9", "the database has no such version of a contract 'ACME-9'"),
        ("export ACME-1 --version 9", "the database has no such version of a contract 'ACME-1'"),
        ("versions ACME-9", "the database has no such version of a contract 'ACME-9'"),
        ("import {folder}/acme.yml --version 3", "contract 'ACME-1' has version 1 by root: look at it again"),
    ],
)
def test_what_cannot_be_done_is_told(operator: Operator, file: Path, line: str, said: str) -> None:
    operator.types(f"import {file}")
    file.write_text(contract_text().replace("price: 95", "price: 96"))

    assert said in operator.fails(line.format(folder=file.parent))


def test_a_file_that_is_wrong_is_refused_with_its_line(operator: Operator, file: Path) -> None:
    file.write_text(contract_text().replace("currency: EUR", "currency: euro"))

    assert f"{file}:6: 'currency' is a code of three letters" in operator.fails(f"import {file}")


def test_an_import_is_in_the_audit_log_once(operator: Operator, file: Path) -> None:
    operator.types(f"import {file}")
    operator.types(f"import {file}")

    told = look(operator.data, lambda session: [(each.act, each.subject) for each in entries(session)])

    assert told == [("contract.kept", "ACME-1")]


def test_sla_check_reads_files_and_database(operator: Operator, file: Path, tmp_path: Path) -> None:
    operator.types(f"import {file}")
    sla = Operator("sla", operator.data, operator.clock, operator._capsys)

    assert sla.types("check").splitlines() == [
        "ACME-1 of acme: calendars 2, agreements 6, versions 1",
        "contracts: 1",
    ]
    folder = tmp_path / "contracts"
    folder.mkdir()
    (folder / "acme.yml").write_text(contract_text())
    status, out, _ = sla.tries(f"check --config {tmp_path}")
    assert status == 1
    assert "database, ACME-1: it is in a file as well, " in out
