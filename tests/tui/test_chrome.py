"""The lines around every screen."""

import pytest
from tests.tui import scene
from tests.tui.console import opened, text_of
from tests.tui.fake import FakeServer

from tocsin_tui.sheets import chrome
from tocsin_tui.state import Link


def status(label: str) -> str:
    told = chrome.status(
        width=80, label=label, me=scene.ALICE, counts=None, server=None, link=Link(), now=scene.NOW
    )
    return told.text


def test_a_demo_says_so_beside_the_name() -> None:
    assert status("demo").startswith(" tocsin demo │ ")
    assert status("").startswith(" tocsin │ ")


@pytest.mark.screen
async def test_a_console_shows_its_label_on_its_screen() -> None:
    async with opened(FakeServer(), label="demo") as (app, _):
        shown = text_of(app, "#status")

    assert shown.startswith(" tocsin demo │")
