"""The tables say what a new ticket is, the history quotes them, and the bell rings without them too."""

import pytest
import structlog.testing
from hypothesis import given
from hypothesis import strategies as st
from tests.lifecycle import TABLES

from tocsin_protocol.vocabulary import HostKind, Severity, TicketKind
from tocsin_server.decisions.folder import NO_TABLES, Tables, always
from tocsin_server.desk.ruling import Ruling, Term, Whom, World, notified, priority_of, ruled, term_of

NOW = 1_700_000_000_000


@pytest.mark.parametrize(
    ("world", "said"),
    [
        (World("acme", host_kind="server", severity="critical", rule="FilesystemFull"), (1, "servers")),
        (World("acme", host_kind="network", severity="warning", rule="InterfaceDown"), (2, "network")),
        (World("acme", host_kind="desktop", severity="critical", rule="FilesystemFull"), (2, "workplace")),
        (World("acme", host_kind="desktop", severity="info"), (4, "workplace")),
        (World("acme", host_kind="server", severity="page"), (3, "servers")),
        (World("acme", kind=TicketKind.REQUEST, host_kind="desktop"), (3, "servicedesk")),
        (World("acme"), (3, "servicedesk")),
        (World("acme", host_kind="server", severity="critical", rule="AgentCloned"), (1, "security")),
    ],
)
def test_the_shipped_tables_say_how_urgent_and_whose_it_is(world: World, said: tuple[int, str]) -> None:
    ruling = ruled(TABLES, world, NOW)

    assert (ruling.priority, ruling.team) == said


def test_the_history_says_why_and_quotes_each_row() -> None:
    data = ruled(TABLES, World("acme", host_kind="server", severity="warning", rule="LoadHigh"), NOW).data()

    assert (data["priority"], data["reason"]) == (2, "much of the client is touched, and it will hurt today")
    assert (data["impact"], data["urgency"], data["team"]) == ("high", "medium", "servers")
    assert [row.partition("@")[0] + row.rpartition(" row")[2] for row in data["decided"]] == [
        "triage warning",
        "priority high-medium",
        "routing server",
    ]


def test_without_tables_the_severity_decides_and_nothing_is_quoted() -> None:
    ruling = ruled(NO_TABLES, World("acme", severity="critical"), NOW)

    assert ruling == Ruling(1)
    assert (ruling.data(), ruling.routed()) == ({}, {})


def test_a_table_that_does_not_know_what_it_is_asked_is_told_of_and_stops_no_bell() -> None:
    broken = Tables({**TABLES, "routing": TABLES["escalation"]}, is_open=always)

    with structlog.testing.capture_logs() as said:
        ruling = ruled(broken, World("acme", severity="warning"), NOW)

    assert ruling == Ruling(2)
    assert [line["action"] for line in said] == ["undecided"]


HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("kind", "priority", "solved_by", "hours"),
    [
        (TicketKind.INCIDENT, 1, "recovery", 72),
        (TicketKind.INCIDENT, 2, "recovery", 24),
        (TicketKind.INCIDENT, 2, "person", 72),
        (TicketKind.REQUEST, 4, "person", 120),
        (TicketKind.INCIDENT, 1, "person", None),  # it is looked at once more
        (TicketKind.CHANGE, 3, "person", None),
    ],
)
def test_the_shipped_table_says_after_how_long_a_solved_ticket_closes(
    kind: TicketKind, priority: int, solved_by: str, hours: int | None
) -> None:
    term = term_of(TABLES, World("acme", kind=kind), NOW, priority=priority, solved_by=solved_by)

    assert term.ms == (None if hours is None else hours * HOUR_MS)
    assert term.row.startswith("auto_close@")


def test_where_no_table_says_it_nothing_closes_by_itself() -> None:
    assert term_of(NO_TABLES, World("acme"), NOW, priority=2, solved_by="person") == Term()


def test_a_table_that_cannot_say_when_a_ticket_closes_is_told_of() -> None:
    broken = Tables({"auto_close": TABLES["escalation"]}, is_open=always)

    with structlog.testing.capture_logs() as said:
        term = term_of(broken, World("acme"), NOW, priority=2, solved_by="person")

    assert term == Term()
    assert [line["action"] for line in said] == ["undecided"]


def test_who_is_woken_follows_from_whether_anybody_is_at_work_with_that_client_then() -> None:
    at_work = {("acme", NOW)}
    tables = Tables(TABLES, is_open=lambda client, at_ms: (client, at_ms) in at_work)

    def woken(client: str, at_ms: int) -> list[Whom]:
        told = notified(tables, World(client, severity="warning"), at_ms, priority=2, event="opened")
        return [whom for whom in told if whom.by == "page"]

    assert woken("acme", NOW) == []
    assert [whom.to for whom in woken("acme", NOW + 1)] == ["on_call"]
    assert [whom.to for whom in woken("globex", NOW)] == ["on_call"]


@given(
    st.builds(
        World,
        st.text(max_size=5),
        st.text(max_size=5),
        kind=st.sampled_from(TicketKind),
        host_kind=st.sampled_from(["", *HostKind]),
        severity=st.sampled_from(["", "page", *Severity]),
        rule=st.text(max_size=5),
    )
)
def test_whatever_is_opened_the_shipped_tables_have_an_answer(world: World) -> None:
    ruling = ruled(TABLES, world, NOW)

    assert ruling.rows
    assert ruling.priority in range(1, 5)
    assert ruling.team
    if world.kind is TicketKind.INCIDENT and world.host_kind != "desktop":
        assert ruling.priority == priority_of(world.severity)
