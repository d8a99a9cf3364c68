"""`tocsin up`: one command rings the bell, and one signal ends it."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.ports import free_port
from tests.processes import until

pytestmark = [pytest.mark.scenario, pytest.mark.xdist_group("scenarios")]


class Up:
    """`tocsin up --headless` and a signed-in client."""

    def __init__(self, data: Path, port: int) -> None:
        self.data = data
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tocsin_tui", "up", "--headless", "--port", str(port), "--data", str(data)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def api(self) -> httpx.Client:
        session = (self.data / "session").read_text().strip()
        return httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers={"authorization": f"Bearer {session}"},
            timeout=10,
            trust_env=False,
        )

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def up(tmp_path: Path, port: int) -> Iterator[Up]:
    started = Up(tmp_path / "data", port)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.communicate()


def open_tickets(api: httpx.Client, state: str = "open") -> list[dict[str, object]]:
    tickets: list[dict[str, object]] = (
        api.get("/tickets", params={"state": state}).raise_for_status().json()["tickets"]
    )
    return tickets


def test_this_machine_is_enrolled_and_pushing_by_itself(up: Up) -> None:
    with up.api() as api:
        hosts = until(
            "a host is up", lambda: [h for h in api.get("/hosts").json()["hosts"] if h["state"] == "up"]
        )

    assert len(hosts) == 1
    assert hosts[0]["client"] == "home"


def test_sigterm_ends_it_with_status_0_within_five_seconds_though_a_stream_is_open(up: Up) -> None:
    opened, ended = threading.Event(), threading.Event()

    def listen() -> None:
        with up.api() as api, api.stream("GET", "/events", timeout=30) as stream:
            opened.set()
            try:
                for _ in stream.iter_bytes():
                    pass
            except httpx.HTTPError:
                pass
            ended.set()

    listener = threading.Thread(target=listen)
    listener.start()
    assert opened.wait(10)

    asked = time.monotonic()
    status = up.end()
    took = time.monotonic() - asked

    listener.join(10)
    assert status == 0
    assert took < 5
    assert ended.is_set()


def test_a_second_start_keeps_the_host_and_needs_no_new_enrolment(up: Up, port: int) -> None:
    with up.api() as api:
        until("a host is up", lambda: any(h["state"] == "up" for h in api.get("/hosts").json()["hosts"]))
        before = api.get("/hosts").json()["hosts"]
    assert up.end() == 0

    again = Up(up.data, port)
    try:
        with again.api() as api:
            until("the host is up", lambda: any(h["state"] == "up" for h in api.get("/hosts").json()["hosts"]))
            after = api.get("/hosts").json()["hosts"]
    finally:
        again.end()
        again.process.communicate()

    assert [h["id"] for h in after] == [h["id"] for h in before]


def test_a_port_in_use_is_said_with_the_remedy(up: Up, port: int, tmp_path: Path) -> None:
    second = subprocess.run(
        [
            sys.executable,
            "-m",
            "tocsin_tui",
            "up",
            "--headless",
            "--port",
            str(port),
            "--data",
            tmp_path / "two",
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert second.returncode == 2
    assert f"port {port}" in second.stderr
    assert "--port" in second.stderr


def test_a_full_filesystem_opens_a_ticket_and_emptying_it_resolves_the_ticket(
    small: Path, tmp_path: Path, port: int
) -> None:
    up = Up(tmp_path / "data", port)
    try:
        with up.api() as api:
            until("the host is up", lambda: any(h["state"] == "up" for h in api.get("/hosts").json()["hosts"]))

            with pytest.raises(OSError, match="No space"):
                (small / "ballast").write_bytes(bytes(8 << 20))
            ticket = until(
                "the bell rings",
                lambda: [t for t in open_tickets(api) if str(small) in str(t["title"])],
                seconds=30,
            )[0]
            (small / "ballast").unlink()
            until(
                "the ticket is solved",
                lambda: [t for t in open_tickets(api, "solved") if t["id"] == ticket["id"]],
                seconds=60,
            )
            detail = api.get(f"/tickets/{ticket['id']}").json()
    finally:
        up.process.kill()
        up.process.communicate()

    kinds = [event["kind"] for event in detail["events"]]
    assert kinds[0] == "opened"
    assert "alert_resolved" in kinds
    assert kinds[-1] == "solved"
    fired = detail["events"][0]["data"]
    assert fired["value"] < 0.03
    assert detail["alerts"][0]["alertname"] == "FilesystemFull"
