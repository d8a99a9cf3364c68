"""What a technician asks for when she silences an alert."""

import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share
from tests.tui import scene

from tocsin_tui.silence import length_of, matchers_of


def of_labels(**labels: str) -> str:
    return matchers_of(scene.an_alert(1, "DiskFull", "atlas", "acme", 5, labels=labels))


def test_name_and_instance_come_first_then_the_other_labels_in_their_order() -> None:
    labels = {"mountpoint": "/srv", "instance": "atlas", "alertname": "DiskFull", "device": "sda"}

    assert of_labels(**labels) == '{alertname="DiskFull",instance="atlas",device="sda",mountpoint="/srv"}'


def test_what_may_change_or_is_said_elsewhere_or_is_empty_is_left_out() -> None:
    text = of_labels(severity="critical", client="acme", instance="atlas", site="")

    assert text == '{alertname="DiskFull",instance="atlas"}'


def test_values_are_escaped_and_strange_names_are_quoted() -> None:
    text = of_labels(path='C:\\a "b"', größe="田")

    assert text == r'{alertname="DiskFull","größe"="田",path="C:\\a \"b\""}'


def test_between_matchers_there_may_be_room_to_break_a_line() -> None:
    alert = scene.an_alert(1, "DiskFull", "atlas", "acme", 5, labels={"instance": "atlas"})

    assert matchers_of(alert, comma=", ") == '{alertname="DiskFull", instance="atlas"}'


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(min_size=1, max_size=8), max_size=4))
@settings(max_examples=share(60))
def test_every_value_can_be_read_back(labels: dict[str, str]) -> None:
    text = matchers_of(scene.an_alert(1, "DiskFull", "atlas", "acme", 5, labels=labels))

    for name in labels.keys() - {"severity", "client", "alertname"}:
        assert json.dumps(labels[name], ensure_ascii=False) in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("30m", timedelta(minutes=30)),
        ("4h", timedelta(hours=4)),
        ("2d", timedelta(days=2)),
        (" 1D 12h ", timedelta(days=1, hours=12)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("90m", timedelta(minutes=90)),
    ],
)
def test_a_length_of_time_is_read(text: str, length: timedelta) -> None:
    assert length_of(text) == length


@pytest.mark.parametrize("text", ["", "  ", "0m", "1", "h", "1w", "-1h", "1.5h", "12345d", "1h x", "٣h", "m4h"])
def test_what_is_no_length_of_time_is_said_with_what_would_be(text: str) -> None:
    with pytest.raises(ValueError, match="is no time such as 30m, 4h or 2d"):
        length_of(text)


@given(st.text(max_size=12))
@settings(max_examples=share(60))
def test_whatever_is_typed_is_a_length_or_is_refused(text: str) -> None:
    try:
        length = length_of(text)
    except ValueError:
        return

    assert timedelta(0) < length < timedelta(days=12_000)
