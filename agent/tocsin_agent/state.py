"""The state folder: where it is, that it can be written, and that only one agent works on it.

STATE/identity.json   who this host is            STATE/spool/        frames that are not yet acknowledged
STATE/lock            the process that holds it   STATE/quarantine/   frames that the server has refused
STATE/agent.sock      where people ask the agent; that of root's default folder is in /run, open to everybody
STATE/probes.book     devices to probe, if any    STATE/key.next      a new key that is not in use yet, if any
"""

import fcntl
import os
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from tocsin_agent.errors import Occupied, Unusable

_FOR_ROOT = "/var/lib/tocsin-agent"
HOST_SOCKET = "/run/tocsin-agent/agent.sock"
"""Where the agent of a whole host is asked."""


def default_state(environment: Mapping[str, str], *, is_root: bool) -> str:
    """/var/lib/tocsin-agent for root, else beside the user's other state (XDG)."""
    if is_root:
        return _FOR_ROOT
    home = environment.get("XDG_STATE_HOME") or "~/.local/state"
    return os.path.expanduser(f"{home}/tocsin-agent")


def socket_of(state: str) -> str:
    """Where the agent of this state folder is asked, unless it is told another place."""
    return HOST_SOCKET if state == _FOR_ROOT else f"{state}/agent.sock"


class StateLock:
    """Holds a state folder for as long as this process lives; makes the folder where it is missing."""

    def __init__(self, state: str) -> None:
        self._state = state
        self._path = f"{state}/lock"
        self._descriptor = -1

    def __enter__(self) -> Self:
        try:
            os.makedirs(self._state, mode=0o700, exist_ok=True)
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unusable(
                f"the state folder {self._state} cannot be written ({error.strerror}):"
                " run as its owner, or choose another with --state"
            ) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise self._occupied() from error
        self._sign()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The file stays: whoever removed it could remove another's.
        os.close(self._descriptor)

    def _occupied(self) -> Occupied:
        holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(self._descriptor)
        return Occupied(
            f"{self._state} is in use by process {holder}: end that agent, or choose another --state"
        )

    def _sign(self) -> None:
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError:
            # A full disk: the lock holds all the same, only nobody can read who has it.
            return
