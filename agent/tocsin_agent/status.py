"""The agent's standing in words, for `tocsin-agent status`."""

from collections.abc import Iterator, Mapping
from typing import Any

from tocsin_agent.caller import visible

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def in_words(status: Mapping[str, Any], *, now_ms: int) -> Iterator[str]:
    """Line by line."""

    def said(name: str) -> str:
        return visible(status[name])

    yield f"{said('host')} of {said('client')} (site {said('site')}), watched for {said('server')}"
    yield f"version {said('version')}, running for {_age(status['started_ms'], now_ms)}"
    waits = ", and a new one waits for the server" if status["key_waits"] else ""
    yield f"its key is {_age(status['key_made_ms'], now_ms)} old{waits}"
    accepted_ms = status["accepted_ms"]
    if accepted_ms is None:
        yield "no push has been accepted yet"
    else:
        yield f"last push accepted {_age(accepted_ms, now_ms)} ago"
    yield f"frames waiting in the spool: {said('spool_frames')}, in quarantine: {said('quarantine_frames')}"
    if status["trouble"]:
        yield f"trouble: {said('trouble')}"
    yield ""
    yield from _collectors(status)
    yield from _devices(status)
    yield f"Collected are {said('collected')}."
    yield "Not collected:"
    yield from (f"  {visible(thing)}" for thing in status["not_collected"])


def _collectors(status: Mapping[str, Any]) -> Iterator[str]:
    collectors = status["collectors"]
    total = sum(collector["series"] for collector in collectors)
    yield f"Every {status['interval_s']:g} s {len(collectors)} collectors read {total} series:"
    for collector in collectors:
        problem = f"  {visible(collector['problem'])}" if collector["problem"] else ""
        yield f"  {visible(collector['name']):<12}{collector['series']:>6}{problem}"
    yield ""


def _devices(status: Mapping[str, Any]) -> Iterator[str]:
    devices = status["devices"]
    if not devices:
        return
    yield f"Probed from here are {len(devices)} devices:"
    for device in devices:
        trouble = f"  {visible(device['trouble'])}" if device["trouble"] else ""
        yield f"  {visible(device['name'])} every {device['every_s']:g} s{trouble}"
    yield ""


def _age(since_ms: int, now_ms: int) -> str:
    """The two largest units: `3 h 20 min`."""
    seconds = max(0, now_ms - since_ms) // 1000
    parts: list[str] = []
    for size, unit in _UNITS:
        amount, seconds = divmod(seconds, size)
        if amount or (parts and seconds):
            parts.append(f"{amount} {unit}")
    return " ".join(parts[:2]) or "0 s"
