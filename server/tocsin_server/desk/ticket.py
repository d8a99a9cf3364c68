"""The life of a ticket: what it becomes by each act, and the line of its timeline that tells of it.

                 take                resolve, recover     close, expire
    open ─▶ new ──────▶ in progress ──────────────────▶ solved ─▶ closed
             ▲           │  ▲  │ ▲                        │
             └─ release ─┘  │  │ └─ reopen, fire, relapse ┘
                    resume ─┘  └▶ pending, by wait      (new, where it has no owner)

What is assigned to somebody is new until they take it.
So it is shipped: which act of a person leads where is the `course` that each is given, of `lifecycle`.

Pure: `now_ms` and everything else is passed in. An act gives a `Change`: the standing after it and exactly one
entry, so that a ticket's version is the length of its timeline. An act that the state forbids raises
`Conflict` with the remedy. A closed ticket takes nothing any more.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tocsin_protocol.vocabulary import ActorKind, TicketAct, TicketEventKind, TicketState
from tocsin_server.desk.lifecycle import Course
from tocsin_server.desk.ruling import Ruling, Term, Weight, known_severity, priority_of
from tocsin_server.desk.standing import (
    TOCSIN,
    Actor,
    Change,
    Entry,
    Evidence,
    Receiver,
    Standing,
    Technician,
    changed,
)
from tocsin_server.errors import Conflict, Unprocessable

_CONFIRM = "recovered, confirm and resolve"
_UNPROVEN = "its alerts have ended, which does not prove that the trouble has: confirm and resolve"


def opened_by_alert(evidence: Evidence, now_ms: int, *, ruling: Ruling) -> Change:
    """A rule has found trouble that no ticket is about."""
    standing = ruled_by(Standing(severity=known_severity(evidence.severity), updated_ms=now_ms), ruling)
    return Change(standing, _told(TicketEventKind.OPENED, evidence, now_ms, ruling))


def opened_by_person(who: Technician, now_ms: int, *, priority: int, text: str, ruling: Ruling) -> Change:
    """A person has found it, and says how urgent it is; nothing but a person will solve it."""
    standing = Standing(priority=priority, team=ruling.team, human=True, updated_ms=now_ms)
    data = {"priority": priority, **ruling.routed()}
    return Change(standing, Entry(now_ms, TicketEventKind.OPENED, who.actor, text, data))


def opened_from_host(who: str, now_ms: int, *, text: str, data: Mapping[str, Any], ruling: Ruling) -> Change:
    """Somebody at a host asks for something; nothing but a person will solve it. `data` is how the host is."""
    standing = ruled_by(Standing(human=True, updated_ms=now_ms), ruling)
    entry = Entry(now_ms, TicketEventKind.OPENED, Actor(ActorKind.HOST, who), text, {**data, **ruling.data()})
    return Change(standing, entry)


def ruled_by(standing: Standing, ruling: Ruling) -> Standing:
    """As the tables say what a new ticket is."""
    return replace(
        standing,
        priority=ruling.priority,
        impact=ruling.impact,
        urgency=ruling.urgency,
        team=ruling.team,
    )


def fired(was: Standing, evidence: Evidence, now_ms: int, *, ruling: Ruling) -> Change:
    """One of its alerts fires, for the first time or again; a solved ticket is reopened."""
    risen = worse(was, evidence.severity, ruling)
    told_of = ruling if risen.priority < was.priority else None
    if was.is_open:
        now = replace(risen, recovered_ms=None, confirm=False)
        return changed(now, _told(TicketEventKind.ALERT_FIRED, evidence, now_ms, told_of))
    return changed(open_again(risen), _told(TicketEventKind.REOPENED, evidence, now_ms, told_of))


def unknown(was: Standing, evidence: Evidence, now_ms: int) -> Change:
    """One of its alerts can no longer be judged: that is not good news."""
    _require_not_closed(was)
    now = replace(was, recovered_ms=None, confirm=False)
    return changed(now, _told(TicketEventKind.ALERT_UNKNOWN, evidence, now_ms))


def cleared(was: Standing, evidence: Evidence, now_ms: int, *, is_last: bool) -> Change:
    """The condition of one of its alerts is seen false; `is_last`: no other of them is alarming."""
    _require_not_closed(was)
    now = replace(was, recovered_ms=now_ms) if is_last else was
    return changed(now, _told(TicketEventKind.ALERT_RESOLVED, evidence, now_ms))


def take(was: Standing, who: Technician, now_ms: int, *, course: Course) -> Change:
    """A person makes it theirs, or begins with what was given to them."""
    is_given = was.owner is not None and was.owner.id == who.id and was.state is TicketState.NEW
    if was.is_open and was.owner is not None and not is_given:
        _require_to_be_free(was.owner, who, _name(was))
    now = _led(replace(was, owner=who), course, TicketAct.TAKE)
    return changed(now, Entry(now_ms, TicketEventKind.TAKEN, who.actor))


def assign(was: Standing, by: Actor, now_ms: int, *, to: Receiver, text: str = "") -> Change:
    """It is given to a team, a person or a supplier. A new owner has not begun yet: it is new, or waits on."""
    _require_open(was, "assign")
    now = replace(was, team=to.team, owner=to.owner, supplier=to.supplier)
    if now == was:
        raise Conflict(f"{_name(was)} is with {_whom(to)} already", remedy="there is nothing to do")
    if now.owner != was.owner and was.state is TicketState.IN_PROGRESS:
        now = replace(now, state=TicketState.NEW)
    return changed(now, Entry(now_ms, TicketEventKind.ASSIGNED, by, text, to.data))


def _whom(to: Receiver) -> str:
    return to.supplier or (to.team if to.owner is None else to.owner.login)


def _require_to_be_free(owner: Technician, who: Technician, name: str) -> None:
    if owner.id != who.id:
        raise Conflict(
            f"{name} is owned by {owner.login}", remedy=f"ask {owner.login} or an administrator to release it"
        )
    raise Conflict(f"{name} is yours already", remedy="go on with it")


def release(was: Standing, who: Technician, now_ms: int, *, course: Course, may_release_others: bool) -> Change:
    """Its owner gives it back to all; whoever may do so frees it from an owner who is away."""
    if was.is_open and was.owner is None:
        raise Conflict(f"{_name(was)} is nobody's", remedy="take it")
    now = _led(replace(was, owner=None), course, TicketAct.RELEASE)
    owner, text = was.owner, ""
    if owner is not None and owner.id != who.id:
        if not may_release_others:
            raise Conflict(
                f"{_name(was)} is owned by {owner.login}",
                remedy=f"only {owner.login}, a dispatcher or an administrator can release it",
            )
        text = f"from {owner.login}"
    return changed(now, Entry(now_ms, TicketEventKind.RELEASED, who.actor, text))


def comment(was: Standing, who: Technician, now_ms: int, *, text: str, public: bool = False) -> Change:
    """A person speaks, to technicians or to who asked: from now on recovery asks instead of solving."""
    _require_not_closed(was)
    entry = Entry(now_ms, TicketEventKind.COMMENTED, who.actor, text, public=public)
    return changed(replace(was, human=True), entry)


def prioritise(was: Standing, who: Technician, now_ms: int, *, weight: Weight, text: str) -> Change:
    """A person says how urgent it is. A worse alert may raise it still; nothing but a person lowers it."""
    _require_open(was, "prioritise")
    now = replace(
        was,
        priority=weight.priority,
        impact=weight.impact or was.impact,
        urgency=weight.urgency or was.urgency,
    )
    if now == was:
        raise Conflict(f"{_name(was)} has priority {was.priority} already", remedy="there is nothing to do")
    data = {**weight.data(), "was": was.priority}
    return changed(now, Entry(now_ms, TicketEventKind.PRIORITISED, who.actor, text, data))


def acknowledge(was: Standing, who: Technician, now_ms: int, *, text: str = "") -> Change:
    """A person knows of its alerts: they ring no more until they have cleared."""
    _require_not_closed(was)
    return changed(was, Entry(now_ms, TicketEventKind.ACKNOWLEDGED, who.actor, text))


def wait(
    was: Standing, who: Technician, now_ms: int, *, course: Course, reason: str, until_ms: int | None, text: str
) -> Change:
    """Nothing can be done before something has come, or before it is time: it is pending."""
    pending = _led(was, course, TicketAct.WAIT)
    if until_ms is not None and until_ms <= now_ms:
        raise Unprocessable("it is to wait until a time that is past", remedy="choose one that is to come")
    now = replace(pending, human=True, waits_for=course.reason(reason), wakes_ms=until_ms)
    data = {"for": reason} if until_ms is None else {"for": reason, "until_ms": until_ms}
    return changed(now, Entry(now_ms, TicketEventKind.WAITING, who.actor, text, data))


def resume(was: Standing, who: Technician, now_ms: int, *, course: Course) -> Change:
    """What it waited for has come."""
    now = _led(was, course, TicketAct.RESUME)
    return changed(now, Entry(now_ms, TicketEventKind.RESUMED, who.actor))


def wake(was: Standing, now_ms: int) -> Change:
    """The time until which it was to wait has come."""
    if was.wakes_ms is None or was.state is not TicketState.PENDING:
        raise Conflict(f"{_name(was)} waits for no time", remedy="resume it")
    entry = Entry(now_ms, TicketEventKind.RESUMED, TOCSIN, f"it was to wait for {was.waits_for} until now")
    return changed(_at_work(was), entry)


def resolve(was: Standing, who: Technician, now_ms: int, *, course: Course, text: str, term: Term) -> Change:
    """A person says that it is mended; a ticket that was nobody's is theirs."""
    now = replace(
        _led(was, course, TicketAct.RESOLVE),
        owner=was.owner or who,
        human=was.human or bool(text),
        confirm=False,
        solved_ms=now_ms,
        closes_ms=term.end_ms(now_ms),
    )
    return changed(now, Entry(now_ms, TicketEventKind.SOLVED, who.actor, text, term.data(now_ms)))


