"""`history`: what is kept is listed, and any range of it can be taken to Prometheus."""

import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlmodel import Session

from tocsin_protocol.vocabulary import HostKind, SeriesKind
from tocsin_server import cli
from tocsin_server.datafolder import administer
from tocsin_server.estate.clients import add_client
from tocsin_server.estate.sites import add_site
from tocsin_server.estate.store import Host, known
from tocsin_server.series.history.days import Closing, Days
from tocsin_server.series.history.stretches import Stretch
from tocsin_server.series.schema import SeriesEntry
from tocsin_server.storage.address import VARIABLE

pytestmark = pytest.mark.scenario

BEGAN = 1_699_999_200_000
SERIES = (
    SeriesEntry("node_load1", SeriesKind.GAUGE, ()),
    SeriesEntry("node_cpu_seconds_total", SeriesKind.COUNTER, (("cpu", "0"),)),
)

Types = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def data(tmp_path: Path, empty_database: bytes, monkeypatch: pytest.MonkeyPatch) -> Path:
    """acme has atlas, and borea that is retired; globex has a host of another name."""
    monkeypatch.delenv(VARIABLE, raising=False)
    (tmp_path / "tocsin.db").write_bytes(empty_database)

    def found(session: Session) -> list[tuple[int, int]]:
        hosts = []
        for slug, name, retired in (("acme", "atlas", None), ("acme", "borea", 5), ("globex", "zephyr", None)):
            client = clients[slug] if slug in clients else add_client(session, slug, slug, 1)
            clients[slug] = client
            site = sites[slug] if slug in sites else add_site(session, client, "main", "Main", 1)
            sites[slug] = site
            host = Host(
                client_id=known(client.id),
                site_id=known(site.id),
                name=name,
                kind=HostKind.SERVER,
                job="node",
                enrolled_ms=1,
                retired_ms=retired,
            )
            session.add(host)
            session.flush()
            hosts.append((known(client.id), known(host.id)))
        return hosts

    clients, sites = {}, {}
    times = BEGAN + 10_000 * np.arange(3)
    values = np.array([[0.5, 1.0, 1.5], [10.0, 20.0, 30.0]])
    Days(tmp_path / "history").write(
        [Closing(*whose, Stretch(SERIES, times, values)) for whose in administer(tmp_path, found)]
    )
    return tmp_path


@pytest.fixture
def types(data: Path, capsys: pytest.CaptureFixture[str]) -> Types:
    def run(line: str) -> tuple[int, str, str]:
        try:
            status = cli.main(["history", *shlex.split(line), "--data", str(data)])
        except SystemExit as refused:
            status = int(refused.code or 0)
        return status, *capsys.readouterr()

    return run


ALL = "--from 2023-11-14T00:00Z --to 2023-11-15T00:00Z"


def test_a_range_is_told_as_openmetrics(types: Types) -> None:
    status, told, said = types(f"export --client acme --host atlas {ALL}")

    assert (status, said) == (0, "")
    assert told.splitlines() == [
        "# TYPE node_cpu_seconds counter",
        'node_cpu_seconds_total{cpu="0",instance="atlas",job="node",site="main"} 10.0 1699999200.000',
        'node_cpu_seconds_total{cpu="0",instance="atlas",job="node",site="main"} 20.0 1699999210.000',
        'node_cpu_seconds_total{cpu="0",instance="atlas",job="node",site="main"} 30.0 1699999220.000',
        "# TYPE node_load1 gauge",
        'node_load1{instance="atlas",job="node",site="main"} 0.5 1699999200.000',
        'node_load1{instance="atlas",job="node",site="main"} 1.0 1699999210.000',
        'node_load1{instance="atlas",job="node",site="main"} 1.5 1699999220.000',
        "# EOF",
    ]


def test_a_client_is_told_with_its_retired_hosts_and_without_others(types: Types) -> None:
    _, told, _ = types(f"export --client acme {ALL}")

    assert 'instance="atlas"' in told
    assert 'instance="borea"' in told
    assert 'instance="zephyr"' not in told


def test_series_are_chosen_by_selectors_and_time(types: Types) -> None:
    status, told, _ = types(
        "export --client acme --host atlas --match node_load1"
        " --from 2023-11-14T22:00:05Z --to 2023-11-14T22:00:15Z"
    )

    assert status == 0
    assert [line.split()[-2] for line in told.splitlines() if line[0] != "#"] == ["1.0"]


def test_the_last_week_is_told_where_no_time_is_named(types: Types) -> None:
    status, told, _ = types("export --client acme")

    assert (status, told) == (0, "# EOF\n")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"export --client nobody {ALL}", "there is no client 'nobody'"),
        (f"export --client acme --host zephyr {ALL}", "acme has no host 'zephyr'"),
        (f"export --client acme --match 'rate(a[5m])' {ALL}", "is no selector"),
        ("export --client acme --from 2023-11-15T00:00Z --to 2023-11-14T00:00Z", "that range is empty"),
        ("export --client acme --last soon", "is not a duration"),
    ],
)
def test_what_cannot_be_told_is_said_in_a_line(types: Types, line: str, said: str) -> None:
    status, told, complaint = types(line)

    assert (status, told) == (2, "")
    assert said in complaint


def test_days_are_listed_with_what_they_hold(types: Types) -> None:
    status, told, _ = types("show")

    assert status == 0
    assert [line.split() for line in told.splitlines()] == [
        ["day", "size", "samples", "roll-ups"],
        ["2023-11-14", "0.0", "MiB", "3", "host-hours", "3", "host-hours"],
    ]


def test_a_damaged_day_is_listed_as_such(types: Types, data: Path) -> None:
    (data / "history" / "2023-11-15.db").write_bytes(b"no database at all" * 100)

    status, told, _ = types("show")

    assert status == 1
    assert told.splitlines()[-1].split()[-1] == "damaged"


def test_a_folder_without_history_is_named(types: Types, data: Path) -> None:
    for path in (data / "history").iterdir():
        path.unlink()
    assert types("show")[:2] == (0, "nothing is in history yet: an hour comes in once it is over\n")

    (data / "history").rmdir()
    assert "history is not there" in types("show")[2]
