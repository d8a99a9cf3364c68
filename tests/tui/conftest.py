"""The console's tests run in UTC, without the configuration, colours or animations of whoever runs them."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.tui.fake import FakeServer
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

_parse = Stylesheet._parse_rules
_PARSED: dict[Any, list[RuleSet]] = {}


def _parse_once(sheet: Stylesheet, *told: Any, **named: Any) -> list[RuleSet]:
    """What one console has read is not read again for the next: a tenth of the time of its tests."""
    of_theme = frozenset(sheet._variables.items())
    key = (told, *named.items(), of_theme)
    if key not in _PARSED:
        _PARSED[key] = _parse(sheet, *told, **named)
    return _PARSED[key]


Stylesheet._parse_rules = _parse_once


@pytest.fixture(autouse=True)
def _still_life(monkeypatch: pytest.MonkeyPatch, tmp_path_factory) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()  # local times are shown
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "no-config"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    # The pilot waits in steps of 20 ms until a step goes by without work; shorter steps find that out sooner.
    monkeypatch.setattr("textual._wait.SLEEP_GRANULARITY", 0.004)
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()
