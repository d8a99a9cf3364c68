"""Real processes for stories and fault loops: a server, agents, and an API client of their own.

Everything listens on a free loopback port and lives in a folder of the test's; leaving the context ends it.
"""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Protocol, Self

import httpx
import pytest
from tests.forked import LONGEST_S, Forked, done
from tests.ports import free_port

from tocsin_server.cli import main

READY_S = 20.0


def until(said: str, question: Callable[[], Any], *, seconds: float = READY_S, every: float = 0.05) -> Any:
    """Ask until the answer is true, and give it back; fails with what was waited for."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = question()
        if answer:
            return answer
        time.sleep(every)
    raise AssertionError(f"waited {seconds:.0f} s in vain: {said}")


class Process(Protocol):
    """What is asked of a process that runs, as `subprocess.Popen` answers it."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, number: int, /) -> None: ...

    def terminate(self) -> None: ...


class ServerProcess:
    """`tocsin-server run` on a folder; it can be killed and started again on the same data."""

    def __init__(self, data: Path, *, config: Path | None = None, toml: str = "", database: str = "") -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: Process | None = None
        self.under: Sequence[str] = ()
        """A program that is to run ours, and watches what it does."""
        self._config = config
        self._environment = {**os.environ, **({"TOCSIN_DATABASE": database} if database else {})}
        data.mkdir(parents=True, exist_ok=True)
        if toml:
            (data / "server.toml").write_text(toml)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def command(self, *words: str, check: bool = True, given: str = "") -> subprocess.CompletedProcess[str]:
        """One administrative command on the same data, with what it is given to read."""
        done = self._done([*words, "--data", str(self.data)], given)
        if check and done.returncode != 0:
            raise AssertionError(f"{words}: {done.stderr}")
        return done

    def prepare(self) -> dict[str, str]:
        """A client `home`, a technician, her session token and an invitation for one agent."""
        words = ["prepare", "--data", str(self.data), "--url", self.url]
        said = io.StringIO()
        # In this process: what another would need to start is most of what it would take.
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
            patch.setattr(os, "environ", self._environment)
            assert main(words) == 0
        prepared: dict[str, str] = json.loads(said.getvalue())
        return prepared

    def invite(self, client: str = "home", site: str = "main") -> str:
        """A further invitation."""
        done = self.command(
            "enrol-token", "create", "--client", client, "--site", site, "--url", self.url, "--quiet"
        )
        return done.stdout.strip()

    def start(self, *, within_s: float = READY_S) -> Self:
        words = ["run", "--data", str(self.data)]
        words += ["--port", str(self.port), "--public-url", self.url, "--open-metrics"]
        if self._config is not None:
            words += ["--config", str(self._config)]
        if (self.data / "server.toml").exists():
            words += ["--settings", str(self.data / "server.toml")]
        self.process = self._begun(words, self.data / "server.log")
        until(f"the server answers; its log:\n{self.said()}", self.is_ready, seconds=within_s)
        return self

    def is_ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the server has ended:\n{self.said()}")
        # Not by httpx, which reads all certificate authorities for each client: the server wants the processor.
        with contextlib.closing(HTTPConnection("127.0.0.1", self.port, timeout=2)) as connection:
            try:
                connection.request("GET", "/healthz")
                return connection.getresponse().status == 200
            except (OSError, HTTPException):
                return False

    def said(self) -> str:
        log = self.data / "server.log"
        return log.read_text(errors="replace")[-4000:] if log.exists() else ""

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(10)

    def api(self, session: str) -> httpx.Client:
        return httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers={"authorization": f"Bearer {session}"},
            timeout=10,
            trust_env=False,
        )

    def _begun(self, words: list[str], log: Path) -> Process:
        """A process that goes on, and writes to this file."""
        with log.open("ab") as said:
            return subprocess.Popen(
                self._program(words), stdout=said, stderr=subprocess.STDOUT, env=self._environment
            )

    def _done(self, words: list[str], given: str) -> subprocess.CompletedProcess[str]:
        """A process that has ended, and what it has said."""
        return subprocess.run(
            self._program(words),
            input=given,
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            check=False,
            env=self._environment,
        )

    def _program(self, words: list[str]) -> list[str]:
        return [*self.under, sys.executable, "-m", "tocsin_server", *words]


class ForkedServer(ServerProcess):
    """The same, sooner, where it matters not how its process came to be."""

    def _begun(self, words: list[str], log: Path) -> Process:
        assert not self.under, "what runs under another program is not forked"
        return Forked(words, self._environment, out=log, err=log)

    def _done(self, words: list[str], given: str) -> subprocess.CompletedProcess[str]:
        assert not given, "nothing is given to a process that is forked"
        return done(words, self._environment)


class AgentProcess:
    """`tocsin-agent run` on a state folder of its own."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.process: subprocess.Popen[bytes] | None = None
        self.under: Sequence[str] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def enrol(self, invitation: str, *, name: str) -> Self:
        command = [*self.under, sys.executable, "-m", "tocsin_agent", "enrol", invitation]
        done = subprocess.run(
            [*command, "--name", name, "--state", self.state],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return self

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What somebody at the host types, such as `ask`."""
        return subprocess.run(
            [*self.under, sys.executable, "-m", "tocsin_agent", *words, "--state", self.state],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start(self) -> Self:
        with (self.state / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self.under, sys.executable, "-m", "tocsin_agent", "run", "--state", str(self.state)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "NO_PROXY": "127.0.0.1"},
            )
        return self

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
