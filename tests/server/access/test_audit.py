"""A log that was tampered with is broken, and the place is named, whatever was done to it."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey
from tests.server.access.conftest import NOW

from tocsin_protocol.vocabulary import TicketEventKind
from tocsin_server.access.audit import (
    EMPTY,
    GENESIS,
    Act,
    Actor,
    Deed,
    Entry,
    Head,
    Party,
    digest_of,
    following,
)
from tocsin_server.access.checkpoints import Checkpoint, is_signed, signed
from tocsin_server.access.verification import Ill, Verdict, verdict

KEY = SigningKey(bytes(range(32)))
OTHER_KEY = SigningKey(bytes(32))


class Signer:
    """A server's key."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message).signature


OURS, ANOTHERS = Signer(KEY), Signer(OTHER_KEY)


def chain(deeds: Sequence[Deed], head: Head = EMPTY) -> list[Entry]:
    entries = []
    for deed in deeds:
        entries.append(following(head, deed))
        head = Head(entries[-1].id, entries[-1].digest)
    return entries


def checkpoint(entry: Entry, signer: Signer = OURS) -> Checkpoint:
    return signed(Head(entry.id, entry.digest), at_ms=NOW, signer=signer)


def judged(entries: Sequence[Entry], *checkpoints: Checkpoint) -> Verdict:
    return verdict(entries, checkpoints, lambda each: is_signed(each, KEY.verify_key.encode()))


def place(found: Verdict) -> tuple[int, Ill]:
    assert found.fault is not None
    return found.fault.entry_id, found.fault.ill


words = st.text(max_size=4)
deeds = st.builds(
    Deed,
    act=st.sampled_from(Act),
    subject=words,
    by=st.builds(Actor, st.sampled_from(Party), words, words),
    at_ms=st.integers(0, 3),
    client_id=st.none() | st.integers(1, 3),
    details=st.dictionaries(words, words | st.integers(), max_size=1),
)
logs = st.lists(deeds, min_size=2, max_size=5).map(chain)


def picked(data: st.DataObject, entries: Sequence[Entry], *, start: int = 0) -> int:
    return data.draw(st.integers(start, len(entries) - 1))


DEED = Deed(
    Act.SITE_ADDED,
    "berlin",
    by=Actor(Party.OPERATOR, "zoë", "192.0.2.1"),
    at_ms=NOW,
    client_id=7,
    details={"name": "Berlin", "at": 1},
)


def test_an_entry_is_digested_as_it_is_documented() -> None:
    entry = following(EMPTY, DEED)

    text = (
        "tocsin-audit-v1\n1:1,13:1700000000000,8:operator,4:zoë,1:7,10:site.added,6:berlin,"
        f'24:{{"at":1,"name":"Berlin"}},9:192.0.2.1,64:{GENESIS},'
    )
    assert hashlib.sha256(text.encode()).hexdigest() == entry.digest
    assert json.loads(entry.details) == DEED.details


def test_an_entry_of_no_client_is_another_than_one_of_a_client_without_a_name() -> None:
    nobodys = following(EMPTY, replace(DEED, client_id=None))

    assert nobodys.digest != digest_of(replace(nobodys, client_id=""))  # type: ignore[arg-type]


@given(logs)
def test_a_log_that_nobody_has_touched_is_whole(entries: list[Entry]) -> None:
    found = judged(entries, *map(checkpoint, entries))

    assert found == Verdict(Head(len(entries), entries[-1].digest), checkpoint(entries[-1]), None)


def test_an_empty_log_is_whole() -> None:
    assert judged([]) == Verdict(EMPTY, None, None)


FIELDS = ("at_ms", "party", "actor", "client_id", "act", "subject", "details", "source", "previous", "digest")
OTHER: dict[str, Callable[[Any], Any]] = {
    "at_ms": lambda value: value + 1,
    "client_id": lambda value: 9 if value is None else None,
}


@given(logs, st.sampled_from(FIELDS), st.data())
def test_a_changed_entry_is_named(entries: list[Entry], field: str, data: st.DataObject) -> None:
    at = picked(data, entries)
    changed = OTHER.get(field, lambda value: f"{value}x")(getattr(entries[at], field))
    entries[at] = replace(entries[at], **{field: changed})

    assert place(judged(entries)) == (at + 1, Ill.CHANGED)


@given(logs, st.data())
def test_text_that_moves_from_one_field_to_the_next_is_a_change(
    entries: list[Entry], data: st.DataObject
) -> None:
    at = picked(data, entries)
    was = replace(entries[at], actor="anna", subject="x")
    was = replace(was, digest=digest_of(was))

    assert digest_of(replace(was, actor="ann", subject="ax")) != was.digest
    assert digest_of(replace(was, actor="anna,", subject="")) != was.digest


