"""What people do over HTTP is in the audit log, with who and from where; what is refused or read is not."""

from typing import Any

import httpx
import pytest
from sqlalchemy import delete, text, update
from sqlmodel import Session
from tests.contracts import contract_text
from tests.server.http.rig import NOW, PASSWORD, Rig
from tests.server.http.test_guards import every_route
from tests.server.http.test_me import OWN_ACTS

from tocsin_protocol.vocabulary import Role
from tocsin_server.access import attempts
from tocsin_server.access.audit import Act, Actor, Deed, Entry, Party
from tocsin_server.access.auditlog import entries, record
from tocsin_server.access.people import person_named
from tocsin_server.access.ration import AT_ONCE
from tocsin_server.access.verification import Ill, verdict
from tocsin_server.clock import moment
from tocsin_server.desk.attested import first_altered
from tocsin_server.desk.store import EVENTS, TicketAlert
from tocsin_server.desk.teams import Wish, add_team
from tocsin_server.errors import Unavailable
from tocsin_server.estate.clients import add_client
from tocsin_server.sla.document import document_of

SILENCES, TICKETS, LOGIN = "/api/v1/silences", "/api/v1/tickets", "/api/v1/login"
SILENCE = {
    "client": "acme",
    "matchers": '{alertname="DiskFull"}',
    "ends_at": moment(NOW + 3_600_000).isoformat(),
}


def log(rig: Rig) -> list[Entry]:
    told = rig.storage.read(lambda session: list(entries(session)))
    assert verdict(told, [], lambda _: False).fault is None
    return told


TICKET = {"client": "acme", "title": "t"}
WAIT = {"reason": "vendor"}
REQUESTERS = "/api/v1/clients/1/requesters"
CONTRACT = document_of(contract_text().replace("ACME-1", "1"))
URGENT = {"priority": 1, "text": "the shop is shut"}
BULK = {"act": "resolve", "tickets": [{"id": 1}]}
LINK = {"kind": "relates", "other": 2}
MERGE = {"into": 2}
FIRST: dict[str, Any] = {
    SILENCES: SILENCE,
    TICKETS: TICKET,
    f"{TICKETS}/1/wait": WAIT,
    f"{TICKETS}/1/link": LINK,
    f"{TICKETS}/1/merge": MERGE,
}


def deeds_of(path: str) -> int:
    """What is done to two tickets is a deed of each."""
    return 2 if path.endswith(("link", "merge")) else 1


def ring(rig: Rig) -> None:
    """Ticket 1 is about an alert that fires."""
    alert_id = rig.alert()
    rig.storage.write(lambda session: session.add(TicketAlert(ticket_id=1, alert_id=alert_id, client_id=1)))


ACTS: list[tuple[list[str], str, str, Any, tuple[str, str, int | None]]] = [
    ([], "POST", "/api/v1/logout", None, ("person.signed_out", "alice", None)),
    ([], "POST", SILENCES, SILENCE, ("silence.made", "1", 1)),
    ([SILENCES], "POST", SILENCES, SILENCE | {"id": 1}, ("silence.changed", "1", 1)),
    ([SILENCES], "DELETE", f"{SILENCES}/1", None, ("silence.ended", "1", 1)),
    ([], "POST", REQUESTERS, {"mail": "eve@acme.example", "name": "Eve"}, ("requester.added", "1", 3)),
    ([], "PUT", "/api/v1/contracts/1", CONTRACT, ("contract.kept", "1", 1)),
    ([], "POST", TICKETS, TICKET, ("ticket.opened", "1", 1)),
    ([TICKETS], "POST", f"{TICKETS}/1/take", {}, ("ticket.taken", "1", 1)),
    ([TICKETS], "POST", f"{TICKETS}/1/watch", None, ("watch.begun", "1", 1)),
    ([TICKETS, f"{TICKETS}/1/watch"], "POST", f"{TICKETS}/1/unwatch", None, ("watch.ended", "1", 1)),
    ([TICKETS], "POST", f"{TICKETS}/bulk", BULK, ("ticket.solved", "1", 1)),
    ([TICKETS], "POST", f"{TICKETS}/1/assign", {"team": "servers"}, ("ticket.assigned", "1", 1)),
    ([TICKETS], "POST", f"{TICKETS}/1/comment", {"text": "c"}, ("ticket.commented", "1", 1)),
    ([TICKETS], "POST", f"{TICKETS}/1/prioritise", URGENT, ("ticket.prioritised", "1", 1)),
    ([TICKETS, TICKETS], "POST", f"{TICKETS}/1/link", LINK, ("ticket.linked", "2", 1)),
    ([TICKETS, TICKETS, f"{TICKETS}/1/link"], "POST", f"{TICKETS}/1/unlink", LINK, ("ticket.unlinked", "2", 1)),
    ([TICKETS, TICKETS], "POST", f"{TICKETS}/1/merge", MERGE, ("ticket.absorbed", "2", 1)),
    (
        [TICKETS, TICKETS, f"{TICKETS}/1/merge"],
        "POST",
        f"{TICKETS}/1/unmerge",
        {},
        ("ticket.separated", "2", 1),
    ),
    ([TICKETS], "POST", f"{TICKETS}/1/acknowledge", {}, ("ticket.acknowledged", "1", 1)),
    ([TICKETS], "POST", f"{TICKETS}/1/resolve", {"text": "r"}, ("ticket.solved", "1", 1)),
    ([TICKETS, f"{TICKETS}/1/take"], "POST", f"{TICKETS}/1/release", {}, ("ticket.released", "1", 1)),
    ([TICKETS, f"{TICKETS}/1/resolve"], "POST", f"{TICKETS}/1/reopen", {}, ("ticket.reopened", "1", 1)),
    ([TICKETS, f"{TICKETS}/1/resolve"], "POST", f"{TICKETS}/1/close", {}, ("ticket.closed", "1", 1)),
    ([TICKETS], "POST", f"{TICKETS}/1/wait", WAIT, ("ticket.waiting", "1", 1)),
    ([TICKETS, f"{TICKETS}/1/wait"], "POST", f"{TICKETS}/1/resume", {}, ("ticket.resumed", "1", 1)),
]


