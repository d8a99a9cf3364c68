"""A query tells what the head knows, or the journal, to whom it concerns and to nobody else."""

import math
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.server.http.rig import INTERVAL_MS, NOW, OPERATOR_TOKEN, Readings, Rig

from tocsin_server.alerts.rulefile import load_rule_files
from tocsin_server.alerts.rules import RuleSet
from tocsin_server.clock import moment
from tocsin_server.estate.estate import HostFacts
from tocsin_server.http import query
from tocsin_server.http.moments import BadMoment, moment_ms
from tocsin_server.http.reach import looks_back, may_concern, within
from tocsin_server.promql import parse
from tocsin_server.promql.spelling import decimal

LOAD = ("node_load1", ())
ATLAS = {"instance": "atlas", "job": "node", "site": "berlin"}


async def ask(console: httpx.AsyncClient, text: str, **more: Any) -> dict[str, Any]:
    got = await console.get("/api/v1/query", params={"query": text, **more})
    answer: dict[str, Any] = got.raise_for_status().json()
    return answer


async def refusal(console: httpx.AsyncClient, text: str, **more: Any) -> tuple[int, str, str]:
    """Status, kind and detail of the problem."""
    answer = await console.get("/api/v1/query", params={"query": text, **more})
    assert answer.headers["content-type"].startswith("application/problem+json")
    told = answer.json()
    return answer.status_code, told["type"], told.get("detail", "")


def both_push(rig: Rig, *, minutes: int = 0) -> None:
    """Acme's atlas has a load of its minutes, Globex's of a hundred more."""
    for client, more in (("acme", 0), ("globex", 100)):
        host = rig.host_id(client, "atlas")
        for at_ms in range(NOW - minutes * 60_000, NOW + 1, INTERVAL_MS):
            rig.push(host, {LOAD: more + (at_ms - NOW) / 60_000 + minutes}, at_ms=at_ms)


def rules(folder: Path, *lines: str) -> RuleSet:
    path = folder / "rules.yml"
    path.write_text("groups:\n- name: g\n  rules:\n" + "".join(f"  - {line}\n" for line in lines))
    return load_rule_files([path])


def of(answer: dict[str, Any]) -> set[tuple[str, str]]:
    """Client and value of each row."""
    return {(row["client"], row["value"]) for row in answer["rows"]}


# -- what is told


