"""How busy a host is: a rate that follows the week, the day and chance, and what it has added up to.

A rate is `mean × (1 + Σ share × cos)`, with shares that sum to less than one: so it is never negative, its
integral is known in closed form, and a counter made from it can be told for any instant without those before.
"""

import numpy as np

from tocsin_fleet.chance import Floats, Rows, Words, drawn

_DAY_S = 86_400.0
_CALENDAR = (
    # period, share, peak in seconds after Thursday 1970-01-01 UTC, how far hosts differ in it
    (7 * _DAY_S, 0.14, 6.5 * _DAY_S, 0.5 * _DAY_S),
    (_DAY_S, 0.30, 13.5 * 3600, 2 * 3600.0),
    (_DAY_S / 2, 0.10, 10 * 3600.0, 2 * 3600.0),
)
"""Wednesdays at noon, early afternoons; a second peak in the morning and by night, for backups."""
_NOISE = ((7200.0, 0.05), (1900.0, 0.06), (640.0, 0.07), (230.0, 0.07), (83.0, 0.06), (37.0, 0.05))
"""Periods that no host keeps exactly, with their shares."""


class Activity:
    """One kind of activity of many hosts: `mean` is that of each, per second; `noise` is how restless it is."""

    def __init__(self, words: Words, what: str, mean: Floats, *, noise: float = 1.0) -> None:
        self.mean = mean
        hosts = len(words)
        periods = np.empty((hosts, len(_CALENDAR) + len(_NOISE)))
        shares, peaks = np.empty_like(periods), np.empty_like(periods)
        for column, (period, share, peak, differs) in enumerate(_CALENDAR):
            periods[:, column] = period
            peaks[:, column] = peak + differs * (2 * drawn(words, f"{what} peak {column}") - 1)
            shares[:, column] = share
        for column, (period, share) in enumerate(_NOISE, start=len(_CALENDAR)):
            periods[:, column] = period * (0.85 + 0.3 * drawn(words, f"{what} period {column}"))
            peaks[:, column] = period * drawn(words, f"{what} peak {column}")
            shares[:, column] = share * noise
        self._shares = shares * (0.5 + 0.5 * drawn(words, f"{what} liveliness"))[:, None]
        self._speeds = 2 * np.pi / periods
        self._peaks = peaks

    def rate(self, rows: Rows, at_s: Floats) -> Floats:
        """How much a second, for hosts at instants (Unix seconds) of the same number."""
        angles = self._speeds[rows] * (at_s[:, None] - self._peaks[rows])
        rate: Floats = self.mean[rows] * (1 + (self._shares[rows] * np.cos(angles)).sum(axis=1))
        return rate

    def amount(self, rows: Rows, since_s: Floats, until_s: Floats) -> Floats:
        """How much between two instants."""
        speeds, peaks = self._speeds[rows], self._peaks[rows]
        swing = np.sin(speeds * (until_s[:, None] - peaks)) - np.sin(speeds * (since_s[:, None] - peaks))
        swung = (self._shares[rows] / speeds * swing).sum(axis=1)
        amount: Floats = self.mean[rows] * (until_s - since_s + swung)
        return amount
