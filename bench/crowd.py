"""A simulated fleet that pushes to a server from a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.processes import ServerProcess


def roster(server: ServerProcess, folder: Path, hosts: int) -> Path:
    """Clients with so many hosts, in the database of a server that is not started; who they are."""
    said = server.command("prepare", "--demo", "--hosts", str(hosts), "--url", server.url)
    path = folder / "roster.json"
    path.write_text(said.stdout)
    return path


@contextmanager
def crowd(roster: Path, *, minutes: float) -> Iterator[None]:
    """The hosts of a roster, enrolling and pushing until the context ends, or for so long."""
    log = roster.with_name("fleet.log")
    fleet = [sys.executable, "-m", "tocsin_fleet", "--roster", str(roster), "--calm"]
    with log.open("wb") as out:
        simulated = subprocess.Popen([*fleet, "--minutes", str(minutes)], stdout=out, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        simulated.terminate()
        simulated.wait(20)
        print(*log.read_text().splitlines()[-1:])
