"""Files of tables: the lawful ones are read, and every other is refused at its line and column."""

import hashlib

import pytest

from tocsin_server.decisions.decider import Decider
from tocsin_server.decisions.domain import Numbers, Text, Words
from tocsin_server.decisions.sheet import MOST_BYTES, DecisionFileErrors
from tocsin_server.decisions.table import HitPolicy
from tocsin_server.decisions.tablefile import read_table

HEADER = "U,severity:enum(critical|warning),rule:string,=> team:string"
ROUTING = f"""\
{HEADER}
# disks first

disk,critical,"FilesystemFull, FilesystemFilling",servers
other,critical,"not(FilesystemFull, FilesystemFilling)","servers, at once"
fallback,-,-,servicedesk
"""


def table(text: str | bytes, file: str = "routing.csv") -> Decider:
    return read_table(file, text.encode() if isinstance(text, str) else text)


def complaints(text: str | bytes, file: str = "routing.csv") -> list[str]:
    with pytest.raises(DecisionFileErrors) as refused:
        table(text, file)
    return list(map(str, refused.value.errors))


def test_a_table_is_what_its_file_says() -> None:
    read = table(ROUTING).table

    assert (read.name, read.policy) == ("routing", HitPolicy.UNIQUE)
    assert dict(read.inputs) == {"severity": Words(("critical", "warning")), "rule": Text()}
    assert dict(read.outputs) == {"team": Text()}
    assert [(row.id, row.line, row.answer) for row in read.rows] == [
        ("disk", 4, ("servers",)),
        ("other", 5, ("servers, at once",)),
        ("fallback", 6, ("servicedesk",)),
    ]


def test_a_table_is_named_with_the_digest_of_its_bytes() -> None:
    first, second = table(ROUTING).table, table(ROUTING + "\n").table

    assert first.label == f"routing@{hashlib.sha256(ROUTING.encode()).hexdigest()[:12]}"
    assert first.label != second.label
    assert first.rows == second.rows


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + ROUTING.encode(),
        ROUTING.replace("\n", "\r\n").encode(),
        ROUTING.replace("# disks first", "# disks first,,,").replace("\n\n", "\n,,,\n").encode(),
        ROUTING.replace(",critical,", ' , "critical" ,').replace("=> team", "=>team").encode(),
    ],
    ids=["byte order mark", "CRLF", "as a spreadsheet saves it", "spaces and quotes"],
)
def test_how_a_file_was_saved_is_no_matter(content: bytes) -> None:
    assert table(content).table.rows == table(ROUTING).table.rows


def test_a_path_is_told_in_full_and_the_table_is_named_by_its_end() -> None:
    assert table(ROUTING, "/etc/tocsin/decisions/routing.csv").table.name == "routing"
    assert complaints("", "some/where/routing.csv")[0].startswith("some/where/routing.csv:1:file: ")


