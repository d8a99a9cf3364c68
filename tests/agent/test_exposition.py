import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from tests.examples import share

from tocsin_agent.exposition import format_value, render
from tocsin_agent.readings import Sample, counter, gauge, untyped


def test_families_are_grouped_sorted_and_typed():
    samples = [
        gauge("node_load1", 0.5),
        counter("node_cpu_seconds_total", 2, (("cpu", "1"),)),
        untyped("node_vmstat_pgfault", 3),
        counter("node_cpu_seconds_total", 1, (("cpu", "0"),)),
    ]

    page = render(samples, {"node_load1": "Load average\nover \\ 1 minute."})

    assert page == (
        "# TYPE node_cpu_seconds_total counter\n"
        'node_cpu_seconds_total{cpu="0"} 1\n'
        'node_cpu_seconds_total{cpu="1"} 2\n'
        "# HELP node_load1 Load average\\nover \\\\ 1 minute.\n"
        "# TYPE node_load1 gauge\n"
        "node_load1 0.5\n"
        "# TYPE node_vmstat_pgfault untyped\n"
        "node_vmstat_pgfault 3\n"
    )


def test_nothing_is_an_empty_page():
    assert render([]) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1, "1"),
        (-0.0, "-0"),
        (405872, "405872"),
        (999999.5, "999999.5"),
        (1000000, "1e+06"),
        (1795522361, "1.795522361e+09"),
        (85373739008, "8.5373739008e+10"),
        (-1432221, "-1.432221e+06"),
        (1234567.125, "1.234567125e+06"),
        (1e15, "1e+15"),
        (1e16, "1e+16"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (0.0001, "0.0001"),
        (5.375e-05, "5.375e-05"),
        (3.6e-07, "3.6e-07"),
        (3.3160000000000003, "3.3160000000000003"),
        (math.nan, "NaN"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (True, "1"),
    ],
)
def test_numbers_look_as_go_prints_them(value, text):
    assert format_value(value) == text


@settings(max_examples=share(200))
@given(st.floats(allow_nan=False))
def test_a_number_is_read_back_to_the_bit(value):
    assert float(format_value(value)) == value


@settings(max_examples=share(100))
@given(st.text(st.characters(exclude_categories=["Cs"])), st.floats(allow_nan=False))
def test_prometheus_reads_back_what_we_write(text, value):
    page = render([gauge("node_info", value, (("label", text),))], {"node_info": f"help {text}"})

    families = list(text_string_to_metric_families(page))

    read = families[0].samples[0]
    assert (read.name, read.labels, read.value) == ("node_info", {"label": text}, value)


@settings(max_examples=share(50))
@given(st.lists(st.tuples(st.sampled_from("abc"), st.text(max_size=5)), unique=True))
def test_no_sample_is_lost_or_doubled(series):
    samples = [Sample(name, gauge(name, 0).kind, (("x", text),), 1.0) for name, text in series]

    lines = [line for line in render(samples, {}).split("\n") if line and not line.startswith("#")]

    assert len(lines) == len(samples)
