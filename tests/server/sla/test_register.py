"""The contracts of a folder, by client, and which one a ticket of a day has."""

from pathlib import Path

from tests.server.sla.contracts import CONTRACT

from tocsin_server.alerts.moments import parse_rfc3339
from tocsin_server.sla.register import by_client, contract_at, contract_shelf, is_open


def write(folder: Path, name: str, text: str = CONTRACT) -> None:
    (folder / name).write_text(text)


def test_a_client_has_the_contract_of_the_day(tmp_path: Path) -> None:
    write(tmp_path, "old.yml", CONTRACT.replace("- from: 2026-01-01", "- from: 2026-01-01\n  to: 2026-12-31"))
    write(tmp_path, "new.yml", CONTRACT.replace("ACME-1", "ACME-2").replace("2026-01-01", "2027-01-01"))

    contracts = by_client(tmp_path)

    def at(text: str, client: str = "acme") -> str | None:
        found = contract_at(contracts, client, parse_rfc3339(text))
        return None if found is None else found.id

    assert at("2025-12-31T22:59:59Z") is None
    assert at("2026-12-31T22:59:59Z") == "ACME-1"
    assert at("2026-12-31T23:00:00Z") == "ACME-2"  # midnight in Paris
    assert at("2026-12-31T22:59:59Z", "globex") is None


def test_business_hours_are_those_of_the_calendars_that_close(tmp_path: Path) -> None:
    write(tmp_path, "acme.yml")  # one calendar never closes, the other is an office's in Paris
    nights = '[{days: monday-sunday, times: ["22:00-06:00"]}]'
    both = CONTRACT.replace("hours: always", f"hours: {nights}")
    write(tmp_path, "globex.yml", both.replace("client: acme", "client: globex").replace("ACME", "GLOBEX"))

    contracts = by_client(tmp_path)

    def at(text: str, client: str) -> bool:
        return is_open(contracts, client, parse_rfc3339(text))

    assert at("2026-06-09T12:00:00+02:00", "acme")
    assert not at("2026-06-09T23:00:00+02:00", "acme")
    assert at("2026-06-09T23:00:00+02:00", "globex")
    assert not at("2026-06-09T20:00:00+02:00", "globex")
    assert at("2026-06-09T23:00:00+02:00", "initech")
    assert at("2025-06-09T23:00:00+02:00", "acme")  # before the contract


def test_what_is_in_folders_below_is_not_in_force(tmp_path: Path) -> None:
    (tmp_path / "examples").mkdir()
    write(tmp_path / "examples", "acme.yml")

    assert by_client(tmp_path) == {}


def test_a_changed_calendar_beside_a_contract_is_noticed(tmp_path: Path) -> None:
    ical = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:away\nDTSTART;VALUE=DATE:{}\nEND:VEVENT\nEND:VCALENDAR\n"
    holidays = "  - {name: Fête du Travail, date: 05-01}"
    write(tmp_path, "acme.yml", CONTRACT.replace(holidays, "  - {ical: days.ics}"))
    write(tmp_path, "days.ics", ical.format("20261224"))
    shelf = contract_shelf(lambda: tmp_path)

    assert (shelf.look(), shelf.look()) == (True, False)
    write(tmp_path, "days.ics", ical.format("20261223"))
    assert shelf.look()
    assert shelf.errors == ()