@pytest.mark.parametrize(
    ("before", "method", "path", "said", "recorded"), ACTS, ids=[act[-1][0] for act in ACTS]
)
async def test_an_act_is_recorded(
    rig: Rig,
    alice: httpx.AsyncClient,
    before: list[str],
    method: str,
    path: str,
    said: Any,
    recorded: tuple[str, str, int | None],
) -> None:
    for earlier in before:
        (await alice.post(earlier, json=FIRST.get(earlier, {}))).raise_for_status()
    if path.endswith("acknowledge"):
        ring(rig)
    if path == REQUESTERS:
        rig.storage.write(lambda session: add_client(session, "1", "One", NOW))
    if method == "PUT":
        rig.sees("acme", role=Role.ADMIN)
    if path.endswith("assign"):
        rig.storage.write(lambda session: add_team(session, "servers", Wish(), NOW))

    await alice.request(method, path, json=said)

    assert len(log(rig)) == sum(map(deeds_of, [*before, path]))
    entry = log(rig)[-1]
    assert (entry.act, entry.subject, entry.client_id) == recorded
    assert (entry.party, entry.actor, entry.source, entry.at_ms) == ("person", "alice", "127.0.0.1", NOW)


def test_no_route_that_changes_anything_is_forgotten(rig: Rig) -> None:
    """Whoever adds one adds its act to the list above, or to that of one's own way in."""
    changing = {route for route in every_route() if route[0] not in {"GET", "HEAD"}}

    assert (
        changing - {(method, path) for _, method, path, _, _ in ACTS}
        == {
            ("POST", LOGIN),
            ("POST", f"{TICKETS}/1/looking"),  # it changes nothing that is kept
        }
        | OWN_ACTS
    )


