"""What people ask of a desk over HTTP: pages, searches, new tickets; and the seconds that each answer takes."""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import httpx

from bench.archive import CLIENTS

ASKS = 200
FIRST = 20
PAGE_MS, SEARCH_MS, CREATE_MS = 50, 150, 20


def questions(api: httpx.Client) -> Iterator[tuple[str, float, Callable[[], Sequence[float]]]]:
    """The name of each, its budget in milliseconds or 0, and what asks it ASKS times.

    The first new tickets after a start are told apart: their statements are put together then, and planned.
    """
    for name, question in _PAGES.items():
        yield name, PAGE_MS, partial(_walk, api, question)
    for name, asked in _SEARCHES.items():
        yield name, SEARCH_MS, partial(_look_for, api, asked)
    yield f"the first {FIRST} new tickets", 0, partial(_open_some, api, FIRST)
    yield "new ticket", CREATE_MS, partial(_open_some, api, ASKS)


def timed(ask: Callable[[], object]) -> float:
    began = time.perf_counter()
    ask()
    return time.perf_counter() - began


_PAGES: Mapping[str, Mapping[str, Any]] = {
    "page: open": {},
    "page: open of the largest client": {"client": "client-1"},
    "page: open of one owner": {"owner": "person-3"},
    "page: open of one team": {"team": "network"},
    "page: open, priorities 1 and 2": {"priority": [1, 2]},
    "page: open requests": {"kind": "request"},
    "page: opened in the last week": {"state": "all", "since": "week"},
    "page: solved": {"state": "solved"},
    "page: all of one client": {"client": "client-700", "state": "all"},
}
_SEARCHES: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "search: as one types 'backup failed'": [{"q": "backup failed"[:end]} for end in range(2, 14)],
    "search: frequent words": [{"q": words} for words in ("printer jammed", "is full", "memory", "srv 97")],
    "search: a host, a number, a rare word": [
        {"q": words} for words in ("host-1234-7", "#4711", "host-77-3 backup", "zuv", "bavo kes")
    ],
    "search: words of one client": [
        {"q": words, "client": f"client-{client}"}
        for words, client in (("backup", 1), ("printer", 9), ("is full", 700), ("rep", 1500))
    ],
    "search: open ones": [{"q": words, "state": "open"} for words in ("backup", "printer jam", "certificate")],
    "search: of one team and priority": [
        {"q": words, "team": "network", "priority": 1} for words in ("backup", "is full", "me")
    ],
}


def _walk(api: httpx.Client, question: Mapping[str, Any]) -> list[float]:
    """Page after page, and from the first again after the last."""
    asked = dict(question)
    if asked.get("since") == "week":
        asked["since"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 7 * 86_400))
    cursor, took_s = None, []
    for _ in range(ASKS):
        began = time.perf_counter()
        cursor = _get(api, asked | ({"cursor": cursor} if cursor else {}))["next"]
        took_s.append(time.perf_counter() - began)
    return took_s


def _look_for(api: httpx.Client, asked: Sequence[Mapping[str, Any]]) -> list[float]:
    """One search after the other, and the first again after the last."""
    again = itertools.islice(itertools.cycle(asked), ASKS)
    return [timed(partial(_get, api, {"state": "all", **question})) for question in again]


def _get(api: httpx.Client, question: Mapping[str, Any]) -> Any:  # noqa: ANN401 - what JSON is
    return api.get("/tickets", params=dict(question)).raise_for_status().json()


_NUMBERS = itertools.count()


def _open_some(api: httpx.Client, count: int) -> list[float]:
    return [timed(partial(_open, api)) for _ in range(count)]


def _open(api: httpx.Client) -> None:
    number = next(_NUMBERS)
    new = {
        "client": f"client-{1 + number % CLIENTS}",
        "title": f"Printer {number} is jammed",
        "text": "It says that the tray is empty, which it is not.",
    }
    api.post("/tickets", json=new).raise_for_status()
