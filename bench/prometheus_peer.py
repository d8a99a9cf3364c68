"""Debian's Prometheus as a peer: on loopback, with an empty folder, fed by remote write, ended at the end.

The program is the one that `PROMETHEUS` names, else the one on PATH, else it is unpacked from Debian's package
into a temporary folder (apt-get download, dpkg -x).
"""

import http.client
import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from tocsin_server.series.arrays import Bools, Floats

PROGRAM = "prometheus"

# -- remote write: protobuf, framed as a snappy block of one literal


def varint(number: int) -> bytes:
    groups = []
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*groups, number])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


@lru_cache(maxsize=100_000)
def label(name: str, value: str) -> bytes:
    return field(1, field(1, name.encode()) + field(2, value.encode()))


@lru_cache(maxsize=100)
def stamps(times: tuple[int, ...]) -> np.ndarray:
    """The last bytes of each sample: its time. All times of our century are six bytes long."""
    return np.array([list(b"\x10" + varint(at_ms)) for at_ms in times], np.uint8)


def samples_of(times: Sequence[int], values: Floats) -> np.ndarray:
    """Each row's samples as protobuf, `[rows, instants, bytes of a sample]`."""
    ends = stamps(tuple(times))
    encoded = np.empty((*values.shape, 18), np.uint8)
    encoded[..., :3] = list(b"\x12\x10\x09")
    encoded[..., 3:11] = np.ascontiguousarray(values).view(np.uint8).reshape(*values.shape, 8)
    encoded[..., 11:] = ends
    return encoded


def written(
    labels: Iterable[Mapping[str, str]], times: Sequence[int], values: Floats, there: Bools | None = None
) -> bytes:
    """Series, whose labels hold their names, with a row of samples each, of which `there` are sent."""
    whole = []
    for row, (pairs, samples) in enumerate(zip(labels, samples_of(times, values), strict=True)):
        named = b"".join(label(name, pairs[name]) for name in sorted(pairs))
        sent = samples if there is None else samples[there[row]]
        whole.append(field(1, named + sent.tobytes()))
    return b"".join(whole)


def framed(content: bytes) -> bytes:
    return varint(len(content)) + b"\xfc" + struct.pack("<I", len(content) - 1) + content


# -- the running program


class Peer:
    """A running Prometheus. `folder` is its own; its configuration names the rule files in it."""

    def __init__(self, port: int, folder: Path) -> None:
        self.folder = folder
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> bytes:
        self._http.request(
            method, path, body, {name.replace("_", "-"): value for name, value in headers.items()}
        )
        answer = self._http.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{PROGRAM} answers {answer.status} to {path[:60]}: {text[:200]!r}")
        return text

    def wait(self) -> None:
        for _ in range(200):
            try:
                self.ask("GET", "/-/ready")
            except (ConnectionRefusedError, SystemExit):
                self._http.close()
                time.sleep(0.1)
            else:
                return
        raise SystemExit(f"{PROGRAM} was not ready within 20 s")

    def write(self, content: bytes) -> None:
        """Remote write of what `written` gives, any number of them one after the other."""
        self.ask(
            "POST",
            "/api/v1/write",
            framed(content),
            Content_Encoding="snappy",
            Content_Type="application/x-protobuf",
        )

    def obey(self, rules: bytes, interval_s: int) -> None:
        """Put a rule file in force."""
        (self.folder / "rules.yml").write_bytes(rules)
        (self.folder / "prometheus.yml").write_text(
            f"global: {{evaluation_interval: {interval_s}s}}\nrule_files: [{self.folder}/rules.yml]\n"
        )
        self.ask("POST", "/-/reload")

    def rules(self) -> list[dict[str, Any]]:
        """What it says of its rules, with the time that each took last and its alerts."""
        groups = json.loads(self.ask("GET", "/api/v1/rules"))["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def metrics(self, name: str) -> list[float]:
        """The values of its own metric of that name, whatever their labels."""
        lines = self.ask("GET", "/metrics").decode().splitlines()
        return [float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name} ", f"{name}{{"))]

    def collect(self) -> None:
        """Let it collect its garbage."""
        self.ask("GET", "/debug/pprof/heap?gc=1")

    def engine_seconds(self) -> float:
        """How long its engine has prepared and evaluated queries since it started."""
        lines = self.ask("GET", "/metrics").decode().splitlines()
        sums = [line for line in lines if line.startswith("prometheus_engine_query_duration_seconds_sum")]
        return sum(float(line.split()[-1]) for line in sums if "inner_eval" in line or "prepare_time" in line)

    def rows(self, text: str, at_ms: int) -> int:
        path = f"/api/v1/query?query={quote(text)}&time={at_ms / 1000}"
        return len(json.loads(self.ask("GET", path))["data"]["result"])


@contextmanager
def prometheus(*options: str) -> Iterator[Peer]:
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        config = Path(folder) / "prometheus.yml"
        config.write_text("{}")
        command = [
            program(folder),
            f"--config.file={config}",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--web.enable-remote-write-receiver",
            "--web.enable-lifecycle",
            "--log.level=error",
            *options,
        ]
        probe.close()
        with subprocess.Popen(command, cwd=folder) as process:
            try:
                peer = Peer(port, Path(folder))
                peer.wait()
                yield peer
            finally:
                end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """What it still wants to write is of no use to anybody."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()


def program(folder: str) -> str:
    if found := os.environ.get("PROMETHEUS") or shutil.which(PROGRAM):
        return found
    subprocess.run(["apt-get", "download", PROGRAM], cwd=folder, check=True, capture_output=True)
    package = next(Path(folder).glob("*.deb"))
    subprocess.run(["dpkg", "-x", package, folder], check=True)
    return str(Path(folder) / "usr/bin" / PROGRAM)