async def test_what_is_refused_or_read_or_without_effect_is_not_recorded(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    await alice.post(SILENCES, json=SILENCE)
    await alice.delete(f"{SILENCES}/1")
    before = log(rig)

    for method, path, said in (
        ("DELETE", f"{SILENCES}/1", None),  # it has ended
        ("POST", SILENCES, SILENCE | {"id": 7}),
        ("POST", SILENCES, SILENCE | {"ends_at": moment(NOW - 1).isoformat()}),
        ("POST", f"{TICKETS}/1/take", {}),
        ("GET", SILENCES, None),
        ("GET", "/api/v1/me", None),
    ):
        await alice.request(method, path, json=said)
    async with rig.client("charlie") as charlie:
        await charlie.post(SILENCES, json=SILENCE)

    assert log(rig) == before


async def test_signing_in_and_failing_to_are_recorded_without_what_was_typed(rig: Rig) -> None:
    async with rig.client(None) as nobody:
        for login, password in (
            ("alice", PASSWORD),
            ("alice", "wrong horse battery"),
            ("correct horse battery", "alice"),  # typed the wrong way round
        ):
            await nobody.post(LOGIN, json={"login": login, "password": password})

    told = log(rig)

    assert [(entry.act, entry.party, entry.actor, entry.subject) for entry in told] == [
        ("person.signed_in", "person", "alice", "alice"),
        ("person.sign_in_failed", "nobody", "alice", "alice"),
        ("person.sign_in_failed", "nobody", "", ""),
    ]
    assert "horse" not in repr(told)


async def test_a_flood_of_guesses_is_counted_and_not_written_down_one_by_one(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "SOURCE", attempts.SOURCE._replace(free=99))  # as if from everywhere
    async with rig.client(None) as nobody:
        for number in range(AT_ONCE + 3):
            await nobody.post(LOGIN, json={"login": f"guess{number}", "password": "x"})
        rig.clock.move(seconds=60)
        for _ in range(2):
            answer = await nobody.post(LOGIN, json={"login": "alice", "password": "x"})

    told = log(rig)

    assert answer.status_code == 401
    assert len(told) == AT_ONCE + 1
    assert [entry.details for entry in told[-2:]] == ["{}", '{"passed_over":3}']


@pytest.mark.parametrize("password", ["x", PASSWORD])
async def test_while_failures_cannot_be_counted_nobody_learns_whether_a_password_is_right(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    async def fail(_act: Any) -> None:
        raise Unavailable("the disk is full")

    monkeypatch.setattr(rig.storage, "write_soon", fail)
    async with rig.client(None) as nobody:
        answer = await nobody.post(LOGIN, json={"login": "alice", "password": password})

    assert answer.status_code == 503


async def test_an_act_that_cannot_be_recorded_is_not_done(
    rig: Rig, alice: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise Unavailable("no entry")

    monkeypatch.setattr("tocsin_server.http.silences.record", fail)
    answer = await alice.post(SILENCES, json=SILENCE)

    assert answer.status_code == 503
    assert (await alice.get(SILENCES)).json()["silences"] == []


@pytest.mark.parametrize(
    "details", [{}, {"event": 10**30, "sha256": ""}, {"event": []}, {"event": -(10**30), "sha256": ""}]
)
async def test_an_entry_that_somebody_has_made_up_is_found(rig: Rig, details: dict[str, Any]) -> None:
    deed = Deed(Act.TICKET_SOLVED, 1, by=Actor(Party.PERSON, "alice"), at_ms=NOW, details=details)
    rig.storage.write(lambda session: record(session, deed))

    fault = rig.storage.read(lambda session: first_altered(session, log(rig)))

    assert fault is not None
    assert (fault.entry_id, fault.ill) == (1, Ill.EVENT)


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (update(EVENTS).where(EVENTS.c.id == 2).values(text="it was like that"), "changed"),
        (update(EVENTS).where(EVENTS.c.id == 2).values(at_ms=NOW - 1), "changed"),
        (update(EVENTS).where(EVENTS.c.id == 2).values(data={"x": 1}), "changed"),
        (text("UPDATE ticket_event SET kind = 'eaten' WHERE id = 2"), "changed"),
        (text("UPDATE ticket_event SET data = '{', text = x'ff' WHERE id = 2"), "changed"),
        (update(EVENTS).where(EVENTS.c.id == 2).values(client_id=2), "changed"),
        (delete(EVENTS).where(EVENTS.c.id == 2), "removed"),
    ],
)
async def test_an_event_that_is_altered_afterwards_is_found_by_the_log(
    rig: Rig, alice: httpx.AsyncClient, tamper: Any, said: str
) -> None:
    await alice.post(TICKETS, json=TICKET)
    await alice.post(f"{TICKETS}/1/comment", json={"text": "it was otherwise"})

    def found(session: Session) -> Any:
        return first_altered(session, entries(session))

    before = rig.storage.read(found)
    rig.storage.write(lambda session: session.execute(tamper))

    assert before is None
    assert rig.storage.read(found) == (
        2,
        Ill.EVENT,
        f"event 2, which entry 2 tells of, has been {said}",
    )


async def test_somebody_who_may_no_longer_sign_in_leaves_no_entry_of_having_done_so(rig: Rig) -> None:
    def disable(session: Session) -> None:
        person = person_named(session, "alice")
        assert person is not None
        person.disabled_ms = NOW

    rig.storage.write(disable)
    async with rig.client(None) as nobody:
        await nobody.post(LOGIN, json={"login": "alice", "password": PASSWORD})

    assert [entry.act for entry in log(rig)] == ["person.sign_in_failed"]
