"""The way out of a network that lets nobody out directly: `HTTPS_PROXY` and `NO_PROXY`, as curl reads them.

Only the tunnel (CONNECT) is used: TLS stays end to end, so a proxy sees the server's name and nothing else.
"""

import base64
from collections.abc import Mapping
from typing import NamedTuple

from tocsin_agent.errors import Misconfigured

_DEFAULT_PORT = 3128


class Proxy(NamedTuple):
    """An HTTP proxy; `credentials` is what Proxy-Authorization carries, empty where it asks for none."""

    host: str
    port: int
    credentials: str

    def request(self, host: str, port: int) -> bytes:
        """The request that opens a tunnel to the server."""
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {target} HTTP/1.1", f"host: {target}"]
        if self.credentials:
            lines.append(f"proxy-authorization: {self.credentials}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


def proxy_for(host: str, environment: Mapping[str, str]) -> Proxy | None:
    """The proxy on the way to `host`, or None where the way is direct."""
    address = _variable("https_proxy", environment)
    if not address or _is_direct(host, _variable("no_proxy", environment)):
        return None
    from urllib.parse import urlsplit  # noqa: PLC0415 - most hosts have no proxy to look for

    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        port = parts.port or _DEFAULT_PORT
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme != "http" or not parts.hostname:
        raise Misconfigured(f"HTTPS_PROXY is not an address such as http://proxy:{_DEFAULT_PORT}: correct it")
    return Proxy(parts.hostname, port, _basic(parts.username, parts.password))


def _variable(name: str, environment: Mapping[str, str]) -> str:
    return environment.get(name) or environment.get(name.upper()) or ""


def _is_direct(host: str, exceptions: str) -> bool:
    """A name in `NO_PROXY` stands for itself and for all below it; `*` for every host."""
    for name in exceptions.replace(",", " ").split():
        suffix = name.lstrip(".").lower()
        if name == "*" or host == suffix or host.endswith(f".{suffix}"):
            return True
    return False


def _basic(user: str | None, password: str | None) -> str:
    if user is None:
        return ""
    from urllib.parse import unquote  # noqa: PLC0415 - as above

    pair = f"{unquote(user)}:{unquote(password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()