def test_numbers_bools_and_bounds_are_columns_too() -> None:
    read = table("F,n:integer(1..4),b:bool,=> x:number\na,<= 2,true,1\nb,-,-,2.5\n").table

    assert read.inputs[0].domain == Numbers(1, 4, whole=True)
    assert [row.answer for row in read.rows] == [(1,), (2.5,)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "routing.csv:1:file: empty: the first line is a header"),
        (b"U,a:bool,=> b:bool\n\n\xff", "routing.csv:3:file: not UTF-8"),
        (b"x" * (MOST_BYTES + 1), "routing.csv:1:file: larger than 1024 KiB"),
        ('U,a:bool,=> b:bool\nx,"true,true', "routing.csv:2:file: not CSV"),
        ('U,a:bool,=> b:bool\nx,"true"y,true', "routing.csv:2:file: not CSV"),
        ("U,a:bool,=> b:bool\nx,tr\0ue,true", "routing.csv:2:"),
        ("U,a:bool,=> b:bool\nx,\x1b[31m,true", "routing.csv:2:column 2: a cell holds U+001B"),
        ("U,a:bool,=> b:string\nx,-,safe\u202eevil", "routing.csv:2:column 3: a cell holds U+202E"),
        ('U,a:bool,=> b:bool\nx,"tr\nue",true', "routing.csv:2:column 2: a cell holds U+000A"),
        (
            "U,a:string,=> b:bool\nx," + "y" * 2001 + ",true",
            "routing.csv:2:column 2: more than 2000 characters",
        ),
        ("U," + "a:bool," * 64 + "=> b:bool", "routing.csv:1:file: more than 64 columns"),
        ("U,a:bool,=> b:bool\n" + "x,-,true\n" * 1001, "routing.csv:1001:file: more than 1000 lines"),
        ("U,a:bool,=> b:bool\nx,true", "routing.csv:2:file: 2 cells under a header of 3: a list is one cell"),
        ("U;a:bool;=> b:bool\nx;true;true", "routing.csv:1:hit policy: cells are parted by semicolons"),
        (
            "R,a:bool,=> b:bool\nx,-,true",
            "routing.csv:1:hit policy: 'R' is no hit policy: there are U (one row)",
        ),
        ("u,a:bool,=> b:bool\nx,-,true", "routing.csv:1:hit policy: 'u' is no hit policy"),
        ("C#,a:bool,=> b:bool\nx,-,true", "routing.csv:1:hit policy: 'C#' is no hit policy"),
        ("U,a,=> b:bool\nx,-,true", "routing.csv:1:column 2: 'a' is no column: write name:type"),
        ("U,A:bool,=> b:bool\nx,-,true", "routing.csv:1:column 2: 'A' is no name"),
        ("U,a:boole,=> b:bool\nx,-,true", "routing.csv:1:a: 'boole' is no type"),
        ("U,a:bool,a:bool,=> b:bool\nx,-,-,true", "routing.csv:1:a: stands twice in the header"),
        ("U,a:bool,=> a:bool\nx,-,true", "routing.csv:1:a: stands twice in the header"),
        ("U,a:bool,=> b:bool,c:bool\nx,-,true,-", "routing.csv:1:c: an input after an output"),
        ("U,=> b:bool\nx,true", "routing.csv:1:hit policy: the header has no input:type"),
        ("U,a:bool\nx,true", "routing.csv:1:hit policy: the header has no => output:type"),
        ("C+,a:bool,=> b:string\nx,-,y", "routing.csv:1:b: C+ wants outputs that are numbers, not string"),
        ("U,a:bool,=> b:bool\n", "routing.csv:1:hit policy: there is no row below the header"),
        (
            f"{HEADER}\nx,critcal,-,y",
            "routing.csv:2:severity: 'critcal' is not of enum(critical|warning); did you",
        ),
        (f"{HEADER}\nx,,-,y", "routing.csv:2:severity: the cell is empty"),
        (f"{HEADER}\nx,-,-,", "routing.csv:2:team: '' is no text"),
        (f"{HEADER}\nx,-,-,-", "routing.csv:2:team: '-' is no text"),
        (f"{HEADER}\n,-,-,y", "routing.csv:2:id: '' is no id"),
        (f"{HEADER}\na b,-,-,y", "routing.csv:2:id: 'a b' is no id"),
        (f"{HEADER}\nx,-,-,y\nx,-,-,y", "routing.csv:3:id: 'x' is the id of line 2 too"),
        (f"{HEADER}\nfallback,-,-,y\nx,critical,-,y", "routing.csv:2:id: 'fallback' is the last row"),
        (f"{HEADER}\nfallback,critical,-,y", "routing.csv:2:id: 'fallback' is the last row"),
        (f"{HEADER}\nx,critical,-,y", "routing.csv:1:hit policy: no row applies to severity=warning: add one"),
        (
            f"{HEADER}\nx,-,Full,y\nz,warning,-,y\nfallback,-,-,y",
            "routing.csv:3:id: 'z' and 'x' (line 2) both apply to severity=warning, rule=Full: narrow one",
        ),
        (f"{HEADER}\nx,-,-,y\nz,-,-,y", "routing.csv:3:id: 'z' and 'x' (line 2) both apply to everything"),
        (
            f"A{HEADER[1:]}\nx,-,Full,y\nz,warning,-,n\nfallback,-,-,y",
            "routing.csv:3:id: 'z' and 'x' (line 2) both apply to severity=warning, rule=Full and answer diff",
        ),
        (
            f"F{HEADER[1:]}\nx,critical,-,y\nw,warning,-,y\nz,-,Full,y",
            "routing.csv:4:id: 'z' never decides: all its cases are taken by 'x', 'w'; move or delete it",
        ),
        (
            f"{HEADER}\nx,critical,-,y\nw,warning,-,y\nfallback,-,-,y",
            "routing.csv:4:id: 'fallback' never decides: all its cases are taken by 'x', 'w'; move or delete",
        ),
        (
            f'{HEADER}\nx,"not(critical, warning)",-,y\nfallback,-,-,y',
            "routing.csv:2:id: 'x' never applies: its cells hold for no value",
        ),
    ],
)
def test_what_is_wrong_is_told_at_its_line_and_column(text: str | bytes, said: str) -> None:
    assert complaints(text)[0].startswith(said)