def reopen(was: Standing, who: Technician, now_ms: int, *, course: Course) -> Change:
    """A person says that it is not mended, and so doubts any recovery: only a person will solve it now."""
    if was.is_open:
        raise Conflict(f"{_name(was)} is open", remedy="nothing has to be reopened")
    again = _led(was, course, TicketAct.REOPEN)
    now = replace(again, solved_ms=None, recovered_ms=None, confirm=False, human=True)
    return changed(now, Entry(now_ms, TicketEventKind.REOPENED, who.actor))


def close(was: Standing, who: Technician, now_ms: int, *, course: Course) -> Change:
    """It is over for good: from now on it is a record."""
    now = _led(was, course, TicketAct.CLOSE)
    return changed(now, Entry(now_ms, TicketEventKind.CLOSED, who.actor))


def expire(was: Standing, now_ms: int) -> Change:
    """The time in which it could have been reopened is over."""
    _require_not_closed(was)
    if was.closes_ms is None:
        raise Conflict(f"{_name(was)} does not close by itself", remedy="close it")
    entry = Entry(now_ms, TicketEventKind.CLOSED, TOCSIN, "closed by itself: nobody has reopened it")
    return changed(replace(_awake(was), state=TicketState.CLOSED), entry)


def recover(
    was: Standing,
    now_ms: int,
    *,
    quiet_ms: int,
    data: Mapping[str, Any],
    is_seen: bool,
    term: Term,
) -> Change:
    """It has been clear for the quiet time: solved by itself, or a person is asked to confirm.

    `is_seen`: the condition was seen false, so that it is known and not only assumed.
    """
    _require_open(was, "solve")
    if was.recovered_ms is None:
        raise Conflict(f"{_name(was)} has not recovered", remedy="wait until none of its alerts is alarming")
    if was.confirm:
        raise Conflict(f"{_name(was)} waits for a person to confirm", remedy="resolve it")
    if was.human or not is_seen:
        entry = Entry(now_ms, TicketEventKind.RECOVERED, TOCSIN, _CONFIRM if is_seen else _UNPROVEN, data)
        return changed(replace(was, confirm=True), entry)
    text = f"solved by itself: clear for {quiet_ms / 1000:g} s on fresh samples"
    now = replace(_awake(was), state=TicketState.SOLVED, solved_ms=now_ms, closes_ms=term.end_ms(now_ms))
    return changed(now, Entry(now_ms, TicketEventKind.SOLVED, TOCSIN, text, {**data, **term.data(now_ms)}))


