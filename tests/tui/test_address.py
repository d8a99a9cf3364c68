"""A server's address is checked before anything is sent there."""

import pytest

from tocsin_tui.address import checked_url, is_loopback
from tocsin_tui.errors import BadConfig


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8443", "http://localhost:1", "http://[::1]:8443/", "https://desk.example.org"]
)
def test_these_addresses_are_good(url: str) -> None:
    assert checked_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "desk.example.org",
        "ftp://127.0.0.1",
        "http://",
        "127.0.0.1:8443",
        "http://[::1",
        "https://desk:99999",
    ],
)
def test_what_is_no_address_is_said_with_how_to_write_one(url: str) -> None:
    with pytest.raises(BadConfig, match="write it as https://"):
        checked_url(url)


def test_a_session_never_goes_over_the_network_in_the_clear() -> None:
    with pytest.raises(BadConfig, match="in the clear: use https"):
        checked_url("http://10.0.0.5:8443")


def test_a_name_that_only_begins_like_this_machine_is_another() -> None:
    assert not is_loopback("https://127.0.0.1.example.org")