async def test_a_row_has_its_client_its_host_its_labels_and_its_value(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    rig.push(rig.host_id("acme", "atlas"), {LOAD: 0.5}, at_ms=NOW)

    answer = await ask(alice, "node_load1")

    assert answer["rows"] == [
        {"client": "acme", "host": "atlas", "labels": {"__name__": "node_load1", **ATLAS}, "value": "0.5"}
    ]
    assert (answer["total"], answer["failures"]) == (1, {})
    assert datetime.fromisoformat(answer["at"]) == moment(NOW)


async def test_a_scalar_is_a_row_for_each_client_and_of_no_host(alice: httpx.AsyncClient) -> None:
    rows = (await ask(alice, "1 + 1"))["rows"]

    assert rows == [
        {"client": client, "host": None, "labels": {}, "value": "2"} for client in ("acme", "globex")
    ]


async def test_numbers_that_json_lacks_are_told_as_prometheus_writes_them(alice: httpx.AsyncClient) -> None:
    values = [of(await ask(alice, text, client="acme")) for text in ("0/0", "1/0", "-1/0")]

    assert values == [{("acme", "NaN")}, {("acme", "+Inf")}, {("acme", "-Inf")}]


async def test_rows_beyond_the_limit_are_cut_and_counted(rig: Rig, alice: httpx.AsyncClient) -> None:
    both_push(rig)

    answer = await ask(alice, "node_load1", limit=1)

    assert (len(answer["rows"]), answer["total"]) == (1, 2)


async def test_a_part_that_cannot_be_evaluated_takes_only_its_client(
    rig: Rig, alice: httpx.AsyncClient
) -> None:
    twins: Readings = {("twin", (("a", "1"),)): 1.0, ("twin", (("a", "2"),)): 2.0}
    rig.push(rig.host_id("acme", "atlas"), twins, at_ms=NOW)
    rig.push(rig.host_id("globex", "atlas"), {("twin", (("a", "1"),)): 3.0}, at_ms=NOW)

    answer = await ask(alice, "twin + ignoring (a) twin")

    assert of(answer) == {("globex", "6")}
    assert set(answer["failures"]) == {"acme"}


# -- who is told what


async def test_without_a_session_nothing_is_told(rig: Rig) -> None:
    async with rig.client(None) as nobody:
        assert (await refusal(nobody, "up"))[:2] == (401, "unauthenticated")
    async with rig.client(None, headers={"authorization": f"Bearer {OPERATOR_TOKEN}x"}) as stranger:
        assert (await refusal(stranger, "up"))[0] == 401


async def test_a_server_without_a_pass_has_no_operator(rig: Rig) -> None:
    rig.deps = replace(rig.deps, operator_token="")
    for header in ("", "Bearer", "Bearer "):
        async with rig.client(None, headers={"authorization": header}) as nobody:
            assert (await refusal(nobody, "up"))[0] == 401


async def test_the_operator_asks_but_does_nothing_else(rig: Rig) -> None:
    both_push(rig)
    rig.sees()
    async with rig.client(None, headers={"authorization": f"Bearer {OPERATOR_TOKEN}"}) as operator:
        assert of(await ask(operator, "node_load1")) == {("acme", "0"), ("globex", "100")}
        for path in ("/api/v1/tickets", "/api/v1/hosts", "/api/v1/me", "/metrics"):
            assert (await operator.get(path)).status_code == 401


async def test_a_viewer_may_ask(rig: Rig) -> None:
    both_push(rig)
    async with rig.client("charlie") as charlie:
        assert len((await ask(charlie, "node_load1"))["rows"]) == 2


async def test_one_client_is_asked_about_by_its_slug(rig: Rig, alice: httpx.AsyncClient) -> None:
    both_push(rig)

    assert of(await ask(alice, "node_load1", client="globex")) == {("globex", "100")}
    assert await refusal(alice, "up", client="nobody") == (404, "not-found", "no client is called 'nobody'")


LEAKS = [
    "node_load1",
    "sum(node_load1)",
    "count(up)",
    '{__name__=~".+"}',
    'node_load1{site="oslo"}',
    'node_load1 or on () vector(1) unless on () node_load1{site="oslo"}',
    "absent(node_load1)",
    "absent(nothing)",
    "time()",
    "topk(5, node_load1)",
    "max_over_time(node_load1[5m])",  # from the journal
    "node_load1 + on () group_left () twin",
    "twin + ignoring (a) twin",
]


@pytest.mark.parametrize("text", LEAKS)
@pytest.mark.parametrize("time", [None, "-2m"])
async def test_who_sees_one_client_sees_nothing_of_another(
    rig: Rig, alice: httpx.AsyncClient, text: str, time: str | None
) -> None:
    both_push(rig, minutes=3)
    twins: Readings = {("twin", (("a", "1"),)): 1.0, ("twin", (("a", "2"),)): 2.0}
    rig.push(rig.host_id("globex", "atlas"), twins, at_ms=NOW + 1)
    rig.clock.move(seconds=1)
    rig.sees("acme")
    more = {} if time is None else {"time": time}
    async with rig.client() as limited:
        answer = await ask(limited, text, **more)

    assert {row["client"] for row in answer["rows"]} <= {"acme"}
    assert set(answer["failures"]) <= {"acme"}
    assert answer["total"] == len(answer["rows"])
    assert not {"globex", "oslo"} & {word for row in answer["rows"] for word in row["labels"].values()}
    assert all(float(row["value"]) < 100 for row in answer["rows"] if text != "time()")


async def test_a_client_that_is_not_seen_is_as_if_it_were_not_there(rig: Rig) -> None:
    rig.sees()
    async with rig.client() as limited:
        unseen = await refusal(limited, "up", client="globex")
        absent = await refusal(limited, "up", client="nobody")
        everything = await ask(limited, '{__name__=~".+"} or vector(1)')

    assert unseen[:2] == absent[:2] == (404, "not-found")
    assert (everything["rows"], everything["total"]) == ([], 0)


# -- when


async def test_an_earlier_moment_is_answered_from_what_was_pushed(rig: Rig, alice: httpx.AsyncClient) -> None:
    both_push(rig, minutes=10)

    unix = await ask(alice, "node_load1", time=str((NOW - 240_000) / 1000), client="acme")
    words = await ask(alice, "node_load1", time="-4m", client="acme")
    rfc = await ask(alice, "node_load1", time=moment(NOW - 240_000).isoformat(), client="acme")

    assert unix == words == rfc
    assert of(unix) == {("acme", "6")}
    assert datetime.fromisoformat(unix["at"]) == moment(NOW - 240_000)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("count_over_time(node_load1[5m])", "30"),
        ("node_load1 offset 3m", "7"),
        (f"node_load1 @ {(NOW - 120_000) / 1000}", "8"),
        ("min_over_time(node_load1[2m] offset 2m) + on () group_right () count(up)", None),
        ("sum_over_time(up[1m])", "6"),
    ],
)
async def test_what_the_head_has_let_go_of_is_read_from_the_journal(
    rig: Rig, alice: httpx.AsyncClient, text: str, value: str | None
) -> None:
    both_push(rig, minutes=10)

    answer = await ask(alice, text, client="acme")

    assert value is None or of(answer) == {("acme", value)}
    assert len(answer["rows"]) == 1


