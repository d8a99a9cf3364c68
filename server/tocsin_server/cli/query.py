"""`query`: an expression over what the running server holds, printed as promtool prints it.

acme/atlas: node_load1{instance="atlas", job="node", site="berlin"} => 0.42 @[1764036900]
"""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from tocsin_protocol.api import PREFIX
from tocsin_protocol.query import MAX_ROWS, QueryAnswer, QueryLine, QueryRow, RangeAnswer
from tocsin_server.access.operator import read_pass
from tocsin_server.cli.asking import ask
from tocsin_server.cli.command import AT, Commands, Options, command, duration_ms, from_one
from tocsin_server.clock import SystemClock
from tocsin_server.http.moments import moment_ms

STEPS = 60
EXAMPLES = """\
examples:
  tocsin-server query 'node_load1 > 4'
  tocsin-server query 'rate(node_network_receive_bytes_total[5m])' --client acme
  tocsin-server query 'node_load1{instance="atlas"}' --at -5m
  tocsin-server query up --at 2026-11-25T02:15:00Z --json
  tocsin-server query 'avg_over_time(node_load1[1h])' --client acme --last 7d --step 1h

Whoever reads the data folder may ask; nothing is changed. What rules look back on is answered as they see it,
what lies further back from what hosts have pushed, for as long as history keeps it (samples_days) and as much
at once as takes a second or so. The status is 1 where a client's part could not be evaluated.
"""


def add_commands(commands: Commands) -> None:
    """`query`."""
    asked = command(commands, "query", _query, examples=EXAMPLES)
    asked.add_argument("expression", metavar="EXPR")
    asked.add_argument(
        AT,
        metavar="TIME",
        help="Unix seconds, 2026-11-25T02:15:00Z, or -5m for five minutes ago (default now)",
    )
    asked.add_argument(
        "--last", type=duration_ms, metavar="TIME", help="each step of this time up to then, such as 6h"
    )
    asked.add_argument(
        "--step", type=duration_ms, metavar="TIME", help=f"how long a step is (default: {STEPS} steps)"
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
    return _instant(options) if options.last is None else _range(options, SystemClock().now_ms())


def _instant(options: Options) -> int:
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


def _range(options: Options, now_ms: int) -> int:
    end_ms = now_ms if options.at is None else moment_ms(options.at, now_ms)
    asked = {
        "query": options.expression,
        "start": (end_ms - options.last) / 1000,
        "end": end_ms / 1000,
        "step": (options.step or max(1000, options.last // STEPS // 1000 * 1000)) / 1000,
        "client": options.client,
        "limit": options.limit,
    }
    path = f"{PREFIX}/query_range"
    answer = ask(options.data, read_pass(options.data), options.url, path, asked, RangeAnswer)
    if options.json:
        print(json.dumps(msgspec.to_builtins(answer), indent=2))
    else:
        print("".join(f"{line}\n" for line in range_lines(answer)), end="")
    if len(answer.lines) < answer.total or not answer.lines:
        print(f"tocsin-server: {_cut(len(answer.lines), answer.total)}", file=sys.stderr)
    return 0


def range_lines(answer: RangeAnswer) -> Iterator[str]:
    """A row's name, and below it a line a step that has a value."""
    for row in answer.lines:
        yield f"{_owned(row)} =>"
        for step, value in enumerate(row.values):
            if value is not None:
                yield f"{shown(value)} @[{_seconds(answer.start.timestamp() + step * answer.step_s)}]"


def lines(answer: QueryAnswer) -> Iterator[str]:
    """A line a row."""
    at = _seconds(answer.at.timestamp())
    for row in answer.rows:
        yield f"{_owned(row)} => {shown(row.value)} @[{at}]"


def _owned(row: QueryRow | QueryLine) -> str:
    whose = row.client if row.host is None else f"{row.client}/{row.host}"
    return f"{shown(whose)}: {series(row)}"


def _seconds(at_s: float) -> str:
    return f"{at_s:.3f}".rstrip("0").rstrip(".")


def series(row: QueryRow | QueryLine) -> str:
    """Name and labels, as PromQL writes them."""
    labels = dict(row.labels)
    name = shown(labels.pop("__name__", ""))
    pairs = ", ".join(f"{shown(label)}={quoted(value)}" for label, value in sorted(labels.items()))
    return f"{name}{{{pairs}}}" if pairs or not name else name


def complaints(answer: QueryAnswer) -> Iterator[str]:
    """What is missing in the answer, and why."""
    if len(answer.rows) < answer.total or not (answer.rows or answer.failures):
        yield _cut(len(answer.rows), answer.total)
    for client, why in answer.failures.items():
        yield f"{shown(client)}: {shown(why)}"


def _cut(shown_rows: int, total: int) -> str:
    if not total:
        return "no rows"
    return f"{shown_rows} of {total} rows are shown: narrow the expression, name a --client, or raise --limit"


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
