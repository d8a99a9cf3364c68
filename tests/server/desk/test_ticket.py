"""A ticket's life: what each act makes of it, what no state allows, and what holds in any order of acts."""

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.examples import share
from tests.lifecycle import COURSE

from tocsin_protocol.vocabulary import ActorKind, TicketEventKind, TicketState
from tocsin_server.desk import ticket
from tocsin_server.desk.ruling import Ruling, Term, Weight, priority_of
from tocsin_server.desk.standing import TOCSIN, Change, Evidence, Receiver, Standing, Technician
from tocsin_server.errors import Conflict, Unprocessable

NOW = 1_700_000_000_000
ALICE, BOB = Technician(1, "alice"), Technician(2, "bob")
RULING = Ruling(2)
DAY = Term(86_400_000, "auto_close@4ae0b771259a row recovered")
FULL = Evidence(rule="FilesystemFull", severity="warning", text="full", data={"value": 0.02})


def a_ticket(**changes: object) -> Standing:
    opened = replace(ticket.opened_by_alert(FULL, NOW, ruling=RULING).standing, id=7)
    return replace(opened, **changes)


def solved(**changes: object) -> Standing:
    return a_ticket(state=TicketState.SOLVED, solved_ms=NOW, **changes)


def test_a_ticket_of_an_alert_is_new_and_has_the_priority_of_its_severity() -> None:
    change = ticket.opened_by_alert(FULL, NOW, ruling=RULING)

    assert change.standing == Standing(severity="warning", priority=2, updated_ms=NOW)
    assert (change.entry.kind, change.entry.actor.kind) == (TicketEventKind.OPENED, ActorKind.RULE)


def test_a_ticket_of_a_person_is_never_solved_by_itself() -> None:
    assert ticket.opened_by_person(
        ALICE, NOW, priority=4, text="the printer is jammed", ruling=Ruling()
    ).standing.human


def test_taking_makes_it_in_progress_and_owned() -> None:
    taken = ticket.take(a_ticket(), ALICE, NOW, course=COURSE).standing

    assert (taken.state, taken.owner) == (TicketState.IN_PROGRESS, ALICE)


def test_taking_what_somebody_else_owns_names_the_owner() -> None:
    with pytest.raises(Conflict, match="ticket 7 is owned by alice: ask alice"):
        ticket.take(a_ticket(state=TicketState.IN_PROGRESS, owner=ALICE), BOB, NOW, course=COURSE)


def test_taking_what_one_owns_is_said_to_be_in_vain() -> None:
    with pytest.raises(Conflict, match="yours already"):
        ticket.take(a_ticket(state=TicketState.IN_PROGRESS, owner=ALICE), ALICE, NOW, course=COURSE)


def test_a_released_ticket_is_new_and_nobodys() -> None:
    mine = a_ticket(state=TicketState.IN_PROGRESS, owner=ALICE)

    released = ticket.release(mine, ALICE, NOW, may_release_others=False, course=COURSE).standing

    assert (released.state, released.owner) == (TicketState.NEW, None)


def test_only_its_owner_releases_a_ticket_or_who_may_for_others() -> None:
    alices = a_ticket(state=TicketState.IN_PROGRESS, owner=ALICE)

    with pytest.raises(Conflict, match="only alice, a dispatcher or an administrator"):
        ticket.release(alices, BOB, NOW, may_release_others=False, course=COURSE)
    assert ticket.release(alices, BOB, NOW, may_release_others=True, course=COURSE).entry.text == "from alice"


def test_who_is_given_a_ticket_has_not_begun_until_they_take_it() -> None:
    bobs = a_ticket(state=TicketState.IN_PROGRESS, owner=BOB, team="servers")

    given = ticket.assign(bobs, BOB.actor, NOW, to=Receiver("servers", ALICE, data={"owner": "alice"}))
    begun = ticket.take(given.standing, ALICE, NOW, course=COURSE).standing

    assert (given.standing.state, given.standing.owner) == (TicketState.NEW, ALICE)
    assert (given.entry.kind, given.entry.data) == (TicketEventKind.ASSIGNED, {"owner": "alice"})
    assert begun.state is TicketState.IN_PROGRESS
    with pytest.raises(Conflict, match="owned by alice"):
        ticket.take(given.standing, BOB, NOW, course=COURSE)


