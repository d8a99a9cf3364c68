"""What Prometheus is given: a target a host, and a page it can read."""

import dataclasses
import math
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from tests.server.http.rig import NOW, SCRAPE_TOKEN, Rig

from tocsin_protocol.vocabulary import SeriesKind
from tocsin_server.http.prometheus import exposition
from tocsin_server.series.head import Sample

SD = "/api/v1/prometheus/sd"
ALLOWED = {"authorization": f"Bearer {SCRAPE_TOKEN}"}


def scraper(rig: Rig, **headers: str) -> httpx.AsyncClient:
    return rig.client(None, headers=ALLOWED | headers)


async def test_every_host_is_a_target_of_its_own(rig: Rig) -> None:
    async with scraper(rig) as prometheus:
        groups = (await prometheus.get(SD)).json()

    atlas = rig.host_id("acme", "atlas")
    assert groups[0] == {
        "targets": ["127.0.0.1:8443"],
        "labels": {
            "__metrics_path__": f"/api/v1/hosts/{atlas}/metrics",
            "__scheme__": "http",
            "instance": "atlas",
            "job": "node",
            "client": "acme",
            "site": "berlin",
        },
    }
    assert [group["labels"]["client"] for group in groups] == ["acme", "globex"]


@pytest.mark.parametrize(
    ("said", "target"),
    [
        ("tocsin.example:9000", "tocsin.example:9000"),
        ("tocsin.example", "tocsin.example"),
        ("[2001:db8::1]:8443", "[2001:db8::1]:8443"),
        ("x" * 300, "127.0.0.1:8443"),
    ],
)
async def test_the_target_is_the_address_that_was_asked_if_it_is_one(rig: Rig, said: str, target: str) -> None:
    async with scraper(rig, host=said) as prometheus:
        assert (await prometheus.get(SD)).json()[0]["targets"] == [target]


@pytest.mark.parametrize("said", ["evil.example/path", "a b", "a@b", "a\x01b"])
async def test_what_can_be_no_address_is_given_to_nobody(rig: Rig, said: str) -> None:
    async with scraper(rig, host=said) as prometheus:
        answer = await prometheus.get(SD)

    assert answer.status_code == 400 or said not in answer.text


@pytest.mark.parametrize("token", ["", "wrong", SCRAPE_TOKEN + "x", SCRAPE_TOKEN[:-1], "\u00e9"])
@pytest.mark.parametrize("path", [SD, "/metrics", "/api/v1/hosts/1/metrics"])
async def test_only_the_scrape_token_opens_them(rig: Rig, path: str, token: str) -> None:
    async with rig.client(None, headers={"authorization": f"Bearer {token}".encode()}) as stranger:
        refused = await stranger.get(path)

    assert refused.status_code == 401
    assert "scrape.token" in refused.json()["remedy"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8443", 200),
        ("localhost", 200),
        ("[::1]:8443", 200),
        ("evil.example", 401),  # a web page whose name points at loopback
        ("127.0.0.1.evil.example", 401),
        ("", 401),
    ],
)
async def test_opened_metrics_are_open_to_who_asks_for_loopback(rig: Rig, host: str, status: int) -> None:
    rig.deps = dataclasses.replace(rig.deps, open_metrics=True)
    async with rig.client(None, headers={"host": host}) as anybody:
        assert (await anybody.get(SD)).status_code == status


async def test_a_hosts_page_is_what_it_has_sent(rig: Rig) -> None:
    atlas = rig.host_id("acme", "atlas")
    rig.push(
        atlas,
        {
            ("node_load1", ()): 0.5,
            ("node_cpu_seconds_total", (("cpu", "0"), ("mode", "idle"))): 12.25,
            ("node_cpu_seconds_total", (("cpu", "1"), ("mode", "idle"))): 1e9,
        },
    )
    rig.push(rig.host_id("globex", "atlas"), {("node_load5", ()): 9.0})

    async with scraper(rig) as prometheus:
        page = await prometheus.get(f"/api/v1/hosts/{atlas}/metrics")

    assert page.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert page.text == (
        "# TYPE node_cpu_seconds_total counter\n"
        'node_cpu_seconds_total{cpu="0",mode="idle"} 12.25\n'
        'node_cpu_seconds_total{cpu="1",mode="idle"} 1000000000.0\n'
        "# TYPE node_load1 gauge\n"
        "node_load1 0.5\n"
    )


