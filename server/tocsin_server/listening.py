"""The socket, the HTTP server on it, and the log that says what it does."""

import contextlib
import logging
import socket
from collections.abc import Iterator

import structlog
import uvicorn

from tocsin_server.config import ServerConfig
from tocsin_server.errors import Misconfigured
from tocsin_server.loopback import is_loopback


def is_local(settings: ServerConfig) -> bool:
    """Whether only this machine can reach the server; then it speaks plain HTTP."""
    return is_loopback(settings.host)


def url_of(settings: ServerConfig) -> str:
    """The URL under which agents and consoles reach this server."""
    return settings.public_url or _url(settings, settings.host)


def local_url(settings: ServerConfig) -> str:
    """The URL under which a program on this machine reaches it, whatever stands before it for others."""
    everywhere = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - looked for, not bound
    return _url(settings, everywhere.get(settings.host, settings.host))


def _url(settings: ServerConfig, host: str) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"{'http' if is_local(settings) else 'https'}://{shown}:{settings.port}"


def listen(settings: ServerConfig) -> socket.socket:
    """The listening socket; a port that is taken is an operator's matter, said before anything is started."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except (OSError, OverflowError) as error:  # the latter for a port that is none
        listening.close()
        why = error.strerror if isinstance(error, OSError) else "ports are 0 to 65535"
        raise Misconfigured(
            f"cannot listen on {settings.host}:{settings.port} ({why})",
            remedy="choose another port with --port, or stop what uses this one",
        ) from error
    return listening


class HttpServer(uvicorn.Server):
    """uvicorn, ended by our own signal handlers: streams close first, and the process's status is 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone: uvicorn would raise them again after a clean end."""
        yield


def configure_logs() -> None:
    """One line an event, to standard error: logfmt for machines that reads well for people."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=True,
    )
