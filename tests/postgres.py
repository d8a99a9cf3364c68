"""Debian's PostgreSQL as a child process: in a folder of its own, reached by a socket in that folder only.

Its superuser is for the tests themselves; what is tested signs in as a plain role that owns its databases.
`fsync` is off: a test may lose what a power cut would lose.
"""

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg

SUPERUSER, ROLE = "postgres", "tocsin"
ENDS_WITHIN_S = 20
_CLUSTER = ("--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8")
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "autovacuum": "off",
    "max_wal_size": "128MB",
}


def programs() -> Path | None:
    """The folder of PostgreSQL's programs; the newest version's."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(found, key=lambda path: int(path.parts[-3]), default=None)
    return None if newest is None else newest.parent


class Cluster:
    """One running server."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.folder = folder
        self.programs = programs
        # Half the time of writing each page to the log; before 15 it is the only way, and has no name.
        self._strategy = "STRATEGY FILE_COPY" if int(programs.parts[-2]) >= 15 else ""
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._operator: psycopg.Connection | None = None
        self._dropped: list[str] = []

    def make(self) -> None:
        data = self.folder / "data"
        made = subprocess.run(
            [self.programs / "initdb", *_CLUSTER, "--username", SUPERUSER, data],
            capture_output=True,
            timeout=120,
            check=False,
            cwd=self.folder,
            **_somebody(),
        )
        assert made.returncode == 0, made.stderr.decode()
        with (data / "postgresql.conf").open("a") as settings:
            settings.writelines(f"{name} = '{value}'\n" for name, value in _SETTINGS.items())
            settings.write(f"unix_socket_directories = '{self.folder}'\n")
        self.start()
        self.execute(f"CREATE ROLE {ROLE} LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD 'hush'")

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.folder / "data"],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                **_somebody(),
            )
        ready = [self.programs / "pg_isready", "--quiet", "--host", self.folder, "--username", SUPERUSER]
        for _ in range(200):
            if subprocess.run([*ready, "--timeout", "5"], check=False, timeout=10).returncode == 0:
                return
            assert self._process.poll() is None, (self.folder / "log").read_text()
            self._nap()
        raise AssertionError(f"PostgreSQL does not answer: {(self.folder / 'log').read_text()[-2000:]}")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """By its own pid: SIGINT is its fast shutdown, SIGQUIT what a crash looks like."""
        if self._process is None:
            return
        if self._operator is not None:
            self._operator.close()
            self._operator = None
        self._process.send_signal(how)
        try:
            self._process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(ENDS_WITHIN_S)
        self._process = None

    def execute(self, statement: str) -> list[Any]:
        """As the superuser, beside all databases."""
        if self._operator is None:
            self._operator = psycopg.connect(self.conninfo("postgres", SUPERUSER), autocommit=True)
        done = self._operator.execute(trusted(statement))
        return done.fetchall() if done.description else []

    def copy_of(self, template: str = "template1") -> str:
        """A new database of the plain role's, made from another; its name."""
        while self._dropped:
            self.execute(f"DROP DATABASE IF EXISTS {self._dropped.pop()} WITH (FORCE)")
        name = f"desk_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} OWNER {ROLE} TEMPLATE {template} {self._strategy}")
        return name

    def leave(self, name: str) -> None:
        """Let it be copied: nobody may be connected to it, and connections are kept (`databases.py`)."""
        self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")  # noqa: S608

    def drop(self, name: str) -> None:
        """Soon: at once, it would wait for connections that are about to end."""
        self._dropped.append(name)

    def conninfo(self, database: str, role: str = ROLE) -> str:
        return f"host={self.folder} dbname={database} user={role}"

    def url(self, database: str, role: str = ROLE) -> str:
        """What TOCSIN_DATABASE would hold."""
        return f"postgresql://{role}@/{database}?host={self.folder}"

    def _nap(self) -> None:
        assert self._process is not None
        try:
            self._process.wait(0.05)
        except subprocess.TimeoutExpired:
            return


@contextmanager
def running(programs: Path) -> Iterator[Cluster]:
    """A server for as long as the context lasts. Its folder is its own: root's are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-pg-", dir=_roomy_memory()))
    try:
        if os.getuid() == 0:
            shutil.chown(folder, SUPERUSER, SUPERUSER)
        cluster = Cluster(programs, folder)
        try:
            cluster.make()
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _roomy_memory() -> Path | None:
    """Where files cost little: a copy of a database takes 30 ms there, and half a second on a busy disk."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > 2 << 30 else None


def _somebody() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return {}
    entry = pwd.getpwnam(SUPERUSER)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def trusted(statement: str) -> LiteralString:
    """What a test says is no stranger's."""
    return statement  # type: ignore[return-value]  # a test's own words
