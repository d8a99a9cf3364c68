"""Contracts that the database keeps: version for version, read as files are, beside those of files."""

from dataclasses import replace
from typing import Any

import pytest
from tests.contracts import contract_of, contract_text
from tests.server.desk.world import NOW, World

from tocsin_server.desk.kept import (
    DATABASE,
    Draft,
    Keeping,
    Kept,
    draft_of_document,
    draft_of_text,
    history,
    keep,
    merge,
    newest,
    newest_of,
    version_of,
)
from tocsin_server.errors import Conflict, Malformed, NotFound, Stale, TocsinError, Unprocessable
from tocsin_server.sla.contractfile import ContractFileErrors
from tocsin_server.sla.document import document_of
from tocsin_server.sla.register import NO_CONTRACTS, Contracts, contract_at

NEW: frozenset[int] = frozenset()


def a_draft(text: str | None = None) -> Draft:
    return draft_of_text(DATABASE, contract_text() if text is None else text)


def kept(world: World, draft: Draft | None = None, *, files: Contracts = NO_CONTRACTS, **more: Any) -> Kept:
    wish = {"versions": None, "author": "alice", "now_ms": NOW, **more}
    return world.storage.write(lambda s: keep(s, a_draft() if draft is None else draft, files=files, **wish))


def another(old: str = "", new: str = "") -> Draft:
    """The same contract in other words."""
    return a_draft(contract_text().replace(old or "price: 95", new or "price: 96"))


def test_each_version_stays_with_who_kept_it_and_when(world: World) -> None:
    kept(world)
    kept(world, another(), author="bob", now_ms=NOW + 5)

    versions = world.storage.read(lambda s: history(s, "ACME-1"))
    assert [(each.version, each.author, each.at_ms) for each in versions] == [
        (2, "bob", NOW + 5),
        (1, "alice", NOW),
    ]
    assert world.storage.read(lambda s: version_of(s, "ACME-1", 1)) == versions[1]
    assert versions[1].text == contract_text()
    assert world.storage.read(lambda s: [each.version for each in newest(s)]) == [2]
    assert world.storage.read(lambda s: newest_of(s, "ACME-2")) is None


def test_the_same_words_again_are_no_new_version(world: World) -> None:
    assert kept(world).is_new

    assert kept(world, versions={1}) == (kept(world).document, False)


@pytest.mark.parametrize(
    ("there", "versions", "said"),
    [
        (0, {1}, "contract 'ACME-1' is not there"),
        (1, NEW, "contract 'ACME-1' has version 1 by alice"),
        (2, {1}, "contract 'ACME-1' has version 2 by alice"),
    ],
)
def test_who_has_not_seen_the_newest_version_keeps_none(
    world: World, there: int, versions: frozenset[int], said: str
) -> None:
    for draft in (a_draft(), another())[:there]:
        kept(world, draft)

    with pytest.raises(Stale, match=said):
        kept(world, another(new="price: 97"), versions=versions)


def test_who_has_seen_it_keeps_the_next(world: World) -> None:
    kept(world, versions=NEW)

    assert kept(world, another(), versions={1}).document.version == 2


def test_a_contract_is_with_one_client_for_ever(world: World) -> None:
    kept(world)

    with pytest.raises(Conflict, match="is with another client"):
        kept(world, another("client: acme", "client: globex"))


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("client: acme", "client: nobody", NotFound("there is no client 'nobody'")),
        ("ACME-1", "ACME 1/2", Unprocessable("'ACME 1/2' cannot be the id of a contract in the database")),
    ],
)
def test_what_names_nobody_is_not_kept(world: World, old: str, new: str, error: TocsinError) -> None:
    with pytest.raises(type(error)) as refused:
        kept(world, another(old, new))

    assert refused.value.message == error.message


def test_a_contract_is_in_a_file_or_in_the_database(world: World) -> None:
    files = {"acme": (replace(contract_of(), file="/etc/tocsin/contracts/acme.yml"),)}

    with pytest.raises(Conflict, match=r"contract .ACME-1. is in a file, .*acme.yml"):
        kept(world, files=files)


@pytest.mark.parametrize("where", ["file", "database"])
def test_a_client_has_one_contract_at_a_time_wherever_it_is(world: World, where: str) -> None:
    files = {"acme": (contract_of(),)} if where == "file" else NO_CONTRACTS
    if where == "database":
        kept(world)

    with pytest.raises(Conflict, match="'acme' has contract 'ACME-1' at the same time"):
        kept(world, another("ACME-1", "ACME-2"), files=files)


