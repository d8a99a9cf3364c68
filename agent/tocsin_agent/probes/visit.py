"""One visit of a device: its probes one after the other, within the device's deadline, and what came of each.

Whatever a probe meets is its own failure: the probes beside it are asked all the same. How each fared are
readings too: `probe_success`, `probe_duration_seconds` and `tocsin_probe_failure{reason}`, by probe.
"""

import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from tocsin_agent.probes.book import Device, Probe
from tocsin_agent.probes.failure import Failed, Misdeclared, safe_line
from tocsin_agent.probes.registry import Method, OpenSecret, Unusable, method
from tocsin_agent.readings import Labels, Sample, counter, gauge, labelled
from tocsin_protocol import wire

MOST_SCHEMA_BYTES = 512 << 10
"""Names and labels of one device: a push carries no more than a megabyte, and has to name them all."""
_SAMPLES_ABOUT_A_PROBE = 3
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_OURS = ("probe_", "tocsin_")

MakeMethod = Callable[[str, Mapping[str, object], OpenSecret], Method]


class Problem(NamedTuple):
    """Why a probe has failed."""

    reason: str
    words: str


class Outcome(NamedTuple):
    """What a visit has brought; `problems` by probe."""

    time_ms: int
    samples: list[Sample]
    problems: Mapping[str, Problem]


class Visitor:
    """Visits one device, again and again; used by one thread at a time. Methods are made at the first visit."""

    def __init__(
        self,
        device: Device,
        open_secret: OpenSecret,
        *,
        make: MakeMethod = method,
        monotonic: Callable[[], float] = time.monotonic,
        most_series: int = wire.MAX_SERIES_PER_SCHEMA,
    ) -> None:
        self._probing = [Probing(probe, open_secret, make) for probe in device.probes]
        self._deadline_s = min(device.every_s, sum(probing.timeout_s for probing in self._probing))
        self._monotonic = monotonic
        # One more: the rounds that were skipped.
        self._most_series = most_series - _SAMPLES_ABOUT_A_PROBE * len(self._probing) - 1

    def visit(self, *, time_ms: int, skipped: int) -> Outcome:
        """Ask every probe; `skipped` rounds of this device have been missed so far."""
        ends_s = self._monotonic() + self._deadline_s
        samples: list[Sample] = []
        about: list[Sample] = []
        problems: dict[str, Problem] = {}
        room_bytes = MOST_SCHEMA_BYTES
        for probing in self._probing:
            began_s = self._monotonic()
            room = self._most_series - len(samples)
            seen, problem = probing.ask(ends_s - began_s, most_series=room, most_bytes=room_bytes)
            samples += seen
            room_bytes -= probing.schema_bytes
            about += probing.about(problem, self._monotonic() - began_s)
            if problem is not None:
                problems[probing.name] = problem
        about.append(counter("tocsin_probe_skipped_rounds_total", skipped))
        return Outcome(time_ms, samples + about, problems)


