"""How well the clock is kept, as the kernel's NTP discipline sees it.

adjtimex(2) is asked without setting anything, so it needs no privilege.
"""

import ctypes
import os
from collections.abc import Callable, Iterator

from tocsin_agent.readings import Sample, gauge

HELP = {
    "node_timex_offset_seconds": "Offset between the local clock and its reference.",
    "node_timex_frequency_adjustment_ratio": "Frequency at which the clock runs, 1 being its own.",
    "node_timex_maxerror_seconds": "Largest error that the clock can have.",
    "node_timex_estimated_error_seconds": "Error that the clock is thought to have.",
    "node_timex_status": "Status bits of the clock, see adjtimex(2).",
    "node_timex_loop_time_constant": "Time constant of the phase-locked loop.",
    "node_timex_tick_seconds": "Seconds between two ticks of the clock.",
    "node_timex_tai_offset_seconds": "Seconds by which international atomic time is ahead of UTC.",
    "node_timex_sync_status": "Whether the clock is kept by a reference.",
}
_STA_NANO = 0x2000
_TIME_ERROR = 5
_PPM_16_BIT_FRACTION = 1_000_000 * 65_536


class Timex(ctypes.Structure):
    """`struct timex` of <sys/timex.h>, 64-bit and 32-bit alike."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time_seconds", ctypes.c_long),
        ("time_fraction", ctypes.c_long),
        ("tick", ctypes.c_long),
        ("ppsfreq", ctypes.c_long),
        ("jitter", ctypes.c_long),
        ("shift", ctypes.c_int),
        ("stabil", ctypes.c_long),
        ("jitcnt", ctypes.c_long),
        ("calcnt", ctypes.c_long),
        ("errcnt", ctypes.c_long),
        ("stbcnt", ctypes.c_long),
        ("tai", ctypes.c_int),
        ("padding", ctypes.c_int * 11),
    )


Adjtimex = Callable[[Timex], int]


def ask_kernel(timex: Timex) -> int:
    """Fills `timex`, gives the clock's state back; raises `OSError` where it may not be asked."""
    state: int = _libc.adjtimex(ctypes.byref(timex))
    if state < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return state


_libc = ctypes.CDLL(None, use_errno=True)


class TimexCollector:
    """Asks the kernel, or `adjtimex` in its place."""

    name = "timex"

    def __init__(self, adjtimex: Adjtimex = ask_kernel) -> None:
        self._adjtimex = adjtimex
        # `modes` stays 0, so nothing is ever set; the kernel fills the rest anew each time.
        self._timex = Timex()

    def collect(self) -> Iterator[Sample]:
        """Gauges; the offset is in nanoseconds or in microseconds, as the status says."""
        timex = self._timex
        state = self._adjtimex(timex)
        offset_unit = 1e-9 if timex.status & _STA_NANO else 1e-6
        yield gauge("node_timex_offset_seconds", timex.offset * offset_unit)
        yield gauge("node_timex_frequency_adjustment_ratio", 1 + timex.freq / _PPM_16_BIT_FRACTION)
        yield gauge("node_timex_maxerror_seconds", timex.maxerror * 1e-6)
        yield gauge("node_timex_estimated_error_seconds", timex.esterror * 1e-6)
        yield gauge("node_timex_status", timex.status)
        yield gauge("node_timex_loop_time_constant", timex.constant)
        yield gauge("node_timex_tick_seconds", timex.tick * 1e-6)
        yield gauge("node_timex_tai_offset_seconds", timex.tai)
        yield gauge("node_timex_sync_status", state != _TIME_ERROR)
