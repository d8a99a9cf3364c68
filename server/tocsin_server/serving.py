"""A server as a process: its folder, its socket, and the answers to whoever calls, until a signal comes."""

import asyncio
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import structlog
import uvicorn
import uvloop

from tocsin_server import heap
from tocsin_server.app import Server
from tocsin_server.clock import SystemClock
from tocsin_server.config import ServerConfig
from tocsin_server.datafolder import TABLES, database, locked, make_database
from tocsin_server.http.connection import connections
from tocsin_server.listening import HttpServer, configure_logs, is_local, listen, url_of
from tocsin_server.storage.address import Address
from tocsin_server.storage.standing import standing

_log = structlog.get_logger()

STREAMS_END_S = 3
KEEP_ALIVE_S = 75
"""Longer than any interval of an agent: a new connection a push costs both sides a TLS handshake."""


def run(
    data: Path, settings: ServerConfig, *, config: Path | None, prepare: Callable[[], None] = lambda: None
) -> int:
    """Serve until SIGTERM or SIGINT; the process's exit status. `prepare` may fill the database before."""
    heap.keep_one()
    configure_logs()
    with locked(data), listen(settings) as listening:
        make_database(data)
        prepare()
        warn_of(database(data))
        with Server(data, settings, config=config, clock=SystemClock()) as server:
            heap.settle()
            uvloop.run(serve(server, settings, listening))
    return 0


def warn_of(where: Address) -> None:
    """What the doctor would be red about."""
    if not where.is_sqlite:
        for ill in standing(where, TABLES).ills:
            _log.warning(ill, action="database_doubtful")


async def serve(server: Server, settings: ServerConfig, listening: socket.socket) -> None:
    """Answer requests until a signal comes."""
    answering = HttpServer(_uvicorn(server, settings))

    def end() -> None:
        server.broker.close()
        answering.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    _log.info("serving", action="serving", url=url_of(settings), data=str(server.data))
    await answering.serve(sockets=[listening])


def _uvicorn(server: Server, settings: ServerConfig) -> uvicorn.Config:
    has_tls = not is_local(settings)
    return uvicorn.Config(
        server.application(),
        loop="none",
        http=connections(server.gate.app.take),  # type: ignore[arg-type]  # whatever makes a protocol will do
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=STREAMS_END_S,
        timeout_keep_alive=KEEP_ALIVE_S,
        ssl_certfile=server.identity.cert_path if has_tls else None,
        ssl_keyfile=server.identity.key_path if has_tls else None,
    )
