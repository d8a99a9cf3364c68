"""A whole server whose desk is in PostgreSQL, from its first command to a database that goes and comes back."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.postgres import SUPERUSER, Cluster
from tests.processes import ServerProcess, until

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("postgres")]


@pytest.fixture
def url(cluster: Cluster) -> Iterator[str]:
    name = cluster.copy_of()
    yield cluster.url(name).replace("tocsin@", "tocsin:hush@")
    cluster.drop(name)


@pytest.fixture
def server(tmp_path: Path, url: str) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "data", database=url) as process:
        yield process


def open_ticket(api: httpx.Client, title: str) -> int:
    """The status of the answer."""
    return api.post("/tickets", json={"client": "home", "title": title}).status_code


def titles(api: httpx.Client) -> list[str]:
    return [ticket["title"] for ticket in api.get("/tickets").raise_for_status().json()["tickets"]]


def findings(server: ServerProcess) -> dict[str, str]:
    """What the doctor says, by colour and thing."""
    lines = server.command("doctor", check=False).stdout.splitlines()
    return {" ".join(line.split(":")[0].split()): line for line in lines}


def test_what_was_answered_is_there_after_lost_connections_and_after_a_kill(
    server: ServerProcess, cluster: Cluster
) -> None:
    session = server.prepare()["session"]
    server.start()
    with server.api(session) as api:
        assert open_ticket(api, "before") == 201
        ended = cluster.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE usename = 'tocsin' AND application_name = 'tocsin'"
        )
        assert len(ended) >= 2
        until("the desk goes on", lambda: open_ticket(api, "between") == 201)
        server.kill()
        server.start()
        assert open_ticket(api, "after") == 201

        assert sorted(set(titles(api))) == ["after", "before", "between"]
    assert server.stop() == 0
    assert not (server.data / "tocsin.db").exists()
    assert "hush" not in server.said()


def test_a_second_server_with_a_folder_of_its_own_is_refused(
    server: ServerProcess, tmp_path: Path, url: str
) -> None:
    server.prepare()
    server.start()

    with (
        ServerProcess(tmp_path / "other", database=url) as second,
        pytest.raises(AssertionError, match="another server works with the database"),
    ):
        second.start()


def test_commands_work_beside_the_server_and_the_doctor_finds_nothing_red(server: ServerProcess) -> None:
    server.prepare()
    server.start()

    server.command("client", "add", "acme")

    found = findings(server)
    assert "client 'acme' already" in server.command("client", "add", "acme", check=False).stderr
    assert not [line for line in found if line.startswith("red")]
    assert "as tocsin" in found["green postgresql"]
    assert "hush" not in str(found)


def test_without_tables_and_without_a_server_the_remedy_is_said(
    server: ServerProcess, tmp_path: Path, url: str
) -> None:
    empty = server.command("client", "add", "acme", check=False)
    away = ServerProcess(tmp_path / "away", database=url.replace("host=", "host=/nowhere"))
    unreached = away.command("client", "add", "acme", check=False)

    assert (empty.returncode, unreached.returncode) == (2, 2)
    assert "there are no tables in postgresql://tocsin@" in empty.stderr
    assert "tocsin-server migrate" in empty.stderr
    assert "No such file or directory" in unreached.stderr
    assert "TOCSIN_DATABASE" in unreached.stderr
    assert "hush" not in empty.stderr + unreached.stderr + str(findings(away))
    assert any(line.startswith("red database") for line in findings(away))


def test_a_superuser_is_red_to_the_doctor_and_a_warning_to_the_log(
    tmp_path: Path, cluster: Cluster, url: str
) -> None:
    superuser = url.replace("tocsin:hush@", f"{SUPERUSER}@")
    with ServerProcess(tmp_path / "data", database=superuser) as server:
        server.prepare()
        server.start()

        assert "role postgres is a superuser" in findings(server)["red postgresql"]
        assert server.command("doctor", check=False).returncode == 1
        assert "role postgres is a superuser" in server.said()