async def test_what_rules_look_back_on_is_answered_as_they_see_it(
    rig: Rig, alice: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_force = rules(tmp_path, "{alert: A, expr: 'max_over_time(node_load1[5m]) > 4'}")
    rig.deps = replace(rig.deps, rules_in_force=lambda: in_force)
    rig.head.require(in_force.windows())
    both_push(rig, minutes=10)
    rig.journal.frames.clear()
    async with rig.client() as client:
        assert of(await ask(client, "count_over_time(node_load1[5m])")) == {("acme", "30"), ("globex", "30")}
        assert of(await ask(client, "count_over_time(node_load1[6m])")) == set()


async def test_what_rules_make_is_not_asked_of_the_journal(rig: Rig, tmp_path: Path) -> None:
    in_force = rules(tmp_path, "{record: load, expr: node_load1}")
    rig.deps = replace(rig.deps, rules_in_force=lambda: in_force)
    async with rig.client() as client:
        assert (await ask(client, "load"))["rows"] == []
        for text in ("load offset 1m", "ALERTS offset 1m", "rate(node_load1[5m]) > load offset 5m"):
            assert (await refusal(client, text))[:2] == (422, "not-kept")


@pytest.mark.parametrize("time", ["", "soon", "-", "-5", "nan", "1e9", "2026-11-25", "9" * 30, "-300y", "inf"])
async def test_a_time_that_is_none_is_refused(alice: httpx.AsyncClient, time: str) -> None:
    assert (await refusal(alice, "up", time=time))[:2] == (422, "bad-time")


@given(st.text())
def test_any_word_is_a_time_or_refused(text: str) -> None:
    try:
        at_ms = moment_ms(text, NOW)
    except BadMoment:
        return
    assert 0 <= at_ms <= 253_402_300_799_999


@given(st.integers(0, 253_402_300_799_999))
def test_a_moment_reads_as_it_is_written(at_ms: int) -> None:
    assert moment_ms(f"{at_ms // 1000}.{at_ms % 1000:03d}", NOW) == at_ms
    assert abs(moment_ms(moment(at_ms).isoformat(), NOW) - at_ms) <= 1


# -- what is refused


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("up ==", "the expression cannot be read"),
        ("up[5m]", "the expression is a range of samples"),
        ('"up"', "the expression is a string"),
        ("nonsense(up)", "the expression cannot be read"),
        pytest.param("(" * 60 + "1" + ")" * 60, "brackets are nested more than 50 deep", id="brackets"),
        pytest.param("up + " * 600 + "up", "characters outside strings", id="many"),
        pytest.param("-" * 1400 + "up", "deep", id="deep"),
        pytest.param(f'up{{a="{"x" * 5000}"}}', "at most 4096 are allowed", id="long"),
        ('up{a=~"(((a{1000}){1000}){1000})"}', "repeats too much"),
        ("up @ -1", "negative time"),
        ("\0", "the expression cannot be read"),
        ("}{", "the expression cannot be read"),
    ],
)
async def test_an_expression_that_is_none_or_hostile_is_a_problem(
    alice: httpx.AsyncClient, text: str, said: str
) -> None:
    status, kind, detail = await refusal(alice, text)

    assert (status, kind) == (422, "bad-expression")
    assert said in detail


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "query"),
        ({"query": ""}, "query"),
        ({"query": "up", "limit": 0}, "limit"),
        ({"query": "up", "limit": 10**9}, "limit"),
        ({"query": "up", "client": "x" * 300}, "client"),
    ],
)
async def test_a_question_that_is_incomplete_names_what_is_wrong(
    alice: httpx.AsyncClient, asked: dict[str, Any], said: str
) -> None:
    answer = await alice.get("/api/v1/query", params=asked)

    assert answer.status_code == 400
    assert said in answer.json()["detail"]


