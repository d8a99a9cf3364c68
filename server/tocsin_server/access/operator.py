"""The operator at the server's own machine: whoever reads the data folder may ask the running server.

A server writes a pass as it starts, for this one run: where it listens, and a token that it keeps in memory. A
pass that was left behind opens nothing. It is good for questions only, and in no backup.
"""

import os
import secrets
from pathlib import Path

import msgspec

from tocsin_protocol.people import Person
from tocsin_protocol.vocabulary import Role
from tocsin_server.errors import Misconfigured

FILE = "operator.json"
OPERATOR = Person(id=0, login="operator", name="the operator of this server", role=Role.VIEWER)
"""Nobody of the table of people: what is written down is never theirs."""
_PREFIX = "toc_opr_"


class Pass(msgspec.Struct, frozen=True):
    """What `tocsin-server query` needs to reach the server of its data folder."""

    url: str
    token: str

    def __repr__(self) -> str:
        return f"Pass({self.url})"


def issue_pass(data: Path, url: str) -> Pass:
    """A new pass in place of the last run's; only the folder's owner reads it."""
    made = Pass(url=url, token=_PREFIX + secrets.token_urlsafe(32))
    part = data / f".{FILE}.{secrets.token_hex(4)}"
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(msgspec.json.encode(made))
        part.replace(data / FILE)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise Misconfigured(
            f"{data / FILE} cannot be written ({error.strerror})",
            remedy="check who owns the data folder and its free space",
        ) from error
    return made


def read_pass(data: Path) -> Pass:
    """The pass of the server that runs on this folder, or ran last."""
    try:
        return msgspec.json.decode((data / FILE).read_bytes(), type=Pass)
    except FileNotFoundError as error:
        raise Misconfigured(
            f"no server has run on {data}",
            remedy=f"name its folder with --data, or: tocsin-server run --data {data}",
        ) from error
    except OSError as error:
        raise Misconfigured(
            f"{data / FILE} cannot be read ({error.strerror})", remedy="run this as the server's user"
        ) from error
    except msgspec.DecodeError as error:
        raise Misconfigured(f"{data / FILE} is damaged", remedy="start the server again") from error
