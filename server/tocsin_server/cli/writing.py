"""Commands that change the database. Apart: who only asks a server need not wait for all that this reads."""

import os
import pwd
from collections.abc import Callable

from sqlmodel import Session

from tocsin_server.access.audit import Actor, Party
from tocsin_server.cli.command import Options
from tocsin_server.datafolder import T, administer
from tocsin_server.estate.names import cleaned_remark


def write(options: Options, act: Callable[[Session], T]) -> T:
    """One change of the database beside a running server, or without one."""
    return administer(options.data, act)


def author() -> str:
    """The login name of who calls, behind sudo too; whoever may write the database may say so."""
    try:
        return cleaned_remark(os.environ.get("SUDO_USER", "")) or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def operator() -> Actor:
    """Who calls, for the audit log."""
    return Actor(Party.OPERATOR, author())
