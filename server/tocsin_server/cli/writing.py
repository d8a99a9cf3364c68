"""Commands that change the database. Apart: who only asks a server need not wait for all that this reads."""

from collections.abc import Callable

from sqlmodel import Session

from tocsin_server.cli.command import Options
from tocsin_server.datafolder import T, administer


def write(options: Options, act: Callable[[Session], T]) -> T:
    """One change of the database beside a running server, or without one."""
    return administer(options.data, act)
