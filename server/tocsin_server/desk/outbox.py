"""The notices that wait, as letters: claimed, sent by whoever calls, and settled.

    claim     what is due gets a letter each, whose key is written down before it is sent
    settle    sent; or tried again later, at most for a day; or refused

A letter that was sent and not settled, since the server was killed in between, is sent once more under the same
key, of which its `Message-ID` is made: so mail servers and readers can tell that it is the same.

An address gets at most `MOST_LETTERS` new ones in a minute by a channel. Where more wait, the last of them is a
digest of all that is left. What comes after it waits for the next minute.
"""

import random
from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, delete, distinct, func, select, update
from sqlmodel import Session

from tocsin_protocol.vocabulary import NoticeChannel, NoticeState
from tocsin_server.desk.store import IS_WAITING_NOTICE, NOTICES, TICKETS

LIMIT = 200
"""How many notices one claim looks at."""
MOST_LETTERS = 10
A_MINUTE_MS = 60_000
FIRST_RETRY_MS = 30_000
LAST_RETRY_MS = 3_600_000
GIVE_UP_MS = 86_400_000
KEEP_MS = 30 * 86_400_000
DIGEST_LINES = 20
SWEEP = 5000

_N = NOTICES.c
_DUE = (
    select(_N.id, _N.recipient, _N.channel, _N.message)
    .where(IS_WAITING_NOTICE, _N.next_ms <= bindparam("now_ms"))
    .order_by(_N.next_ms, _N.id)
    .limit(bindparam("limit"))
)
_WAITING = select(func.count(), func.min(_N.next_ms)).where(IS_WAITING_NOTICE)
_LETTERS = (
    select(
        *(_N.id, _N.message, _N.recipient, _N.channel, _N.subject, _N.text, _N.made_ms, _N.attempts),
        *(_N.ticket_id, TICKETS.c.opened_ms),
    )
    .join_from(NOTICES, TICKETS, TICKETS.c.id == _N.ticket_id)
    .where(IS_WAITING_NOTICE)
    .order_by(_N.message, _N.id)
)


class Letter(NamedTuple):
    """A mail to be sent. `key` names it for ever; a `thread` is a ticket's number and when it was opened."""

    key: str
    to: str
    subject: str
    text: str
    attempts: int
    made_ms: int
    thread: tuple[int, int] | None = None


class Outcome(NamedTuple):
    """What has become of a letter. Without a reason it is sent; what `is_final` is not tried again."""

    letter: Letter
    reason: str = ""
    is_final: bool = False


class Waiting(NamedTuple):
    """How many notices wait, and when the first of them is tried next."""

    notices: int
    next_ms: int | None

    def is_due(self, now_ms: int) -> bool:
        return self.next_ms is not None and self.next_ms <= now_ms


class Settled(NamedTuple):
    """How many letters."""

    sent: int = 0
    failed: int = 0
    put_off: int = 0


def claim(session: Session, now_ms: int) -> list[Letter]:
    """The letters that are to be sent now. They are due again later, should nobody settle them."""
    due = session.execute(_DUE, {"now_ms": now_ms, "limit": LIMIT}).all()
    again = {row.message for row in due if row.message}
    new = sorted((row for row in due if not row.message), key=_whose)
    for (recipient, channel), rows in groupby(new, key=_whose):
        again |= _put_in_letters(session, recipient, channel, list(rows), now_ms)
    return _tried(session, again, now_ms)


def _whose(row: Row[Any]) -> tuple[str, NoticeChannel]:
    return row.recipient, row.channel


