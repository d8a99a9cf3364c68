"""`up`, which no host sends: drawn from when a host has sent anything at all."""

import numpy as np

from tocsin_protocol.wire import MISSED_PUSHES_UNTIL_SILENT
from tocsin_server.series.arrays import Floats, Ints

UP = "up"


def up_from(heard: Ints, *, end_ms: int, interval_ms: int) -> tuple[Ints, Floats]:
    """1 whenever it was heard; in a pause of three pushes or more 0, each interval, as the server writes it."""
    if not len(heard):
        return heard, np.zeros(0)
    ends = np.append(heard[1:], end_ms)
    silences = [
        np.arange(begin + (MISSED_PUSHES_UNTIL_SILENT + 1) * interval_ms, end, interval_ms)
        for begin, end in zip(heard.tolist(), ends.tolist(), strict=True)
    ]
    times = np.concatenate([heard, *silences]).astype(np.int64)
    values = np.concatenate([np.ones(len(heard)), *(np.zeros(len(silence)) for silence in silences)])
    order = np.argsort(times, kind="stable")
    return times[order], values[order]