def test_what_is_given_away_while_it_waits_waits_on() -> None:
    waits = a_ticket(state=TicketState.PENDING, owner=BOB, waits_for="vendor", wakes_ms=NOW + 1)

    given = ticket.assign(waits, BOB.actor, NOW, to=Receiver("network", None)).standing

    assert (given.state, given.waits_for, given.wakes_ms) == (TicketState.PENDING, "vendor", NOW + 1)
    assert (given.team, given.owner) == ("network", None)


def test_a_supplier_works_for_whoever_has_the_ticket() -> None:
    mine = a_ticket(state=TicketState.IN_PROGRESS, owner=ALICE, team="network")

    given = ticket.assign(mine, ALICE.actor, NOW, to=Receiver("network", ALICE, "Lines Ltd")).standing

    assert given == replace(mine, supplier="Lines Ltd", version=2)


@pytest.mark.parametrize(
    ("to", "whom"),
    [
        (Receiver("servers", None), "servers"),
        (Receiver("servers", ALICE), "alice"),
        (Receiver("servers", ALICE, "Lines Ltd"), "Lines Ltd"),
    ],
)
def test_giving_it_to_whoever_has_it_is_said_to_be_in_vain(to: Receiver, whom: str) -> None:
    theirs = a_ticket(team=to.team, owner=to.owner, supplier=to.supplier)

    with pytest.raises(Conflict, match=f"ticket 7 is with {whom} already"):
        ticket.assign(theirs, BOB.actor, NOW, to=to)


def test_what_is_solved_is_given_to_nobody() -> None:
    with pytest.raises(Conflict, match="ticket 7 is solved: reopen it to assign it"):
        ticket.assign(solved(), ALICE.actor, NOW, to=Receiver("servers", None))


def test_what_is_nobodys_cannot_be_released() -> None:
    with pytest.raises(Conflict, match="nobody's"):
        ticket.release(a_ticket(), ALICE, NOW, may_release_others=True, course=COURSE)


def test_who_resolves_a_ticket_of_nobodys_owns_it() -> None:
    resolved = ticket.resolve(a_ticket(), ALICE, NOW + 5, text="", course=COURSE, term=Term()).standing

    assert (resolved.state, resolved.owner, resolved.solved_ms) == (TicketState.SOLVED, ALICE, NOW + 5)
    assert not resolved.human


def test_a_resolution_in_words_counts_as_a_persons_word() -> None:
    assert ticket.resolve(a_ticket(), ALICE, NOW, text="cleaned up", course=COURSE, term=Term()).standing.human


@pytest.mark.parametrize("act", ["take", "release", "resolve"])
def test_a_solved_ticket_has_to_be_reopened_before_it_is_worked_on(act: str) -> None:
    acts = {
        "take": lambda: ticket.take(solved(), ALICE, NOW, course=COURSE),
        "release": lambda: ticket.release(solved(), ALICE, NOW, may_release_others=True, course=COURSE),
        "resolve": lambda: ticket.resolve(solved(), ALICE, NOW, text="", course=COURSE, term=Term()),
    }

    with pytest.raises(Conflict, match=f"ticket 7 is solved: reopen it to {act} it"):
        acts[act]()


def test_a_solved_ticket_takes_comments() -> None:
    assert ticket.comment(solved(), ALICE, NOW, text="thanks").standing.state is TicketState.SOLVED


@pytest.mark.parametrize("public", [False, True])
def test_a_comment_is_for_technicians_or_for_who_asked(*, public: bool) -> None:
    change = ticket.comment(a_ticket(), ALICE, NOW, text="thanks", public=public)

    assert (change.entry.kind, change.entry.public) == (TicketEventKind.COMMENTED, public)
    assert change.standing.human


def test_an_open_ticket_cannot_be_reopened() -> None:
    with pytest.raises(Conflict, match="is open"):
        ticket.reopen(a_ticket(), ALICE, NOW, course=COURSE)