def _put_in_letters(
    session: Session, recipient: str, channel: NoticeChannel, rows: Sequence[Row[Any]], now_ms: int
) -> set[str]:
    """A letter for each, or some and a digest, or none before the minute is over; the keys."""
    left = MOST_LETTERS - _letters_of_late(session, recipient, channel, now_ms)
    mine = IS_WAITING_NOTICE & (_N.recipient == recipient) & (_N.channel == channel) & (_N.message == "")
    waiting = update(NOTICES).where(mine, _N.next_ms <= now_ms)
    if left <= 0:
        session.execute(waiting.values(next_ms=now_ms + A_MINUTE_MS // 6))
        return set()
    alone = rows if len(rows) <= left else rows[: left - 1]
    keys = {row.id: f"{row.id}/{channel}/{recipient}" for row in alone}
    if keys:
        one = update(NOTICES).where(_N.id == bindparam("notice")).values(message=bindparam("key"))
        session.execute(one, [{"notice": number, "key": key} for number, key in keys.items()])
    if len(alone) == len(rows):
        return set(keys.values())
    digest = f"digest/{rows[len(alone)].id}/{channel}/{recipient}"
    session.execute(waiting.values(message=digest))
    return {*keys.values(), digest}


def _letters_of_late(session: Session, recipient: str, channel: NoticeChannel, now_ms: int) -> int:
    asked = select(func.count(distinct(_N.message))).where(
        _N.recipient == recipient,
        _N.channel == channel,
        _N.tried_ms.is_not(None),
        _N.tried_ms > now_ms - A_MINUTE_MS,
    )
    return int(session.execute(asked).scalar_one())


def _tried(session: Session, keys: Collection[str], now_ms: int) -> list[Letter]:
    """The letters as they are, with a further attempt written down."""
    if not keys:
        return []
    found = session.execute(_LETTERS.where(_N.message.in_(keys))).all()
    letters = [_letter(list(rows)) for _, rows in groupby(found, key=attrgetter("message"))]
    tried = (
        update(NOTICES)
        .where(_N.message == bindparam("key"), IS_WAITING_NOTICE)
        .values(attempts=_N.attempts + 1, tried_ms=now_ms, next_ms=bindparam("at_ms"))
    )
    rows = [{"key": each.key, "at_ms": now_ms + pause_ms(each.attempts)} for each in letters]
    session.execute(tried, rows)
    return letters


def _letter(rows: Sequence[Row[Any]]) -> Letter:
    first = rows[0]
    if len(rows) == 1:
        thread = (first.ticket_id, first.opened_ms)
        return Letter(
            first.message, first.recipient, first.subject, first.text, first.attempts, first.made_ms, thread
        )
    subject = f"[tocsin] {len(rows)} notices in one"
    return Letter(first.message, first.recipient, subject, digest_of(rows), first.attempts, first.made_ms)


def digest_of(rows: Sequence[Row[Any]]) -> str:
    """A line for each of the first, and how many there are beside them."""
    lines = [row.subject for row in rows[:DIGEST_LINES]]
    if len(rows) > DIGEST_LINES:
        lines.append(f"and {len(rows) - DIGEST_LINES} more")
    return "\n".join(["So much has happened at once that it is told in one mail.", "", *lines])


def pause_ms(attempts: int, chance: random.Random | None = None) -> int:
    """How long to wait after so many attempts: longer each time, at most an hour, give or take a quarter."""
    share = 1.0 if chance is None else chance.uniform(0.75, 1.25)
    return round(share * min(LAST_RETRY_MS, FIRST_RETRY_MS << min(attempts, 16)))


def settle(session: Session, outcomes: Iterable[Outcome], now_ms: int, chance: random.Random) -> Settled:
    """Write down what has become of letters."""
    sent, failed, put_off = [], [], []
    for outcome in outcomes:
        row = {"key": outcome.letter.key, "why": outcome.reason}
        if not outcome.reason:
            sent.append(row)
        elif outcome.is_final or now_ms - outcome.letter.made_ms >= GIVE_UP_MS:
            failed.append(row)
        else:
            put_off.append({**row, "at_ms": now_ms + pause_ms(outcome.letter.attempts, chance)})
    is_its = (_N.message == bindparam("key")) & IS_WAITING_NOTICE
    its = update(NOTICES).where(is_its)
    for rows, values in (
        (sent, {"state": NoticeState.SENT, "sent_ms": now_ms}),
        (failed, {"state": NoticeState.FAILED}),
        (put_off, {"next_ms": bindparam("at_ms")}),
    ):
        if rows:
            session.execute(its.values(reason=bindparam("why"), **values), rows)
    return Settled(len(sent), len(failed), len(put_off))


def resume(session: Session, now_ms: int) -> None:
    """What was on its way as the server ended is due at once."""
    session.execute(update(NOTICES).where(IS_WAITING_NOTICE, _N.message != "").values(next_ms=now_ms))


def waiting(session: Session) -> Waiting:
    """What waits now."""
    return Waiting(*session.execute(_WAITING).one())


def sweep(session: Session, now_ms: int) -> None:
    """Remove what was made 30 days ago, but what waits; some at a time."""
    old = select(_N.id).where(_N.made_ms < now_ms - KEEP_MS, _N.state != NoticeState.WAITING).limit(SWEEP)
    session.execute(delete(NOTICES).where(_N.id.in_(old)))


class Unsent(NamedTuple):
    """A notice that is not sent; times in ms."""

    id: int
    ticket_id: int
    channel: NoticeChannel
    recipient: str
    subject: str
    state: NoticeState
    attempts: int
    made_ms: int
    next_ms: int
    reason: str


def unsent(session: Session, most: int = 1000) -> list[Unsent]:
    """The newest of those that wait, have failed or have nowhere to go; the newest last."""
    asked = select(*(_N[name] for name in Unsent._fields)).where(_N.state != NoticeState.SENT)
    newest = session.execute(asked.order_by(_N.id.desc()).limit(most)).all()
    return [Unsent(*row) for row in reversed(newest)]
