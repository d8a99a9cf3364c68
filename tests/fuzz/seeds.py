"""What fuzzing begins with: the rules in the house, those of others where they are at hand, and words."""

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import yaml

HOUSE = Path(__file__).parents[2]
CORPORA = Path(os.environ.get("TOCSIN_CORPORA") or HOUSE.parent / "shared" / "corpora")
"""Data of others, never committed; without it there are fewer seeds."""
_FOLDERS = (
    HOUSE / "config" / "rules",
    HOUSE / "config" / "rules" / "tests",
    CORPORA / "awesome-prometheus-alerts",
    CORPORA / "promtool",
)
MOST_CHARACTERS = 6000
"""Of a seed: long ones are seldom mutated where it matters."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\S+", text))


PROMQL = (
    *_words(r"""
    ( ) [ ] { } , : @ + - * / % ^ == != <= < >= > = =~ !~ " ' ` # \ \" \' \` and or unless atan2 bool on
    ignoring by without group_left group_right offset start() end() sum avg topk quantile count_values rate
    increase absent absent_over_time label_replace vector scalar time histogram_quantile up node_load1 5m
    1h30m 1y 1ms 0x1f 1e308 NaN Inf __name__ job instance fill _ .* \\d \\pL \d {9} {1000} (?i) (?x) \x7b `\d"`
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
MATCHERS = (*SERIES, *PATTERNS, *_words("=~ !~ != alertname=~ \\x41 \\u00e9 \\101"))
SUPPRESSIONS = (
    *YAML,
    *MATCHERS[::2],
    *_words("""
    time_intervals: maintenance_windows: inhibit_rules: host_parents: name: client: site: host: hosts: parents:
    reason: matchers: source_matchers: target_matchers: equal: from: until: times: start_time: end_time: 24:00
    weekdays: monday:friday days_of_month: -1 1:-1 months: january:march years: 2026:9999 location:
    Europe/Berlin ../etc/passwd 2026-11-26T22:00+01:00 9999-12-31T23:59Z
    """),
)
DECISIONS = (
    *_words(r"""
    U, F, A, C, C+, C<, C> => : ; , " "" # - ( ) [ ] ]1..4[ [1..4] (1..4) .. < <= > >= = not( ) true false TRUE
    enum(a|b) enum(a|b|a) string bool number integer integer(1..4) number(0..0.5) fallback, id, name:string
    => team:string a,b, 0 -1 0.5 1e3 999999999999999 NaN \" \\ \ud800 \x00
    """),
    *("\n", "\r\n", "\r", "\ufeff", "\u202e", "\x00", "é", "fallback,-,-,x\n"),
)
CONTRACTS = (
    *YAML,
    *_words("""
    contract: client: title: zone: currency: pause_reasons: calendars: agreements: versions: name: hours:
    always days: times: monday-friday 08:00-18:00 22:00-06:00 00:00-24:00 holidays: date: 05-01 02-29
    2026-05-01 12-24 from: to: closed: ical: holidays.ics ../x.ics changes: type: sla ola uc counterparty:
    calendar: targets: ack: resolve: update: first_response: 0m 1h30m 9999h 1d pauses: thresholds: 50% 1000%
    on_change: from_change on_merge: earliest_start notice_days: renewal: kind: tacit months: lines: item:
    unit: price: per: month quantity: source: fixed count: of: credit: at_risk: cap: tiers: below:
    Europe/Paris America localtime Australia/Lord_Howe EUR
    """),
)
EVENTS = (
    *_words(r"""
    [ ] { } , : "id" "at" "kind" "priority" "item" "to" "by" "public" "reason" "into" "ticket" "created"
    "window" "taken" "comment" "paused" "resumed" "solved" "reopened" "closed" "merged" "unmerged"
    "absorbed" "separated" "sla_changed" "assigned" "maintenance_began" "maintenance_ended" "technician"
    "auto" "customer" true "2026-06-05T10:00:00+02:00" "0001-01-01T00:00:00+23:59"
    "9999-12-31T23:59:59Z" 0 1 -1 1e999 NaN null "\ud800"
    """),
    *('{"id": 9, "at": "2026-06-05T11:00:00Z", "kind": "taken"}', "9" * 5000, "[" * 5000),
)
ICAL = (
    *_words(r"""
    BEGIN:VCALENDAR END:VCALENDAR BEGIN:VEVENT END:VEVENT BEGIN:VALARM END:VALARM
    DTSTART;VALUE=DATE:20260714 DTEND ;VALUE=DATE : 20260715 00000101 99991231 20260229 RRULE:FREQ=YEARLY
    ;INTERVAL=1 ;BYMONTH=7 ;COUNT=3 SUMMARY:x\,y\n STATUS:CANCELLED RDATE DURATION:P1D X-A;B="c:d;e":f
    """),
    *(
        "\n",
        "\r\n",
        "\n ",
        "\ufeff",
        "\x00",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\n",
        "\nEND:VEVENT\nEND:VCALENDAR\n",
    ),
)
TESTS = (
    *YAML,
    *SERIES,
    *VALUES,
    *_words("""
    rule_files: evaluation_interval: tests: input_series: series: values: alert_rule_test: eval_time:
    alertname: exp_alerts: exp_labels: promql_expr_test: expr: exp_samples: value: labels: group_eval_order:
    """),
)


