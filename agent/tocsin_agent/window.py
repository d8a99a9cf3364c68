"""The window: a Unix socket at which anybody on this host may ask the running agent, never its key.

A visitor says one line of JSON and gets one line back: `{"do": "status"}` is answered `{"status": {…}}`, and
`{"do": "ask", "text": "…"}` is answered `{"ticket": 123}`, once the server has; whatever cannot be is answered
`{"error": "…"}`. Who asks is known from the kernel (SO_PEERCRED), never from what is said. A thread of its
own serves all visitors; none of them can keep it waiting.
"""

import json
import os
import pwd
import select
import socket
import stat
import struct
import threading
import time
from collections.abc import Callable, Mapping

from tocsin_agent.errands import Errand
from tocsin_agent.errors import NotAsked, Unusable
from tocsin_agent.questions import PATIENCE_S, Questions
from tocsin_agent.report import say

MOST_VISITORS = 16
MOST_OF_ONE = 4
MOST_REQUEST_BYTES = 8 << 10
SAID_WITHIN_S = 5.0
_LATE_S = 0.5
"""An errand ends by itself in time; this is for one whose push hangs."""
_PAUSE_S = 1.0
_CREDENTIALS = struct.Struct("3i")
"""`struct ucred`: pid, uid, gid."""

TOO_LATE = (
    f"the server has not answered within {PATIENCE_S:.0f} s: try again in a minute, or call your service desk"
)


