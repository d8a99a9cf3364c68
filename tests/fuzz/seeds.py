"""What fuzzing begins with: the rules in the house, those of others where they are at hand, and words."""

import os
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

HOUSE = Path(__file__).parents[2]
CORPORA = Path(os.environ.get("TOCSIN_CORPORA") or HOUSE.parent / "shared" / "corpora")
"""Data of others, never committed; without it there are fewer seeds."""
MOST_CHARACTERS = 6000
"""Of a seed: long ones are seldom mutated where it matters."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\S+", text))


PROMQL = (
    *_words(r"""
    ( ) [ ] { } , : @ + - * / % ^ == != <= < >= > = =~ !~ " ' ` # \ \" \' \` and or unless atan2 bool on
    ignoring by without group_left group_right offset start() end() sum avg topk quantile count_values rate
    increase absent absent_over_time label_replace vector scalar time histogram_quantile up node_load1 5m
    1h30m 1y 1ms 0x1f 1e308 NaN Inf __name__ job instance fill _ .* \\d \\pL \d {9} {1000} (?i) (?x) \x7b
    \u007b \xff \ud800
    """),
    *("\n", "\r", " ", "\u2028", "\x00", "é", "😀"),
)
TEMPLATES = (
    *_words(r"""
    {{ }} {{- -}} {{/* */}} $labels $labels.instance $value .Labels.instance .Value . ( ) | printf "%.1f"
    "%s" "%9999d" "%" "%-100v" "\ud800" "\u0000" "\n" `%q` humanize humanize1024 humanizePercentage
    humanizeDuration humanizeTimestamp if else end with range define $externalLabels $externalURL " ` \"
    """),
    *(
        " ",
        "\n",
        "{{ if $value }}",
        "{{ else }}",
        "{{ end }}",
        "{{ with $labels.device }}",
        f'"%{"9" * 5000}d"',
    ),
)
YAML = (
    *_words(r"""
    - : ? | > & * ! % @ ` ' " # , [ ] { } ~ null true yes 0x1 1e3 &a *a <<: !!binary !!python/object: ---
    ... %YAML \ud800 \x00 \0
    """),
    *("\n", "  ", ": ", "- ", "\t", "\r\n", "\x00", "\ufeff", "\u2028"),
)
RULES = (
    *YAML,
    *TEMPLATES,
    *PROMQL[::3],
    *_words("""
    groups: name: rules: alert: record: expr: for: labels: annotations: limit: interval: query_offset:
    keep_firing_for: tocsin_on_no_data: summary: keep fire resolve 5m 9999999y 0 ١
    """),
    *("\n    limit: 1", "\n    labels: {a: b}", "\n    interval: 5m", "9" * 5000),
)
PATTERNS = (
    *_words(r"""
    ( ) [ ] { } | * + ? . ^ $ \ (?i) (?s) (?P<n> (?: [^ ]] [:alpha:] \d \w \b \pL \p{Greek} \C \Q \E \1 {9}
    {1000} {1,1000} {,5} a b é 😀
    """),
    *("\n", "\x00", "\u2028"),
)
SERIES = (
    *_words(r"""
    { } , = " ' ` \ up job instance __name__ "a" 'b' `c` \ud800 \u0000 \x41 \" \'
    """),
    *(" ", "\n", "é"),
)
VALUES = (*_words("_ x stale + - 0 1 . e Inf NaN {{ }} 1e308 9999999 _x5 1+1x5 0x1000000 ١"), " ", "9" * 5000)
TESTS = (
    *YAML,
    *SERIES,
    *VALUES,
    *_words("""
    rule_files: evaluation_interval: tests: input_series: series: values: alert_rule_test: eval_time:
    alertname: exp_alerts: exp_labels: promql_expr_test: expr: exp_samples: value: labels: group_eval_order:
    """),
)


@cache
def expressions() -> Sequence[str]:
    """Of the rules; each once."""
    found = re.findall(r"expr: +([^|>\s].*)", "\n".join(rule_files()))
    return (*dict.fromkeys(found), 'sum by (job) (rate(a{b=~"x.*", c!="d"}[5m] offset 1h)) / 2 > bool 1e3')


@cache
def rule_files() -> Sequence[str]:
    places = ("config/rules/*.yml", CORPORA / "awesome-prometheus-alerts" / "*.yml")
    return _pieces(_texts(places), "  - name:", "groups:\n")


@cache
def test_files() -> Sequence[str]:
    return _pieces(
        _texts(("config/rules/tests/*.yml", CORPORA / "promtool" / "*.yml")), "  - interval:", "tests:\n"
    )


@cache
def templates() -> Sequence[str]:
    lines = (line.split(": ", 1)[-1].strip("'\" ") for text in rule_files() for line in text.splitlines())
    return tuple(dict.fromkeys(line for line in lines if "{{" in line))


def patterns() -> Sequence[str]:
    return (
        "tmpfs|overlay\ntmpfs",
        "eth[0-9]+(\\.\\d{1,4})?\neth0.12",
        "(?i)^db-(.+)$\nDB-1",
        ".*\n",
        "[^a]\nb",
    )


def series() -> Sequence[str]:
    return ('up{job="node", instance="atlas"}', "up", "{__name__='up'}", '{"a.b", "c d"="e"}', "up{a=`b`,}")


def values() -> Sequence[str]:
    return ("0 1 2", "1+1x10 _ stale", "_x5 -1-2x3", "Inf NaN -inf 1e3", "0x100 1.5e-3x2")


def _texts(places: Iterable[str | Path]) -> Iterable[str]:
    for place in places:
        whole = HOUSE / place
        yield from (
            path.read_text(encoding="utf-8", errors="replace") for path in sorted(whole.parent.glob(whole.name))
        )


def _pieces(texts: Iterable[str], cut: str, head: str) -> Sequence[str]:
    """A long file as several short ones."""
    pieces: list[str] = []
    for text in texts:
        first, *others = text.split(cut)
        pieces += (
            [text] if len(text) <= MOST_CHARACTERS else [first, *(f"{head}{cut}{other}" for other in others)]
        )
    return tuple(piece[:MOST_CHARACTERS] for piece in pieces)
