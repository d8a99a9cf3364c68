"""A contract's file: what it says, and that everything wrong in it is told with file, line, key and remedy."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from tests.server.sla.calendars import HOUR, MINUTE
from tests.server.sla.calendars import at as moment_of
from tests.server.sla.contracts import CONTRACT, contract

from tocsin_server.errors import Unprocessable
from tocsin_server.sla.contract import CreditRule, Line, Period, Quantity, Renewal, Source, Tier
from tocsin_server.sla.contractfile import ContractFileErrors, load_contract, load_contracts, read_contract
from tocsin_server.sla.terms import AgreementType, ClockKind, OnChange, OnMerge, Threshold, WaitsFor

TIER = "{below: 9%, credit: 1%}"
EXAMPLES = Path(__file__).parents[3] / "config" / "contracts" / "examples"


def problems(text):
    with pytest.raises(ContractFileErrors) as refused:
        read_contract("acme.yml", text, lambda name: "")
    return [str(each) for each in refused.value.errors]


def test_a_contract_says_who_has_promised_what_to_whom():
    told = contract()

    assert (told.id, told.client, told.currency) == ("ACME-1", "acme", "EUR")
    assert told.pause_reasons == {"awaiting_customer": WaitsFor.CLIENT, "awaiting_vendor": WaitsFor.SUPPLIER}
    assert {name: (each.type, each.counterparty) for name, each in told.agreements.items()} == {
        "gold": (AgreementType.SLA, "acme"),
        "iron": (AgreementType.SLA, "acme"),
        "silver": (AgreementType.SLA, "acme"),
        "network": (AgreementType.OLA, "network team"),
        "systems": (AgreementType.OLA, "systems team"),
        "lines": (AgreementType.UC, "Télécom"),
    }


def test_an_agreement_has_targets_by_priority_with_their_calendars():
    gold = contract().agreements["gold"]

    assert [(each.kind, each.target_ms, each.calendar.name) for each in gold.targets[2]] == [
        (ClockKind.ACK, 30 * MINUTE, "business"),
        (ClockKind.FIRST_RESPONSE, HOUR, "business"),
        (ClockKind.RESOLVE, 8 * HOUR, "business"),
        (ClockKind.UPDATE, 2 * HOUR, "business"),
    ]
    assert [(each.kind, each.calendar.name) for each in gold.targets[3]] == [(ClockKind.RESOLVE, "always")]
    assert gold.pauses == dict.fromkeys([ClockKind.RESOLVE, ClockKind.UPDATE], frozenset({"awaiting_customer"}))
    assert gold.thresholds == (
        *(Threshold("50%", 50), Threshold("100%", 100), Threshold("150%", 150)),
        Threshold("30m", None, 30 * MINUTE),
    )
    assert (gold.on_change, gold.on_merge) == (OnChange.RETROACTIVE, OnMerge.KEEP)


def test_what_an_agreement_leaves_out_is_as_usual():
    systems = contract().agreements["systems"]

    assert systems.pauses == {}
    assert [each.name for each in systems.thresholds] == ["50%", "75%", "90%", "100%"]


def test_a_version_has_lines_with_prices_quantities_and_credits():
    text = CONTRACT.replace(
        "{source: inventory, of: server}, sla: gold}",
        "{source: inventory, of: server}, sla: gold, credit: {target: resolve, at_risk: 12.5%, cap: 10%,"
        " tiers: [{below: 95%, credit: 50%}, {below: 90%, credit: 100%}]}}",
    ).replace("renewal: {kind: none}", "to: 2028-12-31\n  renewal: {kind: tacit, months: 12}")

    (version,) = read_contract("acme.yml", text, lambda name: "").versions

    assert (version.from_day, version.to_day, version.notice_days) == (date(2026, 1, 1), date(2028, 12, 31), 90)
    assert (version.renewal, version.renewal_months) == (Renewal.TACIT, 12)
    assert version.lines[0] == Line(
        item="server",
        unit="server",
        price=Decimal(95),
        per=Period.MONTH,
        quantity=Quantity(Source.INVENTORY, of="server"),
        sla="gold",
        credit=CreditRule(
            ClockKind.RESOLVE,
            Decimal("12.5"),
            Decimal(10),
            (Tier(Decimal(95), Decimal(50)), Tier(Decimal(90), Decimal(100))),
        ),
    )
    assert version.lines[1].quantity == Quantity(Source.FIXED, Decimal(3))


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        # above the lists
        ("contract: ACME-1", "contrat: ACME-1", "acme.yml:2: a contract has no field 'contrat'; did you mean"),
        ("contract: ACME-1\n", "", "acme.yml:2: a contract needs 'contract'"),
        (
            "zone: Europe/Paris\ncurrency",
            "zone: Europe/Pari\ncurrency",
            "'zone': there is no time zone 'Europe/Pari'",
        ),
        ("zone: Europe/Paris\ncurrency", "zone: America\ncurrency", "'zone': there is no time zone 'America'"),
        ("currency: EUR", "currency: euro", "'currency' is a code of three letters such as EUR, got 'euro'"),
        (
            "awaiting_vendor: supplier",
            "awaiting_vendor: vendor",
            "waits for one of client, team, supplier, nobody",
        ),
        ("calendars:", "calendar:", "a contract has no field 'calendar'; did you mean 'calendars'"),
        # calendars
        (
            "name: Fête du Travail, date: 05-01",
            "name: x, date: 13-01",
            "calendars/business: 'date': no year has a",
        ),
        ("hours: always}", "hours: always, tz: x}", "calendars/always: a calendar has no field 'tz'"),
        ("date: 05-01", "from: 01-01, to: 12-31", "'business' is closed for 1461 days from 2025-01-01"),
        ("- name: business\n  zone", "- name: always\n  zone", "calendars/always: 'always' stands twice"),
        # agreements
        ("type: ola", "type: old", "agreements/network: 'type' is one of sla, ola, uc, got 'old'"),
        ("  type: sla\n", "  type: sla\n  counterparty: x\n", "an SLA takes no 'counterparty'"),
        ("  counterparty: network team\n", "", "agreements/network: an agreement needs 'counterparty'"),
        ("counterparty: systems team", "counterparty: network team", "two agreements have the counterparty"),
        ("  targets: {2: {ack: 5m, resolve: 6h}}\n", "", "agreements/iron: an agreement needs 'targets'"),
        ("{2: {ack: 5m, resolve: 6h}}", "{}", "agreements/iron: 'targets' is empty"),
        (
            "{2: {ack: 5m, resolve: 6h}}",
            "{5: {ack: 5m}}",
            "'targets' by priority has no field '5'; there are 1, 2",
        ),
        ("{2: {ack: 5m, resolve: 6h}}", "{2: {}}", "the targets of a priority need one of ack, first_response"),
        ("{2: {ack: 5m, resolve: 6h}}", "{2: {fix: 5m}}", "has no field 'fix'"),
        (
            "resolve: 6h",
            "resolve: 1d",
            "'1d' is no open time such as 4h, 30m or 1h30m (for a day write its hours)",
        ),
        ("resolve: 6h", "resolve: 10001h", "'10001h' is longer than 10000h"),
        (
            "resolve: 6h",
            "calendar: never, resolve: 6h",
            "'calendar': there is no 'never'; there are always, business",
        ),
        ("{resolve: [awaiting_vendor]}", "{ack: [awaiting_vendor]}", "ack never pauses"),
        (
            "{resolve: [awaiting_vendor]}",
            "{resolve: [tired]}",
            "agreements/silver: 'pauses': there is no reason 'tired'",
        ),
        ("[50%, 100%, 150%, 30m]", "[0%]", "a threshold is from 1% to 1000%, got 0%"),
        ("[50%, 100%, 150%, 30m]", "[half]", "'half' is no open time"),
        (
            "on_change: from_change",
            "on_change: never",
            "'on_change' is one of retroactive, from_change, got 'never'",
        ),
        # versions
        ("from: 2026-01-01", "from: 1.1.2026", "versions/1: 'from' has to be a date such as 2026-05-01"),
        ("notice_days: 90", "notice_days: some", "'notice_days' has to be a whole number, got 'some'"),
        ("notice_days: 90", "to: 2025-12-31\n  notice_days: 90", "versions/1: 'to' is before 'from'"),
        ("{kind: none}", "{kind: none, months: 3}", "'renewal' of kind none has no 'months'"),
        ("{kind: none}", "{kind: tacit, months: 0}", "'months' of 'renewal' are 1 at least"),
        ("  renewal: {kind: none}\n", "", "versions/1: a version needs 'renewal'"),
        ("item: desktop", "item: server", "'lines' have the item 'server' twice"),
        ("price: 95", "price: -95", "'price' has to be a number such as 95 or 95.50, got '-95'"),
        ("per: once", "per: week", "'per' is one of once, month, quarter, year, got 'week'"),
        ("sla: gold}", "sla: lead}", "'sla': there is no SLA 'lead'; there are gold, iron, silver"),
        ("sla: gold}", "sla: network}", "'sla': there is no SLA 'network'"),
        (
            "{source: time}",
            "{source: time, count: 3}",
            "'count' is what a quantity of source fixed has, and no other",
        ),
        ("{source: fixed, count: 3}", "{source: fixed}", "'count' is what a quantity of source fixed has"),
        ("{source: inventory, of: server}", "{source: inventory}", "inventory needs it"),
        ("{source: time}", "{source: time, of: x}", "time has none"),
        (
            "quantity: {source: time}}",
            "quantity: {source: time}, credit: {}}",
            "'credit' needs the line to have an",
        ),
        ("sla: gold}", "sla: gold, credit: {target: resolve, at_risk: 1%, cap: 1%}}", "'credit' needs 'tiers'"),
        (
            "sla: gold}",
            "sla: gold, credit: {target: resolve, at_risk: 101%, cap: 1%, tiers: [{below: 9%, credit: 1%}]}}",
            "'at_risk' has to be a share such as 12.5%, up to 100%, got '101%'",
        ),
        (
            "sla: gold}",
            "sla: gold, credit: {target: ack, at_risk: 1%, cap: 1%, tiers: [*a, *a]}}".replace("*a", TIER),
            "each 'below' less than the one before",
        ),
        ("versions:", "versions: []\nagreement:", "a contract has no field 'agreement'; did you mean"),
    ],
)
def test_each_mistake_is_told_with_its_place_and_remedy(was, now, expected):
    assert was in CONTRACT

    assert expected in "\n".join(problems(CONTRACT.replace(was, now, 1)))


def test_a_supplier_s_clock_never_waits_for_the_supplier():
    text = CONTRACT.replace(
        "  pauses: {resolve: [awaiting_customer]}\nversions", "  pauses: {update: [awaiting_vendor]}\nversions"
    )

    (problem,) = problems(text)
    assert problem.startswith("acme.yml:54, agreements/lines: 'pauses': awaiting_vendor waits for the supplier")


def test_all_mistakes_of_a_list_are_told_at_once_and_none_twice():
    text = CONTRACT.replace("30m]", "half]").replace("ack: 5m", "ack: 5x").replace("price: 120", "price: much")

    places = [each.split(": ")[0] for each in problems(text)]

    assert places == ["acme.yml:26, agreements/gold", "acme.yml:30, agreements/iron"]


def test_versions_follow_one_another():
    version = CONTRACT[CONTRACT.index("- from: 2026") :]
    more = CONTRACT + version.replace("2026-01-01", "2027-01-01")
    ended = more.replace("  notice_days: 90", "  to: 2026-12-31\n  notice_days: 90", 1)

    (problem,) = problems(more)

    assert "versions: the version from 2027-01-01 begins before the one before has ended" in problem
    assert [each.from_day.year for each in read_contract("acme.yml", ended, lambda name: "").versions] == [
        2026,
        2027,
    ]


@pytest.mark.parametrize(
    ("at", "name"),
    [
        ("2025-12-31T23:59+01:00", None),
        ("2025-12-31T23:00Z", "gold"),  # it is 2026 in Paris
        ("2026-12-31T23:59+01:00", "gold"),
        ("2027-01-01T00:00+01:00", "silver"),
    ],
)
def test_a_version_holds_from_its_first_to_its_last_day_in_the_contract_s_zone(at, name):
    version = CONTRACT[CONTRACT.index("- from: 2026") :]
    ended = CONTRACT.replace("  notice_days: 90", "  to: 2026-12-31\n  notice_days: 90")
    later = version.replace("2026-01-01", "2027-01-01").replace("sla: gold", "sla: silver")
    told = read_contract("acme.yml", ended + later, lambda name: "")

    if name is None:
        with pytest.raises(Unprocessable, match="'ACME-1' has no version for 2025-12-31"):
            told.sla_of("server", moment_of(at))
    else:
        assert told.sla_of("server", moment_of(at)).name == name


def test_a_calendar_s_edition_keeps_what_its_change_leaves_out():
    changes = """
  changes:
  - {from: 2026-06-01, hours: [{days: saturday, times: ["08:00-12:00"]}]}
  - {from: 2026-07-01, holidays: []}
