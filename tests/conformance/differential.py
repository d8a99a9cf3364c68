"""Random series and expressions put to tocsin and to Debian's promtool 2.42, which has to find the same.

`python -m tests.conformance.differential [--count N] [--seed S] FILE…` takes expressions from rule files. Each
is asked of series made for its selectors, off the grid of samples, because Prometheus 2 counted the sample at
the very beginning of a range and 3 does not; rates are worked out in the order of 2 (`Query.is_old`).
"""

import argparse
import ast
import json
import math
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from tocsin_server.promql import BadExpression, Expression, evaluate, parse
from tocsin_server.promql.evaluation import Query
from tocsin_server.promql.spelling import quoted
from tocsin_server.promql.syntax import Aggregate, Binary, Selector, walk
from tocsin_server.series.arrays import stale
from tocsin_server.series.fixed import FixedSource
from tocsin_server.series.labels import NAME
from tocsin_server.series.matchers import Matcher, MatchKind

INTERVAL_MS = 15_000
SAMPLES = 64
ASKED_MS = (7 * 60 + 7) * 1000, (15 * 60 + 7) * 1000
CLOSE = 1e-9
NEW_SINCE = ("double_exponential_smoothing", "mad_over_time", "sort_by_label", "ts_of_", "first_over_time")
"""What promtool 2.42 does not know."""

Labels = dict[str, str]
Rows = dict[tuple[tuple[str, str], ...], float]


@dataclass(frozen=True)
class Track:
    """One series: None is a gap, NaN with the stale bits a stale marker."""

    labels: Labels
    values: list[float | None]

    def notation(self) -> str:
        return " ".join(map(_word, self.values))


@dataclass(frozen=True)
class Trial:
    """An expression, its world, and the moment."""

    expression: Expression
    world: Sequence[Track]
    at_ms: int


STALE = float(stale(1)[0])


def _word(value: float | None) -> str:
    if value is None:
        return "_"
    if math.isnan(value):
        return "stale"
    return repr(value)


def expressions(paths: Sequence[Path]) -> list[Expression]:
    """The expressions of rule files that tocsin takes and promtool 2.42 knows."""
    texts = dict.fromkeys(text for path in paths for text in _texts(yaml.safe_load(path.read_text())))
    return [read for text in texts if (read := _read(text)) is not None]


def _texts(document: object) -> Iterator[str]:
    groups = (document or {}).get("groups") or []
    return (str(rule["expr"]) for group in groups for rule in group.get("rules") or [])


def _read(text: str) -> Expression | None:
    if any(word in text for word in NEW_SINCE):
        return None
    try:
        return parse(text)
    except BadExpression:
        return None


def trials(found: Sequence[Expression], count: int, seed: int) -> Iterator[Trial]:
    """As many as asked for, the same for the same seed."""
    chance = random.Random(seed)
    for _ in range(count):
        expression = chance.choice(found)
        yield Trial(expression, _world(expression, chance), chance.choice(ASKED_MS))


def _world(expression: Expression, chance: random.Random) -> list[Track]:
    """Series for every selector, under labels that its own matchers and the expression's groupings name."""
    nodes = list(walk(expression.root))
    names = {name for node in nodes for name in _named(node)} | {"instance"}
    tracks: dict[tuple[tuple[str, str], ...], Track] = {}
    shared = [{name: chance.choice("abc") for name in sorted(names)} for _ in range(chance.randint(1, 4))]
    for selector in (node for node in nodes if isinstance(node, Selector)):
        for base in shared:
            for labels in _bucketed(_fitting(selector, base, chance), chance):
                if chance.random() < 0.9:
                    tracks.setdefault(tuple(sorted(labels.items())), Track(labels, _values(chance)))
    return list(tracks.values())


def _named(node: object) -> Iterator[str]:
    if isinstance(node, Aggregate):
        yield from node.grouping.labels
    if isinstance(node, Binary):
        yield from (*node.matching.labels, *node.matching.include)


def _fitting(selector: Selector, base: Labels, chance: random.Random) -> Labels:
    """Labels that the selector takes, mostly."""
    labels = {name: value for name, value in base.items() if name != "le"}
    for matcher in selector.matchers:
        labels[matcher.name] = _passing(matcher, labels.get(matcher.name, ""), chance)
    labels[NAME] = selector.name or labels.get(NAME) or "nameless"
    return {name: value for name, value in labels.items() if value}


def _passing(matcher: Matcher, before: str, chance: random.Random) -> str:
    if matcher.kind is MatchKind.EQUAL:
        return matcher.value
    words = [word.replace("\\", "") for word in re.split(r"[|().*+?^$\[\]]+", matcher.value)]
    tried = [before, *chance.sample(words, len(words)), matcher.value, "a", "500", "other", ""]
    return next((word for word in tried if matcher.matches(word)), before)


def _bucketed(labels: Labels, chance: random.Random) -> Iterator[Labels]:
    if not labels[NAME].endswith("_bucket") or "le" in labels:
        yield labels
        return
    for bound in ("0.1", "0.5", "1", "5", "+Inf"):
        if chance.random() < 0.97:
            yield {**labels, "le": bound}