def test_a_person_who_reopens_doubts_the_recovery() -> None:
    reopened = ticket.reopen(
        solved(owner=BOB, recovered_ms=NOW, confirm=True), ALICE, NOW, course=COURSE
    ).standing

    assert (reopened.state, reopened.owner) == (TicketState.IN_PROGRESS, BOB)
    assert (reopened.recovered_ms, reopened.confirm, reopened.human) == (None, False, True)


def test_an_alert_reopens_a_ticket_without_an_owner_as_new() -> None:
    change = ticket.fired(solved(), FULL, NOW, ruling=RULING)

    assert (change.standing.state, change.standing.solved_ms) == (TicketState.NEW, None)
    assert change.entry.kind is TicketEventKind.REOPENED


@pytest.mark.parametrize(
    ("was", "asks", "becomes"),
    [
        ("warning", "critical", (1, "critical")),
        ("critical", "warning", (1, "critical")),
        ("info", "page", (3, "info")),  # a word that is not ours is no better than 3
        ("", "critical", (1, "critical")),
        ("", "page", (2, "")),
    ],
)
def test_priority_rises_with_the_severity_and_never_falls(
    was: str, asks: str, becomes: tuple[int, str]
) -> None:
    priority = {"critical": 1, "warning": 2, "info": 3, "": 2}[was]

    now = ticket.fired(
        a_ticket(severity=was, priority=priority),
        replace(FULL, severity=asks),
        NOW,
        ruling=Ruling(priority_of(asks)),
    ).standing

    assert (now.priority, now.severity) == becomes


def test_what_has_recovered_is_solved_by_itself_with_the_evidence() -> None:
    change = ticket.recover(
        a_ticket(recovered_ms=NOW), NOW + 20_000, quiet_ms=20_000, data={"a": "b"}, is_seen=True, term=Term()
    )

    assert (change.standing.state, change.standing.solved_ms) == (TicketState.SOLVED, NOW + 20_000)
    assert (change.entry.kind, change.entry.actor.kind) == (TicketEventKind.SOLVED, ActorKind.SYSTEM)
    assert change.entry.text == "solved by itself: clear for 20 s on fresh samples"
    assert change.entry.data == {"a": "b"}


def test_what_is_solved_says_when_it_closes_and_by_which_row() -> None:
    by_itself = ticket.recover(
        a_ticket(recovered_ms=NOW), NOW, quiet_ms=0, data={"a": "b"}, is_seen=True, term=DAY
    )
    by_alice = ticket.resolve(a_ticket(), ALICE, NOW, course=COURSE, text="", term=DAY)

    told = {"decided": [DAY.row], "closes_ms": NOW + 86_400_000}
    assert (by_itself.standing.closes_ms, by_alice.standing.closes_ms) == (NOW + 86_400_000,) * 2
    assert by_itself.entry.data == {"a": "b", **told}
    assert by_alice.entry.data == told


def test_what_does_not_close_by_itself_quotes_the_row_all_the_same() -> None:
    change = ticket.resolve(a_ticket(), ALICE, NOW, course=COURSE, text="", term=Term(None, "review"))

    assert (change.standing.closes_ms, change.entry.data) == (None, {"decided": ["review"]})


def test_what_nobody_has_reopened_is_closed_by_tocsin() -> None:
    change = ticket.expire(solved(owner=ALICE, closes_ms=NOW), NOW)

    now = change.standing
    assert (now.state, now.owner, now.solved_ms, now.closes_ms) == (TicketState.CLOSED, ALICE, NOW, None)
    assert (change.entry.kind, change.entry.actor) == (TicketEventKind.CLOSED, TOCSIN)
    assert change.entry.text == "closed by itself: nobody has reopened it"


def test_what_is_not_to_close_by_itself_is_left_to_people() -> None:
    with pytest.raises(Conflict, match="ticket 7 does not close by itself: close it"):
        ticket.expire(solved(), NOW)