agreements:"""
    told = read_contract("acme.yml", CONTRACT.replace("\nagreements:", changes), lambda name: "")

    first, second, third = told.calendars["business"].editions

    assert (second.from_day, second.holidays) == (date(2026, 6, 1), first.holidays)
    assert (third.from_day, third.holidays, third.week) == (date(2026, 7, 1), (), second.week)
    assert second.week[5] == ((480, 720),)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            "{from: 2026-06-01, hours: always}, {from: 2026-06-01, hours: always}",
            "each later than the one before",
        ),
        ("{from: 2026-06-01}", "a change of a calendar needs 'hours', 'holidays' or both"),
        ("{hours: always}", "a change of a calendar needs 'from'"),
    ],
)
def test_a_calendar_s_change_says_what_and_from_when(changes, why):
    (problem,) = problems(CONTRACT.replace("\nagreements:", f"\n  changes: [{changes}]\nagreements:"))

    assert why in problem


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "the file is empty"), ("- a", "a contract has to be a map of fields"), ("a: [", "not YAML")],
)
def test_what_is_no_contract_at_all_is_told(text, why):
    (problem,) = problems(text)

    assert why in problem


def test_the_files_of_a_folder_have_contracts_of_different_ids(tmp_path):
    for name in ("a.yml", "b.yml"):
        (tmp_path / name).write_text(CONTRACT)

    with pytest.raises(ContractFileErrors, match=r"b\.yml:1, contract: 'ACME-1' is in another file too"):
        load_contracts(tmp_path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ContractFileErrors, match=r"gone\.yml:1: cannot be read"):
        load_contract(tmp_path / "gone.yml")


def test_the_shipped_contracts_are_whole():
    assert [each.id for each in load_contracts(EXAMPLES)] == ["HELIOS-2026", "NORTHWIND-7"]


def of_days(id_: str, *versions: str, client: str = "acme", zone: str = "Europe/Paris") -> str:
    """A contract whose versions have these days, `from` and `to`."""
    head = CONTRACT[: CONTRACT.index("versions:")].replace("ACME-1", id_).replace(": acme", f": {client}")
    zoned = head.replace("zone: Europe/Paris", f"zone: {zone}", 1)
    told = "".join(
        f"- {{{days}, notice_days: 1, renewal: {{kind: none}}, lines: [{LINE}]}}\n" for days in versions
    )
    return f"{zoned}versions:\n{told}"


LINE = "{item: server, unit: server, price: 1, per: month, quantity: {source: time}, sla: gold}"


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (["from: 2026-01-01, to: 2026-12-31"], {"versions": ["from: 2027-01-01"]}),
        (["from: 2026-01-01"], {"versions": ["from: 2026-01-01"], "client": "globex"}),
        (  # a gap that another fills
            ["from: 2025-01-01, to: 2025-12-31", "from: 2027-01-01"],
            {"versions": ["from: 2026-01-01, to: 2026-12-31"]},
        ),
    ],
)
def test_a_client_may_have_one_contract_after_another(tmp_path, earlier, later):
    (tmp_path / "a.yml").write_text(of_days("A", *earlier))
    (tmp_path / "b.yml").write_text(of_days("B", *later["versions"], client=later.get("client", "acme")))

    assert [each.id for each in load_contracts(tmp_path)] == ["A", "B"]


@pytest.mark.parametrize(
    "later",
    [
        {"versions": ["from: 2026-12-31"]},
        {"versions": ["from: 2020-01-01, to: 2026-01-01"]},
        {"versions": ["from: 2026-03-01, to: 2026-03-01"]},
        {"versions": ["from: 2027-01-01"], "zone": "Asia/Tokyo"},  # where that day begins earlier
    ],
)
def test_a_client_has_no_two_contracts_at_a_time(tmp_path, later):
    (tmp_path / "a.yml").write_text(of_days("A", "from: 2026-01-01, to: 2026-12-31"))
    (tmp_path / "b.yml").write_text(of_days("B", *later.pop("versions"), **later))

    with pytest.raises(ContractFileErrors) as refused:
        load_contracts(tmp_path)

    (error,) = refused.value.errors
    assert (error.file, error.key) == (str(tmp_path / "b.yml"), "versions")
    assert error.reason == "'acme' has 'A' at the same time: let one end before the other begins"
