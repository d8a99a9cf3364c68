"""`tocsin up`: a server, this machine's agent and the console from one command.

It starts the server and the agent as child processes and imports neither. Everything they keep lies in one
data folder, so a second start goes on where the first ended:

    DATA/server/   the server's database, journal, keys and scrape token
    DATA/agent/    the agent's identity and spool
    DATA/session   the first technician's session, for `tocsin --token-file`; readable by its owner only
    DATA/*.log     what the two have said

With `--demo` simulated hosts take the place of the agent, in a data folder that is never the real one:

    DATA/fleet/    the roster of the simulated hosts, and their keys
"""

import argparse
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, Self

HOST = "127.0.0.1"
DEFAULT_PORT = 8443
READY_SECONDS = 30.0
STOP_SECONDS = 4.0
_PR_SET_PDEATHSIG = 1  # prctl(2)

EXAMPLES = """\
examples:
  tocsin up                                   server, agent and console; data under ~/.local/share/tocsin
  tocsin up --headless --port 9000 --data /srv/tocsin   the same without a screen, until SIGTERM
  tocsin up --demo                            simulated clients; data under ~/.local/share/tocsin-demo
"""


class UpError(Exception):
    """It cannot start; the message says what, where and how to mend it."""


def main(arguments: Sequence[str]) -> int:
    """Run `tocsin up` with its command-line arguments; the process's exit status."""
    options = _parser().parse_args(arguments)
    data = (options.data or default_data(is_demo=options.demo)).expanduser().resolve()
    try:
        if options.headless:
            _leave_on_signals()
        with Household(data, port=options.port, config=options.config, is_demo=options.demo) as household:
            session = household.start()
            return _wait(household) if options.headless else _open_console(household, session)
    except UpError as error:
        print(f"tocsin up: {error}", file=sys.stderr)  # noqa: T201 - a command prints
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tocsin up",
        description="Start a server, this machine's agent and the console.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--headless", action="store_true", help="no screen: print the URL and serve until SIGTERM"
    )
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="port on loopback (default %(default)s)")
    parser.add_argument(
        "--demo", action="store_true", help="simulated clients and hosts instead of this machine's agent"
    )
    parser.add_argument(
        "--data",
        type=Path,
        help=f"data folder (default {default_data(is_demo=False)}, of a demo {default_data(is_demo=True)})",
    )
    parser.add_argument("--config", type=Path, help="folder with rules/ to use instead of the shipped ones")
    return parser


def default_data(*, is_demo: bool) -> Path:
    """The data folder where none is named; a demo has its own."""
    state = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share")
    return state / ("tocsin-demo" if is_demo else "tocsin")