@pytest.mark.parametrize("act", ["reopen", "fired", "relapse", "close"])
def test_a_ticket_that_is_solved_no_more_has_no_time_to_close(act: str) -> None:
    was = solved(closes_ms=NOW + 1)
    acts = {
        "reopen": lambda: ticket.reopen(was, ALICE, NOW, course=COURSE),
        "fired": lambda: ticket.fired(was, FULL, NOW, ruling=RULING),
        "relapse": lambda: ticket.relapse(was, NOW, data={}),
        "close": lambda: ticket.close(was, ALICE, NOW, course=COURSE),
    }

    assert acts[act]().standing.closes_ms is None


def test_where_a_person_has_spoken_recovery_asks_once_and_stays_open() -> None:
    change = ticket.recover(
        a_ticket(recovered_ms=NOW, human=True), NOW, quiet_ms=0, data={}, is_seen=True, term=DAY
    )

    assert change.standing.is_open
    assert change.standing.closes_ms is None
    assert change.entry.kind is TicketEventKind.RECOVERED
    with pytest.raises(Conflict, match="waits for a person"):
        ticket.recover(change.standing, NOW, quiet_ms=0, data={}, is_seen=True, term=Term())


def test_what_has_ended_without_being_seen_false_is_never_solved_by_itself() -> None:
    change = ticket.recover(a_ticket(recovered_ms=NOW), NOW, quiet_ms=0, data={}, is_seen=False, term=Term())

    assert (change.standing.is_open, change.standing.confirm) == (True, True)
    assert "does not prove" in change.entry.text


def test_what_has_not_recovered_is_not_solved_by_itself() -> None:
    with pytest.raises(Conflict, match="has not recovered"):
        ticket.recover(a_ticket(), NOW, quiet_ms=0, data={}, is_seen=True, term=Term())


def test_what_fires_on_after_it_was_resolved_is_reopened_by_tocsin() -> None:
    mended = solved(owner=ALICE, recovered_ms=NOW)

    change = ticket.relapse(mended, NOW + 659_999, data={"value": 0.02})

    assert (change.standing.state, change.standing.owner) == (TicketState.IN_PROGRESS, ALICE)
    assert (change.standing.solved_ms, change.standing.recovered_ms) == (None, None)
    assert (change.entry.kind, change.entry.actor) == (TicketEventKind.REOPENED, TOCSIN)
    assert change.entry.text == "still firing 10 min after it was resolved"
    assert change.entry.data == {"value": 0.02}


def test_what_is_open_cannot_relapse() -> None:
    with pytest.raises(Conflict, match="ticket 7 is open"):
        ticket.relapse(a_ticket(), NOW, data={})


def test_a_closed_ticket_takes_nothing() -> None:
    closed = a_ticket(state=TicketState.CLOSED, solved_ms=NOW, recovered_ms=NOW)
    acts = [
        lambda: ticket.fired(closed, FULL, NOW, ruling=RULING),
        lambda: ticket.unknown(closed, FULL, NOW),
        lambda: ticket.cleared(closed, FULL, NOW, is_last=True),
        lambda: ticket.take(closed, ALICE, NOW, course=COURSE),
        lambda: ticket.release(closed, ALICE, NOW, may_release_others=True, course=COURSE),
        lambda: ticket.comment(closed, ALICE, NOW, text="?"),
        lambda: ticket.resolve(closed, ALICE, NOW, text="", course=COURSE, term=Term()),
        lambda: ticket.reopen(closed, ALICE, NOW, course=COURSE),
        lambda: ticket.wait(closed, ALICE, NOW, course=COURSE, reason="vendor", until_ms=None, text=""),
        lambda: ticket.resume(closed, ALICE, NOW, course=COURSE),
        lambda: ticket.close(closed, ALICE, NOW, course=COURSE),
        lambda: ticket.expire(closed, NOW),
        lambda: ticket.recover(closed, NOW, quiet_ms=0, data={}, is_seen=True, term=Term()),
        lambda: ticket.relapse(closed, NOW, data={}),
    ]

    for act in acts:
        with pytest.raises(Conflict, match="ticket 7 is closed: open a new ticket"):
            act()


