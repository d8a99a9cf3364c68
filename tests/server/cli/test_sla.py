"""`sla explain` and `sla check`: the specification's vectors, what is printed, and what is refused."""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.contracts import contract_text
from tests.server.desk.world import World
from tests.server.sla.contracts import CONTRACT

from tocsin_server import cli
from tocsin_server.cli.eventfile import FIELDS, BadEvent, read_events
from tocsin_server.datafolder import database
from tocsin_server.decisions.folder import NO_TABLES
from tocsin_server.desk import work
from tocsin_server.storage.engine import Storage

HOUSE = Path(__file__).parents[3]
DOCUMENT = (HOUSE / "docs" / "desk.md").read_text()
EXAMPLES = re.findall(r"```json\n(\[.*?)```.*?```text\n\$ tocsin-server (.*?)\n(.*?)```", DOCUMENT, re.DOTALL)

FRENCH = """
  holidays: &french
  - {name: Jour de l'an, date: 01-01}
  - {name: Lundi de Pâques, date: 2026-04-06}
  - {name: Fête du Travail, date: 05-01}
  - {name: Victoire 1945, date: 05-08}
  - {name: Ascension, date: 2026-05-14}
  - {name: Lundi de Pentecôte, date: 2026-05-25}
  - {name: Fête nationale, date: 07-14}
  - {name: Assomption, date: 08-15}
  - {name: Toussaint, date: 11-01}
  - {name: Armistice, date: 11-11}
  - {name: Noël, date: 12-25}"""
BUSINESS = 'hours: [{days: monday-friday, times: ["08:00-18:00"]}]'
PROMISED = f"""
contract: VECTORS
client: acme
title: the specification's vectors
zone: Europe/Paris
currency: EUR
pause_reasons: {{pending: client}}
calendars:
- name: business
  zone: Europe/Paris
  {BUSINESS}{FRENCH}
- {{name: always, zone: Europe/Paris, hours: always}}
- {{name: sunday, zone: Europe/Paris, hours: [{{days: sunday, times: ["01:00-04:00"]}}]}}
- {{name: closure, zone: Europe/Paris, {BUSINESS}, holidays: [{{name: closed, from: 12-24, to: 01-02}}]}}
- {{name: night, zone: Europe/Paris, hours: [{{days: friday, times: ["22:00-06:00"]}}], holidays: *french}}
- {{name: montreal, zone: America/Montreal, {BUSINESS}}}
agreements:
- name: promised
  type: sla
  calendar: CALENDAR
  targets: {{1: {{resolve: 4h}}, 2: {{resolve: TARGET}}}}
  pauses: {{resolve: [pending]}}
versions:
- from: 2026-01-01
  notice_days: 0
  renewal: {{kind: none}}
  lines: [{{item: all, unit: all, price: 1, per: month, quantity: {{source: fixed, count: 1}}, sla: promised}}]
"""


