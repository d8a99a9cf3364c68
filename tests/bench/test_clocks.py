"""The benchmark's desk is one as a server runs it, and it tells what it measures."""

import pytest

from bench import clocks

pytestmark = pytest.mark.scenario


def test_thresholds_of_a_small_desk_are_told_and_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, number in {"CLOCKS": 60, "TICKET_COUNT": 20, "SECONDS": 2, "TOGETHER": 10}.items():
        monkeypatch.setattr(clocks, name, number)

    clocks.main()

    said = capsys.readouterr().out
    assert "20 tickets with 60 clocks looked at once" in said
    assert "10 thresholds passed in one second" in said
