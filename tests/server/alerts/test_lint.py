"""What is doubtful in rules is told with its place, and what is merely somebody else's is left alone."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import metrics

from tocsin_server.alerts.lint import KnownMetrics, Surroundings, lint
from tocsin_server.alerts.rulefile import load_rule_files
from tocsin_server.alerts.unittest import check_rules

HOUR_MS = 3_600_000
KNOWN = KnownMetrics.read(metrics.LIST.read_text().splitlines())
AROUND = Surroundings(known=KNOWN, retention_ms=6 * HOUR_MS)
PACKS = sorted((metrics.ROOT / "config" / "rules").glob("*.yml"))


def warnings(folder: Path, rule: str, around: Surroundings = AROUND, *, group: str = "") -> list[str]:
    """The words about one rule, less their place."""
    path = folder / "rules.yml"
    path.write_text(f"groups:\n- name: g\n{group}  rules:\n  - {rule}\n")
    found = lint(str(path), load_rule_files([path]), around)
    place = f"warning: {path}:{5 if group else 4}, group 'g', rule "
    assert all(str(finding).startswith(place) for finding in found)
    return [finding.reason for finding in found]


# -- labels


@pytest.mark.parametrize(
    "template",
    [
        "{{ $value }}",
        "{{ .Value }}",
        "{{ $value | humanize }}",
        '{{ printf "%.0f" $value }}',
        "at {{ humanize .Value }}",
        "{{ with $value }}{{ . }}{{ end }}",
        "{{ if $labels.a }}{{ ($value | humanize) }}{{ end }}",
        "{{ if $value }}some{{ else }}none{{ end }}",
    ],
)
def test_a_label_that_holds_the_value_is_told(tmp_path: Path, template: str) -> None:
    (words,) = warnings(tmp_path, f"{{alert: A, expr: up, labels: {{usage: '{template}'}}}}")

    assert words.startswith("label 'usage' holds the value, so every change of it is another alert")


@pytest.mark.parametrize(
    "rule",
    [
        "{alert: A, expr: up, labels: {site: '{{ $labels.site }}'}, annotations: {summary: '{{ $value }}'}}",
        "{alert: A, expr: up, labels: {price: '$value', word: '{{ \"$value\" }}'}}",
        "{record: a, expr: up, labels: {usage: '{{ $value }}'}}",  # no template there
    ],
)
def test_the_value_elsewhere_is_as_it_should_be(tmp_path: Path, rule: str) -> None:
    assert warnings(tmp_path, rule) == []


# -- metrics


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("node_laod1 > 4", "nobody sends 'node_laod1'; did you mean 'node_load1'"),
        ("rate(node_disk_read_byte_total[5m])", "did you mean 'node_disk_read_bytes_total'"),
        ("absent(ifOperStatuses)", "did you mean 'ifOperStatus'"),
        ("sum(node_load1) / sum(probe_sucess)", "did you mean 'probe_success'"),
        ("tocsin_clock_skew", "did you mean 'tocsin_clock_skew_seconds'"),
        ('{__name__="node_load1x"}', "did you mean 'node_load1'"),
    ],
)
def test_a_metric_that_nobody_sends_is_told_with_the_nearest(
    tmp_path: Path, expression: str, words: str
) -> None:
    (told,) = warnings(tmp_path, f"{{alert: A, expr: '{expression}'}}")

    assert told.startswith("nobody sends '")
    assert words in told


def test_where_no_name_is_near_none_is_guessed(tmp_path: Path) -> None:
    assert warnings(tmp_path, "{alert: A, expr: node_zfs_arc_hits}") == ["nobody sends 'node_zfs_arc_hits'"]


def test_a_name_that_stands_twice_is_told_once(tmp_path: Path) -> None:
    assert len(warnings(tmp_path, "{alert: A, expr: 'node_nil > 1 or node_nil < 0'}")) == 1


@pytest.mark.parametrize(
    "expression",
    [
        "up == 0",
        'ALERTS{alertname="A"}',
        "ALERTS_FOR_STATE",
        "node_memory_MemAvailable_bytes < 1",  # of a family that the kernel names
        "redis_up == 0",  # what others send is theirs to know
        "iffy_total > 1",
        "nodes > 1",
        "node:load:sum > 1",  # recorded in another file
        '{instance="atlas"}',
        "vector(1)",
    ],
)
def test_what_may_well_be_sent_is_left_alone(tmp_path: Path, expression: str) -> None:
    assert warnings(tmp_path, f"{{alert: A, expr: '{expression}'}}") == []


def test_what_a_rule_of_another_file_records_is_known(tmp_path: Path) -> None:
    asking, recording = tmp_path / "a.yml", tmp_path / "b.yml"
    asking.write_text("groups: [{name: g, rules: [{alert: A, expr: node_busy > 1}]}]")
    recording.write_text("groups: [{name: g, rules: [{record: node_busy, expr: node_load1}]}]")

    assert "nobody sends 'node_busy'" in check_rules([asking], AROUND).text
    assert "warning" not in check_rules([asking, recording], AROUND).text


def test_where_a_file_cannot_be_read_nobody_knows_what_it_records(tmp_path: Path) -> None:
    asking, wrong = tmp_path / "a.yml", tmp_path / "b.yml"
    asking.write_text("groups: [{name: g, rules: [{alert: A, expr: node_busy > 1}]}]")
    wrong.write_text("groups: [{name: g, rules: [{record: node_busy}]}]")

    report = check_rules([asking, wrong], AROUND)

    assert not report.passed
    assert "warning" not in report.text


def test_without_a_list_of_metrics_no_name_is_doubted(tmp_path: Path) -> None:
    assert warnings(tmp_path, "{alert: A, expr: node_laod1}", Surroundings()) == []


def test_a_list_is_read_as_names_as_families_and_as_a_page_of_prometheus() -> None:
    known = KnownMetrics.read(
        ["# HELP redis_up Whether.", 'redis_up{instance="a"} 1', "  mysql_*", "", "sole", "??"]
    )

    assert known.names == {"redis_up", "sole"}
    assert ("redis_up" in known, "mysql_up" in known, "redis_down" in known) == (True, True, False)
    assert (known.owns("redis_down"), known.owns("mysql_up"), known.owns("node_load1")) == (True, True, False)


@given(st.lists(st.text(), max_size=5), st.text())
def test_no_list_and_no_name_breaks_the_reading(lines: list[str], name: str) -> None:
    known = KnownMetrics.read(lines)

    assert known.nearest(name) in {"", *known.names}
    assert known.owns(name) in {True, False}


# -- looking back


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("avg_over_time(node_load1[1d]) > 4", "looks 1d back for node_load1, but samples are kept for 6h"),
        ("rate(node_load1[5h] offset 2h)", "looks 7h back for node_load1"),
        ("node_load1 offset 6h", "looks 6h5m back for node_load1"),
        ('rate({instance="atlas"}[7h])', "looks 7h back, but"),
    ],
)
def test_a_look_back_beyond_what_is_kept_is_told(tmp_path: Path, expression: str, said: str) -> None:
    (words,) = warnings(tmp_path, f"{{alert: A, expr: '{expression}'}}")

    assert said in words
    assert words.endswith(": it judges less than it says")


@pytest.mark.parametrize("name", ["ALERTS", "tocsin_agent_cloned", "site:load"])
def test_a_long_look_back_on_what_begins_anew_with_the_server_is_told(tmp_path: Path, name: str) -> None:
    around = Surroundings(recorded=frozenset({"site:load"}))

    (words,) = warnings(tmp_path, f"{{alert: A, expr: 'avg_over_time({name}[361m]) < 1'}}", around)

    assert words.startswith(f"looks 6h1m back for {name}, which no host sends")
    assert warnings(tmp_path, f"{{alert: A, expr: 'avg_over_time({name}[6h]) < 1'}}", around) == []


def test_up_is_drawn_again_from_what_is_kept(tmp_path: Path) -> None:
    around = Surroundings(retention_ms=86_400_000)

    assert warnings(tmp_path, "{alert: A, expr: 'avg_over_time(up[1d]) < 1'}", around) == []


def test_the_offset_of_a_group_counts_too(tmp_path: Path) -> None:
    rule = "{alert: A, expr: 'rate(node_load1[6h])'}"

    assert warnings(tmp_path, rule) == []
    assert len(warnings(tmp_path, rule, group="  query_offset: 1m\n")) == 1


def test_where_it_is_not_known_how_long_samples_are_kept_nothing_is_told(tmp_path: Path) -> None:
    assert warnings(tmp_path, "{alert: A, expr: 'rate(node_load1[1y])'}", Surroundings(known=KNOWN)) == []


# -- the report


def test_a_warning_stands_in_the_report_of_its_file_and_fails_it_only_when_strict(tmp_path: Path) -> None:
    path = tmp_path / "rules.yml"
    path.write_text("groups:\n- name: g\n  rules:\n  - {alert: A, expr: node_laod1}\n")

    lenient, strict = check_rules([path], AROUND), check_rules([path], AROUND, strict=True)

    told = f"warning: {path}:4, group 'g', rule 'A': nobody sends 'node_laod1'; did you mean 'node_load1'"
    assert lenient.passed
    assert lenient.text == f"Checking {path}\n  SUCCESS: 1 rules found\n    {told}\n"
    assert not strict.passed
    assert strict.text == f"Checking {path}\n  FAILED:\n    {told}\n"


def test_nothing_is_doubtful_in_the_shipped_packs() -> None:
    report = check_rules(PACKS, AROUND, strict=True)

    assert report.passed, report.text


def test_the_shipped_list_is_what_the_code_sends() -> None:
    assert metrics.LIST.read_text() == metrics.page(), "write it anew: python -m tests.metrics"
