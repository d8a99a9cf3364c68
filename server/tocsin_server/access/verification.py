"""Whether an audit log is whole: its chain, and its checkpoints with it. The first broken place is told.

    changed      an entry is not what its digest says
    missing      there is no entry of this number, and there are later ones
    inserted     an entry does not follow the one before: one of the two was put there
    rewritten    the chain is sound, and another one than was signed at this entry
    cut          the log ends before an entry that was signed
    signature    a checkpoint is not signed with the server's key
    event        the chain is sound, and what an entry tells of is not as it was (`desk/attested.py`)

What is not seen is an entry that who may write to the database has added at the end, and what was done to
entries behind the last checkpoint that is there.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from itertools import groupby
from typing import NamedTuple

from tocsin_server.access.audit import EMPTY, Entry, Head, digest_of
from tocsin_server.access.checkpoints import Checkpoint

IsSigned = Callable[[Checkpoint], bool]


class Ill(StrEnum):
    """What is wrong with a log."""

    CHANGED = "changed"
    MISSING = "missing"
    INSERTED = "inserted"
    REWRITTEN = "rewritten"
    CUT = "cut"
    SIGNATURE = "signature"
    EVENT = "event"


class Fault(NamedTuple):
    """The number of the entry at which a log is broken, and how."""

    entry_id: int
    ill: Ill
    said: str


class Verdict(NamedTuple):
    """How far a log is whole, the last checkpoint up to there, and what is wrong after it, if anything is."""

    head: Head
    signed: Checkpoint | None
    fault: Fault | None


def verdict(entries: Iterable[Entry], checkpoints: Iterable[Checkpoint], is_signed: IsSigned) -> Verdict:
    """Walk a log, the oldest entry first, with the checkpoints that there are, in any order."""
    waiting = _by_entry(checkpoints)
    head, signed = EMPTY, None
    for entry in entries:
        reached = waiting.pop(entry.id, [])
        fault = _of_entry(entry, head) or _of_checkpoints(reached, entry.digest, is_signed)
        if fault is not None:
            return Verdict(head, signed, fault)
        head = Head(entry.id, entry.digest)
        signed = reached[-1] if reached else signed
    return Verdict(head, signed, _of_the_end(waiting, head, is_signed))


def _by_entry(checkpoints: Iterable[Checkpoint]) -> dict[int, list[Checkpoint]]:
    ordered = sorted(checkpoints, key=_entry_id)
    return {entry_id: list(at_one) for entry_id, at_one in groupby(ordered, _entry_id)}


def _entry_id(checkpoint: Checkpoint) -> int:
    return checkpoint.entry_id


def _of_entry(entry: Entry, head: Head) -> Fault | None:
    number, due = entry.id, head.id + 1
    if number < due:
        return Fault(number, Ill.INSERTED, f"entry {number} was put there: they are numbered from 1")
    if number > due:
        return Fault(due, Ill.MISSING, f"entry {due} is gone: {number} comes after {head.id}")
    if entry.digest != digest_of(entry):
        return Fault(number, Ill.CHANGED, f"entry {number} has been changed: its digest is another")
    if entry.previous != head.digest:
        return Fault(
            number, Ill.INSERTED, f"entry {number} does not follow {head.id}: one of them was put there"
        )
    return None


def _of_checkpoints(reached: Iterable[Checkpoint], digest: str, is_signed: IsSigned) -> Fault | None:
    for checkpoint in reached:
        if not is_signed(checkpoint):
            return _unsigned(checkpoint)
        if checkpoint.digest != digest:
            return Fault(
                checkpoint.entry_id,
                Ill.REWRITTEN,
                f"entry {checkpoint.entry_id} is not the one that was signed: it, or one since the checkpoint"
                " before, was made anew with all that follow",
            )
    return None


def _of_the_end(waiting: dict[int, list[Checkpoint]], head: Head, is_signed: IsSigned) -> Fault | None:
    """What the first checkpoint says that no entry has reached."""
    first = next((checkpoint for at_one in waiting.values() for checkpoint in at_one), None)
    if first is None:
        return None
    if not is_signed(first):
        return _unsigned(first)
    due = head.id + 1
    return Fault(
        due, Ill.CUT, f"entry {due} is gone, and all behind it: the log was signed at {first.entry_id}"
    )


def _unsigned(checkpoint: Checkpoint) -> Fault:
    entry_id = checkpoint.entry_id
    return Fault(
        entry_id, Ill.SIGNATURE, f"a checkpoint of entry {entry_id} is not signed with this server's key"
    )