class Shell:
    """Somebody with two files at a shell."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def explains(self, contract: str, events: object, at: str, *words: str) -> tuple[int, str, str]:
        """Status and what is printed."""
        files = {
            "contract.yml": contract,
            "events.json": events if isinstance(events, str) else json.dumps(events),
        }
        for name, text in files.items():
            (self.folder / name).write_text(text)
        named = ["--contract", str(self.folder / "contract.yml"), "--events", str(self.folder / "events.json")]
        return self.types("sla", "explain", *named, "--at", at, *words)

    def types(self, *words: str) -> tuple[int, str, str]:
        status = cli.main(words)
        return status, *self._capsys.readouterr()


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys)


def story(created, *more):
    """Events of priority 2 and after, with their ids."""
    told = [(created, "created", {"priority": 2}), *more]
    return [{"id": n, "at": at, "kind": kind, **fields} for n, (at, kind, fields) in enumerate(told, 1)]


PENDING = {"reason": "pending"}
VECTORS = [
    (
        "1",
        "business",
        "4h",
        story("2026-04-30T16:00:00+02:00"),
        None,
        {"deadline": "2026-05-04T10:00:00+02:00"},
    ),
    ("2", "always", "8h", story("2026-10-24T20:00:00+02:00"), None, {"deadline": "2026-10-25T03:00:00+01:00"}),
    (
        "3a",
        "always",
        "99h",
        story("2026-10-25T00:00:00+02:00"),
        "2026-10-26T00:00:00+01:00",
        {"elapsed_s": 25 * 3600},
    ),
    (
        "3b",
        "always",
        "99h",
        story("2026-03-29T00:00:00+01:00"),
        "2026-03-30T00:00:00+02:00",
        {"elapsed_s": 23 * 3600},
    ),
    (
        "4a",
        "sunday",
        "99h",
        story("2026-03-29T00:00:00+01:00"),
        "2026-03-30T00:00:00+02:00",
        {"elapsed_s": 2 * 3600},
    ),
    (
        "4b",
        "sunday",
        "99h",
        story("2026-10-25T00:00:00+02:00"),
        "2026-10-26T00:00:00+01:00",
        {"elapsed_s": 4 * 3600},
    ),
    (
        "5",
        "business",
        "8h",
        story(
            "2026-06-05T10:00:00+02:00",
            ("2026-06-05T15:00:00+02:00", "paused", PENDING),
            ("2026-06-08T09:00:00+02:00", "resumed", {}),
        ),
        "2026-06-08T09:00:00+02:00",
        {"elapsed_s": 5 * 3600, "deadline": "2026-06-08T12:00:00+02:00", "state": "running"},
    ),
    (
        "6",
        "business",
        "8h",
        story(
            "2026-06-08T09:00:00+02:00",
            ("2026-06-08T10:00:00+02:00", "paused", PENDING),
            ("2026-06-08T12:00:00+02:00", "resumed", {}),
            ("2026-06-08T14:00:00+02:00", "priority", {"priority": 1}),
        ),
        "2026-06-08T14:00:00+02:00",
        {"elapsed_s": 3 * 3600, "deadline": "2026-06-08T15:00:00+02:00", "target_s": 4 * 3600},
    ),
    (
        "7",
        "business",
        "8h",
        story(
            "2026-06-08T09:00:00+02:00",
            ("2026-06-08T13:00:00+02:00", "solved", {}),
            ("2026-06-10T10:00:00+02:00", "reopened", {}),
        ),
        "2026-06-10T10:00:00+02:00",
        {"deadline": "2026-06-10T14:00:00+02:00", "elapsed_s": 4 * 3600},
    ),
    (
        "8a",
        "business",
        "0m",
        story("2026-06-06T11:00:00+02:00"),
        None,
        {"deadline": "2026-06-08T08:00:00+02:00"},
    ),
    (
        "8b",
        "business",
        "1h",
        story("2026-06-06T11:00:00+02:00"),
        None,
        {"deadline": "2026-06-08T09:00:00+02:00"},
    ),
    (
        "9a",
        "business",
        "1h",
        story("2026-06-08T18:00:00+02:00"),
        None,
        {"deadline": "2026-06-09T09:00:00+02:00"},
    ),
    (
        "9b",
        "business",
        "1h",
        story("2026-06-08T17:00:00+02:00"),
        None,
        {"deadline": "2026-06-08T18:00:00+02:00"},
    ),
    (
        "10",
        "closure",
        "2h",
        story("2026-12-23T17:00:00+01:00"),
        None,
        {"deadline": "2027-01-04T09:00:00+01:00"},
    ),
    ("11", "night", "5h", story("2026-06-05T21:00:00+02:00"), None, {"deadline": "2026-06-06T03:00:00+02:00"}),
    (
        "12",
        "montreal",
        "1h",
        story("2026-06-08T09:00:00+02:00"),
        None,
        {"deadline": "2026-06-08T09:00:00-04:00"},
    ),
]


@pytest.mark.parametrize(
    ("vector", "calendar", "target", "events", "at", "expected"), VECTORS, ids=lambda v: str(v)[:9]
)
def test_the_vectors_of_the_specification_hold_through_the_command(
    shell, vector, calendar, target, events, at, expected
):
    contract = PROMISED.replace("CALENDAR", calendar).replace("TARGET", target)

    status, out, err = shell.explains(contract, events, at or events[0]["at"], "--json")

    assert (status, err) == (0, "")
    clock = json.loads(out)["clocks"][-1]
    assert {name: clock[name] for name in expected} == expected


# -- what is printed


def test_the_examples_of_the_document_are_what_is_printed(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(HOUSE)

    for events, words, shown in EXAMPLES:
        (shell.folder / "events.json").write_text(events)
        status, out, _ = shell.types(*words.replace("events.json", str(shell.folder / "events.json")).split())
        assert status == 0
        assert shown in out
    assert len(EXAMPLES) == 3


def test_the_document_s_contract_is_whole(shell: Shell) -> None:
    (text,) = re.findall(r"```yaml\n(contract:.*?)```", DOCUMENT, re.DOTALL)
    (shell.folder / "acme.yml").write_text(text)

    assert shell.types("sla", "check", str(shell.folder)) == (
        0,
        "ACME-2026 of acme: calendars 1, agreements 2, versions 1\ncontracts: 1\n",
        "",
    )


def test_the_document_s_calendars_are_whole(shell: Shell) -> None:
    (text,) = re.findall(r"```yaml\n(calendars:.*?)```", DOCUMENT, re.DOTALL)
    contract = PROMISED.replace("CALENDAR", "always").replace("TARGET", "1h")
    begin, end = contract.index("calendars:"), contract.index("agreements:")
    (shell.folder / "acme.yml").write_text(contract[:begin] + text + contract[end:])
    (shell.folder / "holidays.ics").write_bytes(
        (HOUSE / "config" / "contracts" / "examples" / "england.ics").read_bytes()
    )

    assert shell.types("sla", "check", str(shell.folder))[0] == 0


def test_the_answer_has_the_fields_that_the_document_lists(shell: Shell) -> None:
    _, out, _ = shell.explains(CONTRACT, story_of_acme(), "2026-06-08T10:00:00+02:00", "--json")
    answer = json.loads(out)
    section = DOCUMENT[DOCUMENT.index("### The JSON answer") : DOCUMENT.index("### Worked examples")]
    listed = {name for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for name in row.split(", ")}

    fields = {f"`{name}`" for name in [*answer, *answer["clocks"][0]]}

    assert fields == listed


def story_of_acme():
    return [{"id": 1, "at": "2026-06-08T09:00:00+02:00", "kind": "created", "priority": 2, "item": "server"}]


def test_every_kind_of_event_stands_in_the_document(shell: Shell) -> None:
    section = DOCUMENT[DOCUMENT.index("### The events") : DOCUMENT.index("### The JSON answer")]
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|([^|]*)\|", section, re.MULTILINE)
    listed = {kind.strip("`"): fields for kinds, fields in rows for kind in kinds.split(", ")}

    assert {kind.value for kind in FIELDS} == listed.keys()
    for kind, (wanted, allowed) in FIELDS.items():
        must, _, may = listed[kind].partition(";")
        assert set(re.findall(r"\w+", must if wanted else "")) == set(wanted), kind
        assert set(re.findall(r"\w+", may or ("" if wanted else must))) == set(allowed), kind


def test_part_seconds_are_told(shell: Shell) -> None:
    _, out, _ = shell.explains(CONTRACT, story_of_acme(), "2026-06-08T09:00:01.500+02:00", "--json")

    clock = json.loads(out)["clocks"][0]
    assert (clock["elapsed_s"], clock["segments"][0]["to"]) == (1.5, "2026-06-08T09:00:01.500+02:00")


def test_what_files_say_does_no_harm_to_a_terminal(shell: Shell) -> None:
    contract = (
        CONTRACT.replace("contract: ACME-1", r'contract: "A\e[2J"')
        .replace("pause_reasons: {", r'pause_reasons: {"p\e[1m": client, ')
        .replace("{resolve: [awaiting_customer], up", r'{resolve: ["p\e[1m"], up')
    )
    paused = {"id": 2, "at": "2026-06-08T09:10:00+02:00", "kind": "paused", "reason": "p\x1b[1m"}

    status, out, _ = shell.explains(contract, [*story_of_acme(), paused], "2026-06-08T10:00:00+02:00")
    _, _, refused = shell.explains(
        contract, [*story_of_acme(), paused, {**paused, "id": 3}], "2026-06-08T10:00:00+02:00"
    )

    assert status == 0
    assert r"paused:p\u001b[1m" in out
    assert "\x1b" not in out + refused


def test_at_its_deadline_a_clock_has_nothing_left_and_is_not_over(shell: Shell) -> None:
    _, due, _ = shell.explains(CONTRACT, story_of_acme(), "2026-06-08T17:00:00+02:00")
    _, late, _ = shell.explains(CONTRACT, story_of_acme(), "2026-06-08T17:00:01+02:00")

    assert "  target 8h, elapsed 8h, 0s left\n" in due
    assert "  target 8h, elapsed 8h1s, 1s over\n" in late


def test_a_breach_is_an_answer_and_no_failure(shell: Shell) -> None:
    status, out, _ = shell.explains(CONTRACT, story_of_acme(), "2026-06-20T10:00:00+02:00")

    assert status == 0
    assert "resolve of sla gold with acme, priority 2: breached\n" in out


def test_a_ticket_without_a_promise_has_no_clock(shell: Shell) -> None:
    contract = CONTRACT.replace("    4: {ack: 0m}\n", "")
    events = [{**story_of_acme()[0], "priority": 4}]

    _, out, _ = shell.explains(contract, events, "2026-06-08T10:00:00+02:00")

    assert out.splitlines()[1:] == ["no clock: nothing is promised for this ticket's priority"]


# -- what is refused


@pytest.mark.parametrize(
    ("contract", "events", "at", "why"),
    [
        (
            CONTRACT.replace("zone:", "zome:"),
            [],
            "2026-06-08T10:00:00Z",
            "contract.yml:5: a contract has no field 'zome'",
        ),
        (CONTRACT, "{}", "2026-06-08T10:00:00Z", "events.json: the file has to be a list"),
        (CONTRACT, "[\n{]", "2026-06-08T10:00:00Z", "events.json: line 2: not JSON"),
        (CONTRACT, story_of_acme(), "2026-06-08T06:00:00Z", "nothing has happened yet"),
        (CONTRACT, story_of_acme() * 2, "2026-06-08T10:00:00Z", "event 1, created: its id stands twice"),
        (
            CONTRACT,
            [*story_of_acme(), {"id": 2, "at": "2026-06-08T09:00:00Z", "kind": "resumed"}],
            "2026-06-08T10:00:00Z",
            "event 2, resumed: the ticket is not paused: 'paused' comes before",
        ),
    ],
)
def test_what_cannot_be_taken_is_one_line_and_status_2(shell, contract, events, at, why):
    status, out, err = shell.explains(contract, events, at)

    assert (status, out, err.count("\n")) == (2, "", 1)
    assert why in err


@pytest.mark.parametrize("at", ["yesterday", "2026-06-08", "2026-06-08T10:00:00", "2300-01-01T00:00:00Z"])
def test_a_time_has_its_offset_and_a_calendar(shell: Shell, at: str) -> None:
    with pytest.raises(SystemExit) as refused:
        shell.explains(CONTRACT, story_of_acme(), at)

    assert refused.value.code == 2


def test_a_file_that_is_not_there_is_named(shell: Shell) -> None:
    status, _, err = shell.types("sla", "explain", "--contract", "gone.yml", "--events", "gone.json")

    assert (status, err) == (2, "tocsin-server: gone.yml:1: cannot be read (No such file or directory)\n")


def test_checking_tells_all_that_is_wrong(shell: Shell) -> None:
    (shell.folder / "a.yml").write_text(
        CONTRACT.replace("ack: 5m", "ack: soon").replace("1: {ack: 15m", "1: {ack: soon")
    )

    status, out, _ = shell.types("sla", "check", str(shell.folder / "a.yml"))

    assert status == 1
    assert [line.split(", ")[1].partition(":")[0] for line in out.splitlines()] == [
        "agreements/gold",
        "agreements/iron",
    ]


def test_examples_are_whole_and_not_in_force(shell: Shell) -> None:
    status, examples, _ = shell.types("sla", "check", str(HOUSE / "config" / "contracts" / "examples"))
    _, in_force, _ = shell.types("sla", "check", "--config", str(HOUSE / "config"))

    assert (status, examples.splitlines()[-1]) == (0, "contracts: 2")
    assert in_force == "contracts: 0\n"


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ("[]", "it has to be an object"),
        ('{"kind": "born"}', "'kind' has to be one of created, priority"),
        ('{"kind": ["created"]}', "'kind' has to be one of"),
        ('{"id": 1, "at": "2026-06-08T09:00:00Z", "kind": "created"}', "'priority': created needs it"),
        ('{"id": 1, "kind": "taken"}', "'at': taken needs it"),
        (
            '{"id": 1, "at": "2026-06-08T09:00:00Z", "kind": "taken", "who": "x"}',
            "'who': taken has no such field, only",
        ),
        (
            '{"id": "1", "at": "2026-06-08T09:00:00Z", "kind": "taken"}',
            "'id' has to be a whole number from 0 on, got '1'",
        ),
        ('{"id": true, "at": "2026-06-08T09:00:00Z", "kind": "taken"}', "'id' has to be a whole number"),
        ('{"id": -1, "at": "2026-06-08T09:00:00Z", "kind": "taken"}', "'id' has to be a whole number"),
        ('{"id": 1.0, "at": "2026-06-08T09:00:00Z", "kind": "taken"}', "'id' has to be a whole number"),
        ('{"id": 1, "at": "2026-06-08T09:00:00", "kind": "taken"}', "'at' has to be a moment such as"),
        ('{"id": 1, "at": "1969-06-08T09:00:00Z", "kind": "taken"}', "'at' has to be a moment such as"),
        ('{"id": 1, "at": "0001-01-01T00:00:00+23:59", "kind": "taken"}', "'at' has to be a moment such as"),
        ('{"id": 1, "at": 0, "kind": "taken"}', "'at' has to be a moment such as"),
        (
            '{"id": 1, "at": "2026-06-08T09:00:00Z", "kind": "solved", "by": "me"}',
            "'by' has to be one of technician",
        ),
        (
            '{"id": 1, "at": "2026-06-08T09:00:00Z", "kind": "comment", "by": "auto", "public": 1}',
            "has to be true or",
        ),
        (
            '{"id": 1, "at": "2026-06-08T09:00:00Z", "kind": "paused", "reason": ""}',
            "'reason' has to be a text of 1 to",
        ),
        ('{"id": 1, "id": 2}', "a key stands twice in ['id']"),
        ('{"id": NaN}', "NaN is no number"),
        ("9" * 5000, "not JSON that can be read"),
        ("[" * 5000, "not JSON"),
    ],
)
def test_an_event_is_read_strictly(event, why):
    with pytest.raises(BadEvent) as refused:
        read_events(f"[{event}]")

    assert why in str(refused.value)


# -- a ticket of the server's


@dataclass
class Desk:
    """A data folder in which Acme's ticket 1 and Globex's ticket 2 are, and Acme's contract."""

    shell: Shell
    data: Path
    config: Path

    def explains(self, *words: str) -> tuple[int, str, str]:
        return self.shell.types(
            "sla", "explain", "--data", str(self.data), "--config", str(self.config), *words
        )


