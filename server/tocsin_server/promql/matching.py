"""How the rows of two vectors find each other; worked out once for two sets of labels, then only masks move.

Where two rows of a side share a match and both could be present, who meets whom is settled at each evaluation
among the present ones, and it is then that Prometheus's error is raised, for the clients it concerns.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tocsin_server.promql.dense import Dense, described, duplicates, flags_of_both, where
from tocsin_server.promql.syntax import Matching
from tocsin_server.series.arrays import Bools, Ints
from tocsin_server.series.labels import NAME, Labels, joined, signatures

Failure = tuple[int, str]
"""A client and what is wrong with its part."""

_NOBODY = -1


@dataclass(frozen=True, slots=True)
class Encounter:
    """`left[row]` and `right[row]` are equal where the labels that decide are; there are `size` of them."""

    left: Ints
    right: Ints
    size: int
    names: tuple[str, ...]


def encounter(left: Labels, right: Labels, matching: Matching) -> Encounter:
    """Who could meet whom, remembered on the labels of the left."""
    key = ("encounter", matching.on, matching.labels)
    return left.derive(key, lambda: _encounter(left, right, matching), partner=right)


def _encounter(left: Labels, right: Labels, matching: Matching) -> Encounter:
    names = matching.names((*left.columns, *right.columns))
    keys = signatures([left, right], names)
    return Encounter(keys[: len(left)], keys[len(left) :], int(keys.max(initial=-1)) + 1, names)


def met(left: Labels, right: Dense, matching: Matching) -> Bools:
    """Which rows of the left meet a present row of the right."""
    meeting = encounter(left, right.labels, matching)
    is_there = np.zeros(meeting.size, np.bool_)
    is_there[meeting.right[right.present]] = True
    return is_there[meeting.left]


def both(left: Dense, right: Dense, matching: Matching) -> Dense:
    """`and`."""
    return replace(left, present=left.present & met(left.labels, right, matching))


def only_left(left: Dense, right: Dense, matching: Matching) -> Dense:
    """`unless`."""
    return replace(left, present=left.present & ~met(left.labels, right, matching))


def either(left: Dense, right: Dense, matching: Matching) -> Dense:
    """`or`."""
    labels = left.labels.derive("joined", lambda: joined([left.labels, right.labels]), partner=right.labels)
    added = right.present & ~met(right.labels, left, matching)
    return _stacked(labels, left, replace(right, present=added))


def upon(left: Dense, right: Dense) -> Dense:
    """The rows of both, one after the other."""
    return _stacked(joined([left.labels, right.labels]), left, right)


def _stacked(labels: Labels, left: Dense, right: Dense) -> Dense:
    return Dense(
        labels,
        np.concatenate([left.values, right.values]),
        np.concatenate([left.present, right.present]),
        flags_of_both(left.unnamed, right.unnamed, (len(left.labels), len(right.labels))),
    )


SET_OPERATIONS = {"and": both, "or": either, "unless": only_left}


def filled(many: Dense, one: Dense, matching: Matching) -> tuple[Dense, Dense]:
    """Both sides with the rows that `fill` lends them, so that everybody has a partner.

    As in Prometheus `fill_left` is for the side that may have many, on which hand that ever stands.
    """
    for_many, for_one = matching.fill_left, matching.fill_right
    lent_many = None if for_many is None else _lent(one, many, matching, for_many)
    lent_one = None if for_one is None else _lent(many, one, matching, for_one)
    return _with(many, lent_many), _with(one, lent_one)


def _lent(rows: Dense, missing: Dense, matching: Matching, value: float) -> Dense:
    """A row of this value for each match that some of the rows have and none of the other side."""
    labels = rows.labels.only(matching.labels) if matching.on else rows.labels.without((*matching.labels, NAME))
    lonely = rows.present & ~met(rows.labels, missing, matching)
    places = np.flatnonzero(lonely)
    first = np.unique(encounter(rows.labels, missing.labels, matching).left[places], return_index=True)[1]
    present = np.zeros(len(labels), np.bool_)
    present[places[first]] = True
    return Dense(labels, np.full(len(labels), value), present)


def _with(rows: Dense, lent: Dense | None) -> Dense:
    if lent is None:
        return rows
    labels = rows.labels.derive("lent", lambda: joined([rows.labels, lent.labels]), partner=lent.labels)
    return _stacked(labels, rows, lent)


@dataclass(frozen=True, slots=True)
class Pairs:
    """A row for each of the side that may have many: its labels, its partner, and whether both are there."""

    labels: Labels
    partner: Ints
    present: Bools
    failures: tuple[Failure, ...]


@dataclass(frozen=True, slots=True)
class _Acquaintance:
    """What labels alone say of a match: partners where no row could have two, and whether `many` really may."""

    meeting: Encounter
    partner: Ints | None
    is_many_unique: bool


def pair(many: Dense, one: Dense, matching: Matching, *, drops_name: bool) -> Pairs:
    """Each row of `many` with its partner in `one`."""
    key = ("acquaintance", matching.on, matching.labels)
    known = many.labels.derive(key, lambda: _acquaint(many.labels, one.labels, matching), partner=one.labels)
    failures: list[Failure] = []
    partner = known.partner
    if partner is None:
        partner = _partners(known.meeting, one.present)
        failures += _ambiguous(many, one, known.meeting, matching)
    present = many.present & (partner != _NOBODY)
    if len(one.labels):
        present &= one.present[partner]
    labels = _result_labels(many.labels, one.labels, partner, matching, drops_name=drops_name, known=known)
    if matching.group:
        message = "multiple matches for labels: grouping labels must ensure unique matches"
        failures += told(labels, duplicates(labels, present), message)
    elif not known.is_many_unique:
        failures += _crowded(many.labels, known.meeting, present)
    return Pairs(labels, partner, present, tuple(failures))


def _acquaint(many: Labels, one: Labels, matching: Matching) -> _Acquaintance:
    meeting = encounter(many, one, matching)
    everybody = np.ones(len(one), np.bool_)
    is_one_unique = bool((np.bincount(meeting.right, minlength=meeting.size) <= 1).all())
    partner = _partners(meeting, everybody) if is_one_unique else None
    is_many_unique = bool((np.bincount(meeting.left, minlength=meeting.size) <= 1).all())
    return _Acquaintance(meeting, partner, is_many_unique)


def _partners(meeting: Encounter, present: Bools) -> Ints:
    row_of = np.full(meeting.size, _NOBODY, np.int64)
    rows = np.flatnonzero(present)
    row_of[meeting.right[rows]] = rows
    return row_of[meeting.left]


def _ambiguous(many: Dense, one: Dense, meeting: Encounter, matching: Matching) -> Iterator[Failure]:
    """Two present rows of the side that must be one; no error where a client's other side is empty."""
    counts = np.bincount(meeting.right[one.present], minlength=meeting.size)
    rows = np.flatnonzero(one.present & (counts[meeting.right] > 1))
    rows = rows[np.isin(one.labels.clients[rows], many.labels.clients[many.present])]
    side = "left" if matching.group == "right" else "right"
    message = (
        f"found duplicate series for the match group {{}} on the {side} hand-side of the operation: "
        "many-to-many matching not allowed: matching labels must be unique on one side"
    )
    return told(one.labels, rows, message, names=meeting.names)


