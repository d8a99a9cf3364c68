"""`query`: an expression over what the running server holds, printed as promtool prints it.

acme/atlas: node_load1{instance="atlas", job="node", site="berlin"} => 0.42 @[1764036900]
"""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from tocsin_protocol.api import MAX_ROWS, PREFIX, QueryAnswer, QueryRow
from tocsin_server.access.operator import read_pass
from tocsin_server.cli.asking import ask
from tocsin_server.cli.command import AT, Commands, Options, command, from_one

EXAMPLES = """\
examples:
  tocsin-server query 'node_load1 > 4'
  tocsin-server query 'rate(node_network_receive_bytes_total[5m])' --client acme
  tocsin-server query 'node_load1{instance="atlas"}' --at -5m
  tocsin-server query up --at 2026-11-25T02:15:00Z --json

Whoever reads the data folder may ask; nothing is changed. What rules look back on is answered as they see it,
what lies further back from what hosts have pushed, for as long as history keeps it (samples_days) and as much
at once as takes a second or so. The status is 1 where a client's part could not be evaluated.
"""


def add_commands(commands: Commands) -> None:
    """`query`."""
    asked = command(
        commands, "query", _query, "ask the running server what a PromQL expression gives", examples=EXAMPLES
    )
    asked.add_argument("expression", metavar="EXPR")
    asked.add_argument(
        AT,
        metavar="TIME",
        help="Unix seconds, 2026-11-25T02:15:00Z, or -5m for five minutes ago (default now)",
    )
    asked.add_argument("--client", metavar="SLUG", help="this client only")
    asked.add_argument("--limit", type=from_one, help=f"how many rows at most (up to {MAX_ROWS})")
    asked.add_argument(
        "--url", help="where the server listens (default: as it has written into its data folder)"
    )
    asked.add_argument("--json", action="store_true", help="the answer as JSON")


def columns(rows: Sequence[Sequence[str]], *, indent: str = "") -> Iterator[str]:
    """Rows of cells as lines, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield (indent + "  ".join(map(str.ljust, row, widths))).rstrip()


def _query(options: Options) -> int:
    asked = {
        "query": options.expression,
        "time": options.at,
        "client": options.client,
        "limit": options.limit,
    }
    answer = ask(options.data, read_pass(options.data), options.url, f"{PREFIX}/query", asked, QueryAnswer)
    if options.json:
        print(json.dumps(msgspec.to_builtins(answer), indent=2))
    else:
        print("".join(f"{line}\n" for line in lines(answer)), end="")
    for complaint in complaints(answer):
        print(f"tocsin-server: {complaint}", file=sys.stderr)
    return 1 if answer.failures else 0


def lines(answer: QueryAnswer) -> Iterator[str]:
    """A line a row."""
    at = f"{answer.at.timestamp():.3f}".rstrip("0").rstrip(".")
    for row in answer.rows:
        whose = row.client if row.host is None else f"{row.client}/{row.host}"
        yield f"{shown(whose)}: {series(row)} => {shown(row.value)} @[{at}]"


def series(row: QueryRow) -> str:
    """Name and labels, as PromQL writes them."""
    labels = dict(row.labels)
    name = shown(labels.pop("__name__", ""))
    pairs = ", ".join(f"{shown(label)}={quoted(value)}" for label, value in sorted(labels.items()))
    return f"{name}{{{pairs}}}" if pairs or not name else name


def complaints(answer: QueryAnswer) -> Iterator[str]:
    """What is missing in the answer, and why."""
    if not answer.rows and not answer.failures:
        yield "no rows"
    if len(answer.rows) < answer.total:
        yield (
            f"{len(answer.rows)} of {answer.total} rows are shown: narrow the expression, name a --client,"
            " or raise --limit"
        )
    for client, why in answer.failures.items():
        yield f"{shown(client)}: {shown(why)}"


def quoted(value: str) -> str:
    """A label's value in double quotes."""
    escaped = value.replace("\\", r"\\").replace('"', r"\"")
    return f'"{shown(escaped)}"'


def shown(text: str) -> str:
    """What comes from hosts, harmless to a terminal: what is not to be seen is written as an escape."""
    return "".join(_escapes(text))


def _escapes(text: Iterable[str]) -> Iterator[str]:
    for character in text:
        if character.isprintable():
            yield character
        else:
            yield json.dumps(character)[1:-1] if character != "\x7f" else r"\u007f"