@given(logs, st.data())
def test_an_entry_that_is_gone_is_named(entries: list[Entry], data: st.DataObject) -> None:
    at = picked(data, entries[:-1])
    del entries[at]

    assert place(judged(entries)) == (at + 1, Ill.MISSING)


@given(logs, deeds, st.data())
def test_an_entry_that_was_put_between_is_named(entries: list[Entry], deed: Deed, data: st.DataObject) -> None:
    """It follows the one before, and those behind it got new numbers."""
    at = picked(data, entries, start=1)
    before = entries[at - 1]
    forged = following(Head(before.id, before.digest), deed)
    entries[at:] = [forged, *(replace(entry, id=entry.id + 1) for entry in entries[at:])]

    found = place(judged(entries))

    assert found == (at + 2, Ill.CHANGED)


@given(logs, deeds, st.data())
def test_an_entry_in_anothers_place_is_named(entries: list[Entry], deed: Deed, data: st.DataObject) -> None:
    """It follows the one before, and has a right digest of its own."""
    at = picked(data, entries[:-1])
    before = Head(entries[at - 1].id, entries[at - 1].digest) if at else EMPTY
    entries[at] = following(before, replace(deed, subject="forged"))

    assert place(judged(entries)) == (at + 2, Ill.INSERTED)


def test_an_entry_before_the_first_is_named() -> None:
    entries = chain([DEED, DEED])
    forged = replace(entries[0], id=0)

    assert place(judged([forged, *entries])) == (0, Ill.INSERTED)


@given(logs, st.data())
def test_of_two_entries_that_were_swapped_the_first_is_named(entries: list[Entry], data: st.DataObject) -> None:
    at = picked(data, entries[:-1])
    other = picked(data, entries, start=at + 1)
    was, then = entries[at], entries[other]
    entries[at], entries[other] = replace(then, id=was.id), replace(was, id=then.id)

    assert place(judged(entries)) == (at + 1, Ill.CHANGED)


@given(logs, st.data())
def test_a_log_that_was_cut_before_a_checkpoint_is_told_where_it_ends(
    entries: list[Entry], data: st.DataObject
) -> None:
    signed_at = picked(data, entries)
    left = data.draw(st.integers(0, signed_at))

    found = judged(entries[:left], *map(checkpoint, entries[: signed_at + 1]))

    assert place(found) == (left + 1, Ill.CUT)
    assert found.head.id == left


@given(logs, deeds, st.data())
def test_a_log_that_was_made_anew_is_named_at_the_next_checkpoint(
    entries: list[Entry], deed: Deed, data: st.DataObject
) -> None:
    """Each entry of it is right, and so is the chain."""
    at = picked(data, entries)
    signed_at = picked(data, entries, start=at)
    checkpoints = [checkpoint(entry) for n, entry in enumerate(entries) if n < at or n == signed_at]
    before = Head(entries[at - 1].id, entries[at - 1].digest) if at else EMPTY
    forged = chain([replace(deed, subject="forged")] * (len(entries) - at), before)

    found = judged([*entries[:at], *forged], *checkpoints)

    assert place(found) == (signed_at + 1, Ill.REWRITTEN)
    assert found.signed == (checkpoints[at - 1] if at else None)


@pytest.mark.parametrize("behind", [0, 5])
def test_a_checkpoint_that_another_has_signed_is_named(behind: int) -> None:
    entries = chain([DEED] * 3)
    forged = checkpoint(replace(entries[1], id=2 + behind), ANOTHERS)

    found = judged(entries, forged)

    assert place(found) == (2 + behind, Ill.SIGNATURE)


@pytest.mark.parametrize(
    "change",
    [{"entry_id": 1}, {"digest": GENESIS}, {"at_ms": NOW + 1}, {"signature": "00" * 64}, {"signature": "no"}],
)
def test_a_checkpoint_is_signed_as_a_whole(change: dict[str, Any]) -> None:
    made = checkpoint(chain([DEED] * 2)[1])

    assert is_signed(made, KEY.verify_key.encode())
    assert not is_signed(made._replace(**change), KEY.verify_key.encode())


def test_whatever_people_do_to_tickets_has_its_act() -> None:
    by_themselves = {kind for kind in TicketEventKind if kind.value.startswith("alert_")}
    told = {
        TicketEventKind.RECOVERED,
        TicketEventKind.DUE_SOON,
        TicketEventKind.BREACHED,
        TicketEventKind.ATTACHED,
        TicketEventKind.WINDOW_OPENED,
        TicketEventKind.WINDOW_CLOSED,
    }
    done = set(TicketEventKind) - by_themselves - told

    assert {f"ticket.{kind.value}" for kind in done} == {act for act in Act if act.startswith("ticket.")}