class _Visitor:
    """One connection: who is there, what was said until now, and what is waited for."""

    def __init__(self, line: socket.socket, until_s: float) -> None:
        self.line = line
        self.uid = _CREDENTIALS.unpack(line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
        self.until_s = until_s
        self.said = b""
        self.errand: Errand | None = None


class Window:
    """Opened by its constructor, which raises `Unusable`; `run` serves until it is told to stop."""

    def __init__(
        self,
        path: str,
        *,
        status: Callable[[], Mapping[str, object]],
        bring: Callable[[Errand], None],
        monotonic: Callable[[], float] = time.monotonic,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._status = status
        self._monotonic = monotonic
        self._questions = Questions(bring, settled=self.wake, monotonic=monotonic, now_ms=now_ms)
        self._path = path
        self._visitors: dict[int, _Visitor] = {}
        self._listener = _listening(path)
        self._bell, self._rope = socket.socketpair()
        for end in (self._bell, self._rope):
            end.setblocking(False)

    def run(self, stopping: threading.Event) -> None:
        """Serve until `stopping` is set and `wake` was called."""
        while not stopping.is_set():
            try:
                self.step()
            except Exception as error:  # noqa: BLE001 - outermost loop: the next visitor may be luckier
                say(f"the window has failed with {type(error).__name__}: {error}")
                stopping.wait(_PAUSE_S)
        self._close()

    def wake(self) -> None:
        """An errand is settled, or it is time to end; for any thread."""
        try:
            self._rope.send(b"\0")
        except OSError:
            # It has been pulled often enough, or the window is closed.
            return

    def step(self) -> None:
        """Wait until something happens, and serve whom it concerns."""
        for descriptor in self._ready():
            if descriptor == self._bell.fileno():
                self._bell.recv(4096)
            elif descriptor == self._listener.fileno():
                self._welcome()
            elif (visitor := self._visitors[descriptor]).errand is None:
                self._listen(visitor)
            else:
                # There is nothing to read from who waits, so this one has left.
                self._part(visitor)
        self._attend()

    def _ready(self) -> list[int]:
        poll = select.poll()
        poll.register(self._bell, select.POLLIN)
        if len(self._visitors) < MOST_VISITORS:
            poll.register(self._listener, select.POLLIN)
        for descriptor, visitor in self._visitors.items():
            poll.register(descriptor, 0 if visitor.errand else select.POLLIN)
        until_s = min((visitor.until_s for visitor in self._visitors.values()), default=None)
        # A millisecond more: what is woken a little early would only go round.
        wait_ms = None if until_s is None else max(0, int((until_s - self._monotonic()) * 1000) + 1)
        return [descriptor for descriptor, _ in poll.poll(wait_ms)]

    def _welcome(self) -> None:
        try:
            line, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        line.setblocking(False)
        visitor = _Visitor(line, self._monotonic() + SAID_WITHIN_S)
        others = sum(other.uid == visitor.uid for other in self._visitors.values())
        self._visitors[line.fileno()] = visitor
        if others >= MOST_OF_ONE:
            self._answer(visitor, {"error": "you ask too often at once: wait for the answers"})

    def _listen(self, visitor: _Visitor) -> None:
        try:
            piece = visitor.line.recv(MOST_REQUEST_BYTES + 1)
        except OSError:
            piece = b""
        visitor.said += piece
        if len(visitor.said) > MOST_REQUEST_BYTES:
            self._answer(
                visitor, {"error": f"a request has at most {MOST_REQUEST_BYTES} bytes: say it shorter"}
            )
        elif visitor.said.endswith(b"\n"):
            self._serve(visitor)
        elif not piece:
            self._part(visitor)

    def _serve(self, visitor: _Visitor) -> None:
        wish, text = _understood(visitor.said)
        if wish == "status":
            self._answer(visitor, {"status": self._status()})
        elif wish == "ask":
            self._ask(visitor, text)
        else:
            self._answer(visitor, {"error": "this agent does not understand that: is it another version?"})

    def _ask(self, visitor: _Visitor, text: str) -> None:
        try:
            visitor.errand = self._questions.ask(visitor.uid, login_of(visitor.uid), text)
        except NotAsked as error:
            self._answer(visitor, {"error": str(error)})
        else:
            visitor.until_s = visitor.errand.until_s + _LATE_S

    def _attend(self) -> None:
        """Answer whose errand is settled, and part with who has taken too long."""
        now_s = self._monotonic()
        for visitor in list(self._visitors.values()):
            errand = visitor.errand
            if errand is not None and errand.is_settled:
                self._answer(visitor, {"ticket": errand.ticket} if errand.ticket else {"error": errand.words})
            elif now_s >= visitor.until_s:
                slow = "the request did not come in time"
                self._answer(visitor, {"error": TOO_LATE if errand else slow})

    def _answer(self, visitor: _Visitor, said: Mapping[str, object]) -> None:
        """Say it and part; who does not take it at once does not get it."""
        try:
            visitor.line.send(json.dumps(said).encode() + b"\n")
        except OSError as error:
            say(f"somebody at the window has left without an answer ({error.strerror})")
        self._part(visitor)

    def _part(self, visitor: _Visitor) -> None:
        del self._visitors[visitor.line.fileno()]
        visitor.line.close()

    def _close(self) -> None:
        for visitor in list(self._visitors.values()):
            self._answer(visitor, {"error": "tocsin-agent is ending: ask again when it runs"})
        for open_end in (self._listener, self._bell, self._rope):
            open_end.close()
        try:
            os.unlink(self._path)
        except OSError as error:
            say(f"{self._path} cannot be removed ({error.strerror}): the next agent does it")


def login_of(uid: int) -> str:
    """The user's name on this host, as far as it knows one."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _understood(said: bytes) -> tuple[str, str]:
    try:
        request = json.loads(said)
    except (ValueError, RecursionError):
        return "", ""
    if not isinstance(request, dict):
        return "", ""
    wish, text = request.get("do"), request.get("text", "")
    return (wish, text) if isinstance(wish, str) and isinstance(text, str) else ("", "")


def _listening(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        _clear(path)
        listener.bind(path)
        os.chmod(path, 0o666)  # noqa: S103 - everybody at this host may ask
        listener.listen(MOST_VISITORS)
    except OSError as error:
        listener.close()
        raise Unusable(
            f"{path} cannot be opened ({error.strerror or error}): choose another with --socket"
        ) from error
    except Unusable:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def _clear(path: str) -> None:
    """Remove what a killed agent has left; what lives is let be."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise Unusable(f"{path} is not a socket: remove it, or choose another with --socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock:
        knock.settimeout(_PAUSE_S)
        try:
            knock.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
    raise Unusable(f"{path} is another agent's, which runs: choose another with --socket")
