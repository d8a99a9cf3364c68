"""An alert says how it stands, and why nobody is told of it."""

from datetime import timedelta

import msgspec
import pytest
from tests.tui import scene

from tocsin_protocol.alerts import Alert
from tocsin_protocol.vocabulary import AlertState, SuppressionKind, TicketEventKind
from tocsin_tui.format import Line, Tone
from tocsin_tui.sheets import alert, ticket
from tocsin_tui.widgets.paint import wrapped


def texts(lines: list[Line]) -> list[str]:
    return [each.text for each in lines]


def quiet(**changes) -> Alert:
    return scene.an_alert(1, "DiskFull", "atlas", "acme", 7, **changes)


def test_an_alert_that_rings_gives_no_reason() -> None:
    assert alert.reasons(quiet()) == []
    assert texts(alert.glance(quiet(), now=scene.NOW))[1] == "value  2"


def test_every_reason_has_a_line_of_its_own_below_the_state() -> None:
    reasons = [scene.SILENCE, scene.withheld(SuppressionKind.PARENT_DOWN, "parent sw-1 is down")]

    told = texts(alert.glance(quiet(suppressed=reasons), now=scene.NOW))

    assert told[:3] == [
        "● firing  DiskFull  since 12:38",
        "withheld: silence 3 by ada until 14:00 UTC: disk swap",
        "withheld: parent sw-1 is down",
    ]


def test_who_knows_of_it_is_told_with_the_time() -> None:
    known = quiet(acknowledged_by="ada", acknowledged_at=scene.ago(5))

    assert "acknowledged by ada, 12:40" in texts(alert.lines(known, now=scene.NOW))


def test_one_that_was_over_before_it_was_heard_of_is_marked() -> None:
    late = quiet(late=True, state=AlertState.RESOLVED, resolved_at=scene.ago(2))

    told = texts(alert.lines(late, now=scene.NOW))

    assert told[:2] == [
        "✓ resolved  DiskFull  since 12:38, cleared 12:43",
        "late: was over before it was heard of",
    ]


@pytest.mark.parametrize("width", [10, 30, 44])
def test_a_reason_is_shortened_to_the_width_and_says_so(width: int) -> None:
    words = "silence 3 by ada until 14:00 UTC: " + "the disks are swapped 田 " * 40
    reason = scene.withheld(SuppressionKind.SILENCE, f"{words}\nand more")

    (_, told, *_) = alert.glance(quiet(suppressed=[reason]), now=scene.NOW)
    (row,) = wrapped(told, width)

    assert row.text.endswith("…")
    assert "\n" not in told.text


def test_in_one_line_why_it_does_not_ring_stands_before_its_value() -> None:
    assert "value 2" in alert.digest(quiet()).text
    assert "withheld: silence 3 by ada" in alert.digest(quiet(suppressed=[scene.SILENCE])).text


def test_what_is_over_has_no_value_and_says_what_it_was() -> None:
    over = quiet(state=AlertState.RESOLVED, resolved_at=scene.NOW)

    assert texts(alert.glance(over, now=scene.NOW))[1] == "was    2"
    assert "was 2" in alert.digest(over).text


@pytest.mark.parametrize("kind", [TicketEventKind.ALERT_RESOLVED, TicketEventKind.ALERT_UNKNOWN])
def test_so_does_the_timeline_once_the_condition_is_false_or_not_known(kind: TicketEventKind) -> None:
    (event,) = scene.events(scene.a_ticket())

    told = [
        row.text.strip() for row in ticket.timeline([msgspec.structs.replace(event, kind=kind)], now=event.at)
    ]

    assert "value was 0.0231" in told


def test_the_timeline_says_why_nobody_was_told() -> None:
    (event,) = scene.events(scene.a_ticket())
    event = msgspec.structs.replace(event, data={**event.data, "withheld": ["parent sw-1 is down", "and more"]})

    told = [row.text.strip() for row in ticket.timeline([event], now=event.at + timedelta(minutes=1))]

    assert told[1:4] == ["withheld: parent sw-1 is down", "withheld: and more", "value 0.0231"]


@pytest.mark.parametrize("strange", ["a word", 3.0, {"kind": "silence"}, None])
def test_a_reason_of_another_shape_is_not_shown(strange: object) -> None:
    (event,) = scene.events(scene.a_ticket())
    event = msgspec.structs.replace(event, data={"withheld": strange})

    assert not any("withheld" in row.text for row in ticket.timeline([event], now=scene.NOW))


def test_the_timeline_says_what_was_decided_last_and_by_which_rows() -> None:
    (event,) = scene.events(scene.a_ticket())
    event = msgspec.structs.replace(event, data={**event.data, **scene.RULED})

    told = [row.text.strip() for row in ticket.timeline([event], now=event.at)]

    assert told[1] == "value 0.0231"
    assert told[-2:] == [
        "priority 1: much of the client is touched, and it hurts now · team servers",
        "decided: triage critical, priority high-high, routing server",
    ]


