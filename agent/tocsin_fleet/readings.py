"""What simulated hosts read: a function of seed, host and instant, for many hosts at once.

Nothing is remembered between two instants, so a host that was silent can be told at any time what it would
have read meanwhile, and a fleet of ten thousand costs no more memory than what each host is.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tocsin_fleet.chance import Floats, Rows
from tocsin_fleet.incidents import Incident, Kind, Script
from tocsin_fleet.machines import GIB, Machines
from tocsin_fleet.series import series_of, spread

FULL, SATURATED = 0.994, 0.985
"""How much of a file system and of a processor the worst incident takes."""
_STALLED_SHARE = 0.25
_QUEUE_A_CORE = 3.2
_LOAD_S = (60.0, 300.0, 900.0)
_MODES = {"user": 0.66, "nice": 0.02, "system": 0.24, "iowait": 0.05, "softirq": 0.02, "steal": 0.01}

Courses = dict[str, Floats]


class Readings:
    """The readings of machines of one model; `hosts` are their numbers in the script, by row."""

    def __init__(self, machines: Machines, hosts: NDArray[np.intp], script: Script) -> None:
        self.series = series_of(machines.model)
        self.script = script
        self._machines = machines
        self._hosts = hosts
        self._courses = sorted({series.course for series in self.series})
        self._sources = np.array([self._courses.index(series.course) for series in self.series])
        self._steps = np.array([series.steps for series in self.series])
        self._gains = np.array([series.gain for series in self.series]) * self._steps

    def at(self, rows: Rows, at_s: Floats) -> NDArray[np.float64]:
        """The samples of hosts at instants of the same number: `[len(rows), len(series)]`, as in `series`."""
        told = self.courses(rows, at_s)
        courses = np.stack([np.broadcast_to(told[name], rows.shape) for name in self._courses], axis=1)
        samples: NDArray[np.float64] = np.floor(courses[:, self._sources] * self._gains) / self._steps
        return samples

    def courses(self, rows: Rows, at_s: Floats) -> Courses:
        """Everything that series are made of, each `[len(rows)]`."""
        machines = self._machines
        booted_s = machines.booted_s(rows, at_s)
        common = {
            "none": np.zeros(1),
            "one": np.ones(1),
            "now": at_s,
            "booted": booted_s,
            "age": at_s - booted_s,
            "jitter": 0.5 + machines.noise(rows, "jitter", at_s),
        }
        return {
            **common,
            **self._work(rows, at_s, booted_s),
            **self._memory(rows, at_s, booted_s),
            **self._storage(rows, at_s, booted_s),
            **self._traffic(rows, at_s, booted_s),
        }

    def _work(self, rows: Rows, at_s: Floats, booted_s: Floats) -> Courses:
        machines, cores = self._machines, self._machines.model.cores
        busy_s, queued_s = self._busy(rows, booted_s, at_s)
        modes = {mode: busy_s * share for mode, share in _MODES.items()}
        loads = {
            f"load{span_s / 60:.0f}": self._load(rows, at_s, booted_s, busy_s, queued_s, span_s)
            for span_s in _LOAD_S
        }
        rate = machines.processor.rate(rows, at_s)
        noise = machines.noise(rows, "running", at_s)
        return {
            **modes,
            **loads,
            "irq": np.zeros(1),
            **{f"idle{core}": at_s - booted_s - busy_s * (1 + spread(core)) for core in range(cores)},
            "queued": busy_s * 0.02 + queued_s / (cores * _QUEUE_A_CORE),
            "switches": (at_s - booted_s) * 300 + busy_s * cores * 9000,
            "forks": (at_s - booted_s) * 0.5 + busy_s * cores * 8,
            "faults": (at_s - booted_s) * 40 + busy_s * cores * 3000,
            "running": 1 + np.floor(rate * cores + 2 * noise),
            "blocked": np.floor(1.2 * noise),
            "processes": 95 + 30 * cores + np.floor(90 * rate) + np.floor(4 * noise),
        }

    def _load(
        self, rows: Rows, at_s: Floats, booted_s: Floats, busy_s: Floats, queued_s: Floats, span_s: float
    ) -> Floats:
        """Tasks that ran or waited, as the mean of the last so many seconds."""
        since_s = np.maximum(at_s - span_s, booted_s)
        before_s, before_queued_s = self._busy(rows, booted_s, since_s)
        tasks_s = (busy_s - before_s) * self._machines.model.cores * 1.1 + queued_s - before_queued_s
        return tasks_s / np.maximum(at_s - since_s, 1.0)

    def _busy(self, rows: Rows, booted_s: Floats, at_s: Floats) -> tuple[Floats, Floats]:
        """Seconds that a processor has worked since the start, and seconds that tasks have waited for one."""
        processor, cores = self._machines.processor, self._machines.model.cores
        busy_s = processor.amount(rows, booted_s, at_s)
        queued_s = np.zeros_like(busy_s)
        for place, storm in self._incidents(rows, Kind.STORM):
            lasted_s = storm.seconds(booted_s[place], at_s[place])
            if lasted_s:
                begun_s = np.array([max(storm.start_s, booted_s[place])])
                usual_s = processor.amount(rows[place : place + 1], begun_s, begun_s + lasted_s)[0]
                busy_s[place] += SATURATED * lasted_s - usual_s
                queued_s[place] += cores * _QUEUE_A_CORE * lasted_s
        return busy_s, queued_s

    def _memory(self, rows: Rows, at_s: Floats, booted_s: Floats) -> Courses:
        ram, swap = self._machines.model.ram_bytes, self._machines.model.swap_bytes
        lost, kills, stalled_s = (np.zeros(len(rows)) for _ in range(3))
        for place, leak in self._incidents(rows, Kind.LEAK):
            lost[place] = max(lost[place], leak.level(at_s[place]))
            stalled_s[place] += _STALLED_SHARE * leak.seconds(booted_s[place], at_s[place], at_height=True)
        for place, flap in self._incidents(rows, Kind.FLAP):
            lost[place] = max(lost[place], 0.8 * flap.grown(at_s[place]))
            kills[place] += flap.kills(booted_s[place], at_s[place])
        used = self._machines.used_memory.rate(rows, at_s)
        available = ram * ((1 - used) * (1 - lost) + 0.02 * lost)
        swapped = swap * (0.04 + 0.5 * lost)
        return {
            "ram": np.full(1, ram),
            "available": available,
            "free": available * 0.3,
            "cached": available * 0.62,
            "taken": ram - available,
            "dirty": available * 0.0004 * (0.5 + self._machines.noise(rows, "dirty", at_s)),
            "swap": np.full(1, swap),
            "swapped": swapped,
            "swap_free": swap - swapped,
            "vmalloc": np.full(1, 32768 * GIB),
            "huge_page": np.full(1, 2097152.0),
            "kills": kills,
            "stalled": stalled_s,
        }

    def _storage(self, rows: Rows, at_s: Floats, booted_s: Floats) -> Courses:
        machines = self._machines
        filled = np.zeros(len(rows))
        for place, fill in self._incidents(rows, Kind.FILL):
            filled[place] = max(filled[place], fill.level(at_s[place]))
        root, data = machines.used_root.rate(rows, at_s), machines.used_data.rate(rows, at_s)
        data = data + np.maximum(FULL - data, 0.0) * filled
        operations = machines.disk.amount(rows, booted_s, at_s)
        return {
            "root_free": 1 - root,
            "data_free": 1 - data,
            "root_free_files": 1 - 0.3 * root,
            "data_free_files": 1 - 0.2 * data,
            "reads": operations * 0.35,
            "writes": operations,
        }

    def _traffic(self, rows: Rows, at_s: Floats, booted_s: Floats) -> Courses:
        network = self._machines.network
        carried = network.amount(rows, booted_s, at_s)
        return {
            "received": carried,
            "sent": carried * 1.7,
            "looped": carried * 0.2 + (at_s - booted_s) * 300,
            "connections": 8 + np.floor(network.rate(rows, at_s) / 9000),
        }

    def _incidents(self, rows: Rows, kind: Kind) -> Sequence[tuple[int, Incident]]:
        """Those of a kind, with the place of their host among `rows`."""
        of, hosts = self.script.of, self._hosts[rows]
        return [(place, one) for place, host in enumerate(hosts) for one in of(int(host)) if one.kind is kind]
