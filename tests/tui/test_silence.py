"""What a technician asks for when she silences an alert."""

import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share
from tests.tui import scene

from tocsin_protocol.silences import Silence
from tocsin_protocol.vocabulary import SilenceState
from tocsin_tui.sheets import silence
from tocsin_tui.silence import length_of, like, longer, matchers_of, spelled, state_at
from tocsin_tui.state import nearness


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


@given(st.integers(1, 9999 * 24 * 60 * 60))
@settings(max_examples=share(60))
def test_a_length_that_is_spelled_is_read_back_to_the_next_minute(seconds: int) -> None:
    length = timedelta(seconds=seconds)

    assert timedelta(0) <= length_of(spelled(length)) - length < timedelta(minutes=1)


def test_what_is_longer_than_can_be_typed_is_as_long_as_can_be() -> None:
    assert spelled(timedelta(days=3_000_000)) == "9999d"


def test_enter_alone_makes_a_silence_an_hour_longer_and_leaves_the_rest() -> None:
    of = scene.a_silence(comment="disk\nswap")

    proposed = longer(of, scene.NOW)
    wish = proposed.wish(
        matchers=proposed.matchers, length=proposed.length, comment=proposed.comment, now=scene.NOW
    )

    assert proposed.length == "2h 15m"
    assert wish.ends_at == of.ends_at + timedelta(hours=1)
    assert (wish.id, wish.client, wish.matchers, wish.comment) == (3, "nord", of.matchers, "disk swap")
    assert wish.starts_at is None  # which keeps its start


def test_of_one_that_is_to_come_the_time_counts_from_its_start() -> None:
    of = scene.a_silence(starts_at=scene.ago(-60), ends_at=scene.ago(-90), state=SilenceState.PENDING)

    proposed = longer(of, scene.NOW)

    assert proposed.length == "1h 30m"
    assert proposed.ends_at(proposed.length, scene.NOW) == scene.ago(-150)


def test_one_that_is_over_is_proposed_again_for_the_usual_hour() -> None:
    proposed = longer(scene.a_silence(ends_at=scene.ago(5)), scene.NOW)

    assert proposed.title == "Silence 3 again"
    assert proposed.ends_at(proposed.length, scene.NOW) == scene.ago(-60)


def test_a_silence_of_an_alert_is_for_its_client() -> None:
    proposed = like(scene.an_alert(1, "DiskFull", "atlas", "acme", 5, labels={}))

    assert (proposed.client, proposed.id, proposed.matchers) == ("acme", None, '{alertname="DiskFull"}')


@pytest.mark.parametrize(
    ("of", "state"),
    [
        (scene.a_silence(), SilenceState.ACTIVE),
        (scene.a_silence(ends_at=scene.NOW), SilenceState.EXPIRED),  # since it was read
        (scene.a_silence(state=SilenceState.PENDING), SilenceState.ACTIVE),
        (scene.a_silence(starts_at=scene.ago(-1)), SilenceState.PENDING),
        (scene.a_silence(state=SilenceState.EXPIRED), SilenceState.EXPIRED),  # whatever the clocks say
    ],
)
def test_where_a_silence_stands_is_told_by_the_clock(of: Silence, state: SilenceState) -> None:
    assert state_at(of, scene.NOW) is state


def test_what_ends_next_stands_first_then_what_begins_next_then_what_was_over_last() -> None:
    stand = sorted(scene.silences(), key=nearness)

    assert [each.id for each in stand] == [7, 3, 8, 5, 1]


@pytest.mark.parametrize(
    ("of", "first"),
    [
        (scene.a_silence(), "● active  #3  nord  until 14:00, 1h15 to go; since 12:00"),
        (scene.silences()[1], "● active  #7  all clients  until 12:57, 12m to go; since 10:57"),
        (scene.silences()[2], "◌ pending  #8  oslo  from 22:00, in 9h15; until 26 Nov 04:00"),
        (scene.silences()[3], "· expired  #5  acme  07:45 to 09:45"),
        (scene.silences()[4], "· expired  #1  kiel  4 Oct 2025 20:45 to 5 Oct 2025 13:25"),
    ],
)
def test_a_silence_says_first_how_it_stands(of: Silence, first: str) -> None:
    assert silence.lines(of, now=scene.NOW)[0].text == first


def test_a_comment_keeps_its_lines_in_full_and_has_one_in_the_list() -> None:
    of = scene.a_silence(comment="disk swap\nAda is on site")

    told = [each.text for each in silence.lines(of, now=scene.NOW)]

    assert told[2:] == ["because  disk swap", "         Ada is on site", "by       ada"]
    assert silence.cells(of, now=scene.NOW, is_ghost=False)[5][0] == "disk swap Ada is on site"


def test_a_list_that_the_server_cuts_says_so() -> None:
    told = silence.foot(5, scene.silences(), now=scene.NOW, with_expired=True, is_cut=True)

    assert "".join(text for text, _ in told) == (
        " the 5 that end last, there may be more · 1 pending · 2 expired"
    )