def cut_off(
    was: Standing, now_ms: int, *, parent: str, alerts: int, hosts: int, rules: Mapping[str, int]
) -> Change:
    """So many alerts of hosts that cannot be reached past its own are on it now; most are of these rules."""
    _require_open(was, "attach alerts to")
    text = f"{alerts} alerts of {hosts} hosts that cannot be reached past {parent}"
    data = {"alerts": alerts, "hosts": hosts, "rules": {rule: str(count) for rule, count in rules.items()}}
    return changed(was, Entry(now_ms, TicketEventKind.ATTACHED, TOCSIN, text, data))


def window_opened(was: Standing, now_ms: int, *, name: str, reason: str) -> Change:
    """A maintenance window of its host holds now."""
    entry = Entry(now_ms, TicketEventKind.WINDOW_OPENED, TOCSIN, reason, {"window": name})
    return changed(replace(was, windows=(*was.windows, name)), entry)


def window_closed(was: Standing, now_ms: int, *, name: str) -> Change:
    """A maintenance window of its host holds no more."""
    entry = Entry(now_ms, TicketEventKind.WINDOW_CLOSED, TOCSIN, data={"window": name})
    return changed(replace(was, windows=tuple(each for each in was.windows if each != name)), entry)


def relapse(was: Standing, now_ms: int, *, data: Mapping[str, Any]) -> Change:
    """It was resolved, but an alert of its trouble fires on: so it is not over."""
    _require_not_closed(was)
    if was.solved_ms is None:
        raise Conflict(f"{_name(was)} is open", remedy="nothing has to be reopened")
    text = f"still firing {(now_ms - was.solved_ms) // 60_000} min after it was resolved"
    return changed(open_again(was), Entry(now_ms, TicketEventKind.REOPENED, TOCSIN, text, data))


