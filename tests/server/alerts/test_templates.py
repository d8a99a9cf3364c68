"""Templates: what Prometheus rules use is filled, all the rest is refused at load and by name."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_server.alerts.templates import BadTemplate, Facts, TemplateFailed, parse_template

FACTS = Facts(
    {"instance": "atlas", "job": "node", "hostile": "{{ $value }}"},
    0.015,
    external_labels={"region": "eu"},
    external_url="http://tocsin",
)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("no action", "no action"),
        ("{{ $labels.instance }} of {{$labels.job}}", "atlas of node"),
        ("{{ .Labels.instance }}: {{ .Value }}", "atlas: 0.015"),
        ("{{ $labels.missing }}|", "|"),
        ("{{ $labels }}", "map[hostile:{{ $value }} instance:atlas job:node]"),
        ("{{ $labels.hostile }}", "{{ $value }}"),  # data is never looked at as a template
        ("{{ $value | humanizePercentage }}", "1.5%"),
        ("{{ humanize $value }}", "15m"),
        ('{{ printf "%.2f" $value }}', "0.01"),
        ('{{ $value | printf "%.1f%%" }}', "0.0%"),
        ('{{ printf "%s is %s" $labels.instance ($value | humanizePercentage) }}', "atlas is 1.5%"),
        ('{{ "60" | humanizeDuration }}', "1m 0s"),
        ("{{ `a\\b` }}", "a\\b"),
        ('{{ "tab\\tend" }}', "tab\tend"),
        (
            "{{ $externalLabels.region }} {{ $externalURL }} {{ .ExternalURL }}",
            "eu http://tocsin http://tocsin",
        ),
        ("{{ if $labels.instance }}yes{{ else }}no{{ end }}", "yes"),
        ("{{ if $labels.missing }}yes{{ else }}no{{ end }}", "no"),
        ("{{ if $labels.missing }}yes{{ end }}|", "|"),
        ("{{ with $labels.job }}job {{ . }}{{ end }}", "job node"),
        (
            "{{ with $labels.job }}{{ if . }}{{ . }} on {{ $labels.instance }}{{ end }}{{ end }}",
            "node on atlas",
        ),
        ("a {{- $labels.job -}} b", "anodeb"),
        ("a {{/* not shown */}} b", "a  b"),
        ("a {{- /* not shown */ -}} b", "ab"),
    ],
)
def test_what_rules_use_is_filled(template, text):
    assert text == parse_template(template).fill(FACTS)


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{ $labels.x", "has no end '}}'"),
        ("{{ }}", "a value is missing"),
        ("{{ range $labels }}{{ end }}", "'range' is not offered"),
        ('{{ query "up" }}', "'query' is not offered"),
        ('{{ template "x" }}', "'template' is not offered"),
        ("{{ $value | humanise }}", "did you mean 'humanize'"),
        ("{{ $x := 1 }}", "cannot hold ':= 1"),
        ("{{ $lables.instance }}", "'\\$lables.instance' is not known"),
        ("{{ . }}", "'.' is not known"),
        ("{{ .Alerts }}", "'.Alerts' is not known"),
        ("{{ $labels.a.b }}", "has no field 'b'"),
        ("{{ $value.x }}", "has no field 'x'"),
        ("{{ with $labels }}{{ .job }}{{ end }}", "'.job' is not known"),
        ("{{ humanize }}", "wants 1 argument, got 0"),
        ("{{ humanize $value $value }}", "wants 1 argument, got 2"),
        ("{{ $value | $value }}", "has to be a function"),
        ("{{ printf $labels.x }}", "first argument of printf"),
        ('{{ printf "%f" }}', "wants 1 arguments, got 0"),
        ('{{ printf "%x" $value }}', "does not offer '%x'"),
        ('{{ "\\q" }}', "not a string that can be read"),
        ("{{ ($value }}", "a '\\)' is missing"),
        ("{{ $value ) }}", "'\\)' is not expected here"),
        ("{{ | humanize }}", "cannot stand where a value is wanted"),
        ("{{ if $value }}", "'{{ if }}' has no end"),
        ("{{ if $value }}{{ else }}", "'{{ if }}' has no end"),
        ("{{ if $value }}{{ else }}{{ else }}{{ end }}", "'{{ if }}' has no end"),
        ("{{ if $value }}{{ else if $value }}{{ end }}", "'if' is not expected here"),
        ("{{ end }}", "'{{ end }}' stands where nothing is open"),
        ("{{ " + "(" * 40 + "$value" + ")" * 40 + " }}", "nested deeper than 30"),
        ("{{ if $value }}" * 40, "nested deeper than 30"),
        ('{{ "\\ud800" }}', "is not a string that can be read"),  # half a letter, which no database takes
        ('{{ printf "\\udc00" }}', "is not a string that can be read"),
        (f'{{{{ printf "%{"9" * 5000}d" $value }}}}', "is wider than 100"),
        ('{{ printf "%\u0663f" $value }}', "printf does not offer '%\u0663'"),  # a digit, but none of ours
    ],
)
def test_the_rest_is_refused_at_load_by_name(template, why):
    with pytest.raises(BadTemplate, match=why):
        parse_template(template)


def test_a_template_says_whether_it_changes_with_the_value():
    assert parse_template("{{ $value }}").uses_value
    assert parse_template("{{ if .Value }}x{{ end }}").uses_value
    assert not parse_template("{{ $labels.instance }}").uses_value


def test_a_value_that_does_not_suit_is_told_when_the_template_is_filled():
    with pytest.raises(TemplateFailed, match="'atlas' is not a number"):
        parse_template("{{ $labels.instance | humanize }}").fill(FACTS)


@given(st.text())
def test_text_without_actions_stands_for_itself(text):
    plain = text.replace("{{", "")

    assert plain == parse_template(plain).fill(FACTS)


@given(st.text(alphabet='{}$.labesvu |()"-if end\\`%', max_size=40))
def test_any_text_is_a_template_or_is_refused(text):
    with suppress(BadTemplate, TemplateFailed):
        assert isinstance(parse_template(text).fill(FACTS), str)