def pending(**changes: object) -> Standing:
    return a_ticket(state=TicketState.PENDING, waits_for="vendor", wakes_ms=NOW + 60_000, **changes)


def test_what_waits_is_pending_and_says_for_what_and_until_when() -> None:
    change = ticket.wait(
        a_ticket(), ALICE, NOW, course=COURSE, reason="vendor", until_ms=NOW + 1, text="a new disk comes"
    )

    now = change.standing
    assert (now.state, now.waits_for, now.wakes_ms, now.human) == (TicketState.PENDING, "vendor", NOW + 1, True)
    assert (change.entry.kind, change.entry.text) == (TicketEventKind.WAITING, "a new disk comes")
    assert change.entry.data == {"for": "vendor", "until_ms": NOW + 1}


def test_nothing_waits_for_what_nobody_names_or_until_what_is_past() -> None:
    with pytest.raises(Unprocessable, match="cannot wait for 'godot'"):
        ticket.wait(a_ticket(), ALICE, NOW, course=COURSE, reason="godot", until_ms=None, text="")
    with pytest.raises(Unprocessable, match="a time that is past"):
        ticket.wait(a_ticket(), ALICE, NOW, course=COURSE, reason="vendor", until_ms=NOW, text="")


@pytest.mark.parametrize(("owner", "state"), [(ALICE, TicketState.IN_PROGRESS), (None, TicketState.NEW)])
def test_what_is_resumed_goes_on_with_its_owner(owner: Technician | None, state: TicketState) -> None:
    now = ticket.resume(pending(owner=owner), BOB, NOW, course=COURSE).standing

    assert (now.state, now.owner, now.waits_for, now.wakes_ms) == (state, owner, "", None)


def test_what_was_to_wait_until_now_is_woken_by_tocsin() -> None:
    change = ticket.wake(pending(owner=ALICE), NOW + 60_000)

    assert (change.standing.state, change.standing.wakes_ms) == (TicketState.IN_PROGRESS, None)
    assert (change.entry.kind, change.entry.actor) == (TicketEventKind.RESUMED, TOCSIN)
    assert "wait for vendor until now" in change.entry.text


def test_what_waits_for_no_time_is_not_woken() -> None:
    with pytest.raises(Conflict, match="waits for no time: resume it"):
        ticket.wake(a_ticket(), NOW)


def test_a_solved_ticket_is_closed_and_an_open_one_is_not() -> None:
    assert ticket.close(solved(), ALICE, NOW, course=COURSE).standing.state is TicketState.CLOSED
    with pytest.raises(
        Conflict, match="ticket 7 is new: what can be done with it: take, release, wait, resolve"
    ):
        ticket.close(a_ticket(), ALICE, NOW, course=COURSE)


def test_a_ticket_that_waits_is_solved_by_its_recovery_all_the_same() -> None:
    now = ticket.recover(
        pending(recovered_ms=NOW), NOW + 20_000, quiet_ms=20_000, data={}, is_seen=True, term=Term()
    ).standing

    assert (now.state, now.waits_for, now.wakes_ms) == (TicketState.SOLVED, "", None)


def test_an_evaluation_that_is_told_late_does_not_set_the_ticket_back_in_time() -> None:
    assert ticket.unknown(a_ticket(updated_ms=NOW), FULL, NOW - 1000).standing.updated_ms == NOW


people = st.sampled_from([ALICE, BOB])
severities = st.sampled_from(["critical", "warning", "info", "page", ""])
terms = st.sampled_from([Term(), Term(0), DAY])


def test_a_person_lowers_a_priority_and_the_same_alert_does_not_raise_it_again() -> None:
    lowered = ticket.prioritise(a_ticket(), ALICE, NOW, weight=Weight(4), text="a spare").standing

    again = ticket.fired(lowered, FULL, NOW, ruling=RULING).standing
    worse = ticket.fired(again, replace(FULL, severity="critical"), NOW, ruling=Ruling(1)).standing

    assert (lowered.priority, again.priority, worse.priority) == (4, 4, 1)