async def test_a_silent_hosts_page_says_when_to_come_again(rig: Rig) -> None:
    atlas = rig.host_id("acme", "atlas")
    async with scraper(rig) as prometheus:
        awaited = await prometheus.get(f"/api/v1/hosts/{atlas}/metrics")
        rig.push(atlas, {("node_load1", ()): 0.5}, at_ms=NOW - 40_000)
        silent = await prometheus.get(f"/api/v1/hosts/{atlas}/metrics")

    assert (awaited.status_code, silent.status_code) == (503, 503)
    assert silent.headers["retry-after"] == "10"
    assert "atlas is silent" in silent.json()["detail"]


async def test_a_host_that_is_heard_but_not_yet_judged_has_no_page(rig: Rig) -> None:
    atlas = rig.host_id("acme", "atlas")
    rig.presence.heard(atlas, at_ms=NOW, skew_ms=0)
    rig.head.beat(atlas, up=True, at_ms=NOW, notes={"tocsin_clock_skew_seconds": 0.0})

    async with scraper(rig) as prometheus:
        page = await prometheus.get(f"/api/v1/hosts/{atlas}/metrics")

    assert page.status_code == 503


async def test_an_unknown_hosts_page_is_not_there(rig: Rig) -> None:
    async with scraper(rig) as prometheus:
        assert (await prometheus.get("/api/v1/hosts/99/metrics")).status_code == 404


def sample(name: str, value: float, kind: SeriesKind = SeriesKind.GAUGE, **labels: str) -> Any:
    return Sample(name=name, labels=labels, kind=kind, value=value, time_ms=NOW)


def test_what_is_prometheuss_to_say_is_left_out() -> None:
    samples = [sample("up", 1.0), sample("scrape_samples", 1.0), sample("node_load1", 1.0, instance="atlas")]

    assert exposition(samples) == b"# TYPE node_load1 gauge\nnode_load1 1.0\n"


def test_numbers_that_are_none_are_spelled_as_prometheus_does() -> None:
    samples = [sample("a", value, n=str(place)) for place, value in enumerate((math.nan, math.inf, -math.inf))]

    assert exposition(samples) == b'# TYPE a gauge\na{n="0"} NaN\na{n="1"} +Inf\na{n="2"} -Inf\n'


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["node_load1", "node_disk_bytes_total", "x"]),
            st.dictionaries(st.sampled_from(["device", "path", "exported_instance"]), st.text(), max_size=3),
            st.floats(allow_nan=False),
        ),
        unique_by=lambda each: (each[0], tuple(sorted(each[1].items()))),
    )
)
def test_a_reader_of_the_format_reads_back_what_was_written(
    series: list[tuple[str, dict[str, str], float]],
) -> None:
    kinds = {
        "node_load1": SeriesKind.GAUGE,
        "node_disk_bytes_total": SeriesKind.COUNTER,
        "x": SeriesKind.UNTYPED,
    }
    page = exposition([sample(name, value, kinds[name], **labels) for name, labels, value in series]).decode()

    read = [
        (each.name, each.labels, each.value)
        for family in text_string_to_metric_families(page)
        for each in family.samples
    ]
    key = lambda each: (each[0], sorted(each[1].items()))  # noqa: E731 - as long as its name
    assert sorted(read, key=key) == sorted(series, key=key)
    assert page.count("# TYPE") == len({name for name, *_ in series})