def pass_threshold(
    was: Standing, now_ms: int, *, is_breach: bool, text: str, data: Mapping[str, Any]
) -> Change:
    """One of its clocks has used so much of its target, or all of it."""
    _require_not_closed(was)
    kind = TicketEventKind.BREACHED if is_breach else TicketEventKind.DUE_SOON
    return changed(was, Entry(now_ms, kind, TOCSIN, text, data))


def _led(was: Standing, course: Course, act: TicketAct) -> Standing:
    """Where a person's act leads: what nobody has in hand is not in progress."""
    state = course.after(act, was.state, name=_name(was))
    if state is TicketState.IN_PROGRESS and was.owner is None:
        state = TicketState.NEW
    return replace(_awake(was), state=state)


def _awake(was: Standing) -> Standing:
    """Without what it was to wait for, be it before it is gone on with or before it is closed."""
    return replace(was, waits_for="", wakes_ms=None, closes_ms=None)


def _at_work(was: Standing) -> Standing:
    state = TicketState.NEW if was.owner is None else TicketState.IN_PROGRESS
    return replace(_awake(was), state=state)


def open_again(was: Standing) -> Standing:
    """As it is once its trouble shows again."""
    _require_not_closed(was)
    return replace(_at_work(was), solved_ms=None, recovered_ms=None, confirm=False)


def worse(was: Standing, severity: str, ruling: Ruling) -> Standing:
    """Priority rises with a worse severity and never falls by itself."""
    if was.severity and priority_of(severity) >= priority_of(was.severity):
        return was
    now = replace(was, severity=known_severity(severity))
    if ruling.priority >= was.priority:
        return now
    return replace(now, priority=ruling.priority, impact=ruling.impact, urgency=ruling.urgency)


def _told(kind: TicketEventKind, evidence: Evidence, now_ms: int, ruling: Ruling | None = None) -> Entry:
    data = evidence.data if ruling is None else {**evidence.data, **ruling.data()}
    return Entry(now_ms, kind, evidence.actor, evidence.text, data)


def _require_open(was: Standing, act: str) -> None:
    _require_not_closed(was)
    if not was.is_open:
        raise Conflict(f"{_name(was)} is solved", remedy=f"reopen it to {act} it")


def _require_not_closed(was: Standing) -> None:
    if was.state is TicketState.CLOSED:
        raise Conflict(f"{_name(was)} is closed", remedy="open a new ticket that names it")


def _name(was: Standing) -> str:
    return "the ticket" if was.id is None else f"ticket {was.id}"
