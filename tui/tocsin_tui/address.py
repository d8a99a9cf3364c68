"""The address of a server, checked before anything is sent there."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from tocsin_tui.errors import BadConfig


def checked_url(url: str) -> str:
    """The server's address without a trailing slash; plain HTTP is for this machine only."""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that is not closed
        is_address = False
    if not is_address:
        raise BadConfig(f"{url!r} is no server address: write it as https://desk.example.org:8443")
    if parts.scheme == "http" and not is_loopback(url):
        raise BadConfig(f"{url} would send your session in the clear: use https, or a tunnel to 127.0.0.1")
    return url.rstrip("/")


def is_loopback(url: str) -> bool:
    """Whether the address is this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
