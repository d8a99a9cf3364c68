"""Decisions a second out of a routing table of 25 rows, beside GoRules' zen-engine on the same rows in one run.

Run: `python -m bench decisions`. zen-engine is no dependency of ours: `pip install --target FOLDER zen-engine`,
then `PYTHONPATH=FOLDER`; without it ours runs alone. Both hold the table compiled and decide tickets drawn at
random, one call each, by turns; that they decide alike is checked. Zen's table is made of ours, cell by cell.
"""

import json
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from itertools import product
from typing import Any

from tocsin_server.decisions.cell import Cell
from tocsin_server.decisions.decider import Decider
from tocsin_server.decisions.tablefile import read_table

ROUNDS = 9
TICKETS = 20_000
PEERS_TICKETS = 2_000
"""A round of the peer's would take long with as many as ours."""
BUDGET = 50_000
HEADER = (
    "F,severity:enum(critical|warning|info),tier:enum(gold|silver|bronze),category:string,age:number,"
    "business_hours:bool,=> priority:enum(P1|P2|P3|P4),=> queue:string,=> ack_minutes:number"
)
SEVERITIES, TIERS = ("critical", "warning", "info"), ("gold", "silver", "bronze")
CATEGORIES = ("disk", "memory", "cpu", "network", "link", "backup", "printer", "database", "mail")
KINDS = (('"disk, memory, cpu"', "servers"), ('"network, link"', "network"))

Ticket = Mapping[str, Any]


def routing() -> bytes:
    """Severity by tier for two kinds of trouble, the worst of it by day and by age, and what is left."""
    rows = ["night,critical,gold,-,-,false,P1,duty,5", 'old,"critical, warning",-,-,> 240,-,P1,lead,5']
    for (severity, tier), (kind, queue) in product(product(SEVERITIES, TIERS), KINDS):
        weight = SEVERITIES.index(severity) + TIERS.index(tier)
        answer = f"P{min(4, 1 + weight)},{queue},{15 << weight}"
        rows.append(f"{severity}-{tier}-{queue},{severity},{tier},{kind},-,-,{answer}")
    rows += [
        "backup,not(info),-,backup,[0..60),-,P3,backup,120",
        "late-backup,not(info),-,backup,-,-,P2,backup,60",
    ]
    rows += ["gold,critical,gold,-,-,-,P1,triage,15", "silver,critical,silver,-,-,-,P2,triage,30"]
    return "\n".join([HEADER, *rows, "fallback,-,-,-,-,-,P4,triage,1440"]).encode()


def tickets(count: int) -> list[Ticket]:
    chance = random.Random(1)
    return [
        {
            "severity": chance.choice(SEVERITIES),
            "tier": chance.choice(TIERS),
            "category": chance.choice(CATEGORIES),
            "age": chance.randrange(480),
            "business_hours": chance.random() < 0.5,
        }
        for _ in range(count)
    ]


def zen_cell(cell: Cell) -> str:
    """Zen's unary test; it has no `not(...)` for words, so the words that are left are named."""
    if cell.is_any:
        return ""
    if cell.ranges:
        return cell.text
    values = set(SEVERITIES) - cell.values if cell.negated else cell.values
    return ", ".join(json.dumps(value) for value in sorted(values, key=str))


def zen_table(decider: Decider) -> str:
    """Our table as Zen's graph of three nodes."""
    table = decider.table
    columns = {
        way: [{"id": column.name, "name": column.name, "field": column.name} for column in side]
        for way, side in (("inputs", table.inputs), ("outputs", table.outputs))
    }
    rules = [
        {
            "_id": row.id,
            **{column.name: zen_cell(cell) for column, cell in zip(table.inputs, row.cells, strict=True)},
            **{column.name: json.dumps(value) for column, value in zip(table.outputs, row.answer, strict=True)},
        }
        for row in table.rows
    ]
    content = {"hitPolicy": "first", **columns, "rules": rules}
    nodes = [
        {"id": "in", "name": "in", "type": "inputNode"},
        {"id": "table", "name": "table", "type": "decisionTableNode", "content": content},
        {"id": "out", "name": "out", "type": "outputNode"},
    ]
    edges = [
        {"id": f"{source}-{target}", "sourceId": source, "targetId": target, "type": "edge"}
        for source, target in (("in", "table"), ("table", "out"))
    ]
    return json.dumps({"nodes": nodes, "edges": edges})


def zen(decider: Decider) -> Callable[[Ticket], Mapping[str, Any]] | None:
    """Zen on our table; None where it is not installed."""
    if find_spec("zen") is None:
        return None
    import zen as engine  # noqa: PLC0415 - a peer that may be absent

    decision = engine.ZenEngine().create_decision(zen_table(decider))
    return lambda ticket: decision.evaluate(ticket)["result"]


def rate(decide: Callable[[Ticket], object], asked: Sequence[Ticket]) -> float:
    """Decisions a second."""
    began = time.perf_counter()
    for ticket in asked:
        decide(ticket)
    return len(asked) / (time.perf_counter() - began)


def main() -> None:
    content, asked = routing(), tickets(TICKETS)
    began = time.perf_counter()
    decider = read_table("routing.csv", content)
    read_ms = 1000 * (time.perf_counter() - began)
    print(f"{len(decider.table.rows)} rows, {len(decider.table.inputs)} inputs, read in {read_ms:.1f} ms")
    peer = zen(decider)
    if peer is None:
        print("zen-engine is not here: pip install --target FOLDER zen-engine, then PYTHONPATH=FOLDER")
    else:
        for ticket in asked[:PEERS_TICKETS]:
            mine, other = dict(decider.decide(ticket).outputs), peer(ticket)
            assert mine == other, f"{ticket}: {mine}, zen {other}"
    took = [
        (rate(decider.decide, asked), rate(peer, asked[:PEERS_TICKETS]) if peer else 0.0) for _ in range(ROUNDS)
    ]
    ours, theirs = (statistics.median(side) for side in zip(*took, strict=True))
    print(f"{'':<24} {'tocsin':>10} {'zen':>10} {'ratio':>7} {'budget':>8}")
    ratio = f"{ours / theirs:.1f}" if theirs else "-"
    print(f"{'decisions a second':<24} {ours:>10,.0f} {theirs:>10,.0f} {ratio:>7} {BUDGET:>8,}")


if __name__ == "__main__":
    main()