def test_a_contract_may_follow_another(world: World) -> None:
    kept(world, another("from: 2020-01-01", "from: 2020-01-01\n  to: 2022-12-31"))
    kept(world, a_draft(contract_text().replace("ACME-1", "ACME-2").replace("2020-01-01", "2023-01-01")))

    merged = merge(NO_CONTRACTS, world.storage.read(newest))

    found = contract_at(merged.contracts, "acme", NOW)
    assert found is not None
    assert (found.id, merged.problems) == ("ACME-2", [])


# -- beside files


def test_what_is_kept_is_in_force_beside_files(world: World) -> None:
    kept(world, a_draft(contract_text("globex")))

    merged = merge({"acme": (contract_of(),)}, world.storage.read(newest))

    assert {client: [each.id for each in theirs] for client, theirs in merged.contracts.items()} == {
        "acme": ["ACME-1"],
        "globex": ["GLOBEX-1"],
    }
    assert merged.contracts["globex"][0].file == DATABASE


@pytest.mark.parametrize(
    ("id_in_file", "why"),
    [
        ("ACME-1", "it is in a file as well, acme.yml, which counts: take one of both away"),
        ("ACME-9", "'acme' has 'ACME-9' at the same time: let one end before the other begins"),
    ],
)
def test_of_two_in_each_others_way_the_files_counts_and_the_other_is_told(
    world: World, id_in_file: str, why: str
) -> None:
    kept(world)
    files = {"acme": (replace(contract_of(), id=id_in_file),)}

    merged = merge(files, world.storage.read(newest))

    assert merged.contracts is files
    assert [(each.file, each.rule, each.reason) for each in merged.problems] == [(DATABASE, "ACME-1", why)]


def test_what_can_no_longer_be_read_is_told_and_stands_in_nobodys_way(world: World) -> None:
    (document,) = kept(world) and world.storage.read(newest)
    broken = document._replace(contract="ACME-0", text="contract: ACME-0")

    merged = merge(NO_CONTRACTS, [broken, document])

    assert [each.rule for each in merged.problems] == ["ACME-0"]
    assert [each.id for each in merged.contracts["acme"]] == ["ACME-1"]


def test_what_was_kept_since_the_last_look_is_seen_by_the_next(world: World) -> None:
    keeping = Keeping(world.storage.read)
    looks = [keeping.look(), keeping.look()]
    kept(world)
    looks += [keeping.look(), keeping.look()]
    kept(world, another())
    looks += [keeping.look()]

    assert looks == [False, False, True, False, True]
    assert [each.version for each in keeping.documents] == [2]


# -- documents


def test_a_document_is_kept_as_the_text_of_its_file() -> None:
    draft = draft_of_document(document_of(contract_text()))

    assert draft.contract == a_draft().contract
    assert draft_of_text(DATABASE, draft.text).contract == draft.contract


def test_all_that_is_wrong_in_a_document_is_told_with_its_pointer_in_the_words_of_files() -> None:
    document: Any = document_of(contract_text())
    document["agreements"][0]["targets"]["1"]["ack"] = "soon"
    del document["agreements"][3]["counterparty"]

    with pytest.raises(Malformed) as refused:
        draft_of_document(document)
    with pytest.raises(ContractFileErrors) as of_file:
        draft_of_text("acme.yml", contract_text().replace("1: {ack: 15m", "1: {ack: soon"))

    first, second = refused.value.errors
    assert (first.pointer, first.key) == ("/agreements/0/targets/1/ack", "agreements/gold")
    assert first.detail == of_file.value.errors[0].reason
    assert (second.pointer, second.detail) == ("/agreements/3", "an agreement needs 'counterparty'")
    assert "(and 1 more)" in refused.value.message


def test_a_calendar_in_a_file_beside_it_has_to_be_written_out() -> None:
    document: Any = document_of(contract_text())
    document["calendars"][1]["holidays"] = [{"ical": "england.ics"}]

    with pytest.raises(Malformed) as refused:
        draft_of_document(document)

    (wrong,) = refused.value.errors
    assert wrong.pointer == "/calendars/1/holidays/0/ical"
    assert "a contract in the database has no file beside it: write its days out" in wrong.detail
