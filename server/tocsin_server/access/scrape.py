"""The token with which Prometheus scrapes: made once, kept in the data folder for Prometheus to read."""

import secrets
from pathlib import Path

from tocsin_server.estate.secretfile import kept_secret

FILE = "scrape.token"
_PREFIX = "toc_scr_"


def open_scrape_token(data: Path) -> str:
    """The token of this data folder; `authorization: {credentials_file: …}` names its file."""
    kept = kept_secret(data / FILE, _new_token)
    return kept.decode("ascii", errors="replace").strip()


def _new_token() -> bytes:
    return f"{_PREFIX}{secrets.token_urlsafe(24)}\n".encode()
