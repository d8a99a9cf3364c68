"""The console's tests run in UTC, without the configuration, colours or animations of whoever runs them."""

import time
from collections.abc import Iterator

import pytest
from tests.tui.fake import FakeServer


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
