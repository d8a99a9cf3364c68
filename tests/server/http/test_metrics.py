"""The server's own metrics: pictures are taken when they are asked for, in the format that is asked for."""

from dataclasses import replace

import httpx
from prometheus_client.parser import text_string_to_metric_families
from tests.server.http.rig import SCRAPE_TOKEN, Rig

from tocsin_protocol.status import RuleProblem


async def scraped(rig: Rig, accept: str = "") -> httpx.Response:
    headers = {"authorization": f"Bearer {SCRAPE_TOKEN}", "accept": accept}
    async with rig.client(None, headers=headers) as prometheus:
        return await prometheus.get("/metrics")


def values(page: str) -> dict[tuple[str, ...], float]:
    """Name and label values → value."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


async def test_pictures_show_what_is_now(rig: Rig, alice: httpx.AsyncClient) -> None:
    rig.push(rig.host_id("acme", "atlas"), {("node_load1", ()): 0.5})
    rig.alert()
    rig.inbox.append(object())
    rig.judge.rules = ["HighLoad"]
    rig.judge.problems = [RuleProblem(file="desktop.yml", reason="is not YAML")]
    new = {"client": "acme", "title": "The bell is silent", "priority": 2}
    ticket = (await alice.post("/api/v1/tickets", json=new)).json()["ticket"]

    seen = values((await scraped(rig)).text)
    await alice.post(f"/api/v1/tickets/{ticket['id']}/resolve", json={})
    later = values((await scraped(rig)).text)

    assert seen["tocsin_hosts", "up"] == 1
    assert seen["tocsin_hosts", "awaited"] == 1
    assert seen["tocsin_hosts", "silent"] == 0
    assert seen["tocsin_alerts", "firing"] == 1
    assert seen["tocsin_alerts", "pending"] == 0
    assert seen["tocsin_tickets", "acme", "2"] == 1
    assert seen["tocsin_inbox_frames",] == 1
    assert seen["tocsin_head_series",] >= 1
    assert (seen["tocsin_rules",], seen["tocsin_rule_problems",]) == (1, 1)
    assert ("tocsin_tickets", "acme", "2") not in later


async def test_silences_count_while_they_hold(rig: Rig, alice: httpx.AsyncClient) -> None:
    for starts_at in ("2023-11-14T22:13:20Z", "2023-11-14T23:00:00Z"):
        new = {"matchers": "alertname=HighLoad", "starts_at": starts_at, "ends_at": "2023-11-14T23:30:00Z"}
        (await alice.post("/api/v1/silences", json=new)).raise_for_status()

    async def counted() -> float:
        return values((await scraped(rig)).text)["tocsin_silences",]

    now = await counted()
    rig.clock.move(seconds=3600)
    in_an_hour = await counted()
    rig.clock.move(seconds=1800)

    assert (now, in_an_hour, await counted()) == (1, 2, 0)


async def test_whatever_is_not_in_force_is_a_problem_of_the_rules(rig: Rig) -> None:
    rig.judge.problems = [RuleProblem(file="desktop.yml", reason="is not YAML")]
    refused = RuleProblem(file="nights.yml", rule="maintenance_windows/patches", reason="needs a reason")
    rig.deps = replace(rig.deps, other_problems=lambda: [refused])

    assert values((await scraped(rig)).text)["tocsin_rule_problems",] == 2


async def test_the_format_is_the_one_that_is_asked_for(rig: Rig) -> None:
    plain = await scraped(rig)
    openmetrics = await scraped(rig, "application/openmetrics-text; version=1.0.0")

    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert openmetrics.text.endswith("# EOF\n")
