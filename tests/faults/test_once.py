"""kill -9 while changes are on their way: what is sent again under its key is done once, answered or not."""

import json
import os
import random
import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.processes import ServerProcess

LOOPS = int(os.environ.get("TOCSIN_FAULT_LOOPS", "3"))
COMMENTS = 60

pytestmark = pytest.mark.faults


def said(text: str) -> bytes:
    return json.dumps({"text": text}).encode()


def send(server: ServerProcess, session: str, path: str, text: str) -> socket.socket:
    """Send a comment and wait for no answer. The text is its key, too."""
    body = said(text)
    head = [
        f"POST /api/v1{path}/comment HTTP/1.1",
        f"host: 127.0.0.1:{server.port}",
        f"authorization: Bearer {session}",
        f'idempotency-key: "{text}"',
        "content-type: application/json",
        f"content-length: {len(body)}",
    ]
    line = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    line.sendall("\r\n".join([*head, "", ""]).encode() + body)
    return line


def test_a_change_that_is_sent_again_after_a_crash_is_done_once(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    chance = random.Random(1)
    outcomes: Counter[str] = Counter()
    with ServerProcess(tmp_path / "server") as server:
        session = server.prepare()["session"]
        server.start()
        for loop in range(LOOPS):
            with server.api(session) as api:  # one each: a timeline shows its last thousand lines
                opened = api.post("/tickets", json={"client": "home", "title": "t"}).raise_for_status().json()
            path = f"/tickets/{opened['ticket']['id']}"
            texts = [f"{loop}-{number}" for number in range(COMMENTS)]
            lines = [send(server, session, path, text) for text in texts]
            for line in lines[: chance.randrange(COMMENTS)]:
                line.recv(1)  # these are answered; of those after them nobody knows
            server.kill()
            for line in lines:
                line.close()
            server.start()
            with server.api(session) as api:
                for text in texts:
                    headers = {"idempotency-key": f'"{text}"', "content-type": "application/json"}
                    again = api.post(f"{path}/comment", content=said(text), headers=headers)
                    assert again.status_code == 200
                    outcomes["repeated" if "idempotency-replayed" in again.headers else "done now"] += 1
                events = api.get(path).json()["events"]
            assert Counter(event["text"] for event in events[1:]) == Counter(texts)
    assert outcomes["repeated"] > 0
    report(f"{LOOPS} crashes, of {outcomes.total()} comments {dict(outcomes)}, each on the ticket once")
