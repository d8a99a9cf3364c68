"""Promises in words: each state has its own, and none is told by its colour alone."""

from datetime import timedelta

import msgspec
import pytest
from tests.tui import scene

from tocsin_protocol.clocks import TicketClock
from tocsin_protocol.tickets import TicketDetail
from tocsin_tui.format import Tone
from tocsin_tui.sheets import clocks, ticket

NOW = scene.NOW


def due_in(minutes: float | None, state: str = "running"):
    """A ticket that is due then."""
    return scene.a_ticket(due_at=None if minutes is None else scene.ago(-minutes), due_state=state)


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (130, ("due 2h10", Tone.PLAIN)),
        (60, ("due 1h00", Tone.WARN)),
        (0.5, ("due <1m", Tone.WARN)),
        (0, ("due <1m", Tone.WARN)),
        (-0.5, ("late <1m", Tone.BAD)),
        (-12, ("late 12m", Tone.BAD)),
        (None, None),
    ],
)
def test_what_is_due_is_said_with_the_time_that_is_left_or_over(minutes, said) -> None:
    assert clocks.due(due_in(minutes), NOW) == said


@pytest.mark.parametrize(
    ("minutes", "subject"),
    [
        (130, (scene.DEFAULT_TITLE, Tone.PLAIN)),
        (42, (f"due 42m: {scene.DEFAULT_TITLE}", Tone.WARN)),
        (-12, (f"late 12m: {scene.DEFAULT_TITLE}", Tone.BAD)),
        (None, (scene.DEFAULT_TITLE, Tone.PLAIN)),
    ],
)
def test_the_queue_names_what_is_late_or_due_soon(minutes, subject) -> None:
    assert ticket.cells(due_in(minutes), me="alice", now=NOW, is_ghost=False)[6] == subject


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (due_in(130), " · due 2h10 at 14:55"),
        (due_in(-12, "breached"), " · late 12m since 12:33"),
        (due_in(None, "paused"), " · its clocks wait"),
        (due_in(None, ""), ""),
    ],
)
def test_the_heading_says_when(row, said) -> None:
    assert "".join(text for text, _ in clocks.in_heading(row, NOW)) == said


def a_clock(**changes) -> TicketClock:
    """One that is due at 14:15."""
    return msgspec.structs.replace(scene.clocked(scene.detail(scene.a_ticket())).clocks[3], **changes)


def told(*found: TicketClock, unclocked: str = "") -> list[str]:
    detail = TicketDetail(
        ticket=scene.a_ticket(), events=[], alerts=[], clocks=list(found), unclocked=unclocked
    )
    return [line.text for line in clocks.lines(detail, now=NOW)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "◌ due 1h30, 14:15, of 4h"),
        ({"due_at": scene.ago(20)}, "● late 20m, was due 12:25, of 4h"),  # the server had told it in time
        ({"state": "breached", "due_at": scene.ago(20)}, "● late 20m, was due 12:25, of 4h"),
        ({"state": "breached", "ended_at": scene.ago(1)}, "● missed, 2h30 of 4h"),
        ({"state": "met", "ended_at": scene.ago(1)}, "✓ met in 2h30 of 4h"),
        ({"state": "cancelled", "ended_at": scene.ago(1)}, "· cancelled, 2h30 of 4h"),
        (
            {"state": "paused", "reason": "customer", "due_at": None},
            "… paused for customer, 1h30 left of 4h",
        ),
    ],
)
def test_each_state_has_words_of_its_own(changes, said) -> None:
    assert told(a_clock(**changes)) == ["premium · jours ouvrés, Europe/Paris", f"resolve         {said}"]


def test_what_was_superseded_and_rounds_that_are_over_are_left_out() -> None:
    round_ = a_clock(kind="update", state="met", ended_at=scene.ago(9))

    shown = told(
        a_clock(state="superseded", ended_at=NOW),
        round_,
        msgspec.structs.replace(round_, round=2, state="running", ended_at=None),
    )

    assert shown[1:] == ["update          ◌ due 1h30, 14:15, of 4h"]


def test_another_agreement_has_a_line_of_its_own() -> None:
    shown = told(a_clock(), a_clock(agreement="network", kind="ack"))

    assert [line.partition(" ")[0] for line in shown] == ["premium", "resolve", "network", "ack"]


def test_where_there_is_no_clock_it_is_said_why_and_else_nothing() -> None:
    assert told(unclocked="acme had no contract on 2026-11-25") == [
        "no clocks: acme had no contract on 2026-11-25"
    ]
    assert told() == []


def test_open_time_has_no_days() -> None:
    shown = told(
        a_clock(state="met", ended_at=NOW, elapsed_s=45.0, target_s=timedelta(hours=30).total_seconds())
    )

    assert shown[1].endswith("✓ met in 45s of 30h")