def test_what_a_person_has_said_the_priority_of_is_routed_only() -> None:
    (event,) = scene.events(scene.a_ticket())
    routed = {"team": "servers", "decided": ["routing@089939b4fc2b row server"]}
    event = msgspec.structs.replace(event, data=routed)

    told = [row.text.strip() for row in ticket.timeline([event], now=event.at)]

    assert told[1:] == ["team servers", "decided: routing server"]


@pytest.mark.parametrize(
    ("service", "said"),
    [
        (
            {"row": "sla_selection@a4047cad4938 row server", "item": "server"},
            "clocked as server: sla_selection server",
        ),
        ({"row": "sla_selection@a4047cad4938 row planned"}, "not clocked: sla_selection planned"),
    ],
)
def test_the_timeline_says_as_what_the_ticket_is_clocked(service: dict[str, str], said: str) -> None:
    (event,) = scene.events(scene.a_ticket())

    told = ticket.timeline([msgspec.structs.replace(event, data={"service": service})], now=event.at)

    assert told[-1].text.strip() == said


@pytest.mark.parametrize(
    "strange", [{"team": ""}, {"decided": "a word"}, {"priority": None}, {"service": "gold"}, {"service": {}}]
)
def test_a_decision_of_another_shape_is_not_shown(strange: dict) -> None:
    (event,) = scene.events(scene.a_ticket())

    told = ticket.timeline([msgspec.structs.replace(event, data=strange)], now=event.at)

    assert len(told) == 1


def test_an_acknowledgement_stands_in_the_timeline_with_what_it_means() -> None:
    (event,) = scene.events(scene.a_ticket())
    event = msgspec.structs.replace(event, kind="acknowledged", actor="ada", text="", data={})

    (told,) = ticket.timeline([event], now=scene.NOW)

    assert "ack      ada  its alerts are known" in told.text


def row_of(of: Alert, *, is_ghost: bool = False) -> list[str]:
    return [text for text, _ in alert.cells(of, now=scene.NOW, is_ghost=is_ghost)]


def test_a_row_says_state_severity_place_name_age_and_ticket() -> None:
    of_ticket = scene.alert(scene.a_ticket())

    assert row_of(of_ticket) == ["● firing", "crit", "acme", "atlas", "FilesystemFull", "7m", "#4812"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "none"),
        ({"state": AlertState.PENDING}, "none yet"),
        ({"suppressed": [scene.SILENCE]}, "withheld: silence 3 by ada until 14:00 UTC: disk swap"),
        ({"acknowledged_by": "bob"}, "acknowledged by bob"),
        ({"ticket_id": 7, "acknowledged_by": "bob"}, "#7 · acknowledged by bob"),
    ],
)
def test_where_there_is_no_ticket_the_row_says_why(changes: dict, said: str) -> None:
    assert row_of(quiet(**changes))[-1] == said


def test_a_row_that_has_gone_does_not_say_that_it_fires() -> None:
    cells = alert.cells(quiet(), now=scene.NOW, is_ghost=True)

    assert cells[0][0] == "× gone"
    assert {tone for _, tone in cells} == {Tone.DIM}


def test_the_state_of_one_that_does_not_ring_does_not_shout() -> None:
    states = [alert.cells(each, now=scene.NOW, is_ghost=False)[0] for each in (quiet(), quiet(late=True))]
    hushed = alert.cells(quiet(suppressed=[scene.SILENCE]), now=scene.NOW, is_ghost=False)[0]

    assert {tone for _, tone in states} == {Tone.BAD}
    assert hushed == ("● firing", Tone.DIM)


@pytest.mark.parametrize("room", [0, 4, 5, 8])
def test_what_stands_below_fits_and_begins_with_why(room: int) -> None:
    told = alert.below(scene.quiet()[2], now=scene.NOW, room=room)

    assert len(told) <= room
    assert [each.text[:9] for each in told[2:4]] == ["withheld:"] * len(told[2:4])
    assert not any(each.wraps for each in told)


def test_where_not_all_reasons_fit_it_is_said_how_many_are_left() -> None:
    crowd = quiet(suppressed=[scene.SILENCE] * 5, acknowledged_by="ada")

    told = [each.text for each in alert.below(crowd, now=scene.NOW, room=5)]

    assert told[2:] == [f"withheld: {scene.SILENCE.words}"] * 2 + ["and 4 more"]


@pytest.mark.parametrize(
    ("shown", "is_cut", "said"),
    [
        (6, False, " 6 alerts · 4 withheld · 1 acknowledged"),
        (2, False, " 2 of 6 alerts · 4 withheld · 1 acknowledged"),
        (6, True, " the 6 worst, there may be more · 4 withheld · 1 acknowledged"),
        (2, True, " 2 of the 6 worst, there may be more · 4 withheld · 1 acknowledged"),
    ],
)
def test_the_foot_counts_what_is_shown_and_says_where_it_may_not_be_all(
    shown: int, said: str, *, is_cut: bool
) -> None:
    assert "".join(text for text, _ in alert.foot(shown, scene.quiet(), is_cut=is_cut)) == said