class Probing:
    """One probe at work; `schema_bytes` is what the names of its last samples take."""

    def __init__(self, probe: Probe, open_secret: OpenSecret, make: MakeMethod) -> None:
        self.name = probe.name
        self.timeout_s = _timeout_s(probe.options) or wire.PROBE_TIMEOUT_S
        self.schema_bytes = 0
        self._probe = probe
        self._open_secret = open_secret
        self._make = make
        self._method: Method | None = None
        self._labels = labelled(probe=probe.name)
        self._names: Sequence[tuple[str, Labels]] = ()

    def ask(
        self, left_s: float, *, most_series: int, most_bytes: int
    ) -> tuple[Sequence[Sample], Problem | None]:
        """What it reads, and why it has failed where it has; `left_s` is what the device's deadline leaves."""
        if left_s <= 0:
            return self._nothing("timeout", "the probes before it have taken all the time of this device")
        try:
            found, problem = self._probed(min(left_s, self.timeout_s))
            return self._fitting(found, problem, most_series=most_series, most_bytes=most_bytes)
        except Exception as error:  # noqa: BLE001 - outermost loop: whatever one probe meets, the others go on
            return self._nothing("internal", safe_line(f"{type(error).__name__}: {error}"))

    def about(self, problem: Problem | None, took_s: float) -> list[Sample]:
        """How it fared."""
        samples = [
            gauge("probe_success", float(problem is None), self._labels),
            gauge("probe_duration_seconds", took_s, self._labels),
        ]
        if problem is not None:
            samples.append(gauge("tocsin_probe_failure", 1, labelled(probe=self.name, reason=problem.reason)))
        return samples

    def _probed(self, deadline_s: float) -> tuple[Sequence[Sample], Problem | None]:
        if self._method is None:
            self._method = self._made()
        try:
            return self._method.probe(deadline_s), None
        except Failed as failed:
            return failed.samples, Problem(failed.reason, failed.words)

    def _made(self) -> Method:
        options = self._probe.options
        if _timeout_s(options) is None:
            return Unusable(
                "internal", f"timeout_s must be a number above 0, at most {wire.LONGEST_PROBE_TIMEOUT_S}"
            )
        try:
            return self._make(self._probe.kind, options, self._open_secret)
        except Misdeclared as misdeclared:
            return Unusable("internal", misdeclared.words)

    def _fitting(
        self, found: Sequence[Sample], problem: Problem | None, *, most_series: int, most_bytes: int
    ) -> tuple[Sequence[Sample], Problem | None]:
        """The samples under their labels, if a frame can carry them: a server would refuse the whole frame."""
        if len(found) > most_series:
            return self._nothing("endless", f"{len(found)} series are more than a frame can carry")
        try:
            for sample in found:
                math.isnan(sample.value)  # raises where it is no number, or too large for a double
            names = [(sample.name, sample.labels) for sample in found]
            if names != self._names:
                # Nearly always they are the ones of the last time, which have been looked at.
                self.schema_bytes = sum(_bytes_of(name, labels) for name, labels in names)
                self._names = names
        except (TypeError, ValueError, OverflowError, UnicodeError) as error:
            return self._nothing("malformed", safe_line(f"a series cannot be sent: {error}"))
        if self.schema_bytes > most_bytes:
            return self._nothing("endless", "the names of its series are more than a push can carry")
        return [self._labelled(sample) for sample in found], problem

    def _labelled(self, sample: Sample) -> Sample:
        """Two probes of a device may be of one kind; what a device itself has named is left as it is."""
        if not sample.name.startswith(_OURS):
            return sample
        return sample._replace(labels=tuple(sorted((*sample.labels, *self._labels))))

    def _nothing(self, reason: str, words: str) -> tuple[Sequence[Sample], Problem]:
        self._names, self.schema_bytes = (), 0
        return (), Problem(reason, words)


def _timeout_s(options: Mapping[str, object]) -> float | None:
    """How long one probe may take; None where that is no such time."""
    said = options.get("timeout_s", wire.PROBE_TIMEOUT_S)
    if not isinstance(said, int | float) or isinstance(said, bool) or not math.isfinite(said):
        return None
    return float(said) if 0 < said <= wire.LONGEST_PROBE_TIMEOUT_S else None


def _bytes_of(name: str, labels: Labels) -> int:
    """How long the names of a series are; raises `ValueError` where the contract does not allow them."""
    size = len(name)
    if size > wire.MAX_NAME_BYTES or not _METRIC.fullmatch(name):
        raise ValueError("a metric has an impossible name")
    # One place is for the label `probe`.
    if len(labels) >= wire.MAX_LABELS_PER_SERIES or sorted(dict(labels).items()) != list(labels):
        raise ValueError(f"{name} has too many labels, or not in their order")
    for label, value in labels:
        length = len(value.encode())
        if len(label) > wire.MAX_NAME_BYTES or not _LABEL.fullmatch(label) or label == "probe":
            raise ValueError(f"a label of {name} has an impossible name")
        if not 0 < length <= wire.MAX_LABEL_VALUE_BYTES:
            raise ValueError(f"a label of {name} is empty or longer than {wire.MAX_LABEL_VALUE_BYTES} bytes")
        size += len(label) + length
    return size