async def test_an_expression_that_looks_at_too_many_samples_is_refused(
    rig: Rig, alice: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_push(rig, minutes=1)
    monkeypatch.setattr(query, "MOST_SAMPLES", 14)

    assert len((await ask(alice, "node_load1"))["rows"]) == 2
    for text in ("rate(node_load1[5m])", "node_load1 offset 1h or " * 9 + "up", " or ".join(["up"] * 9)):
        assert (await refusal(alice, text))[:2] == (422, "too-much")


async def test_more_frames_than_can_be_read_at_once_are_refused_before_they_are_read(
    rig: Rig, alice: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_push(rig, minutes=3)
    monkeypatch.setattr(query, "MOST_FRAMES", 70)  # a host has 61 in ten minutes

    assert (await refusal(alice, "rate(node_load1[5m])"))[:2] == (422, "too-much")
    assert len((await ask(alice, "rate(node_load1[5m])", client="acme"))["rows"]) == 1
    assert len((await ask(alice, 'rate(node_load1{site="oslo"}[5m])'))["rows"]) == 1


async def test_who_comes_while_others_ask_is_told_to_come_again(
    alice: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = [query._turns.acquire(blocking=False) for _ in range(query.AT_ONCE)]
    try:
        answer = await alice.get("/api/v1/query", params={"query": "up"})
    finally:
        query._turns.release(len(taken))

    assert (answer.status_code, answer.json()["type"]) == (429, "overloaded")
    assert answer.headers["retry-after"] == "1"
    assert (await alice.get("/api/v1/query", params={"query": "up"})).status_code == 200


async def test_a_turn_is_given_back_after_a_mistake(alice: httpx.AsyncClient) -> None:
    for _ in range(query.AT_ONCE + 1):
        assert (await refusal(alice, "up =="))[0] == 422


# -- how far it looks, and at whom


@pytest.mark.parametrize(
    ("text", "at_ms", "asked"),
    [
        ("node_load1", NOW, {"node_load1": 0}),
        ("node_load1", NOW - 1000, {"node_load1": 1000}),
        ("node_load1", NOW + 1000, {"node_load1": 0}),
        ("rate(a[5m]) + b", NOW - 1000, {"a": 301_000, "b": 1000}),
        (f"a @ {NOW // 1000 - 60} + a", NOW, {"a": 60_000}),
        (f"a @ {NOW // 1000 - 60} + b @ end()", NOW, {"a": 60_000, "b": 0}),
        ("1 + 1", NOW, {}),
    ],
)
def test_how_far_back_an_expression_looks(text: str, at_ms: int, asked: dict[str, int]) -> None:
    assert looks_back(parse(text), at_ms, NOW) == asked


@pytest.mark.parametrize(
    ("asked", "kept", "is_within"),
    [
        ({}, {}, True),
        ({"a": 0}, {}, True),
        ({"a": 1}, {}, False),
        ({"a": 5}, {"a": 5}, True),
        ({"a": 5}, {"": 5}, True),
        ({"": 5}, {"a": 5}, False),
        ({"": 0, "a": 6}, {"a": 5}, False),
    ],
)
def test_the_head_answers_what_it_holds(
    asked: dict[str, int], kept: dict[str, int], *, is_within: bool
) -> None:
    assert within(asked, kept) is is_within


@pytest.mark.parametrize(
    ("text", "is_meant"),
    [
        ("up", True),
        ('up{instance="atlas"}', True),
        ('up{instance="borea"}', False),
        ('up{instance=~"b.*"} or up{site="berlin", mode!="x"}', True),
        ('up{job!="node"}', False),
        ('up{client="globex", a="b"}', True),
    ],
)
def test_a_host_that_no_selector_can_mean_is_not_read(rig: Rig, text: str, *, is_meant: bool) -> None:
    (atlas,) = (host for host in rig.estate.hosts() if host.client == "acme")

    assert isinstance(atlas, HostFacts)
    assert may_concern(parse(text), atlas) is is_meant


@given(st.floats())
def test_a_number_is_written_so_that_it_reads_the_same(value: float) -> None:
    text = decimal(value)

    assert "e" not in text
    assert math.isnan(value) if text == "NaN" else float(text) == value
