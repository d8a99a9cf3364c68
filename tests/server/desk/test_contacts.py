"""Who is meant by a role is reached by the most special entry, and the file is taken whole or not at all."""

from pathlib import Path

import pytest

from tocsin_server.config import CHECKOUT
from tocsin_server.desk.contacts import (
    NO_CONTACTS,
    Addresses,
    Contacts,
    ContactsError,
    Parties,
    Place,
    load_contacts,
    recipients,
)
from tocsin_server.desk.ruling import Whom
from tocsin_server.yaml_files import FileErrors

ACME = Parties(
    "acme", "servers", "alice@desk.example", "rita@acme.example", "servers@desk.example", ("lead@desk.example",)
)


def reached(contacts: Contacts, to: str, by: str = "mail", parties: Parties = ACME) -> tuple[str, ...]:
    return recipients(contacts, parties, Whom(to, by, "row"))


def one(address: str, *, page: str = "") -> Addresses:
    return Addresses((address,) if address else (), (page,) if page else ())


@pytest.mark.parametrize(
    ("to", "address"),
    [
        ("owner", "alice@desk.example"),
        ("requester", "rita@acme.example"),
        ("team", "servers@desk.example"),
        ("team_lead", "lead@desk.example"),
    ],
)
def test_people_and_teams_have_their_own_addresses(to: str, address: str) -> None:
    assert reached(NO_CONTACTS, to) == (address,)
    assert reached(NO_CONTACTS, to, parties=Parties("acme")) == ()


@pytest.mark.parametrize("whom", [Whom("nobody", "mail"), Whom("owner", "none"), Whom()])
def test_nobody_is_nobody(whom: Whom) -> None:
    assert recipients(NO_CONTACTS, ACME, whom) == ()


def test_the_most_special_entry_counts_and_what_the_team_has_said_goes_before_the_entry_for_all() -> None:
    entries = {
        Place("team"): one("all@desk.example"),
        Place("team", team="servers"): one("these@desk.example"),
        Place("team", client="acme"): one("acme@desk.example"),
        Place("team", "acme", "servers"): one("both@desk.example"),
    }
    found = []
    while entries:
        found += reached(entries, "team")
        entries = {place: each for place, each in entries.items() if each.mail[0] != found[-1]}
        if found[-1] == "servers@desk.example":
            break

    assert found == ["both@desk.example", "acme@desk.example", "these@desk.example", "servers@desk.example"]
    assert reached(entries, "team", parties=Parties("acme")) == ("all@desk.example",)


def test_entries_of_another_client_or_team_are_no_matter() -> None:
    entries = {
        Place("on_call", client="globex"): one("globex@desk.example"),
        Place("on_call", team="network"): one("network@desk.example"),
    }

    assert reached(entries, "on_call") == ()


def test_a_page_goes_to_the_pager_and_without_one_by_mail() -> None:
    entries = {Place("on_call"): one("mail@desk.example", page="phone@sms.example")}

    assert reached(entries, "on_call", "page") == ("phone@sms.example",)
    assert reached(entries, "on_call", "mail") == ("mail@desk.example",)
    assert reached({}, "team_lead", "page") == ("lead@desk.example",)


def write(folder: Path, text: str) -> Path:
    file = folder / "contacts.yml"
    file.write_text(text)
    return file


def test_the_shipped_file_names_nobody() -> None:
    assert CHECKOUT is not None

    assert load_contacts(CHECKOUT / "contacts.yml") == {}


def test_the_example_in_the_shipped_file_is_one(tmp_path: Path) -> None:
    assert CHECKOUT is not None
    lines = (CHECKOUT / "contacts.yml").read_text().splitlines()
    example = lines[lines.index("# contacts:") :]

    found = load_contacts(write(tmp_path, "\n".join(line.removeprefix("# ") for line in example)))

    assert len(found) == len(example) - 1
    assert found[Place("account_manager", client="acme")].mail == ("bert@example.net", "carla@example.net")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("contacts: [{role: oncall, mail: a@b}]", 1, "'oncall' is no role; did you mean 'on_call'"),
        ("contacts: [{role: owner, mail: a@b}]", 1, "'owner' is no role"),
        ("contacts:\n- {role: team}", 2, "a contact needs 'mail' or 'page'"),
        ("contacts:\n- {role: team, mail: a b@c}", 2, "'a b@c' is no mail address"),
        ('contacts:\n- {role: team, mail: "a@b\\nBcc: x@y"}', 2, "is no mail address"),
        ("contacts:\n- {role: team, mail: []}", 2, "has 1 to 20 addresses"),
        ("contacts:\n- {role: team, mail: {a: b}}", 2, "has to be a single value"),
        ("contacts:\n- {role: team, mail: a@b}\n- {role: team, page: a@b}", 3, "already"),
        ("contacts:\n- {role: team, mail: a@b, hours: night}", 2, "no field 'hours'"),
        ("people: []", 1, "no field 'people'"),
        ("[", 2, "not YAML"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int, reason: str
) -> None:
    with pytest.raises(FileErrors) as refused:
        load_contacts(write(tmp_path, text))

    (wrong,) = refused.value.errors
    assert isinstance(wrong, ContactsError)
    assert (wrong.file, wrong.line) == ("contacts.yml", line)
    assert reason in wrong.reason