@pytest.fixture
def desk(shell: Shell, empty_database: bytes, tmp_path: Path) -> Desk:
    """It was opened on a Tuesday at 23:13 in Paris, taken at 08:13, and waits for the customer since 09:13."""
    data, config = tmp_path / "data", tmp_path / "config"
    data.mkdir(mode=0o700)
    database(data).path.write_bytes(empty_database)
    (config / "contracts").mkdir(parents=True)
    (config / "contracts" / "acme.yml").write_text(contract_text("acme"))
    with Storage(database(data)) as storage:
        storage.write(World.people_and_places)
        world = World(storage)
        world.fire(severity="critical")
        world.fire(severity="critical", client_id=2)
        world.consume()
        world.move(seconds=9 * 3600)
        world.act(work.take, 1)
        world.move(seconds=3600)
        world.act(work.wait, 1, reason="customer")
    return Desk(shell, data, config)


def test_a_ticket_is_explained_as_files_are(desk: Desk) -> None:
    status, out, err = desk.explains("--ticket", "#1", "--at", "2023-11-15T10:00:00+01:00")

    assert (status, err) == (0, "")
    first, chosen, *_ = out.splitlines()
    assert first == "ACME-1 of acme, as it stands Wed 2023-11-15 10:00:00+01:00"
    assert re.fullmatch(
        r"chosen  Tue 2023-11-14 23:13:20\+01:00  item server  says sla_selection@\w+ row server", chosen
    )
    assert "ack of sla gold with acme, priority 1: met\n" in out
    assert "resolve of sla gold with acme, priority 1: paused:customer\n  target 4h, elapsed 1h13m20s" in out


