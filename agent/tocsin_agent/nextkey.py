"""The file `key.next` in the state folder: a key that was made and is not in use yet, whole or not there.

The running agent makes it when its time has come, or `tocsin-agent rotate-key` beside it.
"""

import json
import os
from contextlib import suppress

from tocsin_agent.identity import FILE, SEED_BYTES, make_durable, new_seed
from tocsin_agent.report import say

NEXT_FILE = "key.next"


def make_next(state: str, agent: str) -> bool:
    """Make a key for this agent; whether there was none yet. Raises `OSError`."""
    path, draft = f"{state}/{NEXT_FILE}", f"{state}/{NEXT_FILE}.{os.getpid()}"
    with suppress(FileNotFoundError):
        os.unlink(draft)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump({"agent": agent, "seed": new_seed().hex()}, file)
            file.flush()
            _give_to_the_agent(file.fileno(), state)
            os.fsync(file.fileno())
        # A link and no renaming: of two that make one at the same time one is too late, and sees it.
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        os.unlink(draft)
    make_durable(state)
    return True


def load_next(state: str, agent: str) -> bytes | None:
    """The key that waits, of this agent; one that was made for another goes. Raises `OSError`."""
    path = f"{state}/{NEXT_FILE}"
    try:
        with open(path, "rb") as file:
            said = json.load(file)
        seed = bytes.fromhex(said["seed"])
        if said["agent"] == agent and len(seed) == SEED_BYTES:
            return seed
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError):
        say(f"{path} is damaged, and removed: the key in use goes on")
    drop_next(state)
    return None


def drop_next(state: str) -> None:
    """It is in use, or of no use."""
    try:
        os.unlink(f"{state}/{NEXT_FILE}")
        make_durable(state)
    except FileNotFoundError:
        return
    except OSError as error:
        say(f"{state}/{NEXT_FILE} cannot be removed ({error.strerror}): remove it")


def _give_to_the_agent(descriptor: int, state: str) -> None:
    """Made by root, it is for the one who owns the identity."""
    if os.geteuid() == 0:
        owner = os.stat(f"{state}/{FILE}")
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