class Household:
    """The child processes of one `tocsin up`; leaving its context ends them."""

    def __init__(self, data: Path, *, port: int, config: Path | None, is_demo: bool = False) -> None:
        self.data = data
        self.is_demo = is_demo
        self.url = f"http://{HOST}:{port}"
        self._port = port
        self._config = config
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> str:
        """Start everything; the console's session token, once the server answers."""
        self._refuse_others_folder()
        self._make_folders()
        self._refuse_taken_port()
        prepared = self._start_server()
        session: str = prepared["session"]
        self._wait_until_ready()
        if self.is_demo:
            self._start_fleet(prepared)
        else:
            self._start_agent(prepared["invitation"])
        _write_secret(self.data / "session", session)
        return session

    def stop(self) -> None:
        """End the children: ask all of them, then wait, and at the last kill."""
        for child in self._children.values():
            child.terminate()
        until = time.monotonic() + STOP_SECONDS
        for child in self._children.values():
            try:
                child.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._children.clear()

    def ended(self) -> str | None:
        """The name of a child that has ended by itself, if one has."""
        return next((name for name, child in self._children.items() if child.poll() is not None), None)

    def log(self, name: str) -> Path:
        """Where a child's words go."""
        return self.data / f"{name}.log"

    def complaint(self, name: str) -> str:
        """What to tell about a child that has ended: its last words and where the rest is."""
        lines = self.log(name).read_text(errors="replace").splitlines()
        last = next((line for line in reversed(lines) if line.strip()), "it said nothing")
        return f"the {name} has ended: {last} (all of it in {self.log(name)})"

    def _refuse_others_folder(self) -> None:
        """A demo and what is real never share one."""
        if (self.data / ("agent" if self.is_demo else "fleet")).exists():
            whose = "a real server's" if self.is_demo else "a demo's"
            raise UpError(f"{self.data} is {whose} data folder: choose another with --data")

    def _make_folders(self) -> None:
        try:
            watched = "fleet" if self.is_demo else "agent"
            for folder in (self.data, self.data / "server", self.data / watched):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise UpError(
                f"the data folder {self.data} cannot be made ({error.strerror}): choose another with --data"
            ) from error

    def _refuse_taken_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, self._port))
            except OSError as error:
                raise UpError(
                    f"port {self._port} cannot be used ({error.strerror}): choose another with --port"
                ) from error

    def _start_server(self) -> dict[str, Any]:
        """What it has made of clients, sites and a first technician where they were missing."""
        reading, writing = os.pipe()
        with os.fdopen(reading) as prepared:
            try:
                self._spawn("server", *self._server_command(), "--prepare", str(writing), given=(writing,))
            finally:
                os.close(writing)
            said = prepared.read()
        if not said:
            self._children["server"].wait()
            raise UpError(self.complaint("server"))
        made: dict[str, Any] = json.loads(said)
        return made

    def _server_command(self) -> list[str]:
        command = ["-m", "tocsin_server", "run", "--data", str(self.data / "server")]
        command += ["--host", HOST, "--port", str(self._port), "--public-url", self.url, "--open-metrics"]
        if self._config is not None:
            command += ["--config", str(self._config)]
        if self.is_demo:
            command.append("--demo")
        elif (self.data / "agent" / "identity.json").exists():
            command.append("--no-invitation")
        return command

    def _start_agent(self, invitation: str) -> None:
        if invitation:
            self._enrol(invitation)
        self._spawn("agent", "-m", "tocsin_agent", "run", "--state", str(self.data / "agent"))

    def _start_fleet(self, prepared: dict[str, Any]) -> None:
        roster = self.data / "fleet" / "roster.json"
        _write_secret(roster, json.dumps({"hosts": prepared["hosts"]}))
        command = ["--url", self.url, "--roster", str(roster), "--state", str(self.data / "fleet")]
        self._spawn("fleet", "-m", "tocsin_fleet", *command)

    def _enrol(self, invitation: str) -> None:
        command = ["-m", "tocsin_agent", "enrol", invitation, "--state", str(self.data / "agent")]
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise UpError(f"this machine's agent cannot enrol: {done.stderr.strip()}")

    def _spawn(self, name: str, *command: str, given: Sequence[int] = ()) -> None:
        with self.log(name).open("wb") as log:
            self._children[name] = subprocess.Popen(
                [sys.executable, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=given,
                start_new_session=True,  # Ctrl-C in the console is the console's
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one prctl call, no locks, no allocation
            )

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            if self.ended():
                raise UpError(self.complaint("server"))
            if _is_ready(self.url):
                return
            time.sleep(0.05)
        raise UpError(f"the server did not answer within {READY_SECONDS:.0f} s: see {self.log('server')}")


def _write_secret(path: Path, secret: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secret + "\n")


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=2) as answer:  # noqa: S310 - our own loopback URL
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _die_with_parent() -> None:
    """Should this process be killed outright, its children get SIGTERM from the kernel (Linux)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _leave_on_signals() -> None:
    def leave(_number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)


def _wait(household: Household) -> int:
    print(household.url, flush=True)  # noqa: T201 - what a script waits for
    while (name := household.ended()) is None:
        time.sleep(0.2)
    raise UpError(household.complaint(name))


def _open_console(household: Household, session: str) -> int:
    from tocsin_tui.cli import open_console  # noqa: PLC0415 - the screen's libraries load while the server starts

    return open_console(household.url, session, label="demo" if household.is_demo else "")
