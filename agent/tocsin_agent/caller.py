"""Goes to the window of the running agent, says one request and brings the answer back.

What an agent says is printed on somebody's terminal, and part of it comes from further away: so `visible` is
put before every print.
"""

import json
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from tocsin_agent.errors import NotAsked, NotRunning
from tocsin_agent.questions import PATIENCE_S
from tocsin_agent.window import MOST_REQUEST_BYTES
from tocsin_protocol.wire import MAX_QUESTION_CHARACTERS

STATUS_WITHIN_S = 5.0
ASK_WITHIN_S = PATIENCE_S + 5.0
_MOST_ANSWER_BYTES = 4 << 20
_START = "start it (systemctl start tocsin-agent), or say with --socket or --state where it is"


def ask_agent(sockets: Sequence[str], text: str) -> int:
    """The number of the ticket; raises `NotAsked` or `NotRunning`."""
    if len(text) > MAX_QUESTION_CHARACTERS:
        raise NotAsked(f"the question has more than {MAX_QUESTION_CHARACTERS} characters: say it shorter")
    ticket = _call(sockets, {"do": "ask", "text": text}, within_s=ASK_WITHIN_S).get("ticket")
    if not isinstance(ticket, int):
        raise NotAsked("the agent's answer names no ticket: is it another version?")
    return ticket


def ask_status(sockets: Sequence[str]) -> Mapping[str, Any]:
    """What the agent says of itself; raises `NotAsked` or `NotRunning`."""
    status = _call(sockets, {"do": "status"}, within_s=STATUS_WITHIN_S).get("status")
    if not isinstance(status, dict):
        raise NotAsked("the agent's answer has no status: is it another version?")
    return status


def visible(text: object) -> str:
    """One line of it that a terminal shows as it is."""
    shown = "".join(letter if letter.isprintable() else " " for letter in str(text))
    return " ".join(shown.split())


def _call(sockets: Sequence[str], request: Mapping[str, object], *, within_s: float) -> Mapping[str, Any]:
    said = json.dumps(request, ensure_ascii=False).encode() + b"\n"
    if len(said) > MOST_REQUEST_BYTES:
        raise NotAsked(f"the question has {len(said)} bytes: say it in less than {MOST_REQUEST_BYTES}")
    until_s = time.monotonic() + within_s
    with _connected(sockets) as line:
        try:
            line.settimeout(within_s)
            with suppress(BrokenPipeError):  # it may have refused already, and its words are there to read
                line.sendall(said)
            answer = json.loads(_read(line, until_s))
        except (OSError, ValueError) as error:
            raise NotRunning(
                "tocsin-agent runs but does not answer: restart it, its journal says why"
            ) from error
    if not isinstance(answer, dict):
        raise NotAsked("the agent's answer cannot be understood: is it another version?")
    if "error" in answer:
        raise NotAsked(visible(answer["error"]))
    return answer


def _connected(sockets: Sequence[str]) -> socket.socket:
    for path in sockets:
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line.settimeout(STATUS_WITHIN_S)
        try:
            line.connect(path)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            line.close()
        except OSError as error:
            line.close()
            raise NotRunning(
                f"{path} cannot be opened ({error.strerror or error}):"
                " ask the agent's owner to set `socket` in agent.toml to a place that all may enter"
            ) from error
        else:
            return line
    raise NotRunning(f"tocsin-agent is not running here: nobody answers at {' or '.join(sockets)}; {_START}")


def _read(line: socket.socket, until_s: float) -> bytes:
    answer = b""
    while len(answer) < _MOST_ANSWER_BYTES:
        line.settimeout(max(0.001, until_s - time.monotonic()))
        piece = line.recv(1 << 16)
        if not piece:
            break
        answer += piece
    return answer