@pytest.mark.parametrize("file", ["Routing.csv", "rou ting.csv", ".csv", "routing.txt", "1.csv"])
def test_a_file_is_called_as_a_table_can_be(file: str) -> None:
    assert complaints(ROUTING, file)[0].startswith(f"{file}:1:file: ")


def test_all_that_is_wrong_in_cells_is_told_at_once() -> None:
    told = complaints(f"{HEADER}\na,critcal,-,x\nb,-,f(x),-\na,-,-,x\n")

    assert [line.split(": ")[0] for line in told] == [
        "routing.csv:2:severity",
        "routing.csv:3:rule",
        "routing.csv:3:team",
        "routing.csv:4:id",
    ]


@pytest.mark.parametrize(
    ("column", "cells", "told"),
    [
        ("integer", ["<= 0", ">= 3"], "n=1"),
        ("integer", ["<= 0", ">= 2"], "n=1"),
        ("integer", ["<= 0", ">= 1"], ""),
        ("number", ["<= 0", ">= 1"], "n=0.5"),
        ("number", ["< 0", "> 0"], "n=0"),
        ("integer(1..4)", ["[1..2]", "[3..4]"], ""),
        ("integer(1..4)", ["[2..4]"], "n=1"),
        ("integer(1..4)", ["[1..2]"], "n=4"),
        ("number(0..1)", ["]0..1]"], "n=0"),
        ("number", [">= -3"], "n=-4"),
        ("number", ["<= 3"], "n=4"),
        ("string", ["not(x)"], "n=x"),
        ("string", ["x"], "n=anything else"),
        ("string", ["anything else"], "n=anything else."),
    ],
)
def test_a_gap_is_told_by_a_value_that_lies_in_it(column: str, cells: list[str], told: str) -> None:
    text = "\n".join([f"U,n:{column},=> x:bool", *(f'r{n},"{cell}",true' for n, cell in enumerate(cells))])

    if told:
        assert f"no row applies to {told}:" in complaints(text)[0]
    else:
        assert table(text)


def test_many_columns_of_few_words_are_looked_at_in_full() -> None:
    columns = 40
    header = ",".join(["F", *(f"c{n}:enum(a|b|c)" for n in range(columns)), "=> x:bool"])
    rows = [f"r{n}," + ",".join("a" if n == m else "-" for m in range(columns)) + ",true" for n in range(3)]

    assert len(complaints("\n".join([header, *rows]))) == 1
    assert table("\n".join([header, *rows, "fallback," + "-," * columns + "true"]))


def test_a_table_with_more_cases_than_can_be_told_apart_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin_server.decisions.analysis.MOST_STEPS", 1000)
    columns = 11
    header = ",".join(["C", *(f"c{n}:bool" for n in range(columns)), "=> x:bool"])
    rows = [
        f"r{n}," + ",".join("true" if n == m else "-" for m in range(columns)) + ",true" for n in range(columns)
    ]

    (told,) = complaints("\n".join([header, *rows]))

    assert told == "routing.csv:1:hit policy: more than 1,000 cases have to be told apart: split the table"


def test_a_table_with_more_values_than_can_be_looked_at_is_refused() -> None:
    rows = [f'r{n},"{",".join(str(1000 * n + m) for m in range(40))}",true' for n in range(120)]

    (told,) = complaints("\n".join(["U,n:number,=> x:bool", *rows]))

    assert told.startswith("routing.csv:1:hit policy: its cells hold too many different values")