def _crowded(many: Labels, meeting: Encounter, present: Bools) -> Iterator[Failure]:
    counts = np.bincount(meeting.left[present], minlength=meeting.size)
    rows = np.flatnonzero(present & (counts[meeting.left] > 1))
    message = "multiple matches for labels {}: many-to-one matching must be explicit (group_left/group_right)"
    return told(many, rows, message, names=meeting.names)


def told(
    labels: Labels, rows: Ints, message: str, *, names: tuple[str, ...] | None = None
) -> Iterator[Failure]:
    """One failure for each client among these rows, told by its first."""
    clients, first = np.unique(labels.clients[rows], return_index=True)
    for client, index in zip(clients.tolist(), first.tolist(), strict=True):
        yield client, message.format(described(labels, int(rows[index]), names))


def _result_labels(
    many: Labels, one: Labels, partner: Ints, matching: Matching, *, drops_name: bool, known: _Acquaintance
) -> Labels:
    own = many
    if not matching.group:
        own = many.only(matching.labels) if matching.on else many.without(matching.labels)
    if drops_name:
        own = own.without((NAME,))
    if not matching.include:
        return own
    if known.partner is None:
        return _included(own, one, partner, matching.include)
    key = ("included", matching, drops_name)
    return many.derive(key, lambda: _included(own, one, partner, matching.include), partner=one)


def _included(own: Labels, one: Labels, partner: Ints, names: tuple[str, ...]) -> Labels:
    """The rows' own labels, these ones taken from their partners."""
    columns = dict(own.columns)
    if len(one):
        met = partner != _NOBODY
        columns |= {name: where(met, one.column(name)[partner], own.column(name)) for name in names}
    return own.replaced(columns)
