"""`query` asks the running server with its pass, prints as promtool does, and says in a line why it cannot."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_protocol.problems import Problem
from tocsin_protocol.query import QueryAnswer, QueryLine, QueryRow, RangeAnswer
from tocsin_server import cli
from tocsin_server.access.operator import issue_pass
from tocsin_server.cli.asking import checked
from tocsin_server.cli.command import with_time_in_one_word
from tocsin_server.cli.query import quoted, series, shown
from tocsin_server.clock import moment
from tocsin_server.errors import Misconfigured
from tocsin_server.estate.identity import open_identity

LOAD = QueryRow(
    client="acme", host="atlas", labels={"__name__": "node_load1", "job": "node", "a": "1"}, value="0.42"
)
SUM = QueryRow(client="acme", host=None, labels={"job": "node"}, value="NaN")
BARE = QueryRow(client="globex", host=None, labels={}, value="2")


def answer(*rows: QueryRow, total: int | None = None, **failures: str) -> QueryAnswer:
    return QueryAnswer(
        at=moment(1_700_000_000_500),
        rows=[*rows],
        total=len(rows) if total is None else total,
        failures=failures,
    )


@dataclass
class Server:
    """Answers every question alike, and remembers what it was asked."""

    status: int = 200
    body: bytes = b""
    asked: list[dict[str, str]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def says(self, said: QueryAnswer | RangeAnswer | Problem) -> None:
        self.status = said.status if isinstance(said, Problem) else 200
        self.body = msgspec.json.encode(said)

    def serve(self, context: ssl.SSLContext | None = None) -> ThreadingHTTPServer:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                server.paths.append(parts.path)
                server.asked.append({name: value for name, (value,) in parse_qs(parts.query).items()})
                server.tokens.append(self.headers["authorization"])
                self.send_response(server.status)
                self.end_headers()
                self.wfile.write(server.body)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context is not None:
            made.socket = context.wrap_socket(made.socket, server_side=True)
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        return made


@dataclass
class Operator:
    """Somebody at a shell beside a server."""

    data: Path
    server: Server
    capsys: pytest.CaptureFixture[str]
    token: str

    def asks(self, *words: str) -> tuple[int, str, str]:
        status = cli.main(["query", *words, "--data", str(self.data)])
        return status, *self.capsys.readouterr()

    def fails(self, *words: str) -> str:
        status, out, err = self.asks(*words)
        assert (status, out, err.count("\n")) == (2, "", 1)
        return err


@pytest.fixture
def operator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Operator]:
    server = Server()
    server.says(answer(LOAD))
    with server.serve() as http:
        held = issue_pass(tmp_path, f"http://127.0.0.1:{http.server_address[1]}")
        yield Operator(tmp_path, server, capsys, held.token)
        http.shutdown()


# -- what is asked and printed


def test_rows_are_printed_as_promtool_does_behind_whose_they_are(operator: Operator) -> None:
    operator.server.says(answer(LOAD, SUM, BARE))

    status, out, err = operator.asks("node_load1")

    assert (status, err) == (0, "")
    assert out.splitlines() == [
        'acme/atlas: node_load1{a="1", job="node"} => 0.42 @[1700000000.5]',
        'acme: {job="node"} => NaN @[1700000000.5]',
        "globex: {} => 2 @[1700000000.5]",
    ]
    assert operator.server.tokens == [f"Bearer {operator.token}"]


def test_what_is_typed_is_what_is_asked(operator: Operator) -> None:
    operator.asks("up{a=~'b+ &'} == 1")
    operator.asks("up", "--at", "-5m", "--client", "acme", "--limit", "7")
    operator.asks("--at", "2026-11-25T02:15:00+01:00", "up")

    assert operator.server.asked == [
        {"query": "up{a=~'b+ &'} == 1"},
        {"query": "up", "time": "-5m", "client": "acme", "limit": "7"},
        {"query": "up", "time": "2026-11-25T02:15:00+01:00"},
    ]


def test_as_json_it_is_the_servers_answer(operator: Operator) -> None:
    _, out, _ = operator.asks("up", "--json")

    assert msgspec.convert(json.loads(out), QueryAnswer) == answer(LOAD)


def test_a_time_is_asked_in_steps_and_printed_as_promtool_does(operator: Operator) -> None:
    line = QueryLine(client="acme", host="atlas", labels={"__name__": "up"}, values=["1", None, "0"])
    operator.server.says(RangeAnswer(start=moment(1_700_000_000_000), step_s=60, lines=[line], total=2))

    status, out, err = operator.asks("up", "--at", "1700000120", "--last", "2m", "--step", "1m", "--limit", "1")

    assert (status, out) == (0, "acme/atlas: up =>\n1 @[1700000000]\n0 @[1700000120]\n")
    assert err.startswith("tocsin-server: 1 of 2 rows are shown")
    assert operator.server.paths == ["/api/v1/query_range"]
    assert operator.server.asked == [
        {"query": "up", "start": "1700000000.0", "end": "1700000120.0", "step": "60.0", "limit": "1"}
    ]


def test_a_time_has_sixty_steps_where_nothing_is_said_of_them(operator: Operator) -> None:
    operator.server.says(RangeAnswer(start=moment(0), step_s=60, lines=[], total=0))

    operator.asks("up", "--last", "6h")
    operator.asks("up", "--last", "30s", "--json")

    assert [asked["step"] for asked in operator.server.asked] == ["360.0", "1.0"]


def test_an_answer_without_rows_says_so_beside_its_output(operator: Operator) -> None:
    operator.server.says(answer())

    assert operator.asks("up") == (0, "", "tocsin-server: no rows\n")


def test_an_answer_that_was_cut_says_what_is_missing(operator: Operator) -> None:
    operator.server.says(answer(LOAD, total=1234))

    status, out, err = operator.asks("up")

    assert (status, out.count("\n")) == (0, 1)
    assert err.startswith("tocsin-server: 1 of 1234 rows are shown: narrow the expression")


def test_a_part_that_failed_is_told_and_is_the_commands_status(operator: Operator) -> None:
    operator.server.says(answer(LOAD, globex="found duplicate series"))

    status, out, err = operator.asks("up")

    assert (status, out.count("\n")) == (1, 1)
    assert err == "tocsin-server: globex: found duplicate series\n"


HOSTILE = "\x1b[2J\x07\u202e\x9b31m\n\r\x7f"


def test_what_hosts_send_does_not_reach_the_terminal_as_it_is(operator: Operator) -> None:
    row = QueryRow(client="acme", host="atlas", labels={"__name__": "a", "b": HOSTILE}, value="1")
    operator.server.says(answer(row, globex=HOSTILE))

    for words in ("up",), ("up", "--json"):
        _, out, err = operator.asks(*words)
        assert all(character.isprintable() or character == "\n" for character in out + err)

    operator.server.says(Problem(title="No", status=422, detail=HOSTILE, remedy=HOSTILE))
    assert operator.fails("up").removesuffix("\n").isprintable()


@given(st.text())
def test_a_labels_value_is_one_printable_word_in_quotes(value: str) -> None:
    assert shown(value).isprintable()
    assert quoted(value).isprintable()
    inner = quoted(value)[1:-1]
    assert inner.replace("\\\\", "").replace('\\"', "").count('"') == 0


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3))
def test_every_set_of_labels_is_one_line(labels: dict[str, str]) -> None:
    assert series(QueryRow(client="a", host=None, labels=labels, value="1")).isprintable()


@pytest.mark.parametrize(
    ("words", "joined"),
    [
        (["query", "up", "--at", "-5m"], ["query", "up", "--at=-5m"]),
        (["--at", "-5m", "--json"], ["--at=-5m", "--json"]),
        (["--at", "--json"], ["--at", "--json"]),
        (["--at", "now"], ["--at", "now"]),
        (["-5m", "--at"], ["-5m", "--at"]),
        ([], []),
    ],
)
def test_a_time_ago_is_no_option(words: list[str], joined: list[str]) -> None:
    assert with_time_in_one_word(words) == joined


# -- why it cannot


def test_a_server_that_does_not_run_is_one_line_with_the_remedy(operator: Operator) -> None:
    said = operator.fails("up", "--url", "http://127.0.0.1:1")

    assert "no server answers at http://127.0.0.1:1 (Connection refused)" in said
    assert f"start it (tocsin-server run --data {operator.data}), or say with --url where it listens" in said


def test_a_folder_without_a_pass_is_one_line_with_the_remedy(tmp_path: Path, operator: Operator) -> None:
    operator.data = tmp_path / "other"

    assert f"no server has run on {operator.data}" in operator.fails("up")


def test_what_the_server_has_against_it_is_told_in_its_words(operator: Operator) -> None:
    operator.server.says(Problem(title="No", status=422, detail="'x' is no time", remedy="write -5m"))

    assert operator.fails("up") == "tocsin-server: 'x' is no time: write -5m\n"


def test_a_server_of_another_folder_is_told_from_a_mistake(operator: Operator) -> None:
    operator.server.says(Problem(title="Unauthorized", status=401, detail="nobody is signed in"))

    assert f"is not the one that runs on {operator.data}: name its folder with --data" in operator.fails("up")


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>"), (404, b"nothing"), (200, b'{"rows": 1}')])
def test_what_is_no_tocsin_server_is_said(operator: Operator, status: int, body: bytes) -> None:
    operator.server.status, operator.server.body = status, body

    assert f"what answers there is no tocsin server ({status})" in operator.fails("up")


@pytest.mark.parametrize(
    "url",
    ["http://desk.example.org:8443", "ftp://127.0.0.1", "127.0.0.1:8443", "http://[::1", "http://a:b", ""],
)
def test_the_pass_goes_nowhere_in_the_clear_and_to_no_address_that_is_none(url: str) -> None:
    with pytest.raises(Misconfigured):
        checked(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost", "https://a.example"]
)
def test_this_machine_is_asked_in_the_clear_and_others_by_tls(url: str) -> None:
    assert checked(url).geturl() == url


# -- over TLS


def context_of(folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(open_identity(folder).cert_path)
    return context


@pytest.fixture
def listening(operator: Operator) -> Iterator[Callable[[Path], str]]:
    """Listens with the certificate of a folder; the URL."""
    opened: list[ThreadingHTTPServer] = []

    def listen(folder: Path) -> str:
        opened.append(operator.server.serve(context_of(folder)))
        return f"https://127.0.0.1:{opened[-1].server_address[1]}"

    yield listen
    for http in opened:
        http.shutdown()
        http.server_close()


def test_the_certificate_of_the_folder_is_trusted(operator: Operator, listening: Callable[[Path], str]) -> None:
    assert operator.asks("up", "--url", listening(operator.data))[0] == 0


def test_who_shows_another_certificate_is_not_told_the_pass(
    operator: Operator, listening: Callable[[Path], str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    url = listening(tmp_path_factory.mktemp("other"))

    assert f"{url} shows another certificate than the server of {operator.data} has" in (
        operator.fails("up", "--url", url)
    )
    assert operator.server.tokens == []