def _values(chance: random.Random) -> list[float | None]:
    """A gauge, a counter that may start anew, or something flat; with gaps and stale markers."""
    kind = chance.choice(["gauge", "counter", "counter", "flat", "bit"])
    value = round(chance.uniform(0, 100), 3)
    values: list[float | None] = []
    for _ in range(SAMPLES):
        if kind == "gauge":
            value = round(value + chance.uniform(-9, 9), 3)
        elif kind == "counter":
            value = 0.0 if chance.random() < 0.03 else round(value + chance.uniform(0, 20), 3)
        elif kind == "bit":
            value = float(chance.random() < 0.7)
        missing = chance.random()
        values.append(None if missing < 0.05 else STALE if missing < 0.07 else value)
    return values


def ours(trial: Trial) -> Rows | None:
    """What tocsin gives; None for a failure."""
    rows = []
    for track in trial.world:
        there = [(at * INTERVAL_MS, value) for at, value in enumerate(track.values) if value is not None]
        rows.append((0, None, track.labels, [at for at, _ in there], [value for _, value in there]))
    source = FixedSource.from_series(rows)
    query = Query(trial.at_ms, trial.at_ms, is_old=True)
    vector = evaluate(trial.expression, source, trial.at_ms, query=query)
    if vector.failures:
        return None
    return {tuple(sorted(row.labels.items())): row.value for row in vector.rows()}


_ERROR = re.compile(r"^\s+expr: .*, time: [^,]*, err: ")
_NOTHING = "tocsin_asks_in_vain"


def theirs(asked: Sequence[Trial], promtool: str) -> list[Rows | None]:
    """What promtool gives each: it is told to expect nonsense, and says what it has got instead."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tests.yml"
        path.write_text(json.dumps({"evaluation_interval": "15s", "tests": list(map(_case, asked))}))
        done = subprocess.run(
            [promtool, "test", "rules", path], capture_output=True, text=True, timeout=600, check=False
        )
    found: list[Rows | None] = []
    for line in (done.stdout + done.stderr).splitlines():
        if _ERROR.match(line):
            found.append(None)
        elif line.strip().startswith("got:"):
            found.append(dict(_rows(line.strip().removeprefix("got:").strip())))
    if len(found) != len(asked):
        raise RuntimeError(f"promtool answered {len(found)} of {len(asked)} questions: {done.stderr[:2000]}")
    return found


def _case(trial: Trial) -> Mapping[str, object]:
    return {
        "interval": "15s",
        "input_series": [
            {"series": _series(track.labels), "values": track.notation()} for track in trial.world
        ],
        "promql_expr_test": [
            {
                "expr": trial.expression.text,
                "eval_time": f"{trial.at_ms}ms",
                "exp_samples": [{"labels": _NOTHING, "value": 1}],
            }
        ],
    }


def _series(labels: Labels) -> str:
    inner = ",".join(f"{name}={quoted(value)}" for name, value in labels.items() if name != NAME)
    return f"{labels[NAME]}{{{inner}}}"


_ROW = re.compile(r'(\S*?)\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\} (\S+?)(?:, |$)')
_PAIR = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*")')


def _rows(text: str) -> Iterator[tuple[tuple[tuple[str, str], ...], float]]:
    if text == "nil":
        return
    for name, inner, value in _ROW.findall(text):
        labels = {key: ast.literal_eval(word) for key, word in _PAIR.findall(inner)}
        labels |= {NAME: name} if name else {}
        yield tuple(sorted(labels.items())), float(value)


def is_same(one: Rows | None, other: Rows | None) -> bool:
    """Both fail, or both have the same rows with values that differ by rounding only."""
    if one is None or other is None:
        return one is other
    return one.keys() == other.keys() and all(_is_close(one[key], other[key]) for key in one)


def _is_close(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other)) or math.isclose(one, other, rel_tol=CLOSE)


def differences(asked: Sequence[Trial], promtool: str) -> Iterator[str]:
    """Where both do not agree, in words that can be tried again."""
    for trial, found in zip(asked, theirs(asked, promtool), strict=True):
        mine = ours(trial)
        if not is_same(mine, found):
            series = [f"  {_series(track.labels)} {track.notation()}" for track in trial.world]
            yield "\n".join(
                [f"{trial.expression.text} @ {trial.at_ms} ms", f"ours   {mine}", f"theirs {found}", *series]
            )


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--promtool", default="promtool")
    parser.add_argument("files", nargs="+", type=Path)
    given = parser.parse_args(words)
    found = expressions(given.files)
    asked = list(trials(found, given.count, given.seed))
    wrong = list(differences(asked, given.promtool))
    for difference in wrong:
        print(difference)
    some = sum(bool(ours(trial)) for trial in asked)
    print(f"{len(asked)} evaluations of {len(found)} expressions, {some} with rows: {len(wrong)} different")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