_SUPPRESSIONS = """
time_intervals:
- {name: nights, time_intervals: [{times: [{start_time: "22:00", end_time: "24:00"}], location: Europe/Berlin}]}
maintenance_windows:
- {name: w, client: acme, reason: patches, time_intervals: [nights, {days_of_month: ["-7:-1"]}]}
- {name: v, matchers: ['job="node"'], reason: r, from: "2026-11-26T22:00Z", until: "2026-11-27T22:00Z"}
inhibit_rules:
- {name: r, source_matchers: ['a="b"'], target_matchers: ['c=~"d|e"'], equal: [instance]}
host_parents:
- {name: p, client: acme, hosts: [atlas], parents: [switch-a, switch-b]}
"""


@cache
def expressions() -> Sequence[str]:
    """Of the rules; each once."""
    return tuple(dict.fromkeys(str(rule["expr"]).strip() for rule in _rules()))


@cache
def rule_files() -> Sequence[str]:
    """One for each group."""
    groups = (group for document in _documents() for group in document.get("groups") or ())
    return tuple(_written({"groups": [group]}) for group in groups)


@cache
def test_files() -> Sequence[str]:
    """One for each test."""
    tests = (test for document in _documents() for test in document.get("tests") or ())
    return tuple(_written({"rule_files": ["rules.yml"], "tests": [test]}) for test in tests)


@cache
def templates() -> Sequence[str]:
    texts = (str(text) for rule in _rules() for text in (rule.get("annotations") or {}).values())
    return tuple(dict.fromkeys(text for text in texts if "{{" in text))


def patterns() -> Sequence[str]:
    return (
        "tmpfs|overlay\ntmpfs",
        "eth[0-9]+(\\.\\d{1,4})?\neth0.12",
        "(?i)^db-(.+)$\nDB-1",
        ".*\n",
        "[^a]\nb",
    )


def matchers() -> Sequence[str]:
    return (
        'alertname="DiskFull", instance=~"db-.+"',
        "{alertname=DiskFull,}",
        r'"a b"!="c\n\x41" , x!~y',
        'job=~"(?i)node|snmp"',
        "{}",
    )


@cache
def suppression_files() -> Sequence[str]:
    """The house's own, whole and entry by entry."""
    shipped = (HOUSE / "config" / "suppressions" / "shipped.yml").read_text()
    entries = yaml.safe_load(_SUPPRESSIONS)
    return (shipped, _SUPPRESSIONS, *(_written({section: entries[section]}) for section in entries))


def decision_tables() -> Sequence[str]:
    """The shipped ones."""
    folder = HOUSE / "config" / "decisions"
    return [file.read_text() for file in sorted(folder.glob("*.csv")) if ".test." not in file.name]


def contract_files() -> Sequence[str]:
    """The shipped ones, whole and with one calendar or one agreement."""
    whole = [file.read_text() for file in sorted((HOUSE / "config" / "contracts" / "examples").glob("*.yml"))]
    said = [yaml.safe_load(text) for text in whole]
    return (
        *whole,
        *(_written({**each, key: each[key][:1]}) for each in said for key in ("calendars", "agreements")),
    )


def event_files() -> Sequence[str]:
    """Those of the document, up to each of their events."""
    stories = re.findall(r"```json\n(\[.*?)```", (HOUSE / "docs" / "desk.md").read_text(), re.DOTALL)
    told = [json.loads(story) for story in stories]
    return [json.dumps(events[:length]) for events in told for length in range(1, len(events) + 1)]


def ical_files() -> Sequence[str]:
    """The shipped one, and events of each form."""
    shipped = (HOUSE / "config" / "contracts" / "examples" / "england.ics").read_text()
    events = (
        "DTSTART:20260714",
        "RRULE:FREQ=YEARLY\nDTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20270103",
        "SUMMARY:a\n b\nDTSTART;VALUE=DATE:20260714",
        "STATUS:CANCELLED\nDTSTART:20260714",
    )
    return (
        shipped,
        *(f"BEGIN:VCALENDAR\nBEGIN:VEVENT\n{each}\nEND:VEVENT\nEND:VCALENDAR\n" for each in events),
    )


def series() -> Sequence[str]:
    return ('up{job="node", instance="atlas"}', "up", "{__name__='up'}", '{"a.b", "c d"="e"}', "up{a=`b`,}")


def values() -> Sequence[str]:
    return ("0 1 2", "1+1x10 _ stale", "_x5 -1-2x3", "Inf NaN -inf 1e3", "0x100 1.5e-3x2")


def _rules() -> Iterator[dict[str, Any]]:
    for document in _documents():
        for group in document.get("groups") or ():
            yield from group.get("rules") or ()


@cache
def _documents() -> Sequence[dict[str, Any]]:
    """What the files hold; those of others need not be YAML."""
    documents = []
    for path in (path for folder in _FOLDERS for path in sorted(folder.glob("*.yml"))):
        with suppress(yaml.YAMLError):
            documents.append(yaml.safe_load(path.read_text(encoding="utf-8")))
    return [document for document in documents if isinstance(document, dict)]


def _written(document: dict[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False, width=200)[:MOST_CHARACTERS]
