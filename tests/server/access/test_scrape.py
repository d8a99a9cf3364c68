"""Prometheus's token is made once and is its owner's to read."""

import stat
from pathlib import Path

from tocsin_server.access.scrape import open_scrape_token


def test_the_token_stays_the_same_and_the_file_is_private(tmp_path: Path) -> None:
    token = open_scrape_token(tmp_path)

    assert open_scrape_token(tmp_path) == token
    assert len(token) >= 32
    assert (tmp_path / "scrape.token").read_text() == token + "\n"
    assert stat.S_IMODE((tmp_path / "scrape.token").stat().st_mode) == 0o600
