"""What is typed after `/` asks what it seems to ask."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tui import scene

from tocsin_protocol.tickets import TicketRow
from tocsin_protocol.vocabulary import HostKind
from tocsin_tui.filters import (
    ALERT_KEYS,
    HOST_KEYS,
    TICKET_KEYS,
    Filter,
    alert_fields,
    host_fields,
    parse_filter,
    ticket_fields,
)
from tocsin_tui.format import host_kind


def found(text: str) -> list[int]:
    wanted = parse_filter(text, keys=TICKET_KEYS, me="alice")
    return [row.id for row in scene.tickets() if not wanted or wanted.admits(ticket_fields(row, scene.NOW))]


def parse_host(text: str) -> Filter:
    return parse_filter(text, keys=HOST_KEYS, me="alice")


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("atlas", [4812]),
        ("ATLAS Full", [4812]),  # all words, in any case
        ("client:kiel", [4811, 4788]),
        ("p:1", [4812]),
        ("owner:me", [4797, 4766]),
        ("owner:none p:4", [4748]),
        ("client:nord -owner:bob -owner:none", [4766]),
        ("#4785", [4785]),
        ("-client:acme -client:nord -client:oslo p:2", [4811]),
        ("alert:unknown", [4788]),
        ("kind:request", [4748]),
        ("priority:1", [4812]),
        ("team:none p:1", [4812]),
        ("nothing:like this", []),  # an unknown key is a word
        ("client:", [row.id for row in scene.tickets()]),  # on the way to a value, nothing is hidden
        ("-", [4812, 4809, 4811, 4797, 4802, 4790, 4788, 4785, 4781, 4770, 4766, 4748, 4741]),
    ],
)
def test_a_filter_finds(text: str, ids: list[int]) -> None:
    assert ids == [id_ for id_ in found(text) if id_ in ids] == found(text) or text == "-"


def due(minutes: float | None, state: str = "running") -> TicketRow:
    at = None if minutes is None else scene.NOW + timedelta(minutes=minutes)
    return scene.a_ticket(due_at=at, due_state=state)


LATE, SOON, TODAY = due(-12, "breached"), due(42), due(5 * 60)
PAUSED, NEVER = due(None, "paused"), due(None, "")


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("due:late", [LATE]),
        ("due:1h", [LATE, SOON]),  # what is late is due by then, too
        ("due:6h -due:late", [SOON, TODAY]),
        ("due:none", [NEVER]),
        ("due:paused", [PAUSED]),
        ("-due:1d", [PAUSED, NEVER]),
        ("due:", [LATE, SOON, TODAY, PAUSED, NEVER]),
        ("due:4", [LATE, SOON, TODAY, PAUSED, NEVER]),  # on the way to 4h
        ("due:soonish", []),
        ("2520", []),  # in how many seconds is no word that a row says
    ],
)
def test_tickets_are_found_by_when_they_are_due(text: str, rows: list[TicketRow]) -> None:
    wanted = parse_filter(text, keys=TICKET_KEYS, me="alice")

    assert [
        row for row in (LATE, SOON, TODAY, PAUSED, NEVER) if wanted.admits(ticket_fields(row, scene.NOW))
    ] == rows


def test_a_filter_knows_its_parts_and_whether_time_changes_it() -> None:
    wanted = parse_filter(" Disk  team:servers ", keys=TICKET_KEYS, me="alice")

    assert wanted.parts == ["Disk", "team:servers"]
    assert not wanted.is_timed
    assert parse_filter("disk -DUE:4h", keys=TICKET_KEYS, me="alice").is_timed


def test_hosts_are_found_by_their_own_keys() -> None:
    wanted = parse_host("state:silent kind:desktop")

    assert [row.name for row in scene.hosts() if wanted.admits(host_fields(row))] == ["ws-0019"]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("why:silence", [9001]),
        ("why:parent", [9002]),
        ("withheld -client:oslo", [9001, 9002, 9005]),
        ("why:none state:firing", []),
        ("why:none", [9004]),
        ("why:bob", [9006]),
        ("ticket:none sev:crit", [9002]),
        ("host:app-04 alert:clock", [9003]),
        ("label:snmp state:pending", [9004]),
    ],
)
def test_alerts_are_found_by_why_they_do_not_ring(text: str, ids: list[int]) -> None:
    wanted = parse_filter(text, keys=ALERT_KEYS, me="alice")

    assert [alert.id for alert in scene.quiet() if wanted.admits(alert_fields(alert))] == ids


def test_alerts_are_found_by_their_ticket() -> None:
    alert = scene.alert(scene.a_ticket())

    assert [
        parse_filter(text, keys=ALERT_KEYS, me="alice").admits(alert_fields(alert))
        for text in ("ticket:4812", "#4812", "ticket:none", "-ticket:none")
    ] == [True, True, False, True]


@pytest.mark.parametrize("kind", HostKind)
def test_a_kind_is_found_by_what_its_column_shows(kind: HostKind) -> None:
    shown, _ = host_kind(kind)

    found = [row.kind for row in scene.hosts() if parse_host(f"kind:{shown}").admits(host_fields(row))]

    assert found
    assert set(found) == {kind}


@given(st.text(max_size=40))
def test_whatever_is_typed_is_a_filter(text: str) -> None:
    parse_filter(text, keys=TICKET_KEYS, me="alice").admits(ticket_fields(scene.a_ticket(), scene.NOW))


@given(st.from_regex(r"[a-z]{1,8}", fullmatch=True))
def test_a_word_and_its_negation_share_all_rows_between_them(word: str) -> None:
    assert {row.id for row in scene.tickets()} == set(found(word)) | set(found(f"-{word}"))
    assert not set(found(word)) & set(found(f"-{word}"))
