"""The console as a person sees it: `tocsin up` in a real terminal, and the bell that rings there."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.ports import free_port
from tests.processes import until

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("console")]


class Terminal:
    """A tmux server of its own with one window of 120 × 36."""

    def __init__(self, tmux: str, folder: Path) -> None:
        self._tmux = [tmux, "-S", str(folder / "tmux.sock"), "-f", "/dev/null"]

    def run(self, command: str) -> None:
        self._do("new-session", "-d", "-x", "120", "-y", "36", command)

    def press(self, *keys: str) -> None:
        self._do("send-keys", *keys)

    def screen(self) -> str:
        return self._do("capture-pane", "-p", check=False)

    def end(self) -> None:
        self._do("kill-server", check=False)

    def _do(self, *words: str, check: bool = True) -> str:
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}
        done = subprocess.run(
            [*self._tmux, *words], capture_output=True, text=True, check=check, env=environment, timeout=10
        )
        return done.stdout


@pytest.fixture
def terminal(require: Callable[[str, str], str], tmp_path: Path) -> Iterator[Terminal]:
    started = Terminal(require("tmux", "tmux"), tmp_path)
    try:
        yield started
    finally:
        started.end()


def test_the_bell_rings_in_the_console_and_the_ticket_tells_why(
    terminal: Terminal, small: Path, tmp_path: Path
) -> None:
    terminal.run(f"{sys.executable} -m tocsin_tui up --port {free_port()} --data {tmp_path / 'data'}")
    until("the queue is on the screen", lambda: "Queue" in terminal.screen(), seconds=30)

    with pytest.raises(OSError, match="No space"):
        (small / "ballast").write_bytes(bytes(8 << 20))
    until("the ticket is in the queue", lambda: small.name in terminal.screen(), seconds=30, every=0.3)
    # The agent sees all of this machine: another filesystem may be full too, so ours is asked for by name.
    terminal.press("/")
    until("the filter can be typed into", lambda: "client:acme" in terminal.screen())
    terminal.press(*small.name, "Enter")
    until("the filter is set", lambda: f"only  {small.name}" in terminal.screen())
    terminal.press("Enter")
    until("its ticket is open", lambda: "› #" in terminal.screen() and small.name in terminal.screen())
    until("the ticket tells its rule", lambda: "node_filesystem_avail_bytes" in terminal.screen())
    (small / "ballast").unlink()
    until("the ticket is solved before us", lambda: "SOLVED ·" in terminal.screen(), seconds=60, every=0.3)
    terminal.press("q")
    until("the queue is back", lambda: "q quit" in terminal.screen())
    terminal.press("q")

    until("the terminal is free again", lambda: not terminal.screen().strip(), seconds=10)
