"""A whole server whose desk is in PostgreSQL, from its first command to a database that goes and comes back."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs
from tests.postgres import SUPERUSER, Cluster, running
from tests.processes import ServerProcess, until

from tocsin_server import cli
from tocsin_server.datafolder import database
from tocsin_server.serving import warn_of

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("postgres")]

Command = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def url(cluster: Cluster) -> Iterator[str]:
    name = cluster.copy_of()
    yield cluster.url(name).replace("tocsin@", "tocsin:hush@")
    cluster.drop(name)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, url: str) -> Iterator[ServerProcess]:
    """One that runs; each test leaves it running."""
    with ServerProcess(tmp_path_factory.mktemp("server") / "data", database=url) as process:
        yield process.start()
        assert process.stop() == 0
        assert not (process.data / "tocsin.db").exists()
        assert "hush" not in process.said()


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """A command of an operator's; its status and all that it says."""

    def run(*words: str, data: Path = tmp_path) -> tuple[int, str]:
        status = cli.main([*words, "--data", str(data)])
        said = capsys.readouterr()
        assert "hush" not in said.out + said.err
        return status, said.out + said.err

    return run


def open_ticket(api: httpx.Client, title: str) -> int:
    """The status of the answer."""
    return api.post("/tickets", json={"client": "home", "title": title}).status_code


def titles(api: httpx.Client) -> set[str]:
    return {ticket["title"] for ticket in api.get("/tickets").raise_for_status().json()["tickets"]}


def end_connections(cluster: Cluster) -> int:
    ended = cluster.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE usename = 'tocsin' AND application_name = 'tocsin'"
    )
    return len(ended)


def test_what_was_answered_is_there_after_lost_connections_and_after_a_kill(
    server: ServerProcess, cluster: Cluster
) -> None:
    with server.api(server.prepare()["session"]) as api:
        assert open_ticket(api, "before") == 201
        assert end_connections(cluster) >= 2
        until("the desk goes on", lambda: open_ticket(api, "between") == 201)
        server.kill()
        server.start()
        assert open_ticket(api, "after") == 201

        assert titles(api) == {"after", "before", "between"}


def test_while_the_database_is_away_people_are_told_so_and_nothing_is_restarted(
    cluster: Cluster, tmp_path: Path
) -> None:
    with running(cluster.programs) as frail:
        url = frail.url(frail.copy_of())
        with (
            ServerProcess(tmp_path / "data", database=url) as server,
            server.start().api(server.prepare()["session"]) as api,
        ):
            frail.stop(signal.SIGQUIT)
            away = api.get("/tickets")
            frail.start()

            assert away.status_code == 503
            assert away.json()["detail"].startswith("the database cannot be reached")
            assert "by itself" in away.json()["remedy"]
            until("the desk goes on", lambda: open_ticket(api, "after") == 201)
            assert "Traceback" not in server.said()
            assert server.stop() == 0


def test_a_second_server_with_a_folder_of_its_own_is_refused(
    server: ServerProcess, tmp_path: Path, url: str
) -> None:
    with (
        ServerProcess(tmp_path / "other", database=url) as second,
        pytest.raises(AssertionError, match="another server works with the database"),
    ):
        second.start()


def test_commands_work_beside_the_server_and_the_doctor_finds_nothing_red(
    server: ServerProcess, url: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_DATABASE", url)

    assert command("client", "add", "acme") == (0, "client acme added\n")
    assert "'acme' already" in command("client", "add", "acme")[1]
    status, said = command("doctor")
    assert status == 0
    assert "as tocsin" in said
    assert "sqlite" not in said


def test_without_tables_the_line_to_type_is_said(
    cluster: Cluster, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = cluster.copy_of()
    monkeypatch.setenv("TOCSIN_DATABASE", cluster.url(name))

    status, said = command("client", "add", "acme")

    assert status == 2
    assert f"there are no tables in postgresql://tocsin@{cluster.folder}/{name}: tocsin-server migrate" in said
    assert command("migrate")[0] == 0
    assert command("client", "add", "acme")[0] == 0
    cluster.drop(name)


def test_a_database_that_cannot_be_reached_is_named_without_its_password(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_DATABASE", "postgresql://tocsin:hush@/desk?host=/nowhere&password=hush")

    status, said = command("client", "add", "acme")
    assert status == 2
    assert "the database postgresql://tocsin@/nowhere/desk cannot be used" in said
    assert "TOCSIN_DATABASE" in said
    status, said = command("doctor")
    assert status == 1
    assert "red    database: postgresql://tocsin@/nowhere/desk" in said


def test_a_superuser_is_red_to_the_doctor_and_a_warning_to_the_log(
    server: ServerProcess, url: str, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_DATABASE", url.replace("tocsin:hush@", f"{SUPERUSER}@"))

    status, said = command("doctor")
    with capture_logs() as logs:
        warn_of(database(tmp_path))

    assert status == 1
    assert "red    postgresql: the role postgres is a superuser or has BYPASSRLS" in said
    assert [line["event"][:32] for line in logs] == ["the role postgres is a superuser"]