def test_a_ticket_at_a_past_time_stands_as_it_stood(desk: Desk) -> None:
    _, out, _ = desk.explains("--ticket", "1", "--at", "2023-11-15T08:10:00+01:00", "--json")

    assert [(each["kind"], each["state"]) for each in json.loads(out)["clocks"]] == [
        ("ack", "running"),
        ("first_response", "running"),
        ("resolve", "running"),
    ]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--ticket", "2"), "ticket 2 has no clocks: there is no contract with globex"),
        (("--ticket", "9"), "there is no ticket 9"),
        (("--ticket", "1", "--at", "2023-11-14T22:00:00Z"), "nothing has happened yet"),
        (("--ticket", "1", "--events", "events.json"), "a ticket has its own events: leave out --events"),
        (("--contract", "contract.yml"), "the ticket's events are missing: name their file with --events"),
    ],
)
def test_a_ticket_that_has_no_clocks_is_one_line_that_says_why(
    desk: Desk, words: tuple[str, ...], why: str
) -> None:
    status, out, err = desk.explains(*words)

    assert (status, out) == (2, "")
    assert err.startswith(f"tocsin-server: {why}")
    assert err.count("\n") == 1


def test_a_contract_that_is_refused_explains_no_ticket(desk: Desk) -> None:
    (desk.config / "contracts" / "bad.yml").write_text("contract: \x1b[31mBAD")

    status, out, err = desk.explains("--ticket", "1")

    assert (status, out) == (2, "")
    assert "bad.yml:1: " in err
    assert "\x1b" not in err


def test_tables_are_told_the_hours_of_the_contract(desk: Desk) -> None:
    tables = desk.config / "decisions"
    shutil.copytree(HOUSE / "config" / "decisions", tables)
    (tables / "sla_selection.test.csv").unlink()
    (tables / "sla_selection.csv").write_text(
        "U,business_hours:bool,=> clocked:bool,=> item:string\nday,true,true,server\nnight,false,false,server\n"
    )

    with Storage(database(desk.data)) as storage:
        world = World(storage)
        world.fire(mountpoint="/srv")
        world.consume(tables=NO_TABLES)  # as an earlier version has opened it

    (told, _, _), (status, _, err) = (desk.explains("--ticket", number) for number in ("1", "3"))

    assert (told, status) == (0, 2)
    assert re.match(
        r"tocsin-server: ticket 3 has no clocks: not clocked, says sla_selection@\w+ row night", err
    )