def test_a_person_raises_a_priority_and_no_alert_lowers_it() -> None:
    raised = ticket.prioritise(
        a_ticket(severity="info"), ALICE, NOW, weight=Weight(1), text="the boss"
    ).standing

    assert ticket.fired(raised, FULL, NOW, ruling=RULING).standing.priority == 1


def test_a_priority_that_it_has_already_or_that_comes_too_late_is_refused() -> None:
    with pytest.raises(Conflict, match="has priority 2 already"):
        ticket.prioritise(a_ticket(), ALICE, NOW, weight=Weight(2), text="so")
    with pytest.raises(Conflict, match="is solved"):
        ticket.prioritise(solved(), ALICE, NOW, weight=Weight(1), text="so")


class TicketLife(RuleBasedStateMachine):
    """Acts of alerts and people in any order; a refused act changes nothing."""

    @initialize(severity=severities, by_person=st.booleans())
    def open(self, severity: str, *, by_person: bool) -> None:
        self.now_ms = NOW
        change = (
            ticket.opened_by_person(ALICE, NOW, priority=3, text="", ruling=Ruling())
            if by_person
            else ticket.opened_by_alert(
                Evidence("FilesystemFull", severity), NOW, ruling=Ruling(priority_of(severity))
            )
        )
        self.standing = change.standing
        self.timeline = [change.entry]
        self.refusals: list[Conflict] = []

    @property
    def is_over(self) -> bool:
        return self.standing.state is TicketState.CLOSED

    def attempt(self, act, *given: object, **more: object) -> None:
        before = self.standing
        try:
            change: Change = act(before, *given, **more)
        except Conflict as refusal:
            self.refusals.append(refusal)
            return
        assert before.state is not TicketState.CLOSED
        assert change.standing.version == before.version + 1
        if change.entry.kind is not TicketEventKind.PRIORITISED:
            assert change.standing.priority <= before.priority
        assert change.standing.updated_ms >= before.updated_ms
        self.standing = change.standing
        self.timeline.append(change.entry)

    @rule(seconds=st.integers(-5, 4000))
    def time_passes(self, seconds: int) -> None:
        self.now_ms += seconds * 1000

    @rule(severity=severities)
    def an_alert_fires(self, severity: str) -> None:
        self.attempt(
            ticket.fired,
            Evidence("FilesystemFull", severity),
            self.now_ms,
            ruling=Ruling(priority_of(severity)),
        )
        assert self.is_over or self.standing.is_open
        assert self.is_over or self.standing.recovered_ms is None

    @rule()
    def an_alert_is_unknown(self) -> None:
        self.attempt(ticket.unknown, FULL, self.now_ms)
        assert self.is_over or self.standing.recovered_ms is None

    @rule(is_last=st.booleans())
    def an_alert_clears(self, *, is_last: bool) -> None:
        was_open = self.standing.is_open
        self.attempt(ticket.cleared, FULL, self.now_ms, is_last=is_last)
        assert self.standing.is_open == was_open

    @rule(who=people)
    def take(self, who: Technician) -> None:
        self.attempt(ticket.take, who, self.now_ms, course=COURSE)

    @rule(who=people, may=st.booleans())
    def release(self, who: Technician, *, may: bool) -> None:
        self.attempt(ticket.release, who, self.now_ms, course=COURSE, may_release_others=may)

    @rule(who=people, team=st.sampled_from(["servers", "network"]), owner=st.none() | people)
    def assign(self, who: Technician, team: str, owner: Technician | None) -> None:
        state = self.standing.state
        self.attempt(ticket.assign, who.actor, self.now_ms, to=Receiver(team, owner))
        if self.standing.is_open:
            assert (self.standing.team, self.standing.owner) == (team, owner)
            assert self.standing.state in {state, TicketState.NEW}

    @rule(who=people)
    def comment(self, who: Technician) -> None:
        self.attempt(ticket.comment, who, self.now_ms, text="looking at it")
        assert self.is_over or self.standing.human

    @rule(who=people, priority=st.integers(1, 4))
    def prioritise(self, who: Technician, priority: int) -> None:
        was = self.standing
        self.attempt(ticket.prioritise, who, self.now_ms, weight=Weight(priority), text="the shop is shut")
        assert self.standing.priority == (priority if was.is_open else was.priority)

    @rule(who=people, text=st.sampled_from(["", "mended"]), term=terms)
    def resolve(self, who: Technician, text: str, term: Term) -> None:
        self.attempt(ticket.resolve, who, self.now_ms, course=COURSE, text=text, term=term)
        assert not self.standing.is_open

    @rule(who=people)
    def reopen(self, who: Technician) -> None:
        self.attempt(ticket.reopen, who, self.now_ms, course=COURSE)
        assert self.is_over or self.standing.is_open

    @rule(who=people, reason=st.sampled_from(["vendor", "customer"]), seconds=st.none() | st.integers(1, 4000))
    def wait(self, who: Technician, reason: str, seconds: int | None) -> None:
        until_ms = None if seconds is None else self.now_ms + seconds * 1000
        self.attempt(ticket.wait, who, self.now_ms, course=COURSE, reason=reason, until_ms=until_ms, text="")

    @rule(who=people)
    def resume(self, who: Technician) -> None:
        self.attempt(ticket.resume, who, self.now_ms, course=COURSE)
        assert self.standing.state is not TicketState.PENDING

    @precondition(lambda self: self.standing.wakes_ms is not None)
    @rule()
    def wake(self) -> None:
        self.now_ms = max(self.now_ms, self.standing.wakes_ms or 0)
        self.attempt(ticket.wake, self.now_ms)
        assert self.standing.is_open

    @precondition(lambda self: self.standing.recovered_ms is not None)
    @rule(term=terms)
    def recover(self, term: Term) -> None:
        spoken = self.standing.human
        was_open = self.standing.is_open
        self.attempt(ticket.recover, self.now_ms, quiet_ms=20_000, data={}, is_seen=True, term=term)
        assert self.standing.is_open == (was_open and spoken)

    @rule()
    def relapse(self) -> None:
        owner = self.standing.owner
        self.attempt(ticket.relapse, self.now_ms, data={})
        assert self.is_over or self.standing.is_open
        assert self.standing.owner == owner

    @precondition(lambda self: not self.standing.is_open)
    @rule(who=people)
    def close(self, who: Technician) -> None:
        self.attempt(ticket.close, who, self.now_ms, course=COURSE)
        assert self.is_over

    @precondition(lambda self: self.standing.closes_ms is not None)
    @rule()
    def expire(self) -> None:
        self.now_ms = max(self.now_ms, self.standing.closes_ms or 0)
        self.attempt(ticket.expire, self.now_ms)
        assert self.is_over

    @invariant()
    def only_what_is_solved_is_to_close(self) -> None:
        assert self.standing.closes_ms is None or self.standing.state is TicketState.SOLVED

    @invariant()
    def solved_if_and_only_if_it_says_when(self) -> None:
        assert self.standing.is_open == (self.standing.solved_ms is None)

    @invariant()
    def what_waits_and_nothing_else_is_pending(self) -> None:
        assert (self.standing.state is TicketState.PENDING) == bool(self.standing.waits_for)
        assert self.standing.wakes_ms is None or self.standing.waits_for

    @invariant()
    def who_has_a_new_ticket_was_given_it(self) -> None:
        if self.standing.owner is not None and self.standing.state is TicketState.NEW:
            assert TicketEventKind.ASSIGNED in [entry.kind for entry in self.timeline]

    @invariant()
    def the_version_is_the_length_of_the_timeline(self) -> None:
        assert self.standing.version == len(self.timeline)

    @invariant()
    def who_is_asked_to_confirm_has_a_recovery_to_confirm(self) -> None:
        assert not self.standing.confirm or self.standing.recovered_ms is not None

    @invariant()
    def every_refusal_says_the_remedy(self) -> None:
        assert all(refusal.remedy for refusal in self.refusals)

    @invariant()
    def the_timeline_begins_with_the_opening(self) -> None:
        assert self.timeline[0].kind is TicketEventKind.OPENED


TestTicketLife = TicketLife.TestCase
TestTicketLife.settings = settings(max_examples=share(60), stateful_step_count=25)
